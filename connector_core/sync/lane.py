"""A lane while it is worked on: its link, its plugin, and what surrounds each call that it makes.

A write to either side is one line inside two blocks:

    with lane.guard_writing(EventType.OPENED), lane.attempt(Intent.to_create(link, now)):
        receipt = lane.plugin.on_incident_event(...)

The guard raises before anything is stored when the call must not be made now. The attempt is stored as begun before the
line runs, so that a write is known whose answer never came; it is stored as settled when nothing came of it for sure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.contract.comment_rules import CommentRules
from connector_core.contract.errors import AuthError, ConnectorError, PluginError, RetryLater
from connector_core.contract.handles import AnyIntegration
from connector_core.contract.merge import Decision, Rules, Side
from connector_core.contract.models import (
    EventType,
    FieldChange,
    FieldName,
    TicketQuery,
    TicketSnapshot,
    UnreadableTicket,
)
from connector_core.engine.breakers import Breakers
from connector_core.engine.circuits import Circuit
from connector_core.http.outbound import CALL_DEADLINE_S
from connector_core.metrics import Metrics
from connector_core.plugins import Plugin
from connector_core.registry.integrations import Registry
from connector_core.remembered import Remembered
from connector_core.store import (
    DISCARDED,
    Claim,
    CommentStep,
    Link,
    Nuance,
    Progress,
    Rest,
    Store,
    StoredComment,
    TimelineEntry,
    TimelineKind,
)
from connector_core.sync.asked_waits import AskedWaits
from connector_core.sync.failures import TooManyChanges


class LaneLost(Exception):
    """The claim is no longer good: somebody else works on this lane, nothing may be written."""


@dataclass(frozen=True)
class Tools:
    """What every lane works with.

    `attempts` tells by marker when what may have worked ended, by a steady clock; one that nobody asked about for a day
    counts as ended when somebody does. `waits` tells who was asked to wait, `began` when this process began, by the
    steady clock. `holders` tells by link with which fence this node had its lane last, and since which without a break;
    None where there is no other node.
    """

    store: Store
    registry: Registry
    breakers: Breakers
    clock: Clock
    log: FilteringBoundLogger
    metrics: Metrics
    changes_per_minute: int
    attempts: Remembered[tuple[str, int], float]
    began: float
    waits: AskedWaits
    holders: Remembered[int, tuple[int, int]] | None = None

    def held_here_since(self, claim: Claim) -> int:
        """Return with which fence a lane came here that nobody else claimed since; 0 where nobody else can.

        What is remembered of a link is worth nothing once another node had its lane.
        """
        if self.holders is None:
            return 0
        last, since = self.holders.get(claim.link_id, (-1, -1))
        since = since if last in {claim.fence, claim.fence - 1} else claim.fence
        self.holders[claim.link_id] = (claim.fence, since)
        return since


@dataclass(frozen=True)
class Intent:
    """What is stored of a write that begins, and what once it is certain that nothing came of it."""

    begun: Progress
    settled: Progress
    marker: str = ""
    """By which a search finds what was written, where one is made."""
    is_repeated: bool = False
    """An earlier attempt may have worked: of that only a refusal of the write itself tells."""

    @classmethod
    def to_create(cls, link: Link, now: datetime) -> Intent:
        """Return the intent to create a link's ticket."""
        return cls(
            Progress(attempted_at=now, attempted_incident=link.incident), Progress(attempt_settled=True), link.marker
        )

    @classmethod
    def to_write(cls, link: Link, side: Side, values: Mapping[FieldName, str | None]) -> Intent:
        """Return the intent to write fields to one side."""
        before = {name: link.base[name] for name in values}
        pending = {
            name: agreed.model_copy(update={"pending": side, "sent": values[name]}) for name, agreed in before.items()
        }
        return cls(Progress(base=pending), Progress(base=before))

    @classmethod
    def to_comment(cls, comment: StoredComment, now: datetime, *, is_repeated: bool = False) -> Intent:
        """Return the intent to write a comment to the other side."""
        return cls(
            Progress(comment=CommentStep(comment.id, attempted_at=now)),
            Progress(comment=CommentStep(comment.id, attempt_settled=True)),
            comment.marker,
            is_repeated,
        )

    def is_settled_by(self, error: ConnectorError) -> bool:
        """Return whether an error says for sure that nothing was written."""
        if isinstance(error, PluginError) or (isinstance(error, RetryLater) and error.outcome_unknown):
            return False
        return not (self.is_repeated and isinstance(error, (RetryLater, AuthError)))


