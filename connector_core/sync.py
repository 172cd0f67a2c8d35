"""One step of a lane after another: create the ticket, then merge until both sides agree.

What is to be done is decided from what is stored when the lane runs, never from the event that woke it. Every call to
a vendor goes through its circuit breakers and is followed by one transaction that holds its receipt, what is now agreed
on, and the timeline. How a failure is written down is in `setback.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, TypeVar

from structlog.typing import FilteringBoundLogger

from connector_core.breakers import Breakers, Circuit
from connector_core.clock import Clock
from connector_core.errors import AuthError, ConnectorError, PluginError, RetryLater, TicketGone
from connector_core.handles import Integration
from connector_core.merge import Action, Agreed, Decision, Rules, Sides, agreed_at_birth, merge, ticket_value
from connector_core.meters import Meters
from connector_core.models import (
    EventType,
    FieldName,
    Incident,
    IncidentChange,
    IncidentUpdate,
    NotCreated,
    Receipt,
    TicketQuery,
    TicketSnapshot,
    UpdateOutcome,
)
from connector_core.plugins import Plugin
from connector_core.registry import Registry
from connector_core.setback import Setback, TooManyChanges, hindrance, setback
from connector_core.store import (
    DISCARDED,
    GONE_FIX,
    GONE_REASON,
    Claim,
    Link,
    LinkState,
    LinkStatus,
    OurWrite,
    Progress,
    Rest,
    Store,
    TimelineEntry,
)

T = TypeVar("T")

# Both sides answering every write with another change must end: the lane is paused then.
MAX_ROUNDS = 6
CHANGES_PER_MINUTE = 30


class _LaneLost(Exception):
    """The claim is no longer good: somebody else works on this lane, nothing may be written."""


@dataclass(frozen=True)
class Lane:
    """One link while it is being worked on."""

    claim: Claim
    link: Link
    plugin: Plugin
    integration: Integration
    site: str
    rules: Rules


@dataclass
class Synchronizer:
    """Brings links up to date; `run` is what the engine calls, `crashed` when that failed by a bug."""

    store: Store
    registry: Registry
    breakers: Breakers
    clock: Clock
    log: FilteringBoundLogger
    meters: Meters
    random: Random = field(default_factory=Random)
    changes_per_minute: int = CHANGES_PER_MINUTE
    look_at_clock: Callable[[], None] = lambda: None

    def run(self, claim: Claim) -> Rest:
        """Bring one link up to date; return how its lane is to be given back."""
        self.look_at_clock()  # what was attempted before it was set would seem to be of another age
        link = self.store.link(claim.link_id)
        if link is None or link.status.code == DISCARDED:
            return Rest()
        try:
            entry, integration = self.registry.for_link(link)
            if (status := hindrance(entry.record)) is not None:
                self.store.record(claim, Progress(status=status), self.clock.now())
                return Rest()
            site = self.registry.site_key(entry)
            self._advance(Lane(claim, link, entry.plugin, integration, site, entry.record.rules))
        except _LaneLost:
            self.log.warning("lane_lost", link=link.id)
        except ConnectorError as exc:
            return self._fail(claim, exc)
        return Rest()

    def crashed(self, claim: Claim) -> Rest:
        """Write down that a bug stopped a lane, so that a person sees it; it is tried again after a while."""
        error = PluginError(
            "The connector itself failed on this one.",
            code="internal_error",
            fix="This is a bug; the log has the traceback. It is tried again by itself.",
        )
        return self._fail(claim, error)

    # The steps

    def _advance(self, lane: Lane) -> None:
        if lane.link.ticket is None:
            self._create(lane)
        elif lane.link.status.state is LinkState.GONE:
            self._find_again(lane, lane.link.ticket)
        for _ in range(MAX_ROUNDS):
            link = self._reload(lane)
            if link.ticket is None:
                return
            decisions = merge(link.base, Sides(link.incident, link.incident_at, link.ticket), lane.rules)
            questions = [decision for decision in decisions if decision.action is Action.ASK]
            if len(questions) == len(decisions):
                self._come_to_rest(lane, link, questions)
                return
            self._carry(_at(lane, link), link.ticket, decisions)
        raise TooManyChanges(MAX_ROUNDS)

    def _come_to_rest(self, lane: Lane, link: Link, questions: list[Decision]) -> None:
        """Note that everything was carried but what a person has to decide."""
        if not questions:
            self._record(lane, Progress(status=LinkStatus(LinkState.IN_SYNC), settled=True))
            return
        fields = ", ".join(decision.field for decision in questions)
        status = LinkStatus(
            LinkState.CONFLICT,
            code="conflict",
            reason=f"Both sides changed: {fields}. A person has to say which value is right.",
            fix=f"Run: connector resolve {link.id} {questions[0].field} incident|ticket",
        )
        entries: tuple[TimelineEntry, ...] = ()
        if link.status.state is not LinkState.CONFLICT:
            entries = tuple(self._decided("conflict", "connector", decision) for decision in questions)
        self._record(lane, Progress(status=status, entries=entries))

    def _create(self, lane: Lane) -> None:
        """Create the ticket, unless an earlier attempt did: the intent is on disk before the call."""
        link = lane.link
        if link.attempted_at is not None and self._adopt(lane, link.attempted_at):
            return
        change = IncidentChange(type=EventType.OPENED, incident=link.incident, marker=link.marker)
        sent = False

        def intend() -> None:
            nonlocal sent
            self._intend(lane)
            sent = True

        try:
            receipt = self._checked(lane, self._call(lane, change, before=intend))
        except ConnectorError as exc:
            if isinstance(exc, RetryLater) and exc.outcome_unknown:
                self._intend(lane)  # the wait for what a search may not know yet begins when the call ended
            elif sent:
                self._record(lane, Progress(attempt_settled=True))
            raise
        self._born(lane, link.incident, receipt, "ticket_created", "was created")

    def _adopt(self, lane: Lane, attempted_at: datetime) -> bool:
        """Look for what an earlier attempt may have created; False when that is certainly nothing."""
        incident = lane.link.attempted_incident or lane.link.incident
        change = IncidentChange(
            type=EventType.OPENED, incident=incident, marker=lane.link.marker, attempted_at=attempted_at
        )
        answer = self._call(lane, change)
        if isinstance(answer, NotCreated):
            return False
        self._born(lane, incident, self._checked(lane, answer), "ticket_found", "was found after a lost answer")
        return True

    def _intend(self, lane: Lane) -> None:
        self._record(lane, Progress(attempted_at=self.clock.now(), attempted_incident=lane.link.incident))

    def _born(self, lane: Lane, incident: Incident, receipt: Receipt, kind: str, what: str) -> None:
        """Store a new ticket with what both sides agree on: what was sent, not what the incident has become since."""
        ticket = receipt.ticket
        values = {"ticket": ticket.key, "note": receipt.note}
        entry = self._entry(kind, "ticket", f"Ticket {ticket.key} {what}.", values)
        base = agreed_at_birth(incident, receipt.as_created or ticket)
        self._record(lane, Progress(ticket=ticket, base=base, attempt_settled=True, entries=(entry,)))
        self.log.info(kind, link=lane.link.id, integration=lane.link.integration_id, ticket=ticket.key)

    def _find_again(self, lane: Lane, ticket: TicketSnapshot) -> None:
        """Read a ticket that was gone: a person may have restored it or given access back."""
        query = TicketQuery(ids=frozenset({ticket.id}))
        found = self.breakers.call(
            Circuit(lane.site, lane.plugin.name),
            lambda: lane.plugin.call("fetch_tickets", integration=lane.integration, query=query),
        )
        if not any(seen.id == ticket.id for seen in found):
            raise TicketGone(GONE_REASON, fix=GONE_FIX)
        self.store.accept_tickets(lane.integration.id, found, self.clock.now())

    def _carry(self, lane: Lane, ticket: TicketSnapshot, decisions: Iterable[Decision]) -> None:
        """Do one thing, then look again: what is free of calls first, status last on the ticket's side.

        When the ticketing system fails, what is for the platform is carried all the same.
        """
        by_action: dict[Action, list[Decision]] = {}
        for decision in decisions:
            by_action.setdefault(decision.action, []).append(decision)
        to_ticket, to_incident = by_action.get(Action.TO_TICKET, []), by_action.get(Action.TO_INCIDENT, [])
        if agreed := by_action.get(Action.AGREE):
            self._agree(lane, agreed)
        elif to_ticket:
            try:
                self._write_ticket(lane, ticket, to_ticket)
            except ConnectorError:
                if to_incident:
                    self._write_incident(lane, to_incident)
                raise
        else:
            self._write_incident(lane, to_incident)

    def _agree(self, lane: Lane, decisions: list[Decision]) -> None:
        base = {d.field: Agreed(incident=d.incident, ticket=d.ticket) for d in decisions}
        entries = tuple(self._decided("agreed", "connector", decision) for decision in decisions)
        self._record(lane, Progress(base=base, entries=entries))

    def _write_ticket(self, lane: Lane, ticket: TicketSnapshot, decisions: list[Decision]) -> None:
        """Write fields if any moved, otherwise close the ticket."""
        self._count_against_cap(lane)
        fields = [decision for decision in decisions if decision.field is not FieldName.STATUS]
        kind, decisions = (EventType.UPDATED, fields) if fields else (EventType.RESOLVED, decisions)
        change = IncidentChange(
            type=kind,
            incident=lane.link.incident,
            marker=lane.link.marker,
            fields=frozenset(decision.field for decision in decisions),
            ticket=ticket,
        )
        is_cosmetic = len(fields) == len(decisions)
        receipt = self._checked(lane, self._call(lane, change, can_wait=is_cosmetic))
        base: dict[FieldName, Agreed] = {}
        entries = []
        for decision in decisions:
            shown = ticket_value(receipt.ticket, decision.field)
            base[decision.field] = Agreed(incident=decision.incident, ticket=shown)
            refusal = receipt.refused.get(decision.field)
            if refusal is not None:
                entries.append(self._decided("ticket_refused", "ticket", decision, note=refusal))
            elif decision.field is FieldName.STATUS and not receipt.ticket.done:
                entries.append(self._decided("ticket_left_open", "ticket", decision, note=receipt.note))
            else:
                entries.append(self._decided("ticket_written", "ticket", decision, note=receipt.note))
        self._record(lane, Progress(ticket=receipt.ticket, base=base, entries=tuple(entries)))

    def _write_incident(self, lane: Lane, decisions: list[Decision]) -> None:
        self._count_against_cap(lane)
        link = lane.link
        plugin, source = self.registry.source(link.organization)
        update = _incident_update(link, decisions)
        outcome = self.breakers.call(
            Circuit(f"source:{link.organization}", pauses_on_auth=True),
            lambda: plugin.call("apply_change", source=source, update=update),
        )
        if not isinstance(outcome, UpdateOutcome):
            raise PluginError(f"Plugin {plugin.name} gave back no outcome of a change.")
        at = outcome.applied_at or self.clock.now()
        base: dict[FieldName, Agreed] = {}
        written: dict[FieldName, tuple[str | None, str | None]] = {}
        entries = []
        for decision in decisions:
            reason = outcome.unsupported.get(decision.field)
            if reason is None:
                written[decision.field] = (decision.incident, decision.ticket)
                base[decision.field] = Agreed(
                    incident=decision.ticket,
                    ticket=decision.ticket,
                    replaced=decision.incident,
                    replaced_at=at,
                    by_their_clock=outcome.applied_at is not None,
                )
                entries.append(self._decided("incident_written", "incident", decision))
            else:
                base[decision.field] = Agreed(incident=decision.incident, ticket=decision.ticket)
                entries.append(self._decided("incident_unsupported", "incident", decision, note=reason))
        self._record(lane, Progress(base=base, written=OurWrite(written, at), entries=tuple(entries)))

    # Private

    def _call(
        self,
        lane: Lane,
        change: IncidentChange,
        *,
        before: Callable[[], None] = lambda: None,
        can_wait: bool = False,
    ) -> object:
        """Call the ticketing plugin if its breakers allow; `before` is done just before the call."""
        circuit = Circuit(
            lane.site,
            f"app:{lane.plugin.name}",
            settings=f"settings:{lane.link.integration_id}:{_digest(change.type, lane.link.settings)}",
            link_id=lane.link.id,
            strict=change.type is EventType.OPENED,
        )
        if can_wait:
            self.breakers.spare(circuit)

        def work() -> object:
            before()
            return lane.plugin.call("on_incident_event", integration=lane.integration, change=change)

        try:
            return self.breakers.call(circuit, work)
        except AuthError as exc:
            self.store.note_problem(lane.integration.id, exc.code, exc.message)
            raise

    def _checked(self, lane: Lane, answer: object) -> Receipt:
        if not isinstance(answer, Receipt):
            raise PluginError(f"Plugin {lane.plugin.name} gave back no receipt.")
        return answer

    def _count_against_cap(self, lane: Lane) -> None:
        now = self.clock.now()
        if self.store.writes_between(lane.link.id, now - timedelta(minutes=1), now) >= self.changes_per_minute:
            raise TooManyChanges(self.changes_per_minute)

    def _reload(self, lane: Lane) -> Link:
        link = self.store.link(lane.claim.link_id)
        if link is None:
            raise _LaneLost
        return link

    def _record(self, lane: Lane, progress: Progress) -> None:
        if not self.store.record(lane.claim, progress, self.clock.now()):
            raise _LaneLost

    def _entry(self, kind: str, side: str, text: str, values: Mapping[str, Any]) -> TimelineEntry:
        return TimelineEntry(kind=kind, side=side, text=text, at=self.clock.now(), values=values)

    def _decided(self, kind: str, side: str, decision: Decision, note: str = "") -> TimelineEntry:
        values = {
            "field": decision.field,
            "incident": decision.incident,
            "ticket": decision.ticket,
            "reason": decision.reason,
            "conflict": decision.conflict,
        }
        if note:
            values["note"] = note
        return self._entry(kind, side, _SENTENCES[kind].format(field=decision.field), values)

    def _fail(self, claim: Claim, error: ConnectorError) -> Rest:
        """Write down what is wrong; return how the lane is to be given back."""
        now = self.clock.now()
        link = self.store.link(claim.link_id)
        if link is None:
            return Rest()
        found: Setback = setback(link, error, now, self.random)
        self.store.record(claim, Progress(status=found.status, entries=found.entries), now)
        if isinstance(error, RetryLater):
            self.meters.put_off(link.integration_id, error.code)
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
        return found.rest


_SENTENCES = {
    "agreed": "Both sides' {field} is taken as it is.",
    "conflict": "Both sides changed the {field}; a person has to say which value is right.",
    "ticket_written": "The {field} was carried to the ticket.",
    "ticket_left_open": "The ticket was left open.",
    "ticket_refused": "The ticketing system did not take the {field}.",
    "incident_written": "The {field} was carried to the incident.",
    "incident_unsupported": "The platform cannot take the {field}.",
}


def _at(lane: Lane, link: Link) -> Lane:
    """Return the lane with its link as it is now."""
    return Lane(lane.claim, link, lane.plugin, lane.integration, lane.site, lane.rules)


def _incident_update(link: Link, decisions: list[Decision]) -> IncidentUpdate:
    new: dict[str, Any] = {
        decision.field.value: decision.ticket for decision in decisions if decision.field is not FieldName.STATUS
    }
    fields = frozenset(decision.field for decision in decisions)
    values = sorted((d.field, d.incident, d.ticket) for d in decisions)
    # The same change again has the same key; so has nothing else, not even the same values at another time.
    state = (link.marker, values, link.incident_at, link.ticket and link.ticket.updated)
    return IncidentUpdate(
        incident_id=link.incident_id,
        close=FieldName.STATUS in fields,
        fields=fields,
        idempotency_key=f"chg_{_digest(*state)[:32]}",
        **new,
    )


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()
