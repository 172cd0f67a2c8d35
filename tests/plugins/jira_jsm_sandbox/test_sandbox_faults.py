"""Trouble on demand, and the record of calls."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import pytest
import requests

from connector_jira_jsm_sandbox import Fault, JiraSandbox, rate_limited
from tests.support.jira.visitor import Client

Create = Callable[..., str]
MYSELF = "/rest/api/3/myself"


def test_rate_limit_with_and_without_retry_after(sandbox: JiraSandbox, site: Client) -> None:
    """The site's 429 names seconds and a reason, the gateway's only a time."""
    sandbox.add_fault(rate_limited(retry_after=7, reason="jira-burst-based"))
    sandbox.add_fault(rate_limited(reset="2026-11-23T11:00Z"))

    of_site, of_gateway, after = site.get(MYSELF), site.get(MYSELF), site.get(MYSELF)

    assert (of_site.status_code, of_gateway.status_code, after.status_code) == (429, 429, 200)
    assert (of_site.headers["Retry-After"], of_site.headers["RateLimit-Reason"]) == ("7", "jira-burst-based")
    assert "Retry-After" not in of_gateway.headers
    assert of_gateway.headers["X-RateLimit-Reset"] == "2026-11-23T11:00Z"


@pytest.mark.parametrize("status", [401, 403, 404, 500, 502, 503])
def test_status_faults(create: Create, sandbox: JiraSandbox, site: Client, status: int) -> None:
    """A refused write was not done."""
    issue = create("before")
    sandbox.add_fault(Fault("status", status=status, method="PUT", headers={"Retry-After": "3"}))

    answer = site.put(f"/rest/api/3/issue/{issue}", json={"fields": {"summary": "after"}})

    assert answer.status_code == status
    assert answer.headers["Retry-After"] == "3"
    assert sandbox.ticket(issue)["title"] == "before"


@pytest.mark.parametrize(("kind", "title"), [("reset", "before"), ("lost_answer", "after")])
def test_dropped_connections(create: Create, sandbox: JiraSandbox, site: Client, kind: str, title: str) -> None:
    """A connection dropped before the write leaves no trace; one dropped after it leaves the write."""
    issue = create("before")
    sandbox.add_fault(Fault(kind, method="PUT"))

    with pytest.raises(requests.ConnectionError):
        site.put(f"/rest/api/3/issue/{issue}", json={"fields": {"summary": "after"}})

    assert sandbox.ticket(issue)["title"] == title
    assert site.get(MYSELF).status_code == 200
    assert (sandbox.calls[-2].status, sandbox.calls[-2].fault) == (0, kind)


def test_lost_answer_of_a_create_can_be_found(sandbox: JiraSandbox, site: Client) -> None:
    """After a lost answer exactly one request is there."""
    sandbox.add_fault(Fault("lost_answer", path="/request$"))
    body = {"serviceDeskId": "10", "requestTypeId": "25", "requestFieldValues": {"summary": "once"}}

    with pytest.raises(requests.ConnectionError):
        site.post("/rest/servicedeskapi/request", json=body)

    assert [ticket["title"] for ticket in sandbox.tickets()] == ["once"]


def test_html_and_truncated_answers(sandbox: JiraSandbox, site: Client) -> None:
    """A page in place of JSON, and JSON that ends too early."""
    sandbox.add_fault(Fault("html"))
    sandbox.add_fault(Fault("truncated"))

    page, cut = site.get(MYSELF), site.get(MYSELF)

    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    with pytest.raises(requests.JSONDecodeError):
        cut.json()


def test_slow_answer_runs_into_a_timeout(sandbox: JiraSandbox, site: Client) -> None:
    """A slow answer is right, but late; its waiting is not counted as work."""
    sandbox.add_fault(Fault("slow", delay_s=0.05))
    sandbox.add_fault(Fault("slow", delay_s=2))

    began = perf_counter()
    answer = site.get(MYSELF)
    took_s = perf_counter() - began

    assert answer.status_code == 200
    assert sandbox.handling_seconds <= took_s - 0.05
    with pytest.raises(requests.ReadTimeout):
        site.get(MYSELF, timeout=0.1)


def test_faults_match_method_path_and_count(sandbox: JiraSandbox, site: Client) -> None:
    """A fault strikes its own calls only, as often as it should."""
    sandbox.add_fault(Fault("status", status=500, method="GET", path="/myself$", times=2))

    others = site.get("/rest/api/3/priority").status_code
    statuses = [site.get(MYSELF).status_code for _ in range(3)]

    assert others == 200
    assert statuses == [500, 500, 200]


def test_probable_faults_follow_the_seed(sandbox: JiraSandbox, site: Client) -> None:
    """Chance is the same in every run, and can be ended."""
    with JiraSandbox(seed=0) as twin, Client(twin.url) as other:
        other.auth = (twin.email, twin.api_token)
        for one in (sandbox, twin):
            one.add_fault(Fault("status", status=500, probability=0.5, times=None))
        first = [site.get(MYSELF).status_code for _ in range(12)]
        second = [other.get(MYSELF).status_code for _ in range(12)]
    sandbox.clear_faults()

    assert first == second
    assert set(first) == {200, 500}
    assert {site.get(MYSELF).status_code for _ in range(6)} == {200}


def test_unknown_kinds_are_refused() -> None:
    """A misspelt fault is an error at once."""
    with pytest.raises(ValueError, match="unknown kind"):
        Fault("explode")


def test_calls_are_recorded(create: Create, sandbox: JiraSandbox, gateway: Client) -> None:
    """Each call is kept with what was sent and answered; the gateway's prefix is taken off the path."""
    sandbox.recorder.clear()
    issue = create("recorded")
    gateway.get(f"/rest/api/3/issue/{issue}", params={"fields": "summary"})

    posted, got = sandbox.calls

    assert posted.request_json["requestFieldValues"] == {"summary": "recorded"}
    assert posted.response_json["issueId"] == issue
    assert (got.method, got.path, got.status) == ("GET", f"/rest/api/3/issue/{issue}", 200)
    assert got.full_path.startswith("/ex/jira/")
    assert got.query == {"fields": ["summary"]}
    assert sandbox.call_count() == 2
    assert sandbox.count_calls("GET", "/issue/") == 1
    assert sandbox.count_calls(path="/request$") == 1
    assert sandbox.handling_seconds > 0


def test_pages_are_not_counted_as_calls(sandbox: JiraSandbox) -> None:
    """What a person looks at is no API call."""
    with Client(sandbox.url) as person:
        person.get("/")
        person.get("/_sandbox/state")

    assert sandbox.call_count() == 0
