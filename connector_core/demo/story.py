"""The story: two incidents from opening to close, each step seen on both sides, with how long it took."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from connector_core.contract.models import FieldName
from connector_core.contract.sandboxes import SandboxAbility
from connector_core.demo.stage import Stage, until

_ID_CHARS = 10
_RENAMED, _REWRITTEN = (FieldName.TITLE, FieldName.PRIORITY), (FieldName.DESCRIPTION,)


@dataclass(frozen=True)
class LeftOut:
    """One step that the helpdesk of this demo cannot take, and why."""

    number: int
    why: str


@dataclass(frozen=True)
class Told:
    """One step that was seen: what happened where, what it led to, and after how many seconds.

    `asked_for` are the fields of the incident that its platform was asked to change.
    """

    number: int
    happened: str
    seen: str
    took_s: float
    asked_for: tuple[FieldName, ...] = ()


def tell(stage: Stage) -> Iterator[Told | LeftOut]:
    """Play the story step by step, as far as the helpdesk can; `TimeoutError` when the other side does not show one."""
    platform, sandbox = stage.platform, stage.sandbox
    first = platform.open("Display offline", description="No heartbeat for 5 minutes", priority="high")
    took = until(sandbox.tickets)
    ticket = sandbox.tickets()[0]["id"]
    key = sandbox.ticket(ticket)["key"]
    yield Told(1, f"Incident {_short(first)} opened on the platform", f"ticket {key} was created in the helpdesk", took)

    platform.change(first, title="Lobby display offline")
    took = _ticket_shows(stage, ticket, title="Lobby display offline")
    yield Told(2, "Incident renamed", f"{key} has the new title", took)

    before = sandbox.ticket(ticket)["priority"]
    platform.change(first, priority="critical")
    took = until(lambda: sandbox.ticket(ticket)["priority"] != before)
    yield Told(3, "Incident raised to critical", f"{key} has priority {sandbox.ticket(ticket)['priority']}", took)

    sandbox.edit_ticket(ticket, title="Lobby display: power supply dead", priority="high")
    took = _incident_shows(stage, first, title="Lobby display: power supply dead", priority="high")
    yield Told(4, f"{key} renamed and set to High by an agent", "the incident follows", took, _RENAMED)

    if SandboxAbility.EDITS_DESCRIPTION in sandbox.abilities:
        sandbox.edit_ticket(ticket, description="A technician is on the way.")
        took = _incident_shows(stage, first, description="A technician is on the way.")
        yield Told(5, f"Description of {key} rewritten", "the incident follows", took, _REWRITTEN)
    else:
        yield LeftOut(5, "nobody can change the description of a ticket there")

    platform.resolve(first)
    took = until(lambda: sandbox.ticket(ticket)["done"])
    yield Told(6, "Incident resolved on the platform", f"{key} is {sandbox.ticket(ticket)['status']}", took)

    second = platform.open("Room sensor silent", priority="low")
    took = until(lambda: len(sandbox.tickets()) > 1)
    other = next(entry for entry in sandbox.tickets() if entry["id"] != ticket)
    yield Told(7, f"Incident {_short(second)} opened", f"ticket {other['key']} was created", took)

    _linked(stage, second)
    sandbox.finish_ticket(other["id"])
    took = _incident_shows(stage, second, status="closed")
    yield Told(8, f"{other['key']} finished by an agent", "the incident is closed", took)


def _short(name: str) -> str:
    """Return enough of an id to find it again."""
    return name if len(name) <= _ID_CHARS else f"{name[:_ID_CHARS]}…"


def _linked(stage: Stage, incident_id: str) -> None:
    """Wait until the connector knows the ticket; an agent never finishes one within its first milliseconds."""
    until(lambda: stage.ticket_of(incident_id))


def _ticket_shows(stage: Stage, ticket_id: str, **fields: Any) -> float:  # noqa: ANN401 - any field
    return until(_all_equal(lambda: dict(stage.sandbox.ticket(ticket_id)), fields))


def _incident_shows(stage: Stage, incident_id: str, **fields: Any) -> float:  # noqa: ANN401 - any field
    return until(_all_equal(lambda: stage.platform.incident(incident_id), fields))


def _all_equal(look: Callable[[], dict[str, Any]], fields: dict[str, Any]) -> Callable[[], bool]:
    def holds() -> bool:
        shown = look()
        return all(shown[name] == value for name, value in fields.items())

    return holds
