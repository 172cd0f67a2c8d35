"""The change that a test incident makes on the ticket itself, as if somebody had made it there.

Nothing of it is stored as ours: neither what the ticket shows then nor what both sides agree on. So it is a change like
anybody's, and has to come back the way that those take, by webhook or by polling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from connector_core.contract.errors import RetryLater, TicketChanged
from connector_core.contract.field_values import ticket_value, with_value
from connector_core.contract.merge import Direction, rule_of
from connector_core.contract.models import (
    EventType,
    FieldName,
    Incident,
    Priority,
    Receipt,
    TicketSnapshot,
    WriteFields,
)
from connector_core.store import CHANGED_TITLE, Leg, LegState, Progress, RoundTrip, TripCode
from connector_core.sync.lane import Intent, Lane
from connector_core.sync.writing import look_again

_UNRECORDED = Intent(Progress(), Progress())
_CANDIDATES = (FieldName.TITLE, FieldName.PRIORITY, FieldName.DESCRIPTION)
_COMES_BACK = frozenset({Direction.BOTH, Direction.FROM_TICKET})
CHANGED_DESCRIPTION = "Changed by the test of the connector."


def change_far_side(lane: Lane, ticket: TicketSnapshot) -> None:
    """Change the ticket of a test incident if that is what comes next; what stands in the way is raised.

    Fields that come back are tried first. One that the ticket does not take, or shows as before, is followed by the
    next.
    """
    trip = lane.tools.store.round_trips.of_link(lane.link.id, lane.integration.id)
    if trip is None or trip.of(Leg.CHANGED).state is not LegState.UNDER_WAY:
        return
    now = lane.tools.clock.now()
    if _is_back(trip, ticket):  # an earlier attempt made it, whose end was lost
        began_at = trip.of(Leg.CHANGED).began_at or now
        _keep(lane, trip.done(Leg.CHANGED, now).begun(Leg.RETURNED, began_at), trip)
        return
    refusals = []
    for name in _fields(lane):
        sent_at = lane.tools.clock.now()
        trip = _keep(lane, replace(trip, field=name, before=ticket_value(ticket, name)), trip)
        receipt = _write(lane, ticket, name)
        if receipt is None:
            _keep(lane, replace(trip, field=None, before=None), trip)  # nothing was written
            return
        if refusal := _refusal(receipt, ticket, name):
            refusals.append(refusal)
            continue
        # Its delivery may come before the answer.
        _keep(lane, trip.done(Leg.CHANGED, lane.tools.clock.now()).begun(Leg.RETURNED, sent_at), trip)
        return
    now = lane.tools.clock.now()
    _keep(lane, trip.failing(Leg.CHANGED, now, TripCode.NOT_CHANGED, next(iter(refusals), "")), trip)


def _is_back(trip: RoundTrip, ticket: TicketSnapshot) -> bool:
    return trip.field is not None and ticket.tells(trip.field) and ticket_value(ticket, trip.field) != trip.before


def _fields(lane: Lane) -> Sequence[FieldName]:
    """Return what can be changed on a ticket, first what reaches the incident when it is."""
    fixed = lane.plugin.info.unchangeable
    found = [name for name in _CANDIDATES if name not in fixed]
    return sorted(found, key=lambda name: rule_of(lane.rules, name).direction not in _COMES_BACK)


def _write(lane: Lane, ticket: TicketSnapshot, name: FieldName) -> Receipt | None:
    """Write one field; None where somebody changed the ticket just now, which is taken in first."""
    change = WriteFields(
        incident=_changed(lane.link.incident, name),
        marker=lane.link.marker,
        ticket=ticket,
        fields=frozenset({name}),
    )
    try:
        with lane.guard_writing(EventType.UPDATED), lane.attempt(_UNRECORDED):
            return lane.plugin.on_incident_event(lane.integration, change)
    except TicketChanged as exc:
        look_again(lane, exc.ticket, ticket)
        lane.tools.store.lanes.wake(lane.link.id, lane.tools.clock.now())
        return None


def _changed(incident: Incident, name: FieldName) -> Incident:
    if name is FieldName.TITLE:
        return with_value(incident, name, f"{CHANGED_TITLE}{incident.title}")
    if name is FieldName.PRIORITY:
        other = Priority.MODERATE if incident.priority is Priority.LOW else Priority.LOW
        return with_value(incident, name, other)
    return with_value(incident, name, f"{incident.description or ''}\n\n{CHANGED_DESCRIPTION}".strip())


def _refusal(receipt: Receipt, before: TicketSnapshot, name: FieldName) -> str:
    """Return why a field is not changed; empty where it is."""
    if receipt.untouched:
        return receipt.note or "The ticket is done already."
    if name in receipt.refused:
        return receipt.refused[name]
    shown = receipt.ticket
    if shown.tells(name) and ticket_value(shown, name) == ticket_value(before, name):
        return receipt.unkept.get(name) or f"The ticket shows the same {name} as before."
    return ""


def _keep(lane: Lane, trip: RoundTrip, known: RoundTrip) -> RoundTrip:
    """Store what is known by now.

    Raises:
        RetryLater: the test has come further meanwhile, or ended; the lane looks again.
    """
    if not lane.tools.store.round_trips.keep(trip.organization, trip, known):
        raise RetryLater("The test has gone on meanwhile.", code="test_went_on", after_s=0.0)
    return trip
