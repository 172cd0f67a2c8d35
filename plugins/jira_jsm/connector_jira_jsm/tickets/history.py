"""When people changed a ticket's fields, and who: its own time moves with every comment, its history does not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from connector_core import AnyIntegration, FieldChange, FieldName, TicketSnapshot, hookspecs, implements
from connector_jira_jsm.api import changelog
from connector_jira_jsm.api.client import JiraClient
from connector_jira_jsm.fields import mapping

FIRST_MILLISECONDS = 10**11  # 1973 in milliseconds, the year 5138 in seconds

FIELDS = {
    "summary": FieldName.TITLE,
    "description": FieldName.DESCRIPTION,
    "priority": FieldName.PRIORITY,
    "status": FieldName.STATUS,
}


@implements(hookspecs.when_changed)
def when_changed(integration: AnyIntegration, ticket: TicketSnapshot) -> Mapping[FieldName, FieldChange]:
    """Return the time and the author of the latest change of each field that has one."""
    found: dict[FieldName, FieldChange] = {}
    for created, author, names in changelog.changes(JiraClient(integration), ticket.id, tuple(FIELDS)):
        at = moment(created)
        for name in names:
            field = FIELDS.get(name.casefold())
            if field is not None and at is not None and (field not in found or at > found[field].at):
                found[field] = FieldChange(at=at, by=name_of(author))
    return found


def told_by(body: Mapping[str, Any]) -> dict[FieldName, str]:
    """Read who changed which field from a delivery, which names one person and the fields they changed.

    Old deliveries have no `fieldId`, and `field` is a display name at times; what is not there is not known.
    """
    person = name_of(body.get("user"))
    log = body.get("changelog")
    items = log.get("items") if isinstance(log, dict) else None
    if not person or not isinstance(items, list):
        return {}
    names = [str(one.get("fieldId") or one.get("field") or "").casefold() for one in items if isinstance(one, dict)]
    return {FIELDS[name]: person for name in names if name in FIELDS}


def name_of(person: object) -> str:
    """Return what people call somebody; neither account id nor e-mail address is taken."""
    shown = person.get("displayName") if isinstance(person, dict) else None
    return shown if isinstance(shown, str) else ""


def moment(value: object) -> datetime | None:
    """Read the time of a change, which comes in three spellings.

    The live service gives milliseconds since 1970, Atlassian's own example seconds, and its schema says a date. A
    number tells by its size which it is: as milliseconds, those of the example would all lie in January 1970.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(value if abs(value) < FIRST_MILLISECONDS else value / 1000, UTC)
        except (ValueError, OverflowError, OSError):
            return None
    return mapping.moment(value)