@dataclass(frozen=True)
class Lane:
    """One link while it is being worked on; every method may raise from the error tree."""

    claim: Claim
    link: Link
    plugin: Plugin
    integration: AnyIntegration
    circuit: Circuit
    rules: Rules
    comments: CommentRules
    tools: Tools
    #: Since which fence nobody else had the lane.
    here_since: int = 0

    # Storing

    def fresh(self) -> Lane:
        """Return the lane with its link as it is stored now; lost when a person has given that up meanwhile."""
        link = self.tools.store.links.get(self.claim.link_id)
        if link is None or link.status.code == DISCARDED:
            raise LaneLost
        return replace(self, link=link)

    def record(self, progress: Progress, rest: Rest | None = None) -> None:
        """Store what a step achieved; with a `rest` it was the last, and the lane is given back with it."""
        if not self.tools.store.links.record(self.claim, progress, self.tools.clock.now(), rest):
            raise LaneLost

    def entry(self, kind: TimelineKind, side: str, values: Mapping[str, Any]) -> TimelineEntry:
        """Return an entry of the timeline."""
        return TimelineEntry(kind=kind, side=side, at=self.tools.clock.now(), values=values)

    def decided(
        self, kind: TimelineKind, side: str, decision: Decision, *, note: str = "", why: Nuance | None = None
    ) -> TimelineEntry:
        """Return an entry of the timeline about a decision."""
        values = {
            "field": decision.field,
            "incident": decision.incident,
            "ticket": decision.ticket,
            "why": why or decision.why,
            "conflict": decision.conflict,
        }
        if decision.changed_by:
            values["ticket_changed_by"] = decision.changed_by
        if note:
            values["note"] = note
        return self.entry(kind, side, values)

    @property
    def has_comments(self) -> bool:
        """Whether comments wait to be written to either side, or those of the ticket to be read."""
        return bool(self.link.comment_looks) or self.tools.store.comments.any_waits(self.link.id)

    def next_comment(self, side: Side) -> StoredComment | None:
        """Return the comment of one side that is to be written next."""
        return next(iter(self.tools.store.comments.waiting(self.link.id, side)), None)

    # What may have worked although its answer was lost

    def attempt_ended(self, marker: str) -> None:
        """Note that a write with an unknown end ended now."""
        self.tools.attempts[marker, self.here_since] = self.tools.clock.monotonic()

    def attempt_settled(self, marker: str) -> None:
        """Forget a write whose end is known."""
        self.tools.attempts.pop((marker, self.here_since), None)

    def attempt_age_s(self, marker: str) -> float:
        """Return how long ago a write surely ended; after a restart nothing is sure but what has passed since.

        A write of another node that ended in the middle of it may still arrive for a while: then it is below zero.
        """
        now, until = self.tools.clock.monotonic(), self.claim.calling_until
        left_s = 0.0 if until is None else max(0.0, (until - self.tools.clock.now()).total_seconds())
        return now - self.tools.attempts.setdefault((marker, self.here_since), now + left_s)

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
            with self.guard_reading():
                return self.plugin.when_changed(self.integration, ticket)
        except RetryLater:
            raise
        except ConnectorError as exc:  # not being told is no reason to leave a conflict open
            self.tools.log.info("change_times_unknown", link=self.link.id, code=exc.code, reason=exc.message)
            return None

    # Calling

    def spare(self) -> None:
        """Give way while the site is near its rate limit."""
        self.tools.breakers.spare(self.circuit)

    def count_against_cap(self) -> None:
        """Refuse to go on when the link has written as many changes within a minute as it may."""
        now, cap = self.tools.clock.now(), self.tools.changes_per_minute
        if self.tools.store.timelines.writes_between(self.link.id, now - timedelta(minutes=1), now) >= cap:
            raise TooManyChanges(cap)

    def guard_reading(self) -> AbstractContextManager[None]:
        """Return the guard of a block that asks the ticketing plugin something."""
        return self._guard(self.circuit)

    def guard_writing(self, kind: EventType | str) -> AbstractContextManager[None]:
        """Return the guard of a block that has the ticketing plugin write something, or look for what it wrote."""
        settings = digest(kind, self.link.settings)
        is_creation = kind is EventType.OPENED
        return self._guard(
            self.circuit.with_settings(self.integration.id, settings, link_id=self.link.id, strict=is_creation)
        )

    def guard_source(self) -> AbstractContextManager[None]:
        """Return the guard of a block that writes to the incident platform."""
        return self._guard(Circuit.of_source(self.link.organization))

    @contextmanager
    def _guard(self, circuit: Circuit) -> Iterator[None]:
        """Run a block that calls a plugin, unless the link was asked to wait or a breaker does not allow it."""
        self.tools.waits.check(self.link, circuit.site)
        try:
            with self.tools.breakers.guard(circuit):
                yield
        except RetryLater as exc:
            if exc.after_s is not None:
                self.tools.waits.note(self.link.id, circuit.site)
            raise
        except AuthError as exc:
            if circuit.settings is not None:  # a write; what merely reads may lack a permission of its own
                self.tools.store.integrations.note_problem(self.integration.id, exc.code, exc.message)
            raise

    @contextmanager
    def attempt(self, intent: Intent) -> Iterator[None]:
        """Store that a write begins, run the block that makes it, and store when nothing came of it for sure."""
        until = self.tools.clock.now() + timedelta(seconds=CALL_DEADLINE_S)
        self.record(replace(intent.begun, calling_until=until))
        if intent.marker:
            self.attempt_ended(intent.marker)  # what is known of an earlier one says nothing of this one
        try:
            yield
        except ConnectorError as exc:
            self._end(intent, exc)
            raise
        except KeyboardInterrupt:  # the end of the process: it stays as begun
            raise
        except BaseException:
            self._end(intent, RetryLater("The call was broken off.", outcome_unknown=True))
            raise

    def _end(self, intent: Intent, error: ConnectorError) -> None:
        try:
            if intent.is_settled_by(error):
                self.record(intent.settled)
                return
            if intent.marker:  # the wait for what a search may not know yet begins when the call ended
                self.attempt_ended(intent.marker)
            if intent.begun.attempted_at is not None:
                self.record(replace(intent.begun, attempted_at=self.tools.clock.now()))
        except RetryLater as failure:  # it stays as begun and is looked for; how the call ended is not hidden
            self.tools.log.warning("attempt_not_stored", link=self.link.id, code=failure.code, detail=failure.detail)

    def fetch(self, ticket_id: str) -> list[TicketSnapshot] | UnreadableTicket:
        """Read one ticket; nothing when it is not there, and the word that it cannot be read when it is."""
        query = TicketQuery(ids=frozenset({ticket_id}))
        with self.guard_reading():
            found = self.plugin.fetch_tickets(self.integration, query)
        read = [one for one in found if isinstance(one, TicketSnapshot) and one.id == ticket_id]
        unread = [one for one in found if isinstance(one, UnreadableTicket) and one.id in {"", ticket_id}]
        return unread[0] if unread and not read else read

    @property
    def platform(self) -> str:
        """What people call the incident platform."""
        return self.tools.registry.sources.plugin(self.link.organization).info.spoken


def digest(*parts: object) -> str:
    """Return a short name for values, the same for the same values."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]
