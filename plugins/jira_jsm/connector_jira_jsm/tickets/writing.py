"""Tickets: writing an incident's changes to them."""

from __future__ import annotations

from connector_core import (
    CloseTicket,
    CreateTicket,
    FindTicket,
    IncidentChange,
    NotCreated,
    Receipt,
    WriteFields,
    hookspecs,
    implements,
)
from connector_jira_jsm.api.client import JiraClient
from connector_jira_jsm.settings import JiraIntegration
from connector_jira_jsm.tickets.closing import close
from connector_jira_jsm.tickets.creating import find_ticket, note_of, open_ticket
from connector_jira_jsm.tickets.editing import edit


@implements(hookspecs.on_incident_event)
def write_change(integration: JiraIntegration, change: IncidentChange) -> Receipt | NotCreated:
    """Write a change to its ticket."""
    client = JiraClient(integration)
    match change:
        case CreateTicket():
            return open_ticket(integration, client, change)
        case FindTicket():
            return find_ticket(integration, client, change)
        case WriteFields():
            return edit(integration, client, change)
        case CloseTicket():
            return close(integration, client, change.ticket, change.incident, note_of(integration, change))
