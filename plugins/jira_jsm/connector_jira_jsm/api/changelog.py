"""The change histories of issues: what people changed, when and who."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice

from connector_core.kit.editing import Change
from connector_core.kit.paging import OnePage, Paging
from connector_core.kit.signing import moment_of
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


def since(issue: Json, at: datetime | None) -> list[Change] | None:
    """Return the changes of an issue since a time, the oldest first, where it came with the latest ones; else None."""
    histories = as_object(issue.get("changelog")).get("histories")
    if not isinstance(histories, list) or at is None:
        return None
    made = [(moment_of(str(one.get("created"))), str(one.get("id")), one) for one in as_objects(histories)]
    later = [(when, (len(number), number), one) for when, number, one in made if when is not None and when >= at]
    return [
        _change(item) for _, _, one in sorted(later, key=lambda told: told[:2]) for item in as_objects(one.get("items"))
    ]


def as_told(fields: Json) -> dict[str, str]:
    """Return fields of an issue, or those that are written to it, as its history tells them: a priority by its id."""
    return {name: str((value.get("id") if isinstance(value, dict) else value) or "") for name, value in fields.items()}


def _change(item: Json) -> Change:
    """Read a change of a field: of what has ids by these, with the name that people read."""
    was, now = str(item.get("fromString") or ""), str(item.get("toString") or "")
    name = str(item.get("fieldId") or item.get("field"))
    if item.get("from") or item.get("to"):
        return Change(name, str(item.get("from") or ""), str(item.get("to") or ""), was)
    return Change(name, was, now)


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
