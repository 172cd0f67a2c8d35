"""Tickets that people moved to another project: whether what the link keeps still works there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connector_core import Finding, Severity, TicketSnapshot, hookspecs, implements
from connector_core.kit.values import Json
from connector_jira_jsm.api.client import JiraClient
from connector_jira_jsm.checks.checkup import NEEDED
from connector_jira_jsm.fields import mapping
from connector_jira_jsm.settings import DO_NOT_CLOSE, JiraIntegration, JiraSettings


@implements(hookspecs.check_ticket)
def check(integration: JiraIntegration, ticket: TicketSnapshot) -> Sequence[Finding]:
    """Check permissions and the close status in the ticket's present project."""
    client = JiraClient(integration)
    project = client.project(mapping.project_of(ticket.key))
    return list(_findings(client, integration.settings, ticket, project))


def _findings(client: JiraClient, settings: JiraSettings, ticket: TicketSnapshot, project: Json) -> Iterator[Finding]:
    name = str(project.get("name") or ticket.place)
    held = client.permissions(("EDIT_ISSUES", "TRANSITION_ISSUES"), str(project.get("id") or ""))
    missing = [
        NEEDED[permission][0] for permission in ("EDIT_ISSUES", "TRANSITION_ISSUES") if held.get(permission) is False
    ]
    if missing:
        yield Finding(
            code="permission_missing",
            severity=Severity.PROBLEM,
            title=f"our account lacks permissions in {name}",
            detail=", ".join(missing),
            fix="Give them in Project settings > Permissions.",
        )
    if settings.close_status != DO_NOT_CLOSE and ticket.done is False:
        yield from _of_closing(client, settings, ticket, name)


def _of_closing(client: JiraClient, settings: JiraSettings, ticket: TicketSnapshot, name: str) -> Iterator[Finding]:
    """Look for a status that a close could lead to; the way there is found when it is gone."""
    statuses = [
        status
        for kind in client.statuses(mapping.project_of(ticket.key))
        for status in kind.get("statuses") or ()
        if isinstance(status, dict)
    ]
    if not any(str(one.get("id")) == settings.close_status or mapping.is_done(one) for one in statuses):
        yield Finding(
            code="close_status_missing",
            severity=Severity.PROBLEM,
            title=f"the workflow of {name} has neither the close status nor another one of the category Done",
            fix="Move the ticket back, or add such a status in Project settings > Workflows.",
        )
