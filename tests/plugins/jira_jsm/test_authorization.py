"""Authorizing: the consent's address, what came back from it, API tokens, and renewing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from requests_mock import Mocker

from connector_core import (
    AuthError,
    AuthorizationRenewal,
    AuthorizationReturn,
    AuthorizationStart,
    ConfigError,
    ConnectorError,
    Grant,
    Integration,
    Redirect,
    RemoteError,
    RetryLater,
    Scope,
)
from connector_jira_jsm.auth.authorization import authorize
from connector_jira_jsm.settings import PluginSettings
from tests.support.jira.handles import NOW, build, oauth_grant

TOKENS = "https://auth.atlassian.com/oauth/token"
RESOURCES = "https://api.atlassian.com/oauth/token/accessible-resources"
CALLBACK = "https://connector.example.test/callback"
WORK, DESK = ["read:jira-work", "write:jira-work"], ["read:servicedesk-request"]
GIVEN = {"access_token": "access-2", "refresh_token": "refresh-2", "expires_in": 3600, "scope": "read:jira-work"}
BACK = AuthorizationReturn(callback_url=CALLBACK, parameters={"code": "c-1", "state": "s"})
RENEWAL = AuthorizationRenewal(grant=oauth_grant())


def row(name: str, scopes: list[str]) -> dict[str, Any]:
    """Make a row of accessible-resources."""
    return {"id": f"id-{name}", "url": f"https://{name}.test", "name": name, "scopes": scopes, "avatarUrl": ""}


def site(mock: Mocker, name: str, *, jira: bool = True, desk: bool = True) -> None:
    """Let a site answer, with or without its products."""
    base = f"https://api.atlassian.com/ex/jira/id-{name}"
    mock.get(
        f"{base}/rest/api/3/myself", status_code=200 if jira else 403, json={"accountId": "a", "displayName": "Avery"}
    )
    mock.get(f"{base}/rest/servicedeskapi/info", json={"isLicensedForUse": desk})


def consent(mock: Mocker, *rows: dict[str, Any], **changes: Any) -> None:  # noqa: ANN401 - JSON
    """Let the code be exchanged, for these sites."""
    mock.post(TOKENS, json={**GIVEN, **changes})
    mock.get(RESOURCES, json=list(rows))


def granted(integration: Integration, back: AuthorizationReturn = BACK) -> Grant:
    """Come back from the consent."""
    grant = authorize(integration, back)
    assert isinstance(grant, Grant)
    return grant


def test_consent_address_asks_for_what_is_needed():
    """The address carries every documented parameter and the smallest set of scopes."""
    redirect = authorize(build()[0], AuthorizationStart(state="st ate", callback_url=CALLBACK))

    assert isinstance(redirect, Redirect)
    address = urlsplit(redirect.url)
    assert f"{address.scheme}://{address.netloc}{address.path}" == "https://auth.atlassian.com/authorize"
    assert "read%3Ajira-work%20write%3Ajira-work" in address.query
    assert parse_qs(address.query) == {
        "audience": ["api.atlassian.com"],
        "client_id": ["app"],
        "scope": [" ".join((*WORK, *DESK, "write:servicedesk-request", "read:jira-user", "offline_access"))],
        "redirect_uri": [CALLBACK],
        "state": ["st ate"],
        "response_type": ["code"],
        "prompt": ["consent"],
    }


def test_without_app_or_token_nobody_can_authorize():
    """The message names the settings."""
    integration = build(plugin_settings=PluginSettings())[0]

    with pytest.raises(ConfigError) as caught:
        authorize(integration, AuthorizationStart(state="s", callback_url=CALLBACK))

    assert caught.value.code == "oauth_app_missing"


def test_only_site_is_taken(requests_mock: Mocker):
    """The grant knows tokens, end, account, site and scopes; the exchange sends no grant along."""
    consent(requests_mock, row("one", WORK + DESK))
    site(requests_mock, "one")

    grant = granted(build()[0])

    assert grant.headers["Authorization"].get_secret_value() == "Bearer access-2"
    assert grant.secrets["refresh_token"].get_secret_value() == "refresh-2"
    assert grant.expires_at == NOW + timedelta(hours=1)
    assert (grant.account_id, grant.account_name) == ("a", "Avery")
    assert grant.site is not None
    assert (grant.site.id, grant.site.url) == ("id-one", "https://one.test")
    exchange = requests_mock.request_history[0]
    assert exchange.json()["code"] == "c-1"
    assert "Authorization" not in exchange.headers


def test_rows_of_one_site_are_put_together(requests_mock: Mocker):
    """A site may take one row for each product; a row of another product does not make a site."""
    consent(requests_mock, row("one", WORK), row("one", DESK), row("wiki", ["read:confluence-content.all"]))
    site(requests_mock, "one")

    assert [found.id for found in granted(build()[0]).sites] == ["id-one"]


def test_several_sites_leave_the_choice(requests_mock: Mocker):
    """With two good sites, nobody chooses but the person; a site without products is not offered."""
    consent(requests_mock, row("one", WORK + DESK), row("two", WORK + DESK), row("bare", WORK + DESK))
    site(requests_mock, "one")
    site(requests_mock, "two")
    site(requests_mock, "bare", desk=False)

    grant = granted(build()[0])

    assert grant.site is None
    assert [found.name for found in grant.sites] == ["one", "two"]


@pytest.mark.parametrize("wanted", ["id-two", "https://two.test", "https://TWO.test/"])
def test_wanted_site_is_taken(requests_mock: Mocker, wanted: str):
    """A site named by the request or by the settings, by id or URL, is taken without looking at the others."""
    consent(requests_mock, row("one", WORK + DESK), row("two", WORK + DESK))
    site(requests_mock, "two")

    by_request = granted(build()[0], BACK.model_copy(update={"site": wanted}))
    by_settings = granted(build(answers={"site": wanted})[0])

    assert by_request.site == by_settings.site
    assert by_request.site is not None
    assert by_request.site.id == "id-two"


def test_wanted_site_that_was_not_granted(requests_mock: Mocker):
    """A site outside the consent is named."""
    consent(requests_mock, row("one", WORK + DESK))

    with pytest.raises(AuthError) as caught:
        granted(build(answers={"site": "https://other.test"})[0])

    assert caught.value.code == "site_not_granted"


@pytest.mark.parametrize(("jira", "desk"), [(False, True), (True, False)])
def test_site_without_both_products_is_refused(requests_mock: Mocker, *, jira: bool, desk: bool):
    """The reason says that both products are needed, and what to do."""
    consent(requests_mock, row("one", WORK + DESK))
    site(requests_mock, "one", jira=jira, desk=desk)

    with pytest.raises(AuthError, match="both Jira and Jira Service Management") as caught:
        granted(build()[0])

    assert caught.value.code == "products_missing"


@pytest.mark.parametrize("rows", [[], [row("one", WORK)], [{"id": 1}, "x", None]])
def test_no_site_at_all_is_refused(requests_mock: Mocker, rows: list[Any]):
    """No row with both products' scopes is no site."""
    consent(requests_mock, *rows)

    with pytest.raises(AuthError):
        granted(build()[0])


