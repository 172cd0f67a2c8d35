"""One step of a lane after another: come to a ticket, then merge until both sides agree.

What is to be done is decided from what is stored when the lane runs, never from the event that woke it. How a link
comes to its ticket is in `creating.py`, how comments are synced in `comments.py`, how a decision is written in
`writing.py`, what an error means in `failures.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random

from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.contract.differences import differences, sentence
from connector_core.contract.errors import ConfigError, ConnectorError, PluginError, RetryLater, TicketGone
from connector_core.contract.merge import Action, Decision, Sides, merge, rule_of, with_one_way
from connector_core.contract.models import FieldChange, FieldName, TicketSnapshot
from connector_core.delivery_log.entries import working_on
from connector_core.engine.breakers import Breakers
from connector_core.metrics import Metrics
from connector_core.registry.integrations import Registry
from connector_core.remembered import Remembered
from connector_core.store import (
    DIFFERS,
    DISCARDED,
    MOVED,
    Claim,
    IntegrationRecord,
    IntegrationState,
    Link,
    LinkState,
    LinkStatus,
    Progress,
    Rest,
    Store,
    TimelineEntry,
    TimelineKind,
)
from connector_core.sync.asked_waits import AskedWaits
from connector_core.sync.comments import sync_comments
from connector_core.sync.creating import create, find_again, read_again
from connector_core.sync.failures import TooManyChanges, failure_of, names_a_wait
from connector_core.sync.far_side import change_far_side
from connector_core.sync.gone import check_moved, explain_gone
from connector_core.sync.lane import Lane, LaneLost, Tools
from connector_core.sync.marking import mark
from connector_core.sync.writing import write_next

# Both sides answering every write with another change must end: the lane is paused then.
MAX_ROUNDS = 6
CHANGES_PER_MINUTE = 30


@dataclass
class Synchronizer:
    """Brings links up to date; `run` is what the engine calls, `crashed` when that failed by a bug."""

    store: Store
    registry: Registry
    breakers: Breakers
    clock: Clock
    log: FilteringBoundLogger
    metrics: Metrics
    random: Random = field(default_factory=Random)
    changes_per_minute: int = CHANGES_PER_MINUTE
    is_alone: bool = True

    def __post_init__(self) -> None:
        self._tools = Tools(
            self.store,
            self.registry,
            self.breakers,
            self.clock,
            self.log,
            self.metrics,
            self.changes_per_minute,
            attempts=Remembered(self.clock.monotonic),
            waits=AskedWaits(self.clock),
            began=self.clock.monotonic(),
            holders=None if self.is_alone else Remembered(self.clock.monotonic),
        )

    def run(self, claim: Claim) -> Rest:
        """Bring one link up to date; return how its lane is to be given back, or was."""
        link = self.store.links.get(claim.link_id)
        if link is None or link.status.code == DISCARDED:
            return Rest()
        try:
            entry, integration = self.registry.for_link(link)
            if (status := _pause_of(entry.record)) is not None:
                self.store.links.record(claim, Progress(status=status), self.clock.now(), Rest())
                return Rest(is_given_back=True)
            circuit = self.registry.circuit(entry)
            record = entry.record
            rules = with_one_way(record.rules, integration.shaping)
            lane = Lane(
                claim,
                link,
                entry.plugin,
                integration,
                circuit,
                rules,
                record.comments,
                self._tools,
                self._tools.held_here_since(claim),
            )
            last: Progress | None = None
            try:
                with working_on(link.id, link.status.attempts + 1):
                    last = _advance(lane)
            except TicketGone as exc:
                error = explain_gone(lane.fresh(), exc)
                if error is not None:
                    raise error from exc
            if last is not None:
                lane.record(last, Rest())
                return Rest(is_given_back=True)
        except LaneLost:
            self.log.warning("lane_lost", link=link.id)
        except ConnectorError as exc:
            return self._fail(claim, exc)
        return Rest()

    def crashed(self, claim: Claim) -> Rest:
        """Write down that a bug stopped a lane, so that a person sees it; it is tried again after a while."""
        error = PluginError("The connector itself failed on this one.", code="internal_error")
        return self._fail(claim, error)

    def _fail(self, claim: Claim, error: ConnectorError) -> Rest:
        """Write down what is wrong; return how the lane is to be given back."""
        now = self.clock.now()
        link = self.store.links.get(claim.link_id)
        if link is None:
            return Rest()
        found = failure_of(link, error, now, self.random)
        if names_a_wait(error):
            self._tools.waits.keep(link.id, found.status.next_try, now)
        self.store.links.record(claim, Progress(status=found.status, entries=found.entries), now, found.rest)
        if isinstance(error, RetryLater):
            self.metrics.put_off(link.integration_id, error.code)
        if found.entries:  # said once: the same trouble again is in the link's state, not in the log
            level = self.log.info if isinstance(error, RetryLater) else self.log.warning
            level(
                "lane_not_done",
                link=link.id,
                state=found.status.state,
                code=error.code,
                reason=error.message,
                detail=error.detail,
            )
        return replace(found.rest, is_given_back=True)


def _pause_of(record: IntegrationRecord) -> LinkStatus | None:
    """Return the status of links of an integration that cannot be worked on at present, None when it can.

    Whatever ends the pause wakes the integration's lanes.
    """
    if record.state is not IntegrationState.ACTIVE:
        return LinkStatus(LinkState.PAUSED, code="integration_not_active")
    if record.problem_code:
        return LinkStatus(LinkState.PAUSED, code=record.problem_code, reason=record.problem)
    return None


def _advance(lane: Lane) -> Progress | None:
    """Do what there is to do; return what is left to be stored when the lane is given back."""
    ticket = lane.link.ticket
    if ticket is None:
        create(lane)
        lane = lane.fresh()
    elif lane.link.status.state is LinkState.GONE:
        find_again(lane, ticket)
        lane = lane.fresh()
    elif lane.link.hints:
        read_again(lane, ticket)
        lane = lane.fresh()
    if lane.link.mark_due and lane.link.ticket is not None:
        mark(lane, lane.link.ticket)
        lane = lane.fresh()
    failure = None
    if lane.link.ticket is not None and lane.has_comments:
        failure = sync_comments(lane, lane.link.ticket)
        lane = lane.fresh()
    last = _sync_fields(lane, rest=failure is None)
    if failure is not None:
        raise failure
    if not lane.link.is_test:
        return last
    if last is not None:
        lane.record(last)
    if (ticket := lane.fresh().link.ticket) is not None:
        change_far_side(lane.fresh(), ticket)
    return None


def _sync_fields(lane: Lane, *, rest: bool) -> Progress | None:
    """Merge and write until both sides agree on every field; return that all is done if that is so."""
    checked = ""
    for done in range(MAX_ROUNDS):
        if done:
            lane = lane.fresh()
        link = lane.link
        if link.ticket is None:
            return None
        if link.status.code == MOVED and link.ticket.place != checked:
            checked = link.ticket.place
            check_moved(lane, link.ticket)
        decisions = _decide(lane, link, link.ticket)
        questions = [decision for decision in decisions if decision.action is Action.ASK]
        if len(questions) == len(decisions):
            return _finished(lane, link.ticket, questions) if rest else None
        write_next(lane, link.ticket, decisions)
    raise TooManyChanges(MAX_ROUNDS)


def _decide(lane: Lane, link: Link, ticket: TicketSnapshot) -> list[Decision]:
    """Merge; where both sides changed a field, ask when people changed it on the ticket before the later one wins."""
    sides = Sides(
        link.incident,
        link.incident_at,
        ticket,
        shaping=lane.integration.shaping,
        incident_heard_at=link.incident_heard_at,
        ticket_heard_at=link.ticket_heard_at,
    )
    decisions = merge(link.base, sides, lane.rules)
    by_time = [one for one in decisions if one.conflict and rule_of(lane.rules, one.field).goes_by_time]
    changed = (lane.when_changed(ticket) or {}) if by_time else {}
    return merge(link.base, replace(sides, changed=changed), lane.rules) if changed else decisions


def _who(lane: Lane, ticket: TicketSnapshot) -> Mapping[FieldName, FieldChange]:
    """Return who changed the ticket; a question for a person does not wait for the answer."""
    try:
        return lane.when_changed(ticket) or {}
    except RetryLater:
        return {}


def _settled(lane: Lane, ticket: TicketSnapshot) -> LinkStatus:
    """Return the status of a link of which nothing is left to be written: in sync only where both sides agree."""
    link = lane.link
    info = lane.plugin.info
    found = differences(
        link.base, link.incident, ticket, lane.rules, lane.integration.shaping, unchangeable=info.unchangeable
    )
    if not found:
        return LinkStatus(LinkState.IN_SYNC)
    return LinkStatus(
        LinkState.DIFFERS, code=DIFFERS, reason=sentence(found, platform=_platform(lane), tickets=info.spoken)
    )


def _platform(lane: Lane) -> str:
    """Return what people call the platform of a link, which may have been taken out of the configuration."""
    try:
        return lane.platform
    except ConfigError:
        return "The platform"


def _finished(lane: Lane, ticket: TicketSnapshot, questions: list[Decision]) -> Progress:
    """Return that everything was written but what a person has to decide."""
    if not questions:
        if lane.link.unkept:
            return Progress(status=LinkStatus(LinkState.BLOCKED, code="write_not_kept"))
        return Progress(status=_settled(lane, ticket), settled=True)
    status = LinkStatus(LinkState.CONFLICT, code="conflict")
    entries: tuple[TimelineEntry, ...] = ()
    if lane.link.status.state is not LinkState.CONFLICT:
        changed = _who(lane, ticket)
        by = {decision.field: changed[decision.field].by for decision in questions if decision.field in changed}
        named = [replace(decision, changed_by=by.get(decision.field, "")) for decision in questions]
        entries = tuple(lane.decided(TimelineKind.CONFLICT, "connector", decision) for decision in named)
    return Progress(status=status, entries=entries)
