"""From which statuses tickets can be closed, as far as present tickets show it.

Workflows themselves can only be read with administrator scopes. What stands in for them: one open ticket in each
status, and where it can go from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connector_core import Integration, Remark, Severity
from connector_jira_jsm import mapping, texts
from connector_jira_jsm.client import JiraClient
from connector_jira_jsm.mapping import Json
from connector_jira_jsm.settings import DO_NOT_CLOSE

MOST_TICKETS = 50
MOST_STATUSES = 12  # each costs a call, and a person is waiting


def ways_to_close(
    integration: Integration, client: JiraClient, statuses: Sequence[Json], project: str, issue_type: str
) -> list[Remark]:
    """Say for every open status whether a ticket in it can be moved to the chosen close status."""
    chosen = integration.answers.get("close_status")
    if chosen is None:
        return []
    if chosen == DO_NOT_CLOSE:
        return [Remark(texts.KEEP_OPEN_NOTE)]
    target = next((status for status in statuses if str(status.get("id")) == chosen), None)
    if target is None:
        return [Remark(texts.STATUS_GONE, Severity.PROBLEM)]
    return list(_remarks(client, statuses, target, _samples(client, project, issue_type)))


def _remarks(client: JiraClient, statuses: Sequence[Json], target: Json, samples: dict[str, Json]) -> Iterator[Remark]:
    if not mapping.is_done(target):
        yield Remark(texts.NOT_DONE, Severity.WARNING)
    unseen = []
    for status in [status for status in statuses if not mapping.is_done(status) and status is not target][
        :MOST_STATUSES
    ]:
        sample = samples.get(str(status.get("id")))
        if sample is None:
            unseen.append(str(status.get("name")))
        else:
            yield _of_status(client, status, target, sample)
    if unseen:
        yield Remark(texts.NO_TICKET_THERE.format(statuses=", ".join(unseen)))


def _of_status(client: JiraClient, status: Json, target: Json, sample: Json) -> Remark:
    transitions = client.transitions(str(sample["id"]))
    ways = {str(to.get("id")): t for t in transitions if isinstance(to := t.get("to"), dict)}
    direct = ways.get(str(target.get("id")))
    shown = {"status": status.get("name"), "target": target.get("name"), "key": sample.get("key")}
    if direct is not None:
        return Remark(texts.WAY_THERE.format(transition=direct.get("name"), **shown), Severity.OK)
    other = next((t for t in ways.values() if mapping.is_done(t["to"])), None)
    if other is not None:
        return Remark(texts.OTHER_WAY.format(other=other["to"].get("name"), **shown), Severity.WARNING)
    return Remark(texts.NO_WAY_FROM.format(**shown), Severity.PROBLEM)


def _samples(client: JiraClient, project: str, issue_type: str) -> dict[str, Json]:
    """Return the newest open ticket of the kind in each status, by the status's id."""
    jql = f'project = "{project}" AND issuetype = {issue_type} AND statusCategory != Done ORDER BY created DESC'
    found: dict[str, Json] = {}
    for issue in client.search(jql, most=MOST_TICKETS):
        fields = issue.get("fields")
        status = fields.get("status") if isinstance(fields, dict) else None
        if isinstance(status, dict):
            found.setdefault(str(status.get("id")), issue)
    return found
