"""One step of a lane after another: create the ticket, then merge until both sides agree.

What is to be done is decided from what is stored when the lane runs, never from the event that woke it. Every call to
a vendor is followed by one transaction that holds its receipt, what is now agreed on, and the timeline.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from structlog.typing import FilteringBoundLogger

from connector_core.backoff import delay_s
from connector_core.clock import Clock
from connector_core.errors import AuthError, ConnectorError, PluginError, RetryLater, TicketGone
from connector_core.handles import Integration
from connector_core.merge import (
    DEFAULT_RULES,
    OPEN,
    Action,
    Agreed,
    Base,
    Decision,
    Sides,
    incident_value,
    merge,
    ticket_value,
)
from connector_core.models import (
    EventType,
    FieldName,
    Incident,
    IncidentChange,
    IncidentStatus,
    IncidentUpdate,
    NotCreated,
    Priority,
    Receipt,
    TicketQuery,
    TicketSnapshot,
    UpdateOutcome,
)
from connector_core.plugins import Plugin
from connector_core.registry import Registry
from connector_core.store import (
    GONE_FIX,
    GONE_REASON,
    Claim,
    IntegrationState,
    Link,
    LinkState,
    LinkStatus,
    Progress,
    Store,
    TimelineEntry,
)

# Both sides answering every write with another change must end; the lane then rests until something new arrives.
MAX_ROUNDS = 6
AUTHORIZATION_RECHECK_S = 600.0


class _LaneLost(Exception):
    """The claim is no longer good: somebody else works on this lane, nothing may be written."""


@dataclass(frozen=True)
class Lane:
    """One link while it is being worked on."""

    claim: Claim
    link: Link
    plugin: Plugin
    integration: Integration


@dataclass
class Synchronizer:
    """Brings links up to date; `run` is what the engine calls."""

    store: Store
    registry: Registry
    clock: Clock
    log: FilteringBoundLogger
    random: Random = field(default_factory=Random)

    def run(self, claim: Claim) -> datetime | None:
        """Bring one link up to date; return when to look again, None to rest until it is woken."""
        link = self.store.link(claim.link_id)
        if link is None:
            return None
        try:
            entry, integration = self.registry.for_link(link)
            if entry.record.state is not IntegrationState.ACTIVE:
                self._pause(claim, link, entry.record.state)
                return None
            if entry.record.problem_code:
                fix = f"Run: connector integrations authorize {link.integration_id}"
                raise AuthError(entry.record.problem, code=entry.record.problem_code, fix=fix)
            self._advance(Lane(claim, link, entry.plugin, integration))
        except _LaneLost:
            self.log.warning("lane_lost", link=link.id)
            return None
        except ConnectorError as exc:
            return self._fail(claim, exc)
        return None

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
            sides = Sides(link.incident, link.incident_at, link.ticket)
            decisions = merge(link.base, sides, DEFAULT_RULES)
            if not decisions:
                break
            self._carry(Lane(lane.claim, link, lane.plugin, lane.integration), link.ticket, decisions)
        else:
            self.log.warning("lane_keeps_changing", link=lane.link.id, rounds=MAX_ROUNDS)
        self._record(lane, Progress(status=LinkStatus(LinkState.IN_SYNC)))

    def _create(self, lane: Lane) -> None:
        """Create the ticket, unless an earlier attempt did: the intent is on disk before the call."""
        link = lane.link
        if link.attempted_at is not None and self._adopt(lane, link.attempted_at):
            return
        change = IncidentChange(type=EventType.OPENED, incident=link.incident, marker=link.marker)
        self._intend(lane)
        try:
            receipt = self._receipt(lane, change)
        except ConnectorError as exc:
            if isinstance(exc, RetryLater) and exc.outcome_unknown:
                self._intend(lane)  # the wait for what a search may not know yet begins when the call ended
            else:
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
        base = agreed_at_birth(incident, ticket)
        self._record(lane, Progress(ticket=ticket, base=base, attempt_settled=True, entries=(entry,)))
        self.log.info(kind, link=lane.link.id, integration=lane.link.integration_id, ticket=ticket.key)

    def _find_again(self, lane: Lane, ticket: TicketSnapshot) -> None:
        """Read a ticket that was gone: a person may have restored it or given access back."""
        query = TicketQuery(ids=frozenset({ticket.id}))
        found = lane.plugin.call("fetch_tickets", integration=lane.integration, query=query)
        if not any(seen.id == ticket.id for seen in found):
            raise TicketGone(GONE_REASON, fix=GONE_FIX)
        self.store.accept_tickets(lane.integration.id, found, self.clock.now())

    def _carry(self, lane: Lane, ticket: TicketSnapshot, decisions: Iterable[Decision]) -> None:
        """Do one thing, then look again: what is free of calls first, status last on the ticket's side."""
        by_action: dict[Action, list[Decision]] = {}
        for decision in decisions:
            by_action.setdefault(decision.action, []).append(decision)
        to_ticket = by_action.get(Action.TO_TICKET, [])
        if agreed := by_action.get(Action.AGREE):
            self._agree(lane, agreed)
        elif written := [decision for decision in to_ticket if decision.field is not FieldName.STATUS]:
            self._write_ticket(lane, ticket, EventType.UPDATED, written)
        elif to_ticket:
            self._write_ticket(lane, ticket, EventType.RESOLVED, to_ticket)
        elif to_incident := by_action.get(Action.TO_INCIDENT):
            self._write_incident(lane, to_incident)

    def _agree(self, lane: Lane, decisions: list[Decision]) -> None:
        base = {**lane.link.base, **{d.field: Agreed(incident=d.incident, ticket=d.ticket) for d in decisions}}
        entries = tuple(self._decided("agreed", "connector", decision) for decision in decisions)
        self._record(lane, Progress(base=base, entries=entries))

    def _write_ticket(self, lane: Lane, ticket: TicketSnapshot, kind: EventType, decisions: list[Decision]) -> None:
        fields = frozenset(decision.field for decision in decisions)
        change = IncidentChange(
            type=kind, incident=lane.link.incident, marker=lane.link.marker, fields=fields, ticket=ticket
        )
        receipt = self._receipt(lane, change)
        base = {**lane.link.base}
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
        link = lane.link
        plugin, source = self.registry.source(link.organization)
        update = _incident_update(link, decisions)
        outcome = plugin.call("apply_change", source=source, update=update)
        if not isinstance(outcome, UpdateOutcome):
            raise PluginError(f"Plugin {plugin.name} gave back no outcome of a change.")
        applied = [decision for decision in decisions if decision.field not in outcome.unsupported]
        base = {**link.base}
        now = self.clock.now()
        entries = []
        for decision in decisions:
            reason = outcome.unsupported.get(decision.field)
            if reason is None:
                base[decision.field] = Agreed(
                    incident=decision.ticket, ticket=decision.ticket, replaced=decision.incident, replaced_at=now
                )
                entries.append(self._decided("incident_written", "incident", decision))
            else:
                base[decision.field] = Agreed(incident=decision.incident, ticket=decision.ticket)
                entries.append(self._decided("incident_unsupported", "incident", decision, note=reason))
        incident = _with(link.incident, applied) if applied else None
        self._record(lane, Progress(base=base, incident=incident, entries=tuple(entries)))

    # Private

    def _receipt(self, lane: Lane, change: IncidentChange) -> Receipt:
        return self._checked(lane, self._call(lane, change))

    def _call(self, lane: Lane, change: IncidentChange) -> object:
        try:
            return lane.plugin.call("on_incident_event", integration=lane.integration, change=change)
        except AuthError as exc:
            self.store.note_problem(lane.integration.id, exc.code, exc.message)
            raise

    def _checked(self, lane: Lane, answer: object) -> Receipt:
        if not isinstance(answer, Receipt):
            raise PluginError(f"Plugin {lane.plugin.name} gave back no receipt.")
        return answer

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

    def _pause(self, claim: Claim, link: Link, state: IntegrationState) -> None:
        status = LinkStatus(
            state=LinkState.PAUSED,
            code="integration_not_active",
            reason=f"The integration is {state}.",
            fix=f"Run: connector integrations enable {link.integration_id}",
        )
        self.store.record(claim, Progress(status=status), self.clock.now())

    def _fail(self, claim: Claim, error: ConnectorError) -> datetime | None:
        """Write down what is wrong; return when to try again, None when a person has to act first."""
        now = self.clock.now()
        link = self.store.link(claim.link_id)
        if link is None:
            return None
        attempts = link.status.attempts + 1
        due = self._next_try(error, attempts, now)
        status = LinkStatus(
            state=_state_after(error),
            code=error.code,
            reason=error.message,
            fix=error.fix,
            next_try=due,
            attempts=attempts,
        )
        entries: tuple[TimelineEntry, ...] = ()
        if (link.status.state, link.status.code) != (status.state, status.code):
            text = f"{error.message} {error.fix}".strip()
            entries = (TimelineEntry(f"link_{status.state}", "connector", text, now, {"code": error.code}),)
        self.store.record(claim, Progress(status=status, entries=entries), now)
        level = self.log.info if isinstance(error, RetryLater) else self.log.warning
        level(
            "lane_not_done",
            link=link.id,
            state=status.state,
            code=error.code,
            reason=error.message,
            detail=error.detail,
        )
        return due

    def _next_try(self, error: ConnectorError, attempts: int, now: datetime) -> datetime | None:
        if isinstance(error, RetryLater):
            return now + timedelta(seconds=delay_s(attempts - 1, error.after_s, self.random))
        if isinstance(error, AuthError):
            return now + timedelta(seconds=AUTHORIZATION_RECHECK_S)
        return None


