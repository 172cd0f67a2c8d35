"""Single calls: where they go, who they are from, paging, and one renewal at most."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from pydantic import SecretStr
from requests_mock import ANY, Mocker

from connector_core import AuthError, ConfigError, Grant, Integration, RemoteError, RetryLater, Site
from connector_jira_jsm.api.addresses import BASE_URL
from connector_jira_jsm.api.client import JiraClient
from tests.support.jira.handles import SETTINGS, build, oauth_grant

BASE = "https://api.atlassian.com/ex/jira/cloud-1"
TOKENS = "https://auth.atlassian.com/oauth/token"


@pytest.fixture
def client(integration: Integration) -> JiraClient:
    """Return a client with an OAuth grant."""
    return JiraClient(integration)


def test_calls_go_to_the_gateway_with_the_grant(client: JiraClient, requests_mock: Mocker):
    """An OAuth grant is good at the gateway only."""
    requests_mock.get(f"{BASE}/rest/api/3/myself", json={"accountId": "acc-1"})

    assert client.myself()["accountId"] == "acc-1"
    assert requests_mock.last_request.headers["Authorization"] == "Bearer access-1"


@pytest.mark.parametrize(
    "place", [{"base_url": "https://example.test"}, {"secrets": {BASE_URL: SecretStr("https://example.test")}}]
)
def test_api_token_goes_to_its_site(requests_mock: Mocker, place: dict[str, Any]):
    """A token without scopes is good at the site only, also one of which an earlier version kept the place."""
    grant = Grant(
        headers={"Authorization": SecretStr("Basic abc")},
        **place,
        site=Site(id="x", name="x", url="https://example.test"),
    )
    requests_mock.get("https://example.test/rest/api/3/myself", json={})

    JiraClient(build(settings=SETTINGS, grant=grant)[0]).myself()

    assert requests_mock.last_request.headers["Authorization"] == "Basic abc"


def test_a_token_for_another_address_is_used_there_only(requests_mock: Mocker):
    """Address and token were changed together: the old address never sees the new token, the next call is right."""
    settings = SETTINGS.model_copy(
        update={"site": "https://now.example.test", "email": "a@example.test", "api_token": SecretStr("new")}
    )
    old = {"Authorization": SecretStr("Basic old")}
    site = Site(id="cloud-1", name="x", url="https://before.example.test")
    integration, core = build(settings=settings, grant=Grant(headers=old, base_url=site.url, site=site))
    requests_mock.get("https://before.example.test/rest/api/3/myself", status_code=401)
    requests_mock.get("https://now.example.test/_edge/tenant_info", json={"cloudId": "cloud-1"})
    requests_mock.get("https://now.example.test/rest/api/3/myself", json={"accountId": "acc-1"})
    requests_mock.get("https://now.example.test/rest/servicedeskapi/info", json={"isLicensedForUse": True})

    with pytest.raises(RetryLater):
        JiraClient(integration).myself()

    assert JiraClient(integration).myself()["accountId"] == "acc-1"
    assert core.renewals == 1
    former = [one for one in requests_mock.request_history if one.hostname == "before.example.test"]
    assert [one.headers["Authorization"] for one in former] == ["Basic old"]


def test_refused_grant_is_renewed_once(requests_mock: Mocker):
    """A 401 in the middle of life renews the grant and repeats the call."""
    integration, core = build(settings=SETTINGS, grant=oauth_grant())
    answers = [{"status_code": 401, "json": {"code": 401, "message": "Unauthorized"}}, {"json": {"accountId": "a"}}]
    requests_mock.get(f"{BASE}/rest/api/3/myself", answers)
    requests_mock.post(TOKENS, json={"access_token": "access-2", "refresh_token": "refresh-2", "expires_in": 3600})

    JiraClient(integration).myself()

    assert core.renewals == 1
    assert requests_mock.last_request.headers["Authorization"] == "Bearer access-2"


def test_still_refused_after_renewal_needs_a_person(requests_mock: Mocker):
    """A second 401 is not renewed again."""
    integration, core = build(settings=SETTINGS, grant=oauth_grant())
    requests_mock.get(f"{BASE}/rest/api/3/myself", status_code=401, json={"code": 401, "message": "Unauthorized"})
    requests_mock.post(TOKENS, json={"access_token": "access-2", "refresh_token": "refresh-2"})

    with pytest.raises(AuthError):
        JiraClient(integration).myself()

    assert core.renewals == 1


def test_scope_mismatch_does_not_renew(requests_mock: Mocker):
    """A missing scope is not cured by renewing: no rotation is used up."""
    integration, core = build(settings=SETTINGS, grant=oauth_grant())
    requests_mock.get(
        f"{BASE}/rest/api/3/myself",
        status_code=401,
        json={"code": 401, "message": "Unauthorized; scope does not match"},
    )

    with pytest.raises(ConfigError) as caught:
        JiraClient(integration).myself()

    assert caught.value.code == "scope_missing"
    assert core.renewals == 0


def test_lists_are_counted_not_followed(client: JiraClient, requests_mock: Mocker):
    """The next page starts after what came, whatever limit was asked for and whatever host a link names."""
    pages = [
        {"size": 2, "isLastPage": False, "values": [{"id": "1"}, {"id": "2"}], "_links": {"next": "https://evil.test"}},
        {"size": 1, "isLastPage": True, "values": [{"id": "3"}]},
    ]
    requests_mock.get(f"{BASE}/rest/servicedeskapi/servicedesk", [{"json": page} for page in pages])

    assert [desk["id"] for desk in client.service_desks()] == ["1", "2", "3"]
    assert [request.qs["start"] for request in requests_mock.request_history] == [["0"], ["2"]]


def test_empty_page_ends_a_list(client: JiraClient, requests_mock: Mocker):
    """A page without values that claims more is the end."""
    requests_mock.get(f"{BASE}/rest/servicedeskapi/servicedesk", json={"isLastPage": False, "values": []})

    assert list(client.service_desks()) == []


def test_endless_list_ends(client: JiraClient, requests_mock: Mocker):
    """A list that never ends is given up."""
    requests_mock.get(f"{BASE}/rest/servicedeskapi/servicedesk", json={"isLastPage": False, "values": [{"id": "1"}]})

    with pytest.raises(RetryLater):
        list(client.service_desks())


def test_search_follows_its_token(client: JiraClient, requests_mock: Mocker):
    """Pages of a search are asked for by token, until there is none."""
    pages = [{"issues": [{"id": "1"}], "nextPageToken": "t"}, {"issues": [{"id": "2"}], "isLast": True}]
    requests_mock.post(f"{BASE}/rest/api/2/search/jql", [{"json": page} for page in pages])

    assert [issue["id"] for issue in client.search("project = SUP")] == ["1", "2"]
    assert requests_mock.last_request.json()["nextPageToken"] == "t"


def test_bulk_fetch_asks_for_a_thousand_or_where_that_is_refused_in_hundreds(client: JiraClient, requests_mock: Mocker):
    """A refusal is remembered; what is refused at a hundred is refused; an unreadable issue is no missing issue."""

    def answer(request, context):
        context.status_code = 400 if len(request.json()["issueIdsOrKeys"]) > 100 else 200
        return {"issues": []} if context.status_code == 200 else {"errorMessages": ["too many"], "errors": {}}

    requests_mock.post(f"{BASE}/rest/api/2/issue/bulkfetch", json=answer)

    assert list(client.bulk_fetch(str(n) for n in range(250))) == []
    assert list(client.bulk_fetch(str(n) for n in range(120))) == []
    sizes = [len(r.json()["issueIdsOrKeys"]) for r in requests_mock.request_history]
    assert sizes == [250, 100, 100, 50, 100, 20]

    requests_mock.post(f"{BASE}/rest/api/2/issue/bulkfetch", status_code=400, json={"errorMessages": ["no"]})
    with pytest.raises(RemoteError):
        list(client.bulk_fetch(str(n) for n in range(120)))
    requests_mock.post(f"{BASE}/rest/api/2/issue/bulkfetch", json={"issues": [], "issueErrors": [{"id": "1"}]})
    with pytest.raises(RetryLater):
        list(client.bulk_fetch(["1"]))


def test_lost_answer_of_a_create_is_unknown(client: JiraClient, requests_mock: Mocker):
    """A create whose answer never came may have worked."""
    requests_mock.post(f"{BASE}/rest/servicedeskapi/request", exc=requests.ReadTimeout)

    with pytest.raises(RetryLater) as caught:
        client.create_request("10", "25", {})

    assert caught.value.outcome_unknown


def test_lost_answer_of_a_search_is_not_unknown(client: JiraClient, requests_mock: Mocker):
    """A POST that only reads leaves nothing behind."""
    requests_mock.post(f"{BASE}/rest/api/2/search/jql", exc=requests.ReadTimeout)

    with pytest.raises(RetryLater) as caught:
        list(client.search("project = SUP"))

    assert not caught.value.outcome_unknown


def test_ids_cannot_leave_their_place_in_the_path(client: JiraClient, requests_mock: Mocker):
    """An id that looks like a path stays one segment."""
    requests_mock.get(ANY, json={})

    client.issue("../../admin?x=1")

    assert requests_mock.last_request.path == "/ex/jira/cloud-1/rest/api/2/issue/..%2f..%2fadmin%3fx%3d1"
