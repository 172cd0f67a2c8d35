"""The change histories of issues: what people changed, when and who."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from connector_core.kit.paging import OnePage, Paging
from connector_core.kit.values import Json, as_object, as_objects
from connector_jira_jsm.api.client import PLATFORM, JiraClient
from connector_jira_jsm.api.paging import BY_TOKEN

MOST_ISSUES = 1000  # that one request may ask about


def former_descriptions(client: JiraClient, ticket_ids: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Read what the descriptions of many issues were before they were changed, with the issues' ids."""
    for ticket_id, change in _history(client, ticket_ids, ["description"]):
        for item in as_objects(change.get("items")):
            yield ticket_id, str(item.get("fromString") or "")


def changes(client: JiraClient, ticket_id: str, field_ids: Sequence[str]) -> Iterator[tuple[object, object, list[str]]]:
    """Read the changes of some fields of an issue, oldest first: when, who, and which fields each was about."""
    for _, change in _history(client, [ticket_id], field_ids):
        items = as_objects(change.get("items"))
        names = [str(one.get("fieldId") or one.get("field") or "") for one in items]
        yield change.get("created"), change.get("author"), names


def status_moves(client: JiraClient, ticket_ids: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Read from which status to which tickets were moved, by the statuses' ids; the first page is enough."""
    for _, change in _history(client, islice(ticket_ids, MOST_ISSUES), ["status"], OnePage()):
        for item in as_objects(change.get("items")):
            if item.get("from") and item.get("to"):
                yield str(item["from"]), str(item["to"])


def _history(
    client: JiraClient, ticket_ids: Iterable[str], field_ids: Sequence[str], paging: Paging = BY_TOKEN
) -> Iterator[tuple[str, Json]]:
    """Read the changes of some fields of many issues, oldest first, with the issues' ids."""
    ids = list(ticket_ids)
    for start in range(0, len(ids), MOST_ISSUES):
        body = {"issueIdsOrKeys": ids[start : start + MOST_ISSUES], "fieldIds": list(field_ids)}
        logs = client.rest.pages(f"{PLATFORM}/changelog/bulkfetch", _logs, paging, body=body)
        for log in logs:
            for change in as_objects(log.get("changeHistories")):
                yield str(log.get("issueId")), change


def _logs(page: object) -> list[Json]:
    return as_objects(as_object(page).get("issueChangeLogs"))
