"""The platform API's searches and bulk reads.

Searches read an index that lags behind; bulk reads do not.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from connector_jira_jsm_sandbox.answers import Answer, Refusal, jira_error
from connector_jira_jsm_sandbox.call import Call, Operation
from connector_jira_jsm_sandbox.issue import Fields, Issue, epoch_millis
from connector_jira_jsm_sandbox.issue_operations import READ, View, expansions, issue_json
from connector_jira_jsm_sandbox.jql import BadQuery, Query, parse
from connector_jira_jsm_sandbox.payload import bad_payload, numbers, strings, text
from connector_jira_jsm_sandbox.shapes import change as change_json

_SEARCH_KEYS = frozenset(
    {"jql", "fields", "maxResults", "nextPageToken", "expand", "properties", "fieldsByKeys", "reconcileIssues"}
)
_BULK_KEYS = frozenset({"issueIdsOrKeys", "fields", "expand", "properties", "fieldsByKeys"})
_HISTORY_KEYS = frozenset({"issueIdsOrKeys", "fieldIds", "maxResults", "nextPageToken"})
_MOST_RESULTS, _MOST_RECONCILED, _MOST_PROPERTIES = 5_000, 50, 5
_MOST_HISTORIES, _MOST_HISTORY_FIELDS, _MOST_HISTORY_ISSUES = 10_000, 10, 1_000
_MOST_WITH_ALL = 100
# More may be read at once when nothing with many values is asked for (Atlassian, "Rate limiting", October 2026).
_SINGLE_VALUED = frozenset(
    {"summary", "description", "priority", "status", "updated", "created", "project", "issuetype"}
)
_TOKEN_LIFE = timedelta(days=7)
_UNBOUNDED = "Unbounded JQL queries are not allowed here. Please add a search restriction to your query."


def search_post(call: Call) -> Answer:
    """Search with a body, which is closed."""
    return _search(call, call.json_object(_SEARCH_KEYS))


def search_get(call: Call) -> Answer:
    """Search with a query string."""
    asked: dict[str, Any] = {
        "jql": call.query.get("jql"),
        "fields": call.listed("fields"),
        "expand": call.query.get("expand", ""),
        "properties": call.listed("properties"),
        "reconcileIssues": [int(one) for one in call.listed("reconcileIssues") if one.isdigit()],
        "maxResults": call.number("maxResults", 50),
        "nextPageToken": call.query.get("nextPageToken"),
    }
    return _search(call, {key: value for key, value in asked.items() if value})


def _search(call: Call, asked: dict[str, Any]) -> Answer:
    most = asked.get("maxResults", 50)
    if not isinstance(most, int) or not 1 <= most <= _MOST_RESULTS:
        raise jira_error(400, "The max results parameter has to be between 1 and 5,000.")
    reconcile = numbers(asked, "reconcileIssues", most=_MOST_RECONCILED)
    fields, properties = strings(asked, "fields") or ("id",), strings(asked, "properties", most=_MOST_PROPERTIES)
    jql = text(asked, "jql")
    every = _found(call, _query(call, jql), frozenset(str(one) for one in reconcile))
    found = every[: call.site.profile.search_shows]
    wanted = tuple(name for name in fields if name not in {"id", "key"})
    if wanted:
        most = min(most, call.page_cap)
    start = _read_token(call, text(asked, "nextPageToken"), jql)
    expand = frozenset(part.strip() for part in text(asked, "expand").split(","))
    view = View(wanted, expand, properties)
    body: dict[str, Any] = {
        "issues": [issue_json(call, issue, view, at) for issue, at in found[start : start + most]],
        "isLast": start + most >= len(found),
    }
    if fields == ("id",) and not properties:
        body["issues"] = [{"id": issue["id"]} for issue in body["issues"]]
    if not body["isLast"]:
        body["nextPageToken"] = _write_token(call, start + most, jql)
    if len(found) < len(every):
        body["warnings"] = [{"type": "CLAUSE_RESULT_TRUNCATED", "message": "The results may be incomplete."}]
    return Answer(200, body)


def _query(call: Call, jql: str) -> Query:
    try:
        query = parse(jql, call.site, call.user)
    except BadQuery as error:
        raise jira_error(400, str(error)) from error
    if not query.clauses:
        raise jira_error(400, _UNBOUNDED)
    return query


def _found(call: Call, query: Query, reconcile: frozenset[str]) -> list[tuple[Issue, Fields]]:
    return query.ordered([pair for pair in _visible(call, reconcile) if query.accepts(*pair)])


def _visible(call: Call, reconcile: frozenset[str]) -> Iterator[tuple[Issue, Fields]]:
    now = call.site.now()
    for issue in filter(call.site.is_listed, call.site.issues_and_ghosts()):
        is_current = issue.id in reconcile
        alive = call.site.find(issue.id) is not None
        fields = (issue.fields if alive else None) if is_current else issue.indexed(now)
        if fields is not None:
            yield issue, fields


def _write_token(call: Call, start: int, jql: str) -> str:
    token = json.dumps([start, jql, epoch_millis(call.site.now())])
    return base64.urlsafe_b64encode(token.encode()).decode()


def _read_token(call: Call, token: str, jql: str) -> int:
    if not token:
        return 0
    try:
        start, asked, issued = json.loads(base64.urlsafe_b64decode(token))
    except (binascii.Error, ValueError, TypeError) as error:
        raise _bad_token() from error
    life = _TOKEN_LIFE // timedelta(milliseconds=1)
    if asked != jql or epoch_millis(call.site.now()) - int(issued) > life:
        raise _bad_token()
    return int(start)


def _bad_token() -> Refusal:
    return jira_error(400, "The provided next page token is invalid or expired.")


def count_issues(call: Call) -> Answer:
    """Count what a search would find."""
    body = call.json_object(frozenset({"jql"}))
    return Answer(200, {"count": len(_found(call, _query(call, text(body, "jql")), frozenset()))})


def retired_search(_: Call) -> Answer:
    """Refuse the search that was taken away."""
    message = (
        "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API. "
        "A full migration guideline is available at "
        "https://developer.atlassian.com/changelog/#CHANGE-2046"
    )
    raise jira_error(410, message)


def bulk_fetch(call: Call) -> Answer:
    """Show many issues as they are now; those that are gone are left out without a word."""
    body = call.json_object(_BULK_KEYS)
    is_lean = _SINGLE_VALUED.issuperset(strings(body, "fields") or ("*navigable",)) and not body.get("expand")
    wanted = _wanted_issues(body, call.site.profile.bulkfetch_limit if is_lean else _MOST_WITH_ALL)
    properties = strings(body, "properties", most=_MOST_PROPERTIES)
    found = {issue.id: issue for one in wanted if (issue := call.site.shown(one)) and call.site.is_listed(issue)}
    ordered = sorted(found.values(), key=lambda issue: int(issue.id))
    expand = frozenset(strings(body, "expand")) | expansions(call)
    view = View(strings(body, "fields") or ("*navigable",), expand, properties)
    shown = [issue_json(call, issue, view) for issue in ordered]
    return Answer(200, {"issues": shown, "issueErrors": []})


def _wanted_issues(body: dict[str, Any], limit: int) -> tuple[str, ...]:
    wanted = strings(body, "issueIdsOrKeys")
    if not wanted:
        raise jira_error(400, "At least one issue id or key is required.")
    if len(wanted) > limit:
        raise jira_error(400, f"The number of issue ids or keys must not exceed {limit}.")
    return wanted


def bulk_history(call: Call) -> Answer:
    """Show the changes of many issues, oldest first."""
    body = call.json_object(_HISTORY_KEYS)
    wanted = _wanted_issues(body, _MOST_HISTORY_ISSUES)
    fields = frozenset(strings(body, "fieldIds", most=_MOST_HISTORY_FIELDS))
    most = body.get("maxResults", 1000)
    if not isinstance(most, int) or not 1 <= most <= _MOST_HISTORIES:
        raise bad_payload()
    logs: list[dict[str, Any]] = []
    for issue in sorted({i.id: i for one in wanted if (i := call.site.shown(one))}.values(), key=lambda i: int(i.id)):
        shown = []
        for entry in issue.history:
            items = [item.as_json() for item in entry.items if not fields or item.field in fields]
            if items:
                millis = epoch_millis(entry.created)
                shown.append({**change_json(call.site, entry, call.user, "3"), "items": items, "created": millis})
        if shown:
            logs.append({"issueId": issue.id, "changeHistories": shown})
    return Answer(200, _history_page(call, logs, text(body, "nextPageToken"), most))


def _history_page(call: Call, logs: list[dict[str, Any]], token: str, most: int) -> dict[str, Any]:
    entries = [(log["issueId"], entry) for log in logs for entry in log["changeHistories"]]
    start = _read_token(call, token, "changelog")
    page: dict[str, list[dict[str, Any]]] = {}
    for issue_id, entry in entries[start : start + most]:
        page.setdefault(issue_id, []).append(entry)
    body: dict[str, Any] = {"issueChangeLogs": [{"issueId": key, "changeHistories": page[key]} for key in page]}
    if start + most < len(entries):
        body["nextPageToken"] = _write_token(call, start + most, "changelog")
    return body


OPERATIONS = (
    Operation("POST", "/search/jql", search_post, READ),
    Operation("GET", "/search/jql", search_get, READ),
    Operation("POST", "/search/approximate-count", count_issues, READ),
    Operation("GET", "/search", retired_search, None),
    Operation("POST", "/search", retired_search, None),
    Operation("POST", "/issue/bulkfetch", bulk_fetch, READ),
    Operation("POST", "/changelog/bulkfetch", bulk_history, READ),
)
