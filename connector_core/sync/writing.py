"""Doing what the merge decided: one write to one side, and what is agreed on afterwards.

A write is stored as begun before the call and as done after it, so that one whose end is unknown is never taken for a
person's change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from connector_core.contract.errors import ConnectorError, PluginError, RetryLater, TicketChanged
from connector_core.contract.field_values import ticket_value, with_written
from connector_core.contract.lengths import shorten
from connector_core.contract.merge import Action, Agreed, Decision, Side, agreed_as_is
from connector_core.contract.models import (
    CloseTicket,
    EventType,
    FieldName,
    Receipt,
    TicketComment,
    TicketSnapshot,
    UpdateOutcome,
    WriteFields,
    WriteIncident,
)
from connector_core.contract.times import real
from connector_core.store import Link, Nuance, OurWrite, Progress, TimelineEntry, TimelineKind
from connector_core.store.shown_tickets import differences
from connector_core.sync.lane import Intent, Lane, digest

EXCERPT_CHARS = 120
LONGEST_NOTE = 8000  # characters of a text that a comment tells


def write_next(lane: Lane, ticket: TicketSnapshot, decisions: Iterable[Decision]) -> None:
    """Do one thing: what is free of calls first, status last on the ticket's side.

    When the ticketing system fails, what is for the platform is written all the same.
    """
    by_action: dict[Action, list[Decision]] = {}
    for decision in decisions:
        by_action.setdefault(decision.action, []).append(decision)
    to_ticket, to_incident = by_action.get(Action.TO_TICKET, []), by_action.get(Action.TO_INCIDENT, [])
    unchangeable = [decision for decision in to_ticket if decision.field in lane.plugin.info.unchangeable]
    if agreed := by_action.get(Action.AGREE):
        _agree(lane, agreed)
    elif unchangeable:
        _tell_on_ticket(lane, ticket, unchangeable)
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
    lane.record(
        Progress(base=base, entries=tuple(lane.decided(TimelineKind.AGREED, "connector", d) for d in decisions))
    )


def _tell_on_ticket(lane: Lane, ticket: TicketSnapshot, decisions: Iterable[Decision]) -> None:
    """Have a comment tell what the ticket can never show, and let both sides stay as they are."""
    is_told = lane.plugin.implements("write_comment")
    why = None if is_told else Nuance.NOT_TOLD
    base, entries, notes = {}, [], []
    for decision in decisions:
        base[decision.field] = agreed_as_is(decision.incident, ticket, decision.field)
        entries.append(lane.decided(TimelineKind.TICKET_UNCHANGEABLE, "ticket", decision, why=why))
        if is_told:
            notes.append(_note_of(lane, decision))
    lane.record(Progress(base=base, notes=tuple(notes), entries=tuple(entries)))


def _note_of(lane: Lane, decision: Decision) -> TicketComment:
    value = shorten(decision.incident or "", LONGEST_NOTE).strip()
    text = f"The {decision.field} changed, which cannot be changed here. It is now:\n\n{value}"
    return TicketComment(
        id=f"connector:{decision.field}:{digest(decision.incident, lane.link.incident_at)}",
        author="Connector",
        text=text if value else f"The {decision.field} changed, which cannot be changed here. It is empty now.",
        created_at=lane.tools.clock.now(),
        internal=True,
        own=True,
    )


def _write_ticket(lane: Lane, ticket: TicketSnapshot, decisions: list[Decision]) -> None:
    """Write fields if any moved, otherwise close the ticket."""
    lane.count_against_cap()
    fields = [decision for decision in decisions if decision.field is not FieldName.STATUS]
    if len(fields) == len(decisions):
        lane.spare()  # nothing is to be closed, so it can wait
    written = fields or decisions
    incident, marker = lane.link.incident, lane.link.marker
    change = (
        WriteFields(incident=incident, marker=marker, ticket=ticket, fields=frozenset(one.field for one in fields))
        if fields
        else CloseTicket(incident=incident, marker=marker, ticket=ticket)
    )
    kind = EventType.UPDATED if fields else EventType.RESOLVED
    values = {decision.field: decision.incident for decision in written}
    intent = Intent.to_write(lane.link, Side.TICKET, values)
    try:
        with lane.guard_writing(kind), lane.attempt(intent):
            receipt = lane.plugin.on_incident_event(lane.integration, change)
    except TicketChanged as exc:
        look_again(lane, exc.ticket, ticket)
        return
    for snapshot in filter(None, (receipt.ticket, receipt.since)):
        _refuse_another(lane, snapshot, ticket)
    if receipt.untouched:
        _leave_finished(lane, receipt, ticket, values)
        return
    receipt = _with_untold(lane, receipt, written)
    shown = _shown_after(receipt, ticket, written)
    base = {d.field: _agreed_after(receipt, shown, d) for d in written}
    entries = [_entry_of(lane, receipt.model_copy(update={"ticket": shown}), decision) for decision in written]
    now = shown
    if receipt.since is not None:  # what is agreed on is our write: what was made of it since is a change
        now = receipt.since.over(shown)
        told = {**differences(shown, now), "why": Nuance.BEHIND_A_WRITE}
        entries.append(lane.entry(TimelineKind.TICKET_CHANGED, "ticket", told))
    lane.record(Progress(ticket=now, base=base, entries=tuple(entries)))


def look_again(lane: Lane, ticket: TicketSnapshot, before: TicketSnapshot) -> None:
    """Take a ticket that a person changed meanwhile as it is: what is to be written is decided anew."""
    _refuse_another(lane, ticket, before)
    shown = ticket.over(before)
    values = {**differences(before, shown), "why": Nuance.BEFORE_A_WRITE}
    entry = lane.entry(TimelineKind.TICKET_CHANGED, "ticket", values)
    lane.record(Progress(ticket=shown, entries=(entry,)))
    seen = lane.fresh().link.ticket
    if seen is not None and differences(seen, shown):
        raise RetryLater(
            "The ticketing system shows the ticket as it was before its last change.",
            code="ticket_read_late",
            fix="It is tried again by itself.",
        )


def _refuse_another(lane: Lane, ticket: TicketSnapshot, before: TicketSnapshot) -> None:
    if ticket.id != before.id:
        raise PluginError(f"Plugin {lane.plugin.name} showed ticket {ticket.id} in place of {before.id}.")


def _leave_finished(
    lane: Lane, receipt: Receipt, before: TicketSnapshot, values: Mapping[FieldName, str | None]
) -> None:
    """Note that a ticket was found to be done and left as it is; what was to be written is still to be."""
    untouched = {name.value: value for name, value in values.items()}
    entry = lane.entry(TimelineKind.TICKET_FINISHED, "ticket", untouched)
    settled = Intent.to_write(lane.link, Side.TICKET, values).settled
    lane.record(replace(settled, ticket=receipt.ticket.over(before), entries=(entry,)))


def _with_untold(lane: Lane, receipt: Receipt, written: Iterable[Decision]) -> Receipt:
    """Return a receipt that also names what the ticket shows otherwise than written and the plugin does not tell."""
    untold = {
        d.field: _SHOWS.format(_shown_words(receipt.ticket, d.field)) for d in written if _differs(lane, receipt, d)
    }
    return receipt.model_copy(update={"unkept": {**untold, **receipt.unkept}}) if untold else receipt


def _differs(lane: Lane, receipt: Receipt, decision: Decision) -> bool:
    """Return whether a ticket shows something else; how a status is reached, and whether at all, the plugin tells."""
    name = decision.field
    if (
        name is FieldName.STATUS
        or not receipt.ticket.tells(name)
        or name in receipt.refused.keys() | receipt.as_written
    ):
        return False
    shown = ticket_value(receipt.ticket, name)
    return not lane.integration.shaping.shows(name, decision.incident, shown, lane.link.incident)


def _shown_words(ticket: TicketSnapshot, name: FieldName) -> str:
    value = ticket.priority_name if name is FieldName.PRIORITY and ticket.priority_name else ticket_value(ticket, name)
    return f'"{shorten(" ".join(value.split()), EXCERPT_CHARS)}"' if value else "nothing"


_SHOWS = "It was written; the ticket shows {}."


def _agreed_after(receipt: Receipt, shown: TicketSnapshot, decision: Decision) -> Agreed:
    agreed = agreed_as_is(decision.incident, shown, decision.field)
    if decision.field in receipt.as_written:
        agreed = agreed.model_copy(update={"sent": decision.incident})
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
        return lane.decided(TimelineKind.TICKET_REFUSED, "ticket", decision, note=refusal)
    unkept = receipt.unkept.get(decision.field)
    if unkept is not None:
        return lane.decided(TimelineKind.TICKET_UNKEPT, "ticket", decision, note=unkept)
    left_open = decision.field is FieldName.STATUS and not receipt.ticket.done
    kind = TimelineKind.TICKET_LEFT_OPEN if left_open else TimelineKind.TICKET_WRITTEN
    return lane.decided(kind, "ticket", decision, note=receipt.note)


def _write_incident(lane: Lane, decisions: list[Decision]) -> None:
    lane.count_against_cap()
    update = _update(lane.link, decisions)
    begun, outcome = lane.tools.clock.now(), UpdateOutcome()
    values = {decision.field: decision.as_incident for decision in decisions}
    if not lane.link.is_test:  # of a test incident the platform knows nothing, and is never called
        plugin, source = lane.tools.registry.sources.handle(lane.link.organization)
        with lane.guard_source(), lane.attempt(Intent.to_write(lane.link, Side.INCIDENT, values)):
            outcome = plugin.apply_change(source, update)
    applied_at = real(outcome.applied_at)
    base: dict[FieldName, Agreed] = {}
    written: dict[FieldName, tuple[str | None, str | None]] = {}
    entries = []
    for decision in decisions:
        reason = outcome.unsupported.get(decision.field)
        if reason is None:
            written[decision.field] = (decision.incident, decision.as_incident)
            base[decision.field] = _agreed_by_our_write(decision, applied_at, begun)
            entries.append(lane.decided(TimelineKind.INCIDENT_WRITTEN, "incident", decision))
        else:
            base[decision.field] = Agreed(incident=decision.incident, ticket=decision.ticket, ticket_only=reason)
            entries.append(lane.decided(TimelineKind.INCIDENT_UNSUPPORTED, "incident", decision, note=reason))
    lane.record(Progress(base=base, written=OurWrite(written, applied_at), entries=tuple(entries)))


def _agreed_by_our_write(decision: Decision, applied_at: datetime | None, begun: datetime) -> Agreed:
    """Return what is agreed on after a write; what was sent before it began is surely older."""
    agreed = Agreed(incident=decision.as_incident, ticket=decision.ticket, written_at=applied_at)
    if applied_at is not None:
        return agreed
    return agreed.model_copy(update={"replaced": decision.incident, "replaced_at": begun})


def _update(link: Link, decisions: list[Decision]) -> WriteIncident:
    new: dict[str, Any] = {
        decision.field.value: decision.as_incident for decision in decisions if decision.field is not FieldName.STATUS
    }
    fields = frozenset(decision.field for decision in decisions)
    values = sorted((d.field, d.incident, d.as_incident) for d in decisions)
    # The same change again has the same key; so has nothing else, not even the same values at another time.
    state = (link.marker, values, link.incident_at, link.ticket and link.ticket.updated)
    return WriteIncident(
        incident_id=link.incident_id,
        incident=link.incident,
        close=FieldName.STATUS in fields,
        fields=fields,
        idempotency_key=f"chg_{digest(*state)}",
        **new,
    )
