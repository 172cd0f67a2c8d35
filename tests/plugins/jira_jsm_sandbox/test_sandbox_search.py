"""Searches and bulk reads: JQL, paging, the lagging index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connector_core.testing import FrozenClock
from connector_jira_jsm_sandbox import JiraSandbox
from tests.support.jira.visitor import Client

SEARCH = "/rest/api/3/search/jql"
Create = Callable[..., str]


def search(site: Client, jql: str, **asked: object) -> dict[str, Any]:
    """Search and return the answer, which must be 200."""
    answer = site.post(SEARCH, json={"jql": jql, **asked})
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


def ids(answer: dict[str, Any]) -> list[str]:
    """Return the ids of what was found."""
    return [issue["id"] for issue in answer["issues"]]


def test_search_lags_and_reading_does_not(create: Create, site: Client, clock: FrozenClock) -> None:
    """A new issue is readable at once and found only after the lag."""
    issue = create()

    at_once = ids(search(site, "project = SUP"))
    fetched = site.post("/rest/api/3/issue/bulkfetch", json={"issueIdsOrKeys": [issue]}).json()
    clock.forward(2)

    assert at_once == []
    assert ids(fetched) == [issue]
    assert ids(search(site, "project = SUP")) == [issue]


def test_reconciled_issues_are_current(create: Create, site: Client, clock: FrozenClock, sandbox: JiraSandbox) -> None:
    """Ids named in `reconcileIssues` are searched as they are now; others as the index knows them."""
    issue = create("old title")
    clock.forward(1 * 60)
    sandbox.edit_ticket(issue, title="new title")

    stale = search(site, "project = SUP", fields=["summary"])
    fresh = search(site, "project = SUP", fields=["summary"], reconcileIssues=[int(issue)])

    assert stale["issues"][0]["fields"]["summary"] == "old title"
    assert fresh["issues"][0]["fields"]["summary"] == "new title"


def test_deleted_issue_haunts_the_index(create: Create, site: Client, clock: FrozenClock, sandbox: JiraSandbox) -> None:
    """A deleted issue is still found until the index has noticed."""
    issue = create()
    clock.forward(1 * 60)
    sandbox.delete_ticket(issue)

    before = ids(search(site, "project = SUP"))
    clock.forward(2)

    assert before == [issue]
    assert ids(search(site, "project = SUP")) == []


@pytest.fixture
def three(create: Create, clock: FrozenClock, sandbox: JiraSandbox) -> list[str]:
    """Raise three requests, an hour apart, the last one resolved and the index caught up."""
    made = [
        create("Display offline in Lobby", description="No heartbeat for 5 minutes"),
        create("Camera offline", priority={"id": "1"}),
        create("Printer out of paper", desk="11", kind="31"),
    ]
    clock.forward(1 * 3600)
    sandbox.finish_ticket(made[2])
    clock.forward(10 * 60)
    return made


@pytest.mark.parametrize(
    ("jql", "found"),
    [
        ("project = SUP", [1, 0]),
        ("project in (SUP, FAC)", [2, 1, 0]),
        ("project != SUP", [2]),
        ('text ~ "offline"', [1, 0]),
        ('text ~ "heartbeat offline"', [0]),
        ('text ~ "\\"offline in lobby\\""', [0]),
        ('summary ~ "heartbeat" and project = SUP', []),
        ('description ~ "heartbeat"', [0]),
        ("statusCategory = Done", [2]),
        ("project in (SUP, FAC) AND statusCategory != done", [1, 0]),
        ("key in (SUP-1, FAC-1) order by key", [0, 2]),
        ("id = SUP-2", [1]),
        ('updated >= "-30m"', [2]),
        ('created <= "-30m" ORDER BY created ASC, key ASC', [0, 1, 2]),
        ("updated >= 1795431600000 ", [2]),
        ('created >= "2026-11-23 15:30" and project = SUP', [1, 0]),
        ('created > "2026-11-23 10:00 UTC"', []),
        ('created >= "2026-11-24"', []),
        ("priority = Highest", [1]),
        ("status in (Resolved)", [2]),
        ("project in (SUP, FAC) ORDER BY priority DESC, key DESC", [2, 0, 1]),
    ],
)
def test_jql(three: list[str], site: Client, jql: str, found: list[int]) -> None:
    """Each clause of the subset finds what it says."""
    assert ids(search(site, jql)) == [three[number] for number in found]


@pytest.mark.parametrize(
    ("jql", "text"),
    [
        ("", "Unbounded"),
        ("ORDER BY created", "Unbounded"),
        ("project = NOPE", "The value 'NOPE' does not exist for the field 'project'."),
        ("key = SUP-404", "An issue with key 'SUP-404' does not exist for field 'key'."),
        ("colour = red", "Field 'colour' does not exist"),
        ("project = SUP OR project = FAC", "Expecting 'AND'"),
        ("project ~ SUP", "operator '~' is not supported"),
        ('updated >= "yesterday"', "Date value 'yesterday'"),
        ("project = SUP AND", "Expecting a clause"),
        ("project in (SUP", "ends too early"),
        ('summary = "x"', "operator '=' is not supported"),
        ("project = SUP ORDER BY colour", "Field 'colour' does not exist"),
        ("project ? SUP", "Expecting operator"),
    ],
)
def test_bad_jql_is_refused(site: Client, jql: str, text: str) -> None:
    """What is not understood is a 400 that says why."""
    answer = site.post(SEARCH, json={"jql": jql})

    assert answer.status_code == 400
    assert text in answer.json()["errorMessages"][0]


def test_default_fields_are_id_only(three: list[str], site: Client) -> None:
    """Who names no fields gets ids; with fields the page may come back smaller."""
    assert search(site, "key = SUP-1")["issues"] == [{"id": three[0]}]
    assert set(search(site, "key = SUP-1", fields=["summary"])["issues"][0]["fields"]) == {"summary"}
    assert search(site, "key = SUP-1", fields=["key"])["issues"][0]["key"] == "SUP-1"


def test_search_pages_by_token(three: list[str], site: Client, clock: FrozenClock) -> None:
    """The token leads to the next page; the last page has none; it ages and belongs to its query."""
    first = search(site, "project in (SUP, FAC)", maxResults=2)
    token = first["nextPageToken"]
    second = search(site, "project in (SUP, FAC)", maxResults=2, nextPageToken=token)

    foreign = site.post(SEARCH, json={"jql": "project = SUP", "nextPageToken": token})
    clock.forward(8 * 86400)
    aged = site.post(SEARCH, json={"jql": "project in (SUP, FAC)", "nextPageToken": token})
    broken = site.post(SEARCH, json={"jql": "project = SUP", "nextPageToken": "not a token"})

    assert ids(first) + ids(second) == list(reversed(three))
    assert (first["isLast"], second["isLast"]) == (False, True)
    assert "nextPageToken" not in second
    for answer in (foreign, aged, broken):
        assert answer.status_code == 400
        assert answer.json()["errorMessages"] == ["The provided next page token is invalid or expired."]


def test_search_schema_is_closed(site: Client) -> None:
    """Unknown properties and page sizes out of range are refused; `startAt` is one of them."""
    closed = site.post(SEARCH, json={"jql": "project = SUP", "startAt": 0})
    large = site.post(SEARCH, json={"jql": "project = SUP", "maxResults": 5001})

    assert closed.status_code == 400
    assert closed.json()["errorMessages"][0].startswith("Invalid request payload")
    assert large.json()["errorMessages"] == ["The max results parameter has to be between 1 and 5,000."]


def test_search_by_get_and_count(three: list[str], site: Client) -> None:
    """The same search by query string, and how many it would find."""
    found = site.get(SEARCH, params={"jql": "project = SUP", "fields": "summary,status"}).json()
    count = site.post("/rest/api/3/search/approximate-count", json={"jql": "project = SUP"}).json()

    assert ids(found) == [three[1], three[0]]
    assert count == {"count": 2}


def test_old_search_is_gone(site: Client) -> None:
    """The retired search says where to go."""
    answer = site.get("/rest/api/3/search", params={"jql": "project = SUP"})

    assert answer.status_code == 410
    assert "/rest/api/3/search/jql" in answer.json()["errorMessages"][0]


def test_bulkfetch_leaves_out_what_is_missing(three: list[str], site: Client, sandbox: JiraSandbox) -> None:
    """Issues come by ascending id, missing ones without a word, never more than a hundred."""
    sandbox.delete_ticket(three[1])
    body = {"issueIdsOrKeys": [three[2], "SUP-404", three[1], "SUP-1"], "fields": ["summary"]}

    answer = site.post("/rest/api/3/issue/bulkfetch", json=body)
    large = site.post("/rest/api/3/issue/bulkfetch", json={"issueIdsOrKeys": [str(n) for n in range(101)]})

    assert ids(answer.json()) == [three[0], three[2]]
    assert answer.json()["issueErrors"] == []
    assert large.status_code == 400


def test_bulk_history_is_filtered_and_paged(three: list[str], site: Client, sandbox: JiraSandbox) -> None:
    """Changes of many issues, only of the fields asked for, a page at a time."""
    sandbox.edit_ticket(three[0], title="a", priority="low")
    sandbox.edit_ticket(three[0], priority="high")
    body: dict[str, Any] = {"issueIdsOrKeys": three, "fieldIds": ["priority", "status"], "maxResults": 2}

    first = site.post("/rest/api/3/changelog/bulkfetch", json=body).json()
    second = site.post("/rest/api/3/changelog/bulkfetch", json={**body, "nextPageToken": first["nextPageToken"]}).json()

    assert [log["issueId"] for log in first["issueChangeLogs"]] == [three[0]]
    fields = [[i["field"] for i in h["items"]] for h in first["issueChangeLogs"][0]["changeHistories"]]
    assert fields == [["priority"], ["priority"]]
    assert [log["issueId"] for log in second["issueChangeLogs"]] == [three[2]]
    assert "nextPageToken" not in second
