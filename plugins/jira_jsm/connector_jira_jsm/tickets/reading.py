"""Reading linked tickets again: those that changed lately by one search, or all of them in bulk."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from connector_core import RemoteError, TicketQuery, TicketSnapshot, UnreadableTicket, hookspecs, implements
from connector_core.kit.values import Json
from connector_jira_jsm.api.client import JiraClient
from connector_jira_jsm.api.paging import SearchIncomplete
from connector_jira_jsm.fields import mapping
from connector_jira_jsm.fields.forms import priorities, project_key
from connector_jira_jsm.fields.priorities import is_default
from connector_jira_jsm.settings import JiraIntegration


@implements(hookspecs.fetch_tickets)
def fetch(integration: JiraIntegration, query: TicketQuery) -> Sequence[TicketSnapshot | UnreadableTicket]:
    """Read tickets in as few calls as Jira allows."""
    if not query.ids:
        return ()
    client = JiraClient(integration)
    if query.changed_since is None:
        return _snapshots(integration, client, client.bulk_fetch(sorted(query.ids)))
    projects = sorted(place for place in query.places if mapping.is_key(place))
    projects = projects or [project_key(integration, client, integration.settings)]
    age = (integration.clock.now() - query.changed_since).total_seconds()
    minutes = max(math.ceil(age / 60), 1)
    try:
        found = _changed(client, projects, minutes)
    except SearchIncomplete as exc:  # which ones it left out is not known: all are read
        integration.log.info("search_incomplete", detail=exc.detail)
        return _snapshots(integration, client, client.bulk_fetch(sorted(query.ids)))
    return _snapshots(integration, client, (one for one in found if not one.get("id") or str(one["id"]) in query.ids))


def _changed(client: JiraClient, projects: Sequence[str], minutes: int) -> list[Json]:
    """Search all projects at once; one that our account may not see any more must not hide the others."""
    try:
        return list(client.search(_jql(projects, minutes)))
    except RemoteError:
        if len(projects) == 1:
            raise
    found: list[Json] = []
    refusals: list[RemoteError] = []
    for project in projects:
        try:
            found += client.search(_jql([project], minutes))
        except RemoteError as exc:
            refusals.append(exc)
    if len(refusals) == len(projects):
        raise refusals[0]
    return found


def _jql(projects: Sequence[str], minutes: int) -> str:
    """Ask by relative time: a literal one would be read in the time zone of the account's profile."""
    where = f'project = "{projects[0]}"' if len(projects) == 1 else f"project in ({', '.join(map(_quoted, projects))})"
    return f'{where} AND updated >= "-{minutes}m" ORDER BY updated ASC'


def _quoted(project: str) -> str:
    return f'"{project}"'


def _snapshots(
    integration: JiraIntegration, client: JiraClient, issues: Iterable[Json]
) -> list[TicketSnapshot | UnreadableTicket]:
    shown = list(issues)
    # The list of priorities costs a call, and is needed only for names that are not Jira's own, or have other partners.
    settings = integration.settings
    are_usual = not (settings.priority_to_ticket or settings.priority_to_incident)
    offered = () if are_usual and all(map(_has_default_priority, shown)) else priorities(integration, client)
    site_url = client.site_url()
    read = [mapping.snapshot(issue, offered, site_url) for issue in shown]
    return list({one.id: one for one in read}.values())


def _has_default_priority(issue: Json) -> bool:
    fields = issue.get("fields")
    priority = fields.get("priority") if isinstance(fields, dict) else None
    return not isinstance(priority, dict) or is_default(priority.get("name"))
