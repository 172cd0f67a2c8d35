"""Why linked tickets cannot be found: deleted, archived, or hidden from our account.

Jira answers all three with the same 404. What tells them apart is asked of the project, once for all of its tickets:
may our account browse it, and is it archived? Where both are in order single tickets are tried.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connector_core import Absence, AbsenceKind, Integration, TicketGone, TicketSnapshot, hookspecs, implements
from connector_core.kit.answers import SetupObjectMissing
from connector_jira_jsm.api.client import JiraClient
from connector_jira_jsm.fields import mapping

MOST_TRIED = 20  # single tickets of a project that are tried; each costs a call

PERMISSIONS = "Give our account the permission Browse projects (Project settings > People or Permissions), then retry."


@implements(hookspecs.explain_absence)
def explain(integration: Integration, tickets: Sequence[TicketSnapshot]) -> Mapping[str, Absence]:
    """Return the reasons by ticket id; a ticket that is there after all has none."""
    client = JiraClient(integration)
    by_project: dict[str, list[TicketSnapshot]] = {}
    for ticket in tickets:
        by_project.setdefault(mapping.project_of(ticket.key), []).append(ticket)
    found: dict[str, Absence] = {}
    for project, its in by_project.items():
        of_all = _of_project(client, project)
        if of_all is not None:
            found |= {ticket.id: of_all for ticket in its}
            continue
        tried = {ticket.id: _of_ticket(client, ticket, project) for ticket in its[:MOST_TRIED]}
        found |= _still_absent(client, tried) | {ticket.id: _deleted(project) for ticket in its[MOST_TRIED:]}
    return found


def _of_project(client: JiraClient, project: str) -> Absence | None:
    try:
        may_browse = client.may_browse(project)
        is_archived = may_browse and client.project(project).get("archived") is True
    except SetupObjectMissing:
        may_browse = is_archived = False
    if not may_browse:
        return Absence(
            kind=AbsenceKind.HIDDEN,
            reason=f"Our account may not see the project {project} any more, or it was deleted.",
            fix=PERMISSIONS,
        )
    if is_archived:
        return Absence(
            kind=AbsenceKind.ARCHIVED, reason=f"The project {project} was archived.", fix="Restore it, then retry."
        )
    return None


def _of_ticket(client: JiraClient, ticket: TicketSnapshot, project: str) -> Absence:
    """Try a ticket that a bulk read left out: an archived one can still be opened."""
    try:
        issue = client.issue(ticket.id)
    except TicketGone:
        return _deleted(project)
    key = issue.get("key") if mapping.is_key(issue.get("key")) else ticket.key
    return Absence(kind=AbsenceKind.ARCHIVED, reason=f"{key} was archived.", fix="Restore it in Jira, then retry.")


def _still_absent(client: JiraClient, tried: Mapping[str, Absence]) -> dict[str, Absence]:
    """Leave out those that a bulk read shows by now: they came back, and are not archived."""
    can_be_opened = sorted(name for name, absence in tried.items() if absence.kind is AbsenceKind.ARCHIVED)
    there = {str(issue.get("id")) for issue in client.bulk_fetch(can_be_opened)} if can_be_opened else set()
    return {name: absence for name, absence in tried.items() if name not in there}


def _deleted(project: str) -> Absence:
    return Absence(
        kind=AbsenceKind.DELETED,
        reason=f"The ticket was deleted: our account may see the other tickets of {project}. (Or a security level "
        "hides this one; Jira does not tell which.)",
    )