_SENTENCES = {
    "agreed": "Both sides' {field} is taken as it is.",
    "ticket_written": "The {field} was carried to the ticket.",
    "ticket_left_open": "The ticket was left open.",
    "ticket_refused": "The ticketing system did not take the {field}.",
    "incident_written": "The {field} was carried to the incident.",
    "incident_unsupported": "The platform cannot take the {field}.",
}


def agreed_at_birth(incident: Incident, ticket: TicketSnapshot) -> Base:
    """Return what both sides agree on when a ticket has just been made from an incident.

    A ticket is born open: if the incident is over by then, that is a change still to be carried.
    """
    base = {
        name: Agreed(incident=incident_value(incident, name), ticket=ticket_value(ticket, name)) for name in FieldName
    }
    base[FieldName.STATUS] = Agreed(incident=OPEN, ticket=OPEN)
    return base


def _incident_update(link: Link, decisions: list[Decision]) -> IncidentUpdate:
    new: dict[str, Any] = {
        decision.field.value: decision.ticket for decision in decisions if decision.field is not FieldName.STATUS
    }
    fields = frozenset(decision.field for decision in decisions)
    text = repr(
        (link.marker, sorted((d.field, d.incident, d.ticket) for d in decisions), link.ticket and link.ticket.updated)
    )
    return IncidentUpdate(
        incident_id=link.incident_id,
        close=FieldName.STATUS in fields,
        fields=fields,
        idempotency_key=f"chg_{hashlib.sha256(text.encode()).hexdigest()[:32]}",
        **new,
    )


def _with(incident: Incident, applied: list[Decision]) -> Incident:
    """Return the incident as our write left it."""
    changed: dict[str, Any] = {}
    for decision in applied:
        if decision.field is FieldName.STATUS:
            changed["status"] = IncidentStatus.CLOSED
        elif decision.field is FieldName.PRIORITY:
            changed["priority"] = None if decision.ticket is None else Priority(decision.ticket)
        else:
            changed[decision.field.value] = decision.ticket
    return incident.model_copy(update=changed)


def _state_after(error: ConnectorError) -> LinkState:
    if isinstance(error, TicketGone):
        return LinkState.GONE
    if isinstance(error, (RetryLater, AuthError)):
        return LinkState.WAITING
    return LinkState.BLOCKED