def test_no_refresh_token_is_refused(requests_mock: Mocker):
    """Without offline_access the grant would end within the hour: it is not taken."""
    consent(requests_mock, row("one", WORK + DESK), refresh_token=None)

    with pytest.raises(ConfigError) as caught:
        granted(build()[0])

    assert caught.value.code == "offline_access_missing"


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"error": "access_denied", "error_description": "x"}, "consent_declined"),
        ({"error": "server_error"}, "consent_failed"),
        ({"error": "access_denied", "code": "c"}, "consent_declined"),
        ({}, "consent_failed"),
    ],
)
def test_declined_consent(parameters: dict[str, str], code: str):
    """A person who said no, or could not say yes, learns why."""
    with pytest.raises(AuthError) as caught:
        granted(build()[0], AuthorizationReturn(callback_url=CALLBACK, parameters=parameters))

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (403, {"error": "unauthorized_client", "error_description": "refresh_token is invalid"}, AuthError, None),
        (403, {"error": "invalid_grant"}, AuthError, None),
        (400, {"error": "invalid_grant"}, AuthError, None),
        (401, {"error": "access_denied", "error_description": "Unauthorized"}, ConfigError, "client_secret_wrong"),
        (400, {"error": "invalid_request"}, RemoteError, "token_refused"),
        (429, {}, RetryLater, None),
        (503, {"error": "temporarily_unavailable"}, RetryLater, None),
        (500, "<html>", RetryLater, None),
        (200, "<html>", RetryLater, None),
        (200, "{}", RetryLater, None),
    ],
)
def test_refusals_of_the_token_endpoint(
    requests_mock: Mocker, status: int, body: object, kind: type[ConnectorError], code: str | None
):
    """The error's name decides; only a dead token sends a person to consent again."""
    text = {"text": body} if isinstance(body, str) else {"json": body}
    requests_mock.post(TOKENS, status_code=status, **text)

    with pytest.raises(ConnectorError) as caught:
        authorize(build()[0], RENEWAL)

    assert type(caught.value) is kind
    assert caught.value.code == (code or kind.default_code)
    assert "refresh-1" not in caught.value.message + caught.value.detail


def test_renewal_rotates(requests_mock: Mocker):
    """New tokens take the place of the old ones, the site stays."""
    requests_mock.post(TOKENS, json=GIVEN)

    grant = authorize(build()[0], RENEWAL)

    assert isinstance(grant, Grant)
    assert grant.secrets["refresh_token"].get_secret_value() == "refresh-2"
    assert grant.site == RENEWAL.grant.site
    assert requests_mock.last_request.json() == {
        "grant_type": "refresh_token",
        "refresh_token": "refresh-1",
        "client_id": "app",
        "client_secret": "app-secret",
    }


