"""What the core asks of a plugin, made in one place: the checks say what happens, this says how it is written down."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from connector_core.contract.models import (
    CloseTicket,
    Comment,
    CreateTicket,
    FieldName,
    FindComment,
    FindTicket,
    Incident,
    MarkTicket,
    TicketSnapshot,
    WriteComment,
    WriteFields,
)

PLATFORM = "Sample platform"


def incident(name: str, title: str, **fields: Any) -> Incident:  # noqa: ANN401 - any field of an incident
    """Return an open incident."""
    return Incident.model_validate({"id": name, "title": title, "priority": "high", **fields})


def changed(known: Incident, **fields: Any) -> Incident:  # noqa: ANN401 - as above
    """Return the same incident with other values."""
    return Incident.model_validate({**known.model_dump(), **fields})


def to_create(of: Incident, marker: str) -> CreateTicket:
    """Ask for a ticket."""
    return CreateTicket(incident=of, marker=marker)


def to_find(of: Incident, marker: str, attempted_at: datetime, age_s: float) -> FindTicket:
    """Ask for the ticket that an earlier attempt may have made."""
    return FindTicket(incident=of, marker=marker, attempted_at=attempted_at, attempt_age_s=age_s)


def to_write(ticket: TicketSnapshot, of: Incident, marker: str, fields: Collection[FieldName]) -> WriteFields:
    """Ask for some fields to be written."""
    return WriteFields(incident=of, marker=marker, fields=frozenset(fields), ticket=ticket)


def to_close(ticket: TicketSnapshot, of: Incident, marker: str) -> CloseTicket:
    """Ask for a ticket to be closed."""
    return CloseTicket(incident=of, marker=marker, ticket=ticket)


def to_mark(ticket: TicketSnapshot, of: Incident, marker: str) -> MarkTicket:
    """Ask for a mark on a ticket that somebody linked with an incident."""
    return MarkTicket(ticket=ticket, incident=of, marker=marker)


def to_comment(ticket: TicketSnapshot, comment: Comment, marker: str, *, public: bool = False) -> WriteComment:
    """Ask for a comment to be written."""
    return WriteComment(ticket=ticket, comment=comment, platform=PLATFORM, marker=marker, public=public)


def to_find_comment(draft: WriteComment, attempted_at: datetime, age_s: float) -> FindComment:
    """Ask for the comment that an earlier attempt may have written."""
    return FindComment(**dict(draft), attempted_at=attempted_at, attempt_age_s=age_s)


def is_look(change: object) -> bool:
    """Return whether a ticket or a comment of an earlier attempt is only looked for."""
    return isinstance(change, FindTicket | FindComment)


def is_write(change: object) -> bool:
    """Return whether fields are to be written."""
    return isinstance(change, WriteFields)


def is_close(change: object) -> bool:
    """Return whether a ticket is to be closed."""
    return isinstance(change, CloseTicket)


def unattempted(change: object) -> object:
    """Return a look as the write that it looks for, as a plugin that knows no looks would read it."""
    if isinstance(change, FindTicket):
        return to_create(change.incident, change.marker)
    if isinstance(change, FindComment):
        return to_comment(change.ticket, change.comment, change.marker, public=change.public)
    return change
