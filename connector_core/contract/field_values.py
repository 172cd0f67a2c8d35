"""One field of an incident, or of a ticket, in the form in which both sides are compared."""

from __future__ import annotations

from connector_core.contract.models import FieldName, Incident, IncidentStatus, Priority, TicketSnapshot

Value = str | None

OPEN = "open"
CLOSED = "closed"


def incident_value(incident: Incident, field: FieldName) -> Value:
    """Read one field of an incident in the form that is compared."""
    if field is FieldName.TITLE:
        return incident.title
    if field is FieldName.DESCRIPTION:
        return incident.description or None
    if field is FieldName.PRIORITY:
        return incident.priority
    return CLOSED if incident.status is IncidentStatus.CLOSED else OPEN


def with_value(incident: Incident, field: FieldName, value: Value) -> Incident:
    """Return the incident with another value in one field, in the form that is compared."""
    if field is FieldName.STATUS:
        changed: object = IncidentStatus.CLOSED if value == CLOSED else IncidentStatus.ACTIVE
    elif field is FieldName.PRIORITY:
        changed = None if value is None else Priority(value)
    else:
        changed = value
    return incident.model_copy(update={field.value: changed})


def ticket_value(ticket: TicketSnapshot, field: FieldName) -> Value:
    """Read one field of a ticket in the form that is compared; of one that it does not tell, the value means nothing.

    See `TicketSnapshot.tells`.
    """
    if field is FieldName.TITLE:
        return ticket.title
    if field is FieldName.DESCRIPTION:
        return ticket.description or None
    if field is FieldName.PRIORITY:
        return ticket.priority
    return CLOSED if ticket.done else OPEN


def with_written(ticket: TicketSnapshot, field: FieldName, value: Value) -> TicketSnapshot:
    """Return a ticket with the value of a write that it took without showing it."""
    written: dict[str, object] = {"unknown": ticket.unknown - {field}}
    if field is FieldName.STATUS:
        written["done"] = value == CLOSED
    elif field is FieldName.PRIORITY:
        written |= {"priority": None if value is None else Priority(value), "priority_name": None}
    else:
        written[field.value] = value or ("" if field is FieldName.TITLE else None)
    return ticket.model_copy(update=written)
