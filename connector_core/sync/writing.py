"""Doing what the merge decided: one write to one side, and what is agreed on afterwards.

A write is stored as begun before the call and as done after it, so that one whose end is unknown is never taken for a
person's change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from connector_core.contract.errors import ConnectorError
from connector_core.contract.merge import Action, Agreed, Decision, Side, agreed_as_is, with_written
from connector_core.contract.models import (
    EventType,
    FieldName,
    IncidentChange,
    IncidentUpdate,
    Receipt,
    TicketSnapshot,
)
from connector_core.contract.times import real
from connector_core.store import Link, OurWrite, Progress, TimelineEntry
from connector_core.sync.lane import Intent, Lane, digest


def write_next(lane: Lane, ticket: TicketSnapshot, decisions: Iterable[Decision]) -> None:
    """Do one thing: what is free of calls first, status last on the ticket's side.

    When the ticketing system fails, what is for the platform is written all the same.
    """
    by_action: dict[Action, list[Decision]] = {}
    for decision in decisions:
        by_action.setdefault(decision.action, []).append(decision)
    to_ticket, to_incident = by_action.get(Action.TO_TICKET, []), by_action.get(Action.TO_INCIDENT, [])
    if agreed := by_action.get(Action.AGREE):
        _agree(lane, agreed)
    elif to_ticket:
        try:
            _write_ticket(lane, ticket, to_ticket)
        except ConnectorError:
            if to_incident:
                _write_incident(lane, to_incident)
            raise
    else:
        _write_incident(lane, to_incident)


def _agree(lane: Lane, decisions: list[Decision]) -> None:
    ticket = lane.link.ticket
    base = {
        d.field: Agreed(
            incident=d.incident, ticket=d.ticket, ticket_unknown=ticket is not None and not ticket.tells(d.field)
        )
        for d in decisions
    }
    lane.record(Progress(base=base, entries=tuple(lane.decided("agreed", "connector", d) for d in decisions)))


def _write_ticket(lane: Lane, ticket: TicketSnapshot, decisions: list[Decision]) -> None:
    """Write fields if any moved, otherwise close the ticket."""
    lane.count_against_cap()
    fields = [decision for decision in decisions if decision.field is not FieldName.STATUS]
    if len(fields) == len(decisions):
        lane.spare()  # nothing is to be closed, so it can wait
    written = fields or decisions
    change = IncidentChange(
        type=EventType.UPDATED if fields else EventType.RESOLVED,
        incident=lane.link.incident,
        marker=lane.link.marker,
        fields=frozenset(decision.field for decision in written),
        ticket=ticket,
    )
    values = {decision.field: decision.incident for decision in written}
    with lane.guard_writing(change.type), lane.attempt(Intent.to_write(lane.link, Side.TICKET, values)):
        receipt = lane.receipt(lane.plugin.call("on_incident_event", integration=lane.integration, change=change))
    if receipt.untouched:
        _leave_finished(lane, receipt, ticket, values)
        return
    shown = _shown_after(receipt, ticket, written)
    base = {d.field: _agreed_after(receipt, shown, d) for d in written}
    entries = tuple(_entry_of(lane, receipt.model_copy(update={"ticket": shown}), decision) for decision in written)
    lane.record(Progress(ticket=shown, base=base, entries=entries))


def _leave_finished(
    lane: Lane, receipt: Receipt, before: TicketSnapshot, values: Mapping[FieldName, str | None]
) -> None:
    """Note that a ticket was found to be done and left as it is; what was to be written is still to be."""
    text = f"The ticket is done and was left as it is; the incident's {', '.join(values)} was not carried."
    entry = lane.entry("ticket_finished", "ticket", text, {name.value: value for name, value in values.items()})
    settled = Intent.to_write(lane.link, Side.TICKET, values).settled
    lane.record(replace(settled, ticket=receipt.ticket.over(before), entries=(entry,)))


def _agreed_after(receipt: Receipt, shown: TicketSnapshot, decision: Decision) -> Agreed:
    agreed = agreed_as_is(decision.incident, shown, decision.field)
    unkept = receipt.unkept.get(decision.field)
    return agreed if unkept is None else agreed.model_copy(update={"unkept": unkept})


def _shown_after(receipt: Receipt, before: TicketSnapshot, written: Iterable[Decision]) -> TicketSnapshot:
    """Return the ticket after a write: what the receipt does not tell is as it was, or as it was written."""
    shown = receipt.ticket.over(before)
    for decision in written:
        if not receipt.ticket.tells(decision.field) and decision.field not in receipt.refused:
            shown = with_written(shown, decision.field, decision.incident)
    return shown


def _entry_of(lane: Lane, receipt: Receipt, decision: Decision) -> TimelineEntry:
    refusal = receipt.refused.get(decision.field)
    if refusal is not None:
        return lane.decided("ticket_refused", "ticket", decision, note=refusal)
    unkept = receipt.unkept.get(decision.field)
    if unkept is not None:
        return lane.decided("ticket_unkept", "ticket", decision, note=unkept)
    left_open = decision.field is FieldName.STATUS and not receipt.ticket.done
    return lane.decided("ticket_left_open" if left_open else "ticket_written", "ticket", decision, note=receipt.note)


def _write_incident(lane: Lane, decisions: list[Decision]) -> None:
    lane.count_against_cap()
    update = _update(lane.link, decisions)
    begun = lane.tools.clock.now()
    values = {decision.field: decision.as_incident for decision in decisions}
    plugin, source = lane.tools.registry.sources.handle(lane.link.organization)
    with lane.guard_source(), lane.attempt(Intent.to_write(lane.link, Side.INCIDENT, values)):
        outcome = lane.outcome(plugin.call("apply_change", source=source, update=update))
    applied_at = real(outcome.applied_at)
    base: dict[FieldName, Agreed] = {}
    written: dict[FieldName, tuple[str | None, str | None]] = {}
    entries = []
    for decision in decisions:
        reason = outcome.unsupported.get(decision.field)
        if reason is None:
            written[decision.field] = (decision.incident, decision.as_incident)
            base[decision.field] = _agreed_by_our_write(decision, applied_at, begun)
            entries.append(lane.decided("incident_written", "incident", decision))
        else:
            base[decision.field] = Agreed(incident=decision.incident, ticket=decision.ticket, ticket_only=reason)
            entries.append(lane.decided("incident_unsupported", "incident", decision, note=reason))
    lane.record(Progress(base=base, written=OurWrite(written, applied_at), entries=tuple(entries)))


def _agreed_by_our_write(decision: Decision, applied_at: datetime | None, begun: datetime) -> Agreed:
    """Return what is agreed on after a write; what was sent before it began is surely older."""
    agreed = Agreed(incident=decision.as_incident, ticket=decision.ticket, written_at=applied_at)
    if applied_at is not None:
        return agreed
    return agreed.model_copy(update={"replaced": decision.incident, "replaced_at": begun})


def _update(link: Link, decisions: list[Decision]) -> IncidentUpdate:
    new: dict[str, Any] = {
        decision.field.value: decision.as_incident for decision in decisions if decision.field is not FieldName.STATUS
    }
    fields = frozenset(decision.field for decision in decisions)
    values = sorted((d.field, d.incident, d.as_incident) for d in decisions)
    # The same change again has the same key; so has nothing else, not even the same values at another time.
    state = (link.marker, values, link.incident_at, link.ticket and link.ticket.updated)
    return IncidentUpdate(
        incident_id=link.incident_id,
        incident=link.incident,
        close=FieldName.STATUS in fields,
        fields=fields,
        idempotency_key=f"chg_{digest(*state)}",
        **new,
    )
