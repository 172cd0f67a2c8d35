"""Writing an incident's changed fields to its ticket: only those, and the rest when Jira refuses one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connector_core import (
    FieldName,
    IncidentChange,
    Integration,
    Receipt,
    RemoteError,
    TicketGone,
    TicketSnapshot,
    UnreadableTicket,
)
from connector_jira_jsm.api.bodies import Json
from connector_jira_jsm.api.client import JiraClient
from connector_jira_jsm.api.responses import named_in
from connector_jira_jsm.fields import mapping
from connector_jira_jsm.fields.filling import as_shown
from connector_jira_jsm.fields.forms import KEPT_FOR_S, priorities
from connector_jira_jsm.fields.mapping import JIRA_FIELDS
from connector_jira_jsm.fields.priorities import JiraPriority, to_jira
from connector_jira_jsm.settings import active_settings
from connector_jira_jsm.text import descriptions, titles
from connector_jira_jsm.text.mentions import NAMES
from connector_jira_jsm.tickets.creating import note_of

_NAMES = {jira: jira.capitalize() for jira in JIRA_FIELDS.values()}
NO_PARTNER = "Jira has no priority for this one."
NOT_SHOWN = "Jira does not show this field: it is hidden in the field configuration."
OFF_SCREEN = "not on the appropriate screen"  # what Jira says of a field that the edit screen lacks


def edit(integration: Integration, client: JiraClient, change: IncidentChange, ticket: TicketSnapshot) -> Receipt:
    """Write the fields in one call; a field that Jira refuses is left out and the others are written again."""
    offered = priorities(integration, client)
    change = change.model_copy(update={"incident": as_shown(change.incident, active_settings(integration))})
    refused: dict[str, str] = {}
    present: Json = {}
    if FieldName.DESCRIPTION in change.fields:
        present = client.issue(ticket.id)
        refused |= {} if "description" in _fields(present) else {"description": NOT_SHOWN}
    wanted = {
        JIRA_FIELDS[name]: _value(name, change, offered, present) for name in change.fields if name in JIRA_FIELDS
    }
    refused |= {name: NO_PARTNER for name, value in wanted.items() if value is None}
    refused |= {name: text for name, text in _off_screen(integration, ticket).items() if wanted.get(name) is not None}
    fields = {name: value for name, value in wanted.items() if name not in refused}
    answer: Mapping[str, Any] | None = None
    note: Json | None = note_of(integration, change)
    while fields:
        try:
            answer = client.edit_issue(ticket.id, fields, note)
            break
        except TicketGone:
            raise
        except RemoteError as exc:
            named = named_in(exc, {name: _NAMES.get(name, name) for name in fields})
            if not named and note is None:
                raise
            if not named and "propert" not in exc.detail.casefold():
                raise
            note = note if named else None
            _remember_off_screen(integration, ticket, named)
            refused.update(named)
            fields = {name: value for name, value in fields.items() if name not in named}
    shown = ticket if answer is None else _ticket_after(integration, client, answer, ticket, fields)
    return Receipt(ticket=shown, refused=_by_our_names(refused))


def _off_screen(integration: Integration, ticket: TicketSnapshot) -> Mapping[str, str]:
    """Return the fields that were not on the project's edit screen a short while ago: asking again costs a call."""
    kept = integration.cache.get(_screen_key(ticket))
    is_fresh = isinstance(kept, tuple) and integration.clock.monotonic() - kept[0] < KEPT_FOR_S
    return kept[1] if isinstance(kept, tuple) and is_fresh else {}


def _remember_off_screen(integration: Integration, ticket: TicketSnapshot, refused: Mapping[str, str]) -> None:
    missing = {name: text for name, text in refused.items() if OFF_SCREEN in text}
    if missing:
        known = _off_screen(integration, ticket)
        integration.cache[_screen_key(ticket)] = (integration.clock.monotonic(), {**known, **missing})


def _screen_key(ticket: TicketSnapshot) -> str:
    return f"edit screen {ticket.key.rpartition('-')[0]}"


def _ticket_after(
    integration: Integration,
    client: JiraClient,
    answer: Mapping[str, Any],
    before: TicketSnapshot,
    written: Mapping[str, Any],
) -> TicketSnapshot:
    """Return the ticket after an edit; of a field that Jira took and does not show, what was written."""
    offered, site_url = priorities(integration, client), client.site_url()
    # Sites that do not know `returnIssue` yet answer without a body.
    issue = answer if isinstance(answer.get("fields"), dict) else client.issue(before.id)
    shown = mapping.snapshot(issue, offered, site_url, asked=before.id)
    if isinstance(shown, UnreadableTicket):
        shown = before
    hidden = {JIRA_FIELDS[name] for name in shown.unknown if name in JIRA_FIELDS} & written.keys()
    taken = {name: written[name] for name in hidden}
    return mapping.as_written(shown.over(before), taken, offered)


def _fields(issue: Json) -> Json:
    """Return what an issue shows: a text that is not among it, and that nobody can see, must not be written over."""
    fields = issue.get("fields")
    return fields if isinstance(fields, dict) else {}


def _rewritten(change: IncidentChange, present: Json) -> str:
    """Write the description over the one that is there, since people may have added to the part that is ours."""
    text = _fields(present).get("description")
    names = present.get(NAMES) or {}
    return descriptions.rewrite(text if isinstance(text, str) else None, change.incident, change.marker, names)


def _value(name: FieldName, change: IncidentChange, offered: Sequence[JiraPriority], present: Json) -> object:
    if name is FieldName.TITLE:
        return titles.fit(change.incident.title)
    if name is FieldName.DESCRIPTION:
        return _rewritten(change, present)
    priority = to_jira(change.incident.priority, offered)
    return {"id": priority.id} if priority else None


def _by_our_names(refused: Mapping[str, str]) -> dict[FieldName, str]:
    ours = {jira: name for name, jira in JIRA_FIELDS.items()}
    return {ours[jira]: text for jira, text in refused.items()}
