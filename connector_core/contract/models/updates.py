"""What is written to an incident, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from pydantic import AwareDatetime, Field

from connector_core.contract.models.incidents import FieldName, Incident, Priority
from connector_core.contract.models.record import Identifier, Record
from connector_core.contract.models.tickets import TicketComment


class WriteIncident(Record):
    """Write fields of a ticket to its incident, and close it if that is among them."""

    #: The platform's own id of it.
    incident_id: Identifier
    #: The incident as it is known, before the change.
    incident: Incident | None = None
    #: Which fields to write; what stands in any other means nothing.
    fields: frozenset[FieldName]
    #: The new title.
    title: str | None = None
    #: The new description, as plain text; None for none.
    description: str | None = None
    #: The new priority; None for none.
    priority: Priority | None = None
    #: What to write where `fields` has `STATUS`: closed, or open again.
    close: bool = False
    #: The same at each try of this change, and of no other.
    idempotency_key: str


class AddComment(Record):
    """Add a comment of a ticket to its incident."""

    #: The platform's own id of it.
    incident_id: Identifier
    #: The incident as it is known.
    incident: Incident | None = None
    #: Its id is ours, and the same at each try.
    comment: TicketComment
    #: The same at each try of this comment, and of no other.
    idempotency_key: str


#: What a link wants done on its incident.
IncidentUpdate: TypeAlias = WriteIncident | AddComment


class CommentOutcome(Record):
    """What became of a comment for the platform."""

    #: Its id there if that is another one than ours.
    id: str = ""
    #: Why it cannot be taken, in a sentence; empty when it was.
    unsupported: str = ""


class UpdateOutcome(Record):
    """What became of an incident update."""

    #: A sentence for each field that the platform cannot take.
    unsupported: Mapping[FieldName, str] = Field(default_factory=dict)
    #: The platform's own time of the change, None when its answer did not say.
    applied_at: AwareDatetime | None = None
    #: What became of the comment of an `AddComment`; None says that comments are not known here.
    comment: CommentOutcome | None = None
