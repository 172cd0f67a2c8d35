"""When people changed a ticket's fields: a ticket's own time moves with every comment, its history does not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from connector_core import FieldName, Integration, TicketSnapshot
from connector_jira_jsm import mapping
from connector_jira_jsm.client import JiraClient

FIELDS = {
    "summary": FieldName.TITLE,
    "description": FieldName.DESCRIPTION,
    "priority": FieldName.PRIORITY,
    "status": FieldName.STATUS,
}


def when_changed(integration: Integration, ticket: TicketSnapshot) -> Mapping[FieldName, datetime]:
    """Return the time of the latest change of each field that has one."""
    found: dict[FieldName, datetime] = {}
    for created, names in JiraClient(integration).changes(ticket.id, tuple(FIELDS)):
        at = moment(created)
        for name in names:
            field = FIELDS.get(name.casefold())
            if field is not None and at is not None and at > found.get(field, datetime.min.replace(tzinfo=UTC)):
                found[field] = at
    return found


def moment(value: object) -> datetime | None:
    """Read the time of a change: milliseconds in Atlassian's example, a date in its schema."""
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(value / 1000, UTC)
        except (ValueError, OverflowError, OSError):
            return None
    return mapping.moment(value)
