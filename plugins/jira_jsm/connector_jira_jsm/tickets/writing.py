"""Tickets: writing an incident's changes to them."""

from __future__ import annotations

from connector_core import (
    EventType,
    IncidentChange,
    Integration,
    NotCreated,
    PluginError,
    Receipt,
)
from connector_jira_jsm.api.client import JiraClient
from connector_jira_jsm.tickets.closing import close
from connector_jira_jsm.tickets.creating import note_of, open_ticket
from connector_jira_jsm.tickets.editing import edit


def write_change(integration: Integration, change: IncidentChange) -> Receipt | NotCreated:
    """Write a change to its ticket."""
    client = JiraClient(integration)
    if change.type is EventType.OPENED:
        return open_ticket(integration, client, change)
    if change.ticket is None:
        raise PluginError("A change of a ticket came without the ticket.")
    if change.type is EventType.UPDATED:
        return edit(integration, client, change, change.ticket)
    return close(integration, client, change.ticket, change.incident, note_of(integration, change))
