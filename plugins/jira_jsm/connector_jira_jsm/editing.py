"""Writing an incident's changed fields to its ticket: only those, and the rest when Jira refuses one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connector_core import FieldName, IncidentChange, Integration, Receipt, TicketSnapshot
from connector_jira_jsm import details, mapping, titles
from connector_jira_jsm.answers import FieldsRefused
from connector_jira_jsm.client import JiraClient
from connector_jira_jsm.filling import as_shown
from connector_jira_jsm.forms import KEPT_FOR_S, priorities
from connector_jira_jsm.mapping import JIRA_FIELDS, Json
from connector_jira_jsm.mentions import NAMES
from connector_jira_jsm.priorities import JiraPriority, to_jira
from connector_jira_jsm.settings import active_settings

NO_PARTNER = "Jira has no priority for this one."
OFF_SCREEN = "not on the appropriate screen"  # what Jira says of a field that the edit screen lacks


def edit(integration: Integration, client: JiraClient, change: IncidentChange, ticket: TicketSnapshot) -> Receipt:
    """Write the fields in one call; a field that Jira refuses is left out and the others are written once more."""
    offered = priorities(integration, client)
    shown = as_shown(change.incident, active_settings(integration))
    change = change.model_copy(update={"incident": shown})
    present = client.issue(ticket.id) if FieldName.DESCRIPTION in change.fields else {}
    wanted = {
        JIRA_FIELDS[name]: _value(name, change, offered, present) for name in change.fields if name in JIRA_FIELDS
    }
    refused = {name: NO_PARTNER for name, value in wanted.items() if value is None}
    refused |= {name: text for name, text in _off_screen(integration, ticket).items() if wanted.get(name) is not None}
    fields = {name: value for name, value in wanted.items() if name not in refused}
    answer: Mapping[str, Any] | None = None
    if fields:
        try:
            answer = client.edit_issue(ticket.id, fields)
        except FieldsRefused as exc:
            named = {name: text for name, text in exc.fields.items() if name in fields}
            if not named:
                raise
            _remember_off_screen(integration, ticket, named)
            refused.update(named)
            fields = {name: value for name, value in fields.items() if name not in named}
            answer = client.edit_issue(ticket.id, fields) if fields else None
    return Receipt(ticket=_ticket_after(integration, client, answer, ticket), refused=_by_our_names(refused))


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
    integration: Integration, client: JiraClient, answer: Mapping[str, Any] | None, before: TicketSnapshot
) -> TicketSnapshot:
    if answer is None:
        return before
    shown = mapping.snapshot(answer, priorities(integration, client), client.site_url())
    # Sites that do not know `returnIssue` yet answer without a body.
    return (
        shown or mapping.snapshot(client.issue(before.id), priorities(integration, client), client.site_url()) or before
    )


def _rewritten(change: IncidentChange, present: Json) -> str:
    """Write the description over the one that is there, since people may have added to the part that is ours."""
    fields = present.get("fields")
    text = fields.get("description") if isinstance(fields, dict) else None
    names = present.get(NAMES) or {}
    return details.rewrite(text if isinstance(text, str) else None, change.incident, change.marker, names)


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
