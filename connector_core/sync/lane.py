"""A lane while it is worked on: its link, the plugin, and the ways to call, to store and to tell of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, cast

from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.contract.comment_rules import CommentRules
from connector_core.contract.errors import AuthError, ConnectorError, PluginError, RetryLater
from connector_core.contract.handles import Integration
from connector_core.contract.merge import Decision, Rules, Side
from connector_core.contract.models import (
    CommentDraft,
    EventType,
    FieldChange,
    FieldName,
    IncidentChange,
    IncidentUpdate,
    NotCreated,
    Receipt,
    TicketQuery,
    TicketSnapshot,
    UnreadableTicket,
    UpdateOutcome,
    WrittenComment,
)
from connector_core.engine.breakers import Breakers, Circuit
from connector_core.plugins import Plugin
from connector_core.registry.integrations import Registry
from connector_core.store import DISCARDED, Claim, Link, Progress, Store, StoredComment, TimelineEntry
from connector_core.sync.asked_waits import AskedWaits
from connector_core.sync.failures import TooManyChanges


class LaneLost(Exception):
    """The claim is no longer good: somebody else works on this lane, nothing may be written."""


@dataclass(frozen=True)
class Tools:
    """What every lane works with.

    `attempts` tells by marker when what may have worked ended, by a steady clock; `waits` who was asked to wait,
    `began` when this process did, by the steady clock.
    """

    store: Store
    registry: Registry
    breakers: Breakers
    clock: Clock
    log: FilteringBoundLogger
    changes_per_minute: int
    attempts: dict[str, float]
    began: float
    waits: AskedWaits


@dataclass(frozen=True)
class Lane:
    """One link while it is being worked on; every method may raise from the error tree."""

    claim: Claim
    link: Link
    plugin: Plugin
    integration: Integration
    site: str
    rules: Rules
    comments: CommentRules
    tools: Tools

    # Storing

    def fresh(self) -> Lane:
        """Return the lane with its link as it is stored now; lost when a person has given that up meanwhile."""
        link = self.tools.store.links.get(self.claim.link_id)
        if link is None or link.status.code == DISCARDED:
            raise LaneLost
        return replace(self, link=link)

    def record(self, progress: Progress) -> None:
        """Store what a step achieved."""
        if not self.tools.store.links.record(self.claim, progress, self.tools.clock.now()):
            raise LaneLost

    def begin(self, side: Side, sent: Mapping[FieldName, str | None]) -> None:
        """Store that a write begins: whatever interrupts it, its end will be known to be unknown."""
        base = {
            name: self.link.base[name].model_copy(update={"pending": side, "sent": value})
            for name, value in sent.items()
        }
        self.record(Progress(base=base))

    def failed(self, error: ConnectorError, names: Iterable[FieldName]) -> None:
        """Store that a write that failed changed nothing, if that is certain."""
        unknown = isinstance(error, PluginError) or (isinstance(error, RetryLater) and error.outcome_unknown)
        if not unknown:
            self.record(Progress(base={name: self.link.base[name] for name in names}))

    def entry(self, kind: str, side: str, text: str, values: Mapping[str, Any]) -> TimelineEntry:
        """Make an entry of the timeline."""
        return TimelineEntry(kind=kind, side=side, text=text, at=self.tools.clock.now(), values=values)

    def decided(self, kind: str, side: str, decision: Decision, note: str = "") -> TimelineEntry:
        """Make an entry of the timeline about a decision."""
        values = {
            "field": decision.field,
            "incident": decision.incident,
            "ticket": decision.ticket,
            "reason": decision.reason,
            "conflict": decision.conflict,
        }
        if decision.changed_by:
            values["ticket_changed_by"] = decision.changed_by
        if note:
            values["note"] = note
        return self.entry(kind, side, _SENTENCES[kind].format(field=decision.field), values)

    def next_comment(self, side: Side) -> StoredComment | None:
        """Return the comment of one side that is to be carried next."""
        return next(iter(self.tools.store.comments.waiting(self.link.id, side)), None)

    # What may have worked although its answer was lost

    def attempt_ended(self, marker: str) -> None:
        """Note that a write with an unknown end ended now."""
        self.tools.attempts[marker] = self.tools.clock.monotonic()

    def attempt_age_s(self, marker: str) -> float:
        """Return how long ago a write surely ended; after a restart nothing is sure but what has passed since."""
        now = self.tools.clock.monotonic()
        return now - self.tools.attempts.setdefault(marker, now)

    def earlier_life_age_s(self) -> float:
        """Return how long ago a ticket of another life was made, at the least: before this process began.

        Where nothing but the age of the incident speaks for such a life, its ticket is taken to be as old: whoever
        starts with a new database does not wait for a search to catch up. A link that was there at the start may have
        got its ticket by the very daemon that ended just before, whatever the clock says.
        """
        if self.tools.store.life.was_removed(self.integration.id):
            return self.attempt_age_s(self.link.marker)
        age_s = self.tools.clock.monotonic() - self.tools.began
        if self.tools.store.life.may_be_of_lately(self.link.id, self.link.created_at):
            return age_s
        opened_at = self.link.incident.opened_at or self.link.incident_at
        return max(age_s, (self.tools.clock.now() - opened_at).total_seconds())

    def when_changed(self, ticket: TicketSnapshot) -> Mapping[FieldName, FieldChange] | None:
        """Ask when and by whom the ticket's fields were changed; None where that cannot be told."""
        if not self.plugin.implements("when_changed"):
            return None
        try:
            changed: Mapping[FieldName, FieldChange] = self.ask("when_changed", ticket=ticket)
        except RetryLater:
            raise
        except ConnectorError as exc:  # not being told is no reason to leave a conflict open
            self.tools.log.info("change_times_unknown", link=self.link.id, code=exc.code, reason=exc.message)
            return None
        return changed

    # Calling

    def spare(self) -> None:
        """Give way while the site is near its rate limit."""
        self.tools.breakers.spare(Circuit(self.site))

    def count_against_cap(self) -> None:
        """Refuse to go on when the link has carried as many changes within a minute as it may."""
        now, cap = self.tools.clock.now(), self.tools.changes_per_minute
        if self.tools.store.timelines.writes_between(self.link.id, now - timedelta(minutes=1), now) >= cap:
            raise TooManyChanges(cap)

    def call(self, change: IncidentChange, *, before: Callable[[], None] = lambda: None) -> object:
        """Call the ticketing plugin if its breakers allow; `before` is done just before the call."""
        settings = digest(change.type, self.link.settings)
        circuit = Circuit(
            self.site,
            self._app,
            settings=f"settings:{self.link.integration_id}:{settings}",
            link_id=self.link.id,
            strict=change.type is EventType.OPENED,
        )

        def work() -> object:
            before()
            return self.plugin.call("on_incident_event", integration=self.integration, change=change)

        return self._write(circuit, work)

    def write_comment(
        self, draft: CommentDraft, *, before: Callable[[], None] = lambda: None
    ) -> WrittenComment | NotCreated:
        """Have the ticketing plugin write a comment, or look for one that it may have written."""
        settings = digest("comment", self.link.settings)
        circuit = Circuit(
            self.site, self._app, settings=f"settings:{self.link.integration_id}:{settings}", link_id=self.link.id
        )

        def work() -> Any:  # noqa: ANN401 - as the plugin gives it
            before()
            return self.plugin.call("write_comment", integration=self.integration, draft=draft)

        return cast("WrittenComment | NotCreated", self._write(circuit, work))

    def _through(self, circuit: Circuit, work: Callable[[], Any]) -> Any:  # noqa: ANN401 - as the plugin gives it
        """Call a plugin unless the link was asked to wait, or a breaker does not allow it."""
        self.tools.waits.check(self.link, circuit.site)
        try:
            return self.tools.breakers.call(circuit, work)
        except RetryLater as exc:
            if exc.after_s is not None:
                self.tools.waits.note(self.link.id, circuit.site)
            raise

    def _write(self, circuit: Circuit, work: Callable[[], object]) -> object:
        try:
            return self._through(circuit, work)
        except AuthError as exc:
            self.tools.store.integrations.note_problem(self.integration.id, exc.code, exc.message)
            raise

    def receipt(self, answer: object) -> Receipt:
        """Return an answer of the plugin that has to be a receipt."""
        if not isinstance(answer, Receipt):
            raise PluginError(f"Plugin {self.plugin.name} gave back no receipt.")
        return answer

    def ask(self, hook: str, **arguments: object) -> Any:  # noqa: ANN401 - each hook has its own type
        """Ask the ticketing plugin something about tickets, if its breakers allow."""
        return self._through(
            Circuit(self.site, self._app), lambda: self.plugin.call(hook, integration=self.integration, **arguments)
        )

    def fetch(self, ticket_id: str) -> list[TicketSnapshot] | UnreadableTicket:
        """Read one ticket; nothing when it is not there, and the word that it cannot be read when it is."""
        query = TicketQuery(ids=frozenset({ticket_id}))
        found: list[TicketSnapshot | UnreadableTicket] = self._through(
            Circuit(self.site, self._app),
            lambda: self.plugin.call("fetch_tickets", integration=self.integration, query=query),
        )
        read = [one for one in found if isinstance(one, TicketSnapshot) and one.id == ticket_id]
        unread = [one for one in found if isinstance(one, UnreadableTicket) and one.id in {"", ticket_id}]
        return unread[0] if unread and not read else read

    def apply(self, update: IncidentUpdate, *, before: Callable[[], None] = lambda: None) -> UpdateOutcome:
        """Call the platform's plugin if its breaker allows; `before` is done just before the call."""
        plugin, source = self.tools.registry.sources.handle(self.link.organization)

        def work() -> object:
            before()
            return plugin.call("apply_change", source=source, update=update)

        outcome = self._through(Circuit(f"source:{self.link.organization}", pauses_on_auth=True), work)
        if not isinstance(outcome, UpdateOutcome):
            raise PluginError(f"Plugin {plugin.name} gave back no outcome of a change.")
        return outcome

    @property
    def platform(self) -> str:
        """What people call the incident platform."""
        info = self.tools.registry.sources.plugin(self.link.organization).info
        return info.platform or info.title

    @property
    def _app(self) -> str:
        return f"app:{self.plugin.name}"


def digest(*parts: object) -> str:
    """Return a short name for values, the same for the same values."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


_SENTENCES = {
    "agreed": "The {field} stays as each side has it.",
    "conflict": "Both sides changed the {field}; a person has to say which value is right.",
    "ticket_written": "The {field} was carried to the ticket.",
    "ticket_left_open": "The ticket was left open.",
    "ticket_refused": "The ticketing system did not take the {field}.",
    "incident_written": "The {field} was carried to the incident.",
    "incident_unsupported": "The platform cannot take the {field}.",
}
