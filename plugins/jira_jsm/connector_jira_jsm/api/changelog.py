"""The change histories of issues: what people changed, when and who."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from connector_jira_jsm.api.bodies import Json, objects_of
from connector_jira_jsm.api.client import PLATFORM, JiraClient
from connector_jira_jsm.api.paging import NextOf, by_token, first_only, paged

MOST_ISSUES = 1000  # that one request may ask about


def former_descriptions(client: JiraClient, ticket_ids: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Read what the descriptions of many issues were before they were changed, with the issues' ids."""
    for ticket_id, change in _history(client, ticket_ids, ["description"]):
        for item in objects_of(change.get("items")):
            yield ticket_id, str(item.get("fromString") or "")


def changes(client: JiraClient, ticket_id: str, field_ids: Sequence[str]) -> Iterator[tuple[object, object, list[str]]]:
    """Read the changes of some fields of an issue, oldest first: when, who, and which fields each was about."""
    for _, change in _history(client, [ticket_id], field_ids):
        items = objects_of(change.get("items"))
        names = [str(one.get("fieldId") or one.get("field") or "") for one in items]
        yield change.get("created"), change.get("author"), names


def status_moves(client: JiraClient, ticket_ids: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Read from which status to which tickets were moved, by the statuses' ids; the first page is enough."""
    for _, change in _history(client, islice(ticket_ids, MOST_ISSUES), ["status"], first_only):
        for item in objects_of(change.get("items")):
            if item.get("from") and item.get("to"):
                yield str(item["from"]), str(item["to"])


def _history(
    client: JiraClient, ticket_ids: Iterable[str], field_ids: Sequence[str], next_of: NextOf = by_token
) -> Iterator[tuple[str, Json]]:
    """Read the changes of some fields of many issues, oldest first, with the issues' ids."""
    ids = list(ticket_ids)
    for start in range(0, len(ids), MOST_ISSUES):
        body = {"issueIdsOrKeys": ids[start : start + MOST_ISSUES], "fieldIds": list(field_ids)}
        request = client.read_by_post(f"{PLATFORM}/changelog/bulkfetch", body)
        for log in paged(request, lambda page: objects_of(page.get("issueChangeLogs")), next_of):
            for change in objects_of(log.get("changeHistories")):
                yield str(log.get("issueId")), change
