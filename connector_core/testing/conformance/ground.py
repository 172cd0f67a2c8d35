"""A plugin at the other side, with a core in memory: hooks are called as the core would."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from threading import Event
from typing import Any
from uuid import uuid4

from pydantic import SecretStr

from connector_core.contract.errors import ConnectorError, PluginError, RetryLater
from connector_core.contract.handles import AnyIntegration, Integration
from connector_core.contract.models import (
    FieldName,
    Incident,
    IncidentChange,
    NotCreated,
    Receipt,
    TicketQuery,
    TicketSnapshot,
    UnreadableTicket,
)
from connector_core.contract.sandboxes import Sandbox
from connector_core.plugins import Plugin
from connector_core.testing.conformance import changes
from connector_core.testing.conformance.catcher import Caught
from connector_core.testing.conformance.faults import FaultySession
from connector_core.testing.conformance.system import Caller, MovingClock, System, make_handle
from connector_core.testing.core import MemoryCore

OTHER_SECRET = "another-secret-of-the-suite-00000"  # noqa: S105 - made up
MOST_TRIES = 12


@dataclass(frozen=True)
class Opened:
    """A ticket that was made for an incident."""

    incident: Incident
    marker: str
    receipt: Receipt

    @property
    def ticket(self) -> TicketSnapshot:
        """The ticket as the receipt shows it."""
        return self.receipt.ticket


@dataclass
class Ground:
    """What one check stands on: a fresh handle at the shared system."""

    system: System
    caller: Caller
    handle: Integration
    session: FaultySession
    core: MemoryCore
    figures: dict[str, int] = field(default_factory=dict)
    #: The hooks that were called.
    hooks: set[str] = field(default_factory=set)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    _name: str = field(default_factory=lambda: uuid4().hex[:8])

    @property
    def plugin(self) -> Plugin:
        """The plugin."""
        return self.caller.plugin

    @property
    def desk(self) -> Sandbox:
        """The other side, with a person in it."""
        return self.system.desk

    def call(self, hook: str, *, handle: AnyIntegration | None = None, **arguments: Any) -> Any:  # noqa: ANN401 - each hook has its own types
        """Call a hook; whatever it raises is of our tree, and tells no secret.

        Raises:
            AssertionError: it is not, or it does.
        """
        self.hooks.add(hook)
        handle = handle or self.handle
        try:
            return self.caller.call(hook, integration=handle, **arguments)
        except PluginError as exc:
            raise AssertionError(f"{hook} raised what is not of our tree: {exc.detail or exc.message}") from exc
        except ConnectorError as exc:
            told = f"{exc.message} {exc.fix} {exc.detail}"
            leaked = [name for name, secret in secrets_of(handle, self.core).items() if secret in told]
            assert not leaked, f"the error of {hook} tells {', '.join(leaked)}"
            raise

    # What the core does

    def some_incident(self, **fields: Any) -> Incident:  # noqa: ANN401 - fields of an incident
        """Return an incident whose title is found nowhere else."""
        number = next(self._numbers)
        given = {"title": f"Fan {self._name}-{number} failed", **fields}
        return changes.incident(f"inc-{self._name}-{number}", **given)

    def some_marker(self) -> str:
        """Return a marker that is found nowhere else, as the core makes them."""
        return f"cnx-{uuid4().hex[:20]}"

    def open(self, incident: Incident | None = None, **fields: Any) -> Opened:  # noqa: ANN401 - fields of an incident
        """Have a ticket made, as the core does: see `settle`."""
        incident = incident or self.some_incident(**fields)
        marker = self.some_marker()
        return Opened(incident, marker, self.settle(incident, marker))

    def settle(self, incident: Incident, marker: str) -> Receipt:
        """Create; where the outcome is unknown look; where certainly nothing was made create again.

        After any other error a person tries again, as they may.
        """
        attempted_at: datetime | None = None
        began, last = 0.0, ""
        for _ in range(MOST_TRIES):
            if attempted_at is None:
                now, began = self.system.clock.now(), self.system.clock.monotonic()
                change: IncidentChange = changes.to_create(incident, marker)
            else:
                now = attempted_at
                change = changes.to_find(incident, marker, attempted_at, self.system.clock.monotonic() - began)
            try:
                answer = self.call("on_incident_event", change=change)
            except ConnectorError as exc:
                last = f"{type(exc).__name__}: {exc.message}"
                is_unknown = isinstance(exc, RetryLater) and exc.outcome_unknown
                attempted_at = now if is_unknown else attempted_at
                self.wait((exc.after_s if isinstance(exc, RetryLater) else None) or 1.0)
                continue
            if isinstance(answer, Receipt):
                return answer
            assert isinstance(answer, NotCreated), f"on_incident_event gave back {type(answer).__name__}"
            attempted_at = None
        raise AssertionError(f"no ticket after {MOST_TRIES} tries; the last one said: {last}")

    def look(self, incident: Incident, marker: str) -> Receipt | NotCreated:
        """Look for what an attempt may have made that is begun now, until it is certain.

        Raises:
            RetryLater: it never is.
        """
        attempted_at, began = self.system.clock.now(), self.system.clock.monotonic()
        for left in reversed(range(MOST_TRIES)):
            age_s = self.system.clock.monotonic() - began
            change = changes.to_find(incident, marker, attempted_at, age_s)
            try:
                answer: Receipt | NotCreated = self.call("on_incident_event", change=change)
            except RetryLater as exc:
                if not left:
                    raise
                self.wait(exc.after_s or 1.0)
            else:
                return answer
        raise AssertionError("unreachable")

    def write(self, opened: Opened, *names: FieldName, ticket: TicketSnapshot | None = None, **fields: Any) -> Receipt:  # noqa: ANN401 - fields of an incident
        """Have fields of the incident written to its ticket."""
        incident = changes.changed(opened.incident, **fields)
        change = changes.to_write(ticket or opened.ticket, incident, opened.marker, names)
        return self.receipt("on_incident_event", change=change)

    def close(self, opened: Opened, ticket: TicketSnapshot | None = None) -> Receipt:
        """Have a ticket closed, since its incident is over."""
        incident = changes.changed(opened.incident, status="closed")
        change = changes.to_close(ticket or opened.ticket, incident, opened.marker)
        return self.receipt("on_incident_event", change=change)

    def close_as_core(self, opened: Opened) -> Receipt:
        """Have a ticket closed, again and again where it says later, as the core does."""
        last = ""
        for _ in range(MOST_TRIES):
            try:
                return self.close(opened)
            except ConnectorError as exc:
                last = f"{type(exc).__name__}: {exc.message}"
                self.wait((exc.after_s if isinstance(exc, RetryLater) else None) or 1.0)
        raise AssertionError(f"not closed after {MOST_TRIES} tries; the last one said: {last}")

    def receipt(self, hook: str, **arguments: Any) -> Receipt:  # noqa: ANN401 - as above
        """Call a hook that gives back a receipt."""
        answer = self.call(hook, **arguments)
        assert isinstance(answer, Receipt), f"{hook} gave back {type(answer).__name__}"
        return answer

    def fetch(
        self, *ids: str, changed_since: datetime | None = None, places: Iterable[str] = ()
    ) -> list[TicketSnapshot | UnreadableTicket]:
        """Read tickets; as the core does, what was not asked for is left out."""
        if changed_since is not None:
            changed_since -= self.plugin.info.read_lag
        query = TicketQuery(ids=frozenset(ids), changed_since=changed_since, places=frozenset(places))
        found: Sequence[TicketSnapshot | UnreadableTicket] = self.call("fetch_tickets", query=query)
        return [one for one in found if one.id in query.ids or not one.id]

    def read(self, ticket_id: str) -> TicketSnapshot:
        """Read one ticket that is there."""
        found = self.fetch(ticket_id)
        assert len(found) == 1, f"one ticket was asked for, {len(found)} came"
        assert isinstance(found[0], TicketSnapshot), f"it cannot be read: {found[0]}"
        return found[0]

    def receive(self, caught: Caught, *, secrets: Sequence[str], ahead_s: float) -> Any:  # noqa: ANN401 - a delivery or None
        """Hand a delivery to the plugin, some seconds after it came."""
        clock = MovingClock()
        clock.forward((self.system.clock.now() - clock.now()).total_seconds() + ahead_s)
        handle = replace(self.handle, webhook_secrets=tuple(map(SecretStr, secrets)), clock=clock)
        return self.call("on_inbound_webhook", handle=handle, request=caught.request(clock.now()))

    def look_for_changes(self, opened: Opened) -> list[TicketSnapshot | UnreadableTicket]:
        """Look for what changed since now, as the core does: again and again, each time since the look before."""
        since, found = self.system.clock.now(), []
        for _ in range(MOST_TRIES):
            found = self.fetch(opened.ticket.id, changed_since=since, places={opened.ticket.place} - {""})
            if found and any(getattr(one, "title", "") != opened.ticket.title for one in found):
                return found
            self.wait(self.system.longest_wait_s)
        return found

    # What happens at the other side

    def caught(self, *words: str) -> list[Caught]:
        """Return the deliveries that have all these words in them, when there is one."""
        return self.system.catcher.wait_for(lambda caught: all(caught.mentions(word) for word in words))

    def tickets_of(self, incident: Incident) -> list[Mapping[str, Any]]:
        """Return the tickets that were made for an incident, by their titles."""
        name = incident.title.split(" failed", maxsplit=1)[0]
        return [ticket for ticket in self.desk.tickets() if name in str(ticket["title"])]

    def shown(self, ticket_id: str) -> Mapping[str, Any]:
        """Return a ticket as people there see it."""
        return self.desk.ticket(ticket_id)

    # Time and calls

    def wait(self, seconds: float) -> None:
        """Let time pass: by the clock, where the other side goes by it too.

        Another one is given a moment, and what we wait for is as old afterwards as if it had been all of the time: a
        call of these checks is never on its way any more.
        """
        if self.system.shares_clock:
            self.system.clock.forward(seconds)
            return
        moment = min(seconds, self.system.longest_wait_s)
        Event().wait(moment)
        self.system.clock.grow_older(seconds - moment)

    def renewed(self) -> Ground:
        """Return the same ground as after a restart that lost whatever may be lost: cache and memory."""
        fresh = make_ground(self.system, self.caller)
        return replace(fresh, handle=replace(fresh.handle, settings=self.handle.settings))

    def counted(self, name: str, work: Callable[[], Any]) -> Any:  # noqa: ANN401 - what the work gives back
        """Do something and note how many calls it took."""
        before = len(self.session.calls)
        answer = work()
        self.figures[name] = len(self.session.calls) - before
        return answer


def make_ground(
    system: System, caller: Caller, *, settings: Mapping[str, Any] | None = None, reads: Sequence[str] = ()
) -> Ground:
    """Return a fresh handle at a system, with other answers than the usual ones where there are some."""
    handle, core, renewing = make_handle(system, caller, settings or {})
    session = FaultySession(handle.session, reads)
    session.stand_before(renewing.session)
    return Ground(system, caller, handle, session, core)


def secrets_of(handle: AnyIntegration, core: MemoryCore) -> dict[str, str]:
    """Return what no error may tell, by what it is."""
    found = {f"the webhook secret {n}": secret for n, secret in enumerate(handle.webhook_secrets)}
    for model in (handle.settings, handle.plugin_settings):
        found |= {f"the setting {name}": value for name, value in _secrets_in(model)}
    if core.present is not None:
        found |= {f"the grant's header {name}": value for name, value in core.present.headers.items()}
        found |= {f"the grant's {name}": value for name, value in core.present.secrets.items()}
    return {name: secret.get_secret_value() for name, secret in found.items() if secret.get_secret_value()}


def _secrets_in(model: Any, path: str = "") -> Iterator[tuple[str, SecretStr]]:  # noqa: ANN401 - settings, of whatever model
    for name in type(model).model_fields if hasattr(type(model), "model_fields") else ():
        value = getattr(model, name)
        if isinstance(value, SecretStr):
            yield f"{path}{name}", value
        elif hasattr(type(value), "model_fields"):
            yield from _secrets_in(value, f"{path}{name}.")
