"""How a link comes to its ticket: made once, found after a lost answer, or seen again after it was gone."""

from __future__ import annotations

from datetime import datetime

from connector_core.contract.errors import PluginError, RetryLater, TicketGone
from connector_core.contract.merge import Base, agreed_at_creation, agreed_at_finding
from connector_core.contract.models import (
    CreateTicket,
    EventType,
    FindTicket,
    IncidentStatus,
    NotCreated,
    Receipt,
    TicketSnapshot,
    UnreadableTicket,
)
from connector_core.store import (
    GONE_FIX,
    GONE_REASON,
    NO_TICKET,
    LinkState,
    LinkStatus,
    Nuance,
    Progress,
    TimelineEntry,
    TimelineKind,
)
from connector_core.sync.lane import Intent, Lane


def create(lane: Lane) -> None:
    """Create the ticket, unless an earlier attempt did, or it is only to be looked for."""
    link = lane.link
    if link.attempted_at is not None and _adopt(lane, link.attempted_at):
        return
    if link.looks_since is not None:
        _stay_without(lane, link.looks_since)
        return
    change = CreateTicket(incident=link.incident, marker=link.marker)
    with lane.guard_writing(EventType.OPENED), lane.attempt(Intent.to_create(link, lane.tools.clock.now())):
        receipt = lane.plugin.on_incident_event(lane.integration, change)
    # No longer part of the attempt: that the database cannot be asked does not say that nothing was created.
    _refuse_anothers(lane, receipt.ticket)
    base = agreed_at_creation(link.incident, receipt.as_created or receipt.ticket)
    _store_ticket(lane, receipt, base, TimelineKind.TICKET_CREATED)
    if link.is_test:
        return
    took = lane.tools.clock.now() - link.created_at
    lane.tools.metrics.ticket_made(lane.plugin.name, took.total_seconds())


def find_again(lane: Lane, ticket: TicketSnapshot) -> None:
    """Read a ticket; one that was gone may have been restored, or access to it given back."""
    found = lane.fetch(ticket.id)
    if isinstance(found, UnreadableTicket):
        raise RetryLater("The ticket is there and cannot be read.", code="ticket_unreadable", detail=found.reason)
    if not found:
        raise TicketGone(GONE_REASON, fix=GONE_FIX)
    lane.tools.store.inbox.see_tickets(lane.integration.id, found, lane.tools.clock.now())


def read_again(lane: Lane, ticket: TicketSnapshot) -> None:
    """Read a ticket of which a delivery told whose word is not enough."""
    find_again(lane, ticket)
    lane.record(Progress(hints=lane.link.hints))


def _adopt(lane: Lane, attempted_at: datetime) -> bool:
    """Look for what an earlier attempt may have created; False when that is certainly nothing."""
    if lane.link.attempted_incident is None:
        return _adopt_of_earlier_life(lane, attempted_at)
    incident = lane.link.attempted_incident
    change = FindTicket(
        incident=incident,
        marker=lane.link.marker,
        attempted_at=attempted_at,
        attempt_age_s=lane.attempt_age_s(lane.link.marker),
    )
    with lane.guard_writing(EventType.OPENED):
        receipt = lane.plugin.on_incident_event(lane.integration, change)
    if isinstance(receipt, NotCreated):
        return False
    _refuse_anothers(lane, receipt.ticket)
    base = agreed_at_creation(incident, receipt.as_created or receipt.ticket)
    _store_ticket(lane, receipt, base, TimelineKind.TICKET_FOUND)
    return True


def _refuse_anothers(lane: Lane, ticket: TicketSnapshot) -> None:
    """Refuse a ticket that a link has: a search that finds more than it was asked for finds those too.

    Raises:
        PluginError: it is that of another incident; nothing is created, for ours may be there as well.
    """
    if lane.integration.core.is_linked(ticket.id):
        raise PluginError(
            f"Plugin {lane.plugin.name} took ticket {ticket.key or ticket.id} of another incident for this one's.",
            code="ticket_of_another",
        )


def _adopt_of_earlier_life(lane: Lane, since: datetime) -> bool:
    """Look for a ticket that a daemon made of which nothing is known; False when there certainly is none.

    What it was made from is forgotten: where it differs from the incident of today, its history tells which side moved.
    """
    incident = lane.link.incident
    change = FindTicket(
        incident=incident,
        marker=lane.link.marker,
        attempted_at=since,
        attempt_age_s=lane.earlier_life_age_s(),
        of_earlier_life=True,
    )
    with lane.guard_writing(EventType.OPENED):
        receipt = lane.plugin.on_incident_event(lane.integration, change)
    if isinstance(receipt, NotCreated):
        return False
    ticket, as_made = receipt.ticket, receipt.as_created or receipt.ticket
    if lane.integration.core.is_linked(ticket.id):
        return False  # somebody copied its text, or a note of before does not say whose it is
    base = agreed_at_finding(incident, ticket, as_made, lane.when_changed(ticket))
    _store_ticket(lane, receipt, base, TimelineKind.TICKET_FOUND, Nuance.EARLIER_LIFE)
    return True


def _stay_without(lane: Lane, since: datetime) -> None:
    """Note that no ticket was found and that none is made, once, and why."""
    route = lane.tools.store.routing.route_of(lane.link.organization, lane.link.incident_id)
    if lane.link.incident.status is IncidentStatus.CLOSED:
        why = Nuance.INCIDENT_OVER
    elif route is not None and lane.link.integration_id not in route.to:
        why = Nuance.SENT_ELSEWHERE
    else:
        why = Nuance.NOT_OPENED_WHILE_ACTIVE
    entries: tuple[TimelineEntry, ...] = ()
    if lane.link.attempted_at is not None:
        looked_since = since.isoformat(timespec="seconds")
        entries = (lane.entry(TimelineKind.NO_TICKET, "connector", {"looked_since": looked_since, "why": why}),)
        lane.tools.log.info(NO_TICKET, link=lane.link.id, integration=lane.integration.id, looked_since=looked_since)
    status = LinkStatus(LinkState.IN_SYNC, NO_TICKET)
    lane.record(Progress(status=status, attempt_settled=True, settled=True, stays_without=True, entries=entries))


def _store_ticket(lane: Lane, receipt: Receipt, base: Base, kind: TimelineKind, why: Nuance | None = None) -> None:
    """Store a new ticket with what both sides agree on: what was sent, not what the incident has become since."""
    ticket = receipt.ticket
    if not ticket.key:  # until it is told; a ticket must have a name
        ticket = ticket.model_copy(update={"key": ticket.id})
    entry = lane.entry(kind, "ticket", {"ticket": ticket.key, "note": receipt.note, "why": why or ""})
    lane.record(Progress(ticket=ticket, base=base, attempt_settled=True, entries=(entry,)))
    lane.attempt_settled(lane.link.marker)
    lane.tools.log.info(kind, link=lane.link.id, integration=lane.link.integration_id, ticket=ticket.key)
