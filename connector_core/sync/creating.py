"""How a link comes to its ticket: made once, found after a lost answer, or seen again after it was gone."""

from __future__ import annotations

from datetime import datetime

from connector_core.contract.errors import RetryLater, TicketGone
from connector_core.contract.merge import Base, agreed_at_creation, agreed_at_finding
from connector_core.contract.models import (
    EventType,
    IncidentChange,
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
    UNREADABLE_FIX,
    LinkState,
    LinkStatus,
    Progress,
    TimelineEntry,
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
    change = IncidentChange(type=EventType.OPENED, incident=link.incident, marker=link.marker)
    with lane.guard_writing(change.type), lane.attempt(Intent.to_create(link, lane.tools.clock.now())):
        receipt = lane.receipt(lane.plugin.call("on_incident_event", integration=lane.integration, change=change))
    base = agreed_at_creation(link.incident, receipt.as_created or receipt.ticket)
    _store_ticket(lane, receipt, base, "ticket_created", "was created")


def find_again(lane: Lane, ticket: TicketSnapshot) -> None:
    """Read a ticket; one that was gone may have been restored, or access to it given back."""
    found = lane.fetch(ticket.id)
    if isinstance(found, UnreadableTicket):
        raise RetryLater(
            "The ticket is there and cannot be read.", code="ticket_unreadable", detail=found.reason, fix=UNREADABLE_FIX
        )
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
    change = IncidentChange(
        type=EventType.OPENED,
        incident=incident,
        marker=lane.link.marker,
        attempted_at=attempted_at,
        attempt_age_s=lane.attempt_age_s(lane.link.marker),
    )
    with lane.guard_writing(change.type):
        answer = lane.plugin.call("on_incident_event", integration=lane.integration, change=change)
    if isinstance(answer, NotCreated):
        return False
    receipt = lane.receipt(answer)
    base = agreed_at_creation(incident, receipt.as_created or receipt.ticket)
    _store_ticket(lane, receipt, base, "ticket_found", "was found after a lost answer")
    return True


def _adopt_of_earlier_life(lane: Lane, since: datetime) -> bool:
    """Look for a ticket that a daemon made of which nothing is known; False when there certainly is none.

    What it was made from is forgotten: where it differs from the incident of today, its history tells which side moved.
    """
    incident = lane.link.incident
    change = IncidentChange(
        type=EventType.OPENED,
        incident=incident,
        marker=lane.link.marker,
        attempted_at=since,
        attempt_age_s=lane.earlier_life_age_s(),
        of_earlier_life=True,
    )
    with lane.guard_writing(change.type):
        answer = lane.plugin.call("on_incident_event", integration=lane.integration, change=change)
    if isinstance(answer, NotCreated):
        return False
    receipt = lane.receipt(answer)
    ticket, as_made = receipt.ticket, receipt.as_created or receipt.ticket
    if lane.integration.core.is_linked(ticket.id):
        return False  # somebody copied its text, or a note of before does not say whose it is
    base = agreed_at_finding(incident, ticket, as_made, lane.when_changed(ticket))
    _store_ticket(lane, receipt, base, "ticket_found", "was there already and is taken over")
    return True


def _stay_without(lane: Lane, since: datetime) -> None:
    """Note that no ticket was found and that none is made, once, and why."""
    is_over = lane.link.incident.status is IncidentStatus.CLOSED
    why = "the incident is over" if is_over else "the incident was not opened while the integration was active"
    reason = (
        "No ticket of this incident was found. It was looked for because this database may lack tickets: it was"
        f" restored from a backup, is new, or its daemon was away for a while. None is created: {why}."
    )
    entries: tuple[TimelineEntry, ...] = ()
    if lane.link.attempted_at is not None:
        looked_since = since.isoformat(timespec="seconds")
        entries = (lane.entry(NO_TICKET, "connector", reason, {"looked_since": looked_since}),)
        lane.tools.log.info(NO_TICKET, link=lane.link.id, integration=lane.integration.id, looked_since=looked_since)
    status = LinkStatus(LinkState.IN_SYNC, NO_TICKET, reason)
    lane.record(Progress(status=status, attempt_settled=True, settled=True, stays_without=True, entries=entries))


def _store_ticket(lane: Lane, receipt: Receipt, base: Base, kind: str, what: str) -> None:
    """Store a new ticket with what both sides agree on: what was sent, not what the incident has become since."""
    ticket = receipt.ticket
    if not ticket.key:  # until it is told; a ticket must have a name
        ticket = ticket.model_copy(update={"key": ticket.id})
    entry = lane.entry(kind, "ticket", f"Ticket {ticket.key} {what}.", {"ticket": ticket.key, "note": receipt.note})
    lane.record(Progress(ticket=ticket, base=base, attempt_settled=True, entries=(entry,)))
    lane.attempt_settled(lane.link.marker)
    lane.tools.log.info(kind, link=lane.link.id, integration=lane.link.integration_id, ticket=ticket.key)
