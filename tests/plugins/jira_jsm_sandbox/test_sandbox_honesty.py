"""The sandbox against the world: published API descriptions, and other people's clients, unchanged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import atlassian
import jira
import pytest

from connector_core.testing import FrozenClock
from connector_jira_jsm_sandbox import JiraSandbox, RecordedCall
from tests.support.jira.openapi_check import assert_calls_match_openapi, check_call
from tests.support.jira.tour import tour
from tests.support.jira.visitor import Client

Create = Callable[..., str]


def test_every_operation_matches_the_published_api(
    create: Create, site: Client, gateway: Client, sandbox: JiraSandbox, clock: FrozenClock
) -> None:
    """A tour through all operations sends and gets only what Atlassian describes."""
    issue, other = create("tour", description="*a*", priority={"id": "2"}), create("other")
    clock.forward(1 * 60)
    for client in (site, gateway):
        tour(client, issue)
    site.delete(f"/rest/api/3/issue/{other}")
    site.get("/rest/api/3/instance/license")
    site.get(f"/rest/api/3/issue/{other}")

    assert sandbox.call_count() > 100
    assert_calls_match_openapi(sandbox.calls)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"full_path": "/rest/api/3/nothing"}, "no such operation"),
        ({"query_string": "colour=red"}, "is not described"),
        ({"query_string": "notifyUsers=maybe"}, "true or false"),
        (
            {
                "request_body": b'{"fields":{},"colour":1}',
                "status": 200,
                "full_path": "/rest/api/3/search/jql",
                "method": "POST",
            },
            "request at",
        ),
        ({"status": 299}, "status 299 is not described"),
        ({"response_body": b"x"}, "204 came with a body"),
    ],
)
def test_check_finds_what_is_wrong(changes: dict[str, Any], problem: str) -> None:
    """The judge itself is tried: each kind of mismatch is found."""
    good: dict[str, Any] = {
        "time": datetime.now(UTC),
        "method": "PUT",
        "full_path": "/rest/api/3/issue/1",
        "query_string": "",
        "request_body": b'{"fields":{"summary":"x"}}',
        "status": 204,
        "response_body": b"",
    }
    assert_calls_match_openapi([RecordedCall(**good)])

    problems = list(check_call(RecordedCall(**good | changes)))

    assert any(problem in one for one in problems), problems


def test_jira_client_round_trip(create: Create, sandbox: JiraSandbox, clock: FrozenClock) -> None:
    """The `jira` package reads, edits, moves, comments and searches."""
    key = sandbox.ticket(create("from desk"))["key"]
    client = jira.JIRA(server=sandbox.url, basic_auth=(sandbox.email, sandbox.api_token), max_retries=0)
    try:
        issue = client.issue(key)
        issue.update(summary="Changed", description="*wiki*", priority={"name": "High"})
        client.transition_issue(issue, "Close", resolution={"name": "Done"})
        client.add_comment(issue, "hello")
        made = client.create_issue(project="SUP", summary="Direct", issuetype={"name": "[System] Incident"})
        clock.forward(1 * 60)
        found = client.enhanced_search_issues("project = SUP ORDER BY key ASC", fields="summary")
        desks = client.service_desks()
        again = client.issue(key)
        names = [one.name for one in client.priorities()]
        client.issue(made.key).delete()
    finally:
        client.close()

    assert (again.fields.summary, again.fields.description) == ("Changed", "*wiki*")
    assert (again.fields.status.name, again.fields.resolution.name) == ("Closed", "Done")
    assert again.fields.comment.comments[0].body == "hello"
    assert [one.fields.summary for one in found] == ["Changed", "Direct"]
    assert [desk.projectKey for desk in desks] == ["SUP", "FAC", "HR"]
    assert names[0] == "Highest"
    assert len(sandbox.tickets()) == 1


def test_atlassian_client_round_trip(sandbox: JiraSandbox, clock: FrozenClock) -> None:
    """The `atlassian-python-api` package raises a request, reads, edits, moves, comments and searches."""
    login = {"url": sandbox.url, "username": sandbox.email, "password": sandbox.api_token}
    desk, client = atlassian.ServiceDesk(**login), atlassian.Jira(**login, cloud=True)
    try:
        made = desk.create_customer_request("10", "25", {"summary": "Raised", "description": "d"})
        key = made["issueKey"]
        desk.create_request_comment(key, "public word")
        client.update_issue_field(key, {"summary": "Edited", "priority": {"id": "1"}})
        desk.perform_transition(key, 31)
        clock.forward(1 * 60)
        found = client.enhanced_jql("project = SUP", fields="summary")
        shown = client.issue(key)
        status = desk.get_customer_request_status(key)
        desks = desk.get_service_desks()
    finally:
        desk.close()
        client.close()

    assert shown["fields"]["summary"] == "Edited"
    assert shown["fields"]["status"]["name"] == "Resolved"
    assert shown["fields"]["comment"]["comments"][0]["body"] == "public word"
    assert [one["key"] for one in found["issues"]] == [key]
    assert status == "Resolved"
    assert len(desks) == 3


def test_instances_do_not_share_anything() -> None:
    """Two sandboxes in one process know nothing of each other."""
    with JiraSandbox() as one, JiraSandbox() as two, Client(one.url) as client:
        client.auth = (one.email, one.api_token)
        body = {"serviceDeskId": "10", "requestTypeId": "25", "requestFieldValues": {"summary": "x"}}
        client.post("/rest/servicedeskapi/request", json=body)

        assert (len(one.tickets()), len(two.tickets())) == (1, 0)
        assert one.url != two.url


def test_people_that_a_search_finds_are_shown_as_a_look_at_each_shows_them(site: Client) -> None:
    """The description at hand leaves the search out; what one person looks like is in it."""
    found = site.get("/rest/api/3/user/search?query=HANA").json()
    first = site.get("/rest/api/3/user/search?query=hana&maxResults=1").json()

    assert [one["displayName"] for one in found] == ["Hana Helper", "Hana Hill"]
    assert found == [site.get(f"/rest/api/3/user?accountId={one['accountId']}").json() for one in found]
    assert first == found[:1]
    assert site.get("/rest/api/3/user/search").status_code == 400
