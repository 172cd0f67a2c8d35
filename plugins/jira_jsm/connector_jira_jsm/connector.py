"""Tickets: carrying an incident's changes to them, and reading them again."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from connector_core import (
    EventType,
    IncidentChange,
    Integration,
    NotCreated,
    PluginError,
    Receipt,
    TicketQuery,
    TicketSnapshot,
)
from connector_jira_jsm import mapping
from connector_jira_jsm.client import JiraClient
from connector_jira_jsm.closing import close
from connector_jira_jsm.editing import edit
from connector_jira_jsm.forms import priorities, project_key
from connector_jira_jsm.mapping import Json
from connector_jira_jsm.opening import open_ticket
from connector_jira_jsm.settings import active_settings

# The search index lags; fifteen minutes is what other pollers ended up with (activepieces #14921).
OVERLAP_MINUTES = 15


def carry(integration: Integration, change: IncidentChange) -> Receipt | NotCreated:
    """Carry a change to its ticket."""
    client = JiraClient(integration)
    if change.type is EventType.OPENED:
        return open_ticket(integration, client, change)
    if change.ticket is None:
        raise PluginError("A change of a ticket came without the ticket.")
    if change.type is EventType.UPDATED:
        return edit(integration, client, change, change.ticket)
    return close(integration, client, change.ticket, change.incident)


def fetch(integration: Integration, query: TicketQuery) -> Sequence[TicketSnapshot]:
    """Read tickets: those changed lately by one search, or all of them in bulk."""
    if not query.ids:
        return ()
    client = JiraClient(integration)
    settings = active_settings(integration)
    if query.changed_since is None:
        return _snapshots(integration, client, client.bulk_fetch(sorted(query.ids)))
    age = (integration.clock.now() - query.changed_since).total_seconds()
    minutes = max(math.ceil(age / 60), 0) + OVERLAP_MINUTES
    # Relative, because a literal time would be read in the time zone of the account's profile.
    jql = f'project = "{project_key(integration, client, settings)}" AND updated >= "-{minutes}m" ORDER BY updated ASC'
    found = (issue for issue in client.search(jql) if str(issue.get("id")) in query.ids)
    return _snapshots(integration, client, found)


def _snapshots(integration: Integration, client: JiraClient, issues: Iterable[Json]) -> list[TicketSnapshot]:
    offered, site_url = priorities(integration, client), client.site_url()
    read = {ticket.id: ticket for issue in issues if (ticket := mapping.snapshot(issue, offered, site_url))}
    return list(read.values())
