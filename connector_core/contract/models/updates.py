"""What is written to an incident, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import AwareDatetime, Field

from connector_core.contract.models.incidents import FieldName, Incident, Priority
from connector_core.contract.models.record import Identifier, Record
from connector_core.contract.models.tickets import TicketComment


class IncidentUpdate(Record):
    """What a link wants done on the incident: new values by field, and whether to close it; or a comment alone.

    `incident` is the incident as it is known, before the change. With a `comment`, whose id is ours and the same each
    time, `fields` is empty.
    """

    incident_id: Identifier
    incident: Incident | None = None
    title: str | None = None
    description: str | None = None
    priority: Priority | None = None
    close: bool = False
    comment: TicketComment | None = None
    fields: frozenset[FieldName]
    idempotency_key: str


class CommentOutcome(Record):
    """What became of a comment for the platform: its id there if that is another one, or why it cannot be taken."""

    id: str = ""
    unsupported: str = ""


class UpdateOutcome(Record):
    """What became of an incident update: a sentence for each field that the platform cannot take.

    `applied_at` is the platform's own time of the change, None when its answer did not say. `comment` tells of the
    update's comment; None says that comments are not known here.
    """

    unsupported: Mapping[FieldName, str] = Field(default_factory=dict)
    applied_at: AwareDatetime | None = None
    comment: CommentOutcome | None = None
