"""The status of an integration as a page shows it: what `polling/statuses.py` says, and the button that settles it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from connector_core.contract.errors import ConfigError, ConnectorError
from connector_core.polling.statuses import NEED_SOMEBODY, Known, Outage, Status, Todo, Word
from connector_core.setup.answering import looked_at
from connector_core.store import Backlog, LinkState
from connector_core.web.console import visible
from connector_core.web.console.visible import Seen
from connector_core.web.console.visits import Visit
from connector_core.web.console.webhook_light import has_webhook
from connector_core.web.console.wizard_steps import AUTHORIZE, ENABLE, addresses_of_integration
from connector_core.web.console.words import advice

#: What the list *Needs attention* shows; links that were given up or unlinked are paused too, and left out.
UNFINISHED = frozenset({*NEED_SOMEBODY, "waiting", "paused"})


@dataclass(frozen=True)
class Button:
    """What somebody clicks to settle something, and where it leads."""

    title: str
    address: str


@dataclass(frozen=True)
class Statuses:
    """What is asked for once, for all integrations of a page."""

    known: Known
    activity: Mapping[str, datetime]


@dataclass(frozen=True)
class Row:
    """An integration as a list shows it; `tone` is good, fair or bad."""

    seen: Seen
    status: Status
    fix: str
    button: Button | None
    links: Mapping[str, int]
    oldest_undelivered: datetime | None
    last_activity: datetime | None
    unlinked: int = 0

    @property
    def word(self) -> Word:
        """The status in one word."""
        return self.status.word

    @property
    def tone(self) -> str:
        """Good, fair or bad."""
        return self.status.tone

    @property
    def sentence(self) -> str:
        """The status in a sentence."""
        return self.status.sentence

    @property
    def total(self) -> int:
        """How many links there are."""
        return sum(self.links.values())

    @property
    def need_somebody(self) -> int:
        """How many links wait for somebody."""
        return sum(self.links.get(state, 0) for state in NEED_SOMEBODY)


def statuses(visit: Visit) -> Statuses:
    """Ask the store once for a page."""
    return Statuses(visit.app.statuses.known(), visit.app.store.overview.last_activity())


def row(visit: Visit, seen: Seen, asked: Statuses) -> Row:
    """Say how an integration stands."""
    status = _status(visit, seen, asked.known)
    links = asked.known.links.get(seen.id, Backlog())
    return Row(
        seen=seen,
        status=status,
        fix=advice(status.code, status.fix) if _is_told(status) or not visit.user.is_admin else "",
        button=button(visit, seen, status.todo) if visit.user.is_admin else None,
        links={state.value: links.links[state] for state in LinkState if links.links.get(state)},
        unlinked=links.unlinked,
        oldest_undelivered=links.oldest_undelivered,
        last_activity=asked.activity.get(seen.id),
    )


def _is_told(status: Status) -> bool:
    """Return whether a page says what to do beside the button: what is done elsewhere, such as a new key."""
    return status.todo is None or status.todo is Todo.SOURCE


def outages(visit: Visit, asked: Statuses, only: str = "") -> Sequence[Outage]:
    """Return what does not answer and concerns an integration, or any that this user sees."""
    mine = {seen.id for seen in visible.integrations(visit)}
    found = visit.app.statuses.outages(asked.known)
    wanted = mine & {only} if only else mine
    return [one for one in found if wanted & set(one.integrations)]


def button(visit: Visit, seen: Seen, todo: Todo | None) -> Button | None:
    """Return the button that leads to what has to be done."""
    base, set_up = f"/integrations/{seen.id}", addresses_of_integration(visit, seen.id)
    if todo is Todo.WEBHOOK:
        return Button("Check the webhook", _webhook_step(visit, seen) or base)
    buttons = {
        Todo.AUTHORIZE: Button("Authorize again", set_up.page(AUTHORIZE)),
        Todo.SETUP: Button("Finish setup", set_up.page()),
        Todo.ACTIVATE: Button("Activate", set_up.page(ENABLE)),
        Todo.SOURCE: Button("See the source", f"/sources/{seen.record.organization}"),
        Todo.LINKS: Button("Needs attention", f"/unfinished?integration={seen.id}"),
        Todo.HEALTH: Button("See health", f"{base}#health-title"),
        Todo.TEST: Button("See the test", f"{base}/test"),
    }
    return None if todo is None else buttons[todo]


def _webhook_step(visit: Visit, seen: Seen) -> str:
    """Return the step that asks for the webhook's secret, if there is one."""
    if seen.entry is None:
        return ""
    try:
        steps = looked_at(seen.entry)
    except ConnectorError:
        return ""
    found = next((step.key for step in steps if has_webhook(step)), "")
    return found and addresses_of_integration(visit, seen.id).step(found)


def _status(visit: Visit, seen: Seen, known: Known) -> Status:
    if seen.entry is None:
        return visit.app.statuses.of_broken(
            seen.error or ConfigError("The plugin of this integration is not installed.")
        )
    return visit.app.statuses.of_entry(seen.entry, known)
