"""The words of the domain as values: incidents, tickets, what happened to them and what should.

Pydantic models hold whatever crosses a process boundary or is stored; everything here is immutable.
"""

from __future__ import annotations

from connector_core.contract.models.findings import Finding, Severity
from connector_core.contract.models.grants import (
    AuthorizationRenewal,
    AuthorizationRequest,
    AuthorizationReturn,
    AuthorizationStart,
    Grant,
    Redirect,
    Site,
)
from connector_core.contract.models.incidents import (
    Comment,
    Device,
    EventType,
    FieldName,
    Incident,
    IncidentEvent,
    IncidentStatus,
    Location,
    Poll,
    Priority,
    Push,
    RefusedEvent,
)
from connector_core.contract.models.record import Identifier, Record, utc
from connector_core.contract.models.tickets import (
    LONGEST_NAME,
    SHOWN_AS,
    Absence,
    AbsenceKind,
    CommentDraft,
    FieldChange,
    IncidentChange,
    NotCreated,
    PersonName,
    Receipt,
    TicketComment,
    TicketQuery,
    TicketSnapshot,
    UnreadableTicket,
    WrittenComment,
)
from connector_core.contract.models.updates import CommentOutcome, IncidentUpdate, UpdateOutcome
from connector_core.contract.models.webhooks import (
    BYTE_ORDER_MARK,
    Delivery,
    HookRegistration,
    InboundRequest,
    Signature,
)

__all__ = [
    "BYTE_ORDER_MARK",
    "LONGEST_NAME",
    "SHOWN_AS",
    "Absence",
    "AbsenceKind",
    "AuthorizationRenewal",
    "AuthorizationRequest",
    "AuthorizationReturn",
    "AuthorizationStart",
    "Comment",
    "CommentDraft",
    "CommentOutcome",
    "Delivery",
    "Device",
    "EventType",
    "FieldChange",
    "FieldName",
    "Finding",
    "Grant",
    "HookRegistration",
    "Identifier",
    "InboundRequest",
    "Incident",
    "IncidentChange",
    "IncidentEvent",
    "IncidentStatus",
    "IncidentUpdate",
    "Location",
    "NotCreated",
    "PersonName",
    "Poll",
    "Priority",
    "Push",
    "Receipt",
    "Record",
    "Redirect",
    "RefusedEvent",
    "Severity",
    "Signature",
    "Site",
    "TicketComment",
    "TicketQuery",
    "TicketSnapshot",
    "UnreadableTicket",
    "UpdateOutcome",
    "WrittenComment",
    "utc",
]
