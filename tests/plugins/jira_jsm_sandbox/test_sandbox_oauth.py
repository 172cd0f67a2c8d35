"""Consent, tokens and the list of sites."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import requests

from connector_core.testing import FrozenClock
from connector_jira_jsm_sandbox import DEFAULT, JiraSandbox
from tests.support.jira.visitor import (
    CALLBACK,
    Client,
    authorize_url,
    callback_query,
    exchange,
    refresh,
    token_request,
)

LogIn = Callable[..., dict[str, Any]]
MYSELF = f"/ex/jira/{DEFAULT.cloud_id}/rest/api/3/myself"


def me(sandbox: JiraSandbox, tokens: dict[str, Any]) -> int:
    """Return the status of asking who I am."""
    headers = {"Authorization": "Bearer " + tokens["access_token"]}
    return requests.get(sandbox.url + MYSELF, headers=headers, timeout=10).status_code


def test_consent_page_names_app_scopes_and_site(sandbox: JiraSandbox) -> None:
    """The person reads who asks, for what, and where."""
    page = requests.get(authorize_url(sandbox), timeout=10)

    assert page.status_code == 200
    for text in ("Incident connector", "write:servicedesk-request", "<b>sandbox</b>", "Accept", "Decline"):
        assert text in page.text


def test_accepting_returns_code_and_state(sandbox: JiraSandbox) -> None:
    """The browser goes back to the app with a code and the state that the app sent."""
    callback = sandbox.approve(authorize_url(sandbox, state="a b&c"))

    assert callback.startswith(CALLBACK)
    assert callback_query(callback)["state"] == "a b&c"
    assert callback_query(callback)["code"]


def test_declining_returns_access_denied(sandbox: JiraSandbox) -> None:
    """A refusal comes back as an error with the state."""
    query = callback_query(sandbox.decline(authorize_url(sandbox)))

    assert query["error"] == "access_denied"
    assert query["state"] == "state-1"
    assert "code" not in query


def test_account_without_jira_is_denied(sandbox: JiraSandbox) -> None:
    """An account that has service desks only is denied once a Jira scope is asked for."""
    sandbox.oauth.account_has_jira = False

    denied = callback_query(sandbox.approve(authorize_url(sandbox)))
    accepted = callback_query(sandbox.approve(authorize_url(sandbox, scope="read:servicedesk-request")))

    assert denied["error"] == "access_denied"
    assert "code" in accepted


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "someone-else"},
        {"redirect_uri": "javascript:alert(1)"},
        {"response_type": "token"},
        {"audience": "elsewhere"},
        {"scope": "read:the-future"},
        {"scope": ""},
    ],
    ids=lambda changes: next(iter(changes)) + "=" + next(iter(changes.values())),
)
def test_wrong_authorize_request_shows_an_error_page(sandbox: JiraSandbox, changes: dict[str, str]) -> None:
    """A request that Atlassian would not accept never reaches the app."""
    answer = requests.get(authorize_url(sandbox, **changes), timeout=10)

    assert answer.status_code == 400
    assert "Something went wrong" in answer.text


def test_registered_callback_must_match(sandbox: JiraSandbox) -> None:
    """With a callback URL in the console, another one is refused."""
    sandbox.app.callback_url = "https://connector.example.test/oauth/callback"

    answer = requests.get(authorize_url(sandbox), timeout=10)

    assert answer.status_code == 400


def test_code_gives_tokens_once(sandbox: JiraSandbox) -> None:
    """A code works once; the tokens work at the gateway."""
    code = callback_query(sandbox.approve(authorize_url(sandbox)))["code"]

    first, second = exchange(sandbox, code), exchange(sandbox, code)

    assert first.status_code == 200
    assert first.json()["expires_in"] == 3600
    assert first.json()["token_type"] == "Bearer"
    assert me(sandbox, first.json()) == 200
    assert second.status_code == 403
    assert second.json()["error"] == "invalid_grant"


def test_code_expires(sandbox: JiraSandbox, clock: FrozenClock) -> None:
    """A code that was left lying about is worth nothing."""
    code = callback_query(sandbox.approve(authorize_url(sandbox)))["code"]
    clock.forward(6 * 60)

    assert exchange(sandbox, code).status_code == 403


def test_code_belongs_to_its_callback(sandbox: JiraSandbox) -> None:
    """A code cannot be redeemed under another callback URL."""
    code = callback_query(sandbox.approve(authorize_url(sandbox)))["code"]

    answer = token_request(sandbox, grant_type="authorization_code", code=code, redirect_uri="https://else.test/")

    assert answer.status_code == 403


def test_refresh_token_only_with_offline_access(log_in: LogIn) -> None:
    """Who does not ask for offline access gets no refresh token."""
    assert "refresh_token" not in log_in("read:jira-user")
    assert "refresh_token" in log_in("read:jira-user offline_access")


def test_access_token_lives_one_hour(sandbox: JiraSandbox, log_in: LogIn, clock: FrozenClock) -> None:
    """After an hour the gateway wants a fresh token."""
    tokens = log_in()
    clock.forward(59 * 60)
    early = me(sandbox, tokens)
    clock.forward(1 * 60)

    assert (early, me(sandbox, tokens)) == (200, 401)


def test_refresh_rotates(sandbox: JiraSandbox, log_in: LogIn) -> None:
    """A refresh gives a new pair; both the new tokens work."""
    tokens = log_in()

    fresh = refresh(sandbox, tokens["refresh_token"]).json()

    assert fresh["refresh_token"] != tokens["refresh_token"]
    assert me(sandbox, fresh) == 200
    assert refresh(sandbox, fresh["refresh_token"]).status_code == 200


def test_rotated_token_is_tolerated_for_ten_minutes(sandbox: JiraSandbox, log_in: LogIn, clock: FrozenClock) -> None:
    """When the answer to a refresh was lost, the old token still gives a pair that works."""
    tokens = log_in()
    refresh(sandbox, tokens["refresh_token"])
    clock.forward(9 * 60 + 59)

    again = refresh(sandbox, tokens["refresh_token"])

    assert again.status_code == 200
    assert refresh(sandbox, again.json()["refresh_token"]).status_code == 200


def test_reuse_after_the_leeway_kills_the_family(sandbox: JiraSandbox, log_in: LogIn, clock: FrozenClock) -> None:
    """A token that turns up late is taken for stolen: nothing that grew from the consent works any more."""
    tokens = log_in()
    fresh = refresh(sandbox, tokens["refresh_token"]).json()
    clock.forward(10 * 60 + 1)

    late = refresh(sandbox, tokens["refresh_token"])

    assert late.status_code == 403
    assert late.json() == {"error": "unauthorized_client", "error_description": "refresh_token is invalid"}
    assert refresh(sandbox, fresh["refresh_token"]).status_code == 403
    assert me(sandbox, fresh) == 401


def test_refresh_token_dies_of_idleness_and_age(sandbox: JiraSandbox, log_in: LogIn, clock: FrozenClock) -> None:
    """Ninety idle days end a token, a year ends the family however busy."""
    idle = log_in()
    clock.forward(91 * 86400)
    assert refresh(sandbox, idle["refresh_token"]).status_code == 403

    token = log_in()["refresh_token"]
    statuses = []
    for _ in range(5):
        clock.forward(80 * 86400)
        answer = refresh(sandbox, token)
        statuses.append(answer.status_code)
        token = answer.json().get("refresh_token", token)
    assert statuses == [200, 200, 200, 200, 403]


def test_wrong_secret_is_access_denied(sandbox: JiraSandbox, log_in: LogIn) -> None:
    """A wrong client secret is 401 and does not harm the token."""
    token = log_in()["refresh_token"]

    answer = token_request(sandbox, grant_type="refresh_token", refresh_token=token, client_secret="wrong")

    assert answer.status_code == 401
    assert answer.json() == {"error": "access_denied", "error_description": "Unauthorized"}
    assert refresh(sandbox, token).status_code == 200


def test_unreadable_body_and_unknown_grant(sandbox: JiraSandbox) -> None:
    """The token endpoint says what it could not read."""
    unreadable = requests.post(sandbox.url + "/oauth/token", data="{", timeout=10)
    unknown = token_request(sandbox, grant_type="password")

    assert unreadable.status_code == 400
    assert unreadable.json() == {"error": "invalid_request", "error_description": "Incorrect request parameters"}
    assert unknown.status_code == 400
    assert "grant_type must be one of [authorization_code" in unknown.json()["error_description"]


def test_token_endpoint_reads_forms_too(sandbox: JiraSandbox, log_in: LogIn) -> None:
    """A form-encoded refresh works like a JSON one."""
    form = {
        "grant_type": "refresh_token",
        "client_id": sandbox.app.client_id,
        "client_secret": sandbox.app.client_secret,
        "refresh_token": log_in()["refresh_token"],
    }

    assert requests.post(sandbox.url + "/oauth/token", data=form, timeout=10).status_code == 200


def test_revoking_ends_the_family(sandbox: JiraSandbox, log_in: LogIn) -> None:
    """A revoked consent gives nothing more."""
    tokens = log_in()
    app = {"client_id": sandbox.app.client_id, "client_secret": sandbox.app.client_secret}

    answer = requests.post(sandbox.url + "/oauth/revoke", json=app | {"token": tokens["refresh_token"]}, timeout=10)

    assert answer.status_code == 200
    assert me(sandbox, tokens) == 401
    assert refresh(sandbox, tokens["refresh_token"]).status_code == 403


def test_site_is_listed_once_per_product(sandbox: JiraSandbox, log_in: LogIn) -> None:
    """One cloud id comes twice, with the scopes of Jira and of the service desk apart."""
    headers = {"Authorization": "Bearer " + log_in()["access_token"]}

    rows = requests.get(sandbox.url + "/oauth/token/accessible-resources", headers=headers, timeout=10).json()

    assert [row["id"] for row in rows] == [sandbox.profile.cloud_id] * 2
    assert rows[0]["scopes"] == ["read:jira-user", "read:jira-work", "write:jira-work"]
    assert rows[1]["scopes"] == ["read:servicedesk-request", "write:servicedesk-request"]
    assert {row["url"] for row in rows} == {sandbox.url}


def test_neighbour_sites_show_only_what_they_have(clock: FrozenClock) -> None:
    """A site without service desks is listed once, and its service desk API is not there."""
    neighbour = replace(DEFAULT, cloud_id="no-desk", name="plain-jira", has_jsm=False)
    with JiraSandbox(replace(DEFAULT, neighbours=(neighbour,)), clock=clock.now) as sandbox:
        code = callback_query(sandbox.approve(authorize_url(sandbox)))["code"]
        headers = {"Authorization": "Bearer " + exchange(sandbox, code).json()["access_token"]}
        with Client(sandbox.url) as client:
            client.headers.update(headers)
            rows = client.get("/oauth/token/accessible-resources").json()
            jira = client.get("/ex/jira/no-desk/rest/api/3/myself")
            desk = client.get("/ex/jira/no-desk/rest/servicedeskapi/servicedesk")

    assert [row["name"] for row in rows] == ["sandbox", "sandbox", "plain-jira"]
    assert (jira.status_code, desk.status_code) == (200, 404)


def test_missing_scope_is_refused_by_the_gateway(sandbox: JiraSandbox, log_in: LogIn) -> None:
    """A token without the operation's scope is 401 in the gateway's words."""
    tokens = log_in("read:jira-work")

    headers = {"Authorization": "Bearer " + tokens["access_token"]}
    answer = requests.get(sandbox.url + MYSELF, headers=headers, timeout=10)

    assert answer.status_code == 401
    assert answer.json() == {"code": 401, "message": "Unauthorized; scope does not match"}


def test_unknown_token_and_unknown_site(sandbox: JiraSandbox, gateway: Client) -> None:
    """The gateway refuses strangers, and cloud ids that nobody has in a shape of its own."""
    stranger = requests.get(sandbox.url + MYSELF, headers={"Authorization": "Bearer nobody"}, timeout=10)
    lost = gateway.get(f"{sandbox.url}/ex/jira/nowhere/rest/api/3/myself")

    assert stranger.json() == {"code": 401, "message": "Unauthorized"}
    assert lost.status_code == 404
    assert set(lost.json()) == {"timestamp", "status", "error", "message", "path"}
    assert lost.headers["X-Failure-Category"] == "FAILURE_CLIENT_TCS"


def test_site_takes_basic_auth_and_no_bearer(sandbox: JiraSandbox, log_in: LogIn, site: Client) -> None:
    """At the site's own address an API token works and an OAuth token does not."""
    bearer = {"Authorization": "Bearer " + log_in()["access_token"]}

    with_token = site.get("/rest/api/3/myself")
    with_bearer = requests.get(sandbox.url + "/rest/api/3/myself", headers=bearer, timeout=10)
    with_wrong = requests.get(sandbox.url + "/rest/api/3/myself", auth=(sandbox.email, "wrong"), timeout=10)

    assert (with_token.status_code, with_bearer.status_code, with_wrong.status_code) == (200, 401, 401)
    assert with_token.json()["emailAddress"] == sandbox.email