def test_renewal_without_a_new_refresh_token_keeps_the_old_one(requests_mock: Mocker):
    """Atlassian sometimes leaves it out."""
    requests_mock.post(TOKENS, json={"access_token": "access-2", "expires_in": True})

    grant = authorize(build()[0], RENEWAL)

    assert isinstance(grant, Grant)
    assert grant.secrets["refresh_token"].get_secret_value() == "refresh-1"


@pytest.mark.parametrize("lost", [{"exc": requests.ReadTimeout}, {"status_code": 502, "text": "<html>"}])
def test_lost_renewal_is_repeated_at_once_with_the_same_token(requests_mock: Mocker, lost: dict[str, Any]):
    """Within the leeway the old token is good a second time."""
    requests_mock.post(TOKENS, [lost, {"json": GIVEN}])

    grant = authorize(build()[0], RENEWAL)

    assert isinstance(grant, Grant)
    assert [r.json()["refresh_token"] for r in requests_mock.request_history] == ["refresh-1", "refresh-1"]


@pytest.mark.parametrize(("headers", "after_s"), [({}, None), ({"Retry-After": "40"}, 40), ({"Retry-After": "0"}, 0)])
@pytest.mark.parametrize("body", [{"json": {}}, {"text": "<html>"}])
def test_a_renewal_over_the_limit_is_not_repeated_at_once(
    requests_mock: Mocker, headers: dict[str, str], after_s: float | None, body: dict[str, Any]
):
    """Nothing was rotated, and the core is told for how long to leave the token endpoint alone."""
    endpoint = requests_mock.post(TOKENS, status_code=429, headers=headers, **body)

    with pytest.raises(RetryLater) as caught:
        authorize(build()[0], RENEWAL)

    assert endpoint.call_count == 1
    assert (caught.value.after_s, caught.value.scope, caught.value.outcome_unknown) == (after_s, Scope.SITE, False)


def test_renewal_lost_twice_comes_later(requests_mock: Mocker):
    """After two lost answers the present grant is kept."""
    requests_mock.post(TOKENS, exc=requests.ReadTimeout)

    with pytest.raises(RetryLater):
        authorize(build()[0], RENEWAL)

    assert requests_mock.call_count == 2


TOKEN_ANSWERS = {"email": "agent@example.test", "api_token": "tok", "site": "https://example.test/"}


def test_api_token_needs_nobody(requests_mock: Mocker):
    """A token is tried at once, and makes a grant that does not end."""
    requests_mock.get("https://example.test/rest/api/3/myself", json={"accountId": "a", "displayName": "Avery"})
    requests_mock.get("https://example.test/rest/servicedeskapi/info", json={"isLicensedForUse": True})

    grant = authorize(build(answers=TOKEN_ANSWERS)[0], AuthorizationStart(state="s", callback_url=CALLBACK))

    assert isinstance(grant, Grant)
    assert grant.headers["Authorization"].get_secret_value() == "Basic YWdlbnRAZXhhbXBsZS50ZXN0OnRvaw=="
    assert (grant.expires_at, grant.account_id) == (None, "a")


def test_scoped_api_token_goes_through_the_gateway(requests_mock: Mocker):
    """A token with scopes is good at the gateway, under the site's cloud id."""
    requests_mock.get("https://example.test/_edge/tenant_info", json={"cloudId": "id-one"})
    site(requests_mock, "one")
    answers = {**TOKEN_ANSWERS, "api_token_scoped": True}

    grant = authorize(build(answers=answers)[0], AuthorizationStart(state="s", callback_url=CALLBACK))

    assert isinstance(grant, Grant)
    assert grant.site is not None
    assert grant.site.id == "id-one"
    assert "Authorization" not in requests_mock.request_history[0].headers


def test_refused_api_token_is_not_stored(requests_mock: Mocker):
    """A wrong token fails at once, and the message does not show it."""
    requests_mock.get("https://example.test/rest/api/3/myself", status_code=401, text="Unauthorized")

    with pytest.raises(AuthError) as caught:
        authorize(build(answers=TOKEN_ANSWERS)[0], AuthorizationStart(state="s", callback_url=CALLBACK))

    assert caught.value.code == "api_token_refused"
    assert "tok" not in caught.value.message.split()


@pytest.mark.parametrize("missing", ["email", "site"])
def test_incomplete_api_token_is_a_setting_to_correct(missing: str):
    """A token needs its email and its site."""
    answers = {name: value for name, value in TOKEN_ANSWERS.items() if name != missing}

    with pytest.raises(ConfigError) as caught:
        authorize(build(answers=answers)[0], AuthorizationStart(state="s", callback_url=CALLBACK))

    assert caught.value.code == "api_token_incomplete"
