"""What a link wants of its ticket after the ticket was created, made of the change that created it."""

from datetime import datetime

from connector_core import CloseTicket, CreateTicket, FieldName, FindTicket, Incident, TicketSnapshot, WriteFields


def look_for(change: CreateTicket, at: datetime, *, age_s: float = 0.0, of_earlier_life: bool = False) -> FindTicket:
    """Return the look for what a lost create may have made."""
    return FindTicket(
        incident=change.incident,
        marker=change.marker,
        attempted_at=at,
        attempt_age_s=age_s,
        of_earlier_life=of_earlier_life,
    )


def write(
    change: CreateTicket, ticket: TicketSnapshot, *fields: FieldName, incident: Incident | None = None
) -> WriteFields:
    """Return the write of some fields, of what the incident is by now if that is given."""
    return WriteFields(
        incident=incident or change.incident, marker=change.marker, ticket=ticket, fields=frozenset(fields)
    )


def close(change: CreateTicket, ticket: TicketSnapshot) -> CloseTicket:
    """Return the end of the incident."""
    return CloseTicket(incident=change.incident, marker=change.marker, ticket=ticket)
