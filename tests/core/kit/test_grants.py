"""Grants by consent, for a client of its own and of headers, at a desk over HTTP that refuses in each way."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import AfterValidator, SecretStr

from connector_core import (
    AuthError,
    AuthorizationRenewal,
    AuthorizationReturn,
    AuthorizationStart,
    ConfigError,
    ConnectorError,
    Grant,
    Redirect,
    RemoteError,
    RetryLater,
    Settings,
    Site,
    http_address,
)
from connector_core.kit.grants import (
    Account,
    client_credentials,
    client_given,
    code_flow,
    end_of,
    header_grant,
    pick,
    secret_given,
    secret_needed,
    setting_given,
    site_at,
    text_given,
)
from connector_core.kit.oauth import OAuthClient, OAuthServer
from connector_core.kit.rest import Rest, basic, of_grant
from connector_core.testing import FrozenClock
from tests.core.kit.conftest import RULES
from tests.support.scripted_desk import html, lost, nothing, raw, says, truncated

NOW = FrozenClock().now()
CALLBACK = "https://connector.example.test/callback"
CLIENT = OAuthClient("the client", SecretStr("s:e/cret"))
START = AuthorizationStart(state="st ate", callback_url=CALLBACK)
BACK = AuthorizationReturn(callback_url=CALLBACK, parameters={"code": "c-1", "state": "st ate"})
GIVEN = {"access_token": "access-2", "refresh_token": "refresh-2", "expires_in": 1800, "scope": "tickets users"}
BEARER = {"Authorization": SecretStr("Bearer access-1")}
OLD = Grant(
    headers=BEARER,
    secrets={"refresh_token": SecretStr("refresh-1")},
    scopes=("tickets", "users"),
    consented_at=NOW,
    renewable_until=NOW + timedelta(days=90),
    site=site_at("https://desk.test"),
)
RENEWAL = AuthorizationRenewal(grant=OLD)


@pytest.fixture
def server(desk):
    """Have the customer's own site as authorization server."""
    token_url = f"{desk.url}/oauth/token"
    return OAuthServer("Helpdesk", f"{desk.url}/oauth/authorize", token_url, scopes=("tickets", "users"))


@pytest.fixture
def whoami(integration, desk):
    """Ask the desk whose a grant is."""

    def ask(grant):
        user = Rest(integration, desk.url, RULES, auth=of_grant(grant)).get("/self")
        return Account(user["id"], user["name"], (site_at(desk.url),))

    return ask


ME = says({"id": "7", "name": "Avery"})


def asked(integration, request, server, whoami):
    """Authorize with consent."""
    return code_flow(integration, request, server, CLIENT, whoami)


def refused(integration, request, server, whoami=None):
    """Authorize with consent, which must fail; nothing of a secret is in what is said."""
    with pytest.raises(ConnectorError) as caught:
        asked(integration, request, server, whoami)
    said = f"{caught.value.message} {caught.value.detail} {caught.value.fix}"
    assert not [secret for secret in ("s:e/cret", "refresh-1", "refresh-2", "access-2", "c-1") if secret in said]
    return caught.value


# Consent


def test_a_person_is_sent_to_the_customers_own_site(integration, server, whoami, desk):
    """With what RFC 6749 asks for; the client secret stays here."""
    redirect = asked(integration, START, replace(server, extra={"audience": "api"}), whoami)

    assert isinstance(redirect, Redirect)
    address = urlsplit(redirect.url)
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{desk.url}/oauth/authorize"
    assert parse_qs(address.query) == {
        "audience": ["api"],
        "client_id": ["the client"],
        "redirect_uri": [CALLBACK],
        "state": ["st ate"],
        "response_type": ["code"],
        "scope": ["tickets users"],
    }
    more = asked(integration, START, replace(server, authorize_url=f"{desk.url}/oauth?tenant=1", scopes=()), whoami)
    assert "scope" not in more.url
    assert more.url.startswith(f"{desk.url}/oauth?tenant=1&client_id=")


@pytest.mark.parametrize("ways", [(False, False), (True, False), (False, True), (True, True)])
def test_a_code_becomes_a_grant(integration, server, whoami, desk, ways):
    """In a form or in JSON, with the client in the body or in a header; no grant goes along."""
    in_json, in_header = ways
    desk.will(says(GIVEN), ME)

    grant = asked(integration, BACK, replace(server, asks_in_json=in_json, client_in_header=in_header), whoami)

    exchange, me = desk.asked
    body = exchange.json if in_json else exchange.form
    client = {} if in_header else {"client_id": "the client", "client_secret": "s:e/cret"}
    assert body == {"grant_type": "authorization_code", "code": "c-1", "redirect_uri": CALLBACK, **client}
    pair = base64.b64encode(b"the%20client:s%3Ae%2Fcret").decode()
    assert exchange.headers.get("authorization") == (f"Basic {pair}" if in_header else None)
    assert me.headers["authorization"] == "Bearer access-2"
    assert grant.headers["Authorization"].get_secret_value() == "Bearer access-2"
    assert grant.secrets["refresh_token"].get_secret_value() == "refresh-2"
    assert (grant.expires_at, grant.consented_at) == (NOW + timedelta(minutes=30), NOW)
    assert (grant.account_id, grant.account_name, grant.scopes) == ("7", "Avery", ("tickets", "users"))
    assert grant.site is not None
    assert (grant.site.id, grant.site.is_proven) == (desk.url, False)


def test_a_code_is_bound_to_who_asked_for_it(integration, server, whoami, desk):
    """The verifier is the one whose hash was shown (RFC 7636), in another process too, and none other's."""
    bound = replace(server, has_pkce=True)
    shown = parse_qs(urlsplit(asked(integration, START, bound, whoami).url).query)
    desk.will(says(GIVEN), ME, says(GIVEN), ME)

    asked(replace(integration, cache={}), BACK, bound, whoami)
    asked(integration, BACK.model_copy(update={"parameters": {"code": "c", "state": "x"}}), bound, whoami)

    verifiers = [one.form["code_verifier"] for one in desk.asked if one.path == "/oauth/token"]
    hashed = base64.urlsafe_b64encode(hashlib.sha256(verifiers[0].encode()).digest()).rstrip(b"=").decode()
    assert (shown["code_challenge"], shown["code_challenge_method"]) == ([hashed], ["S256"])
    assert len(verifiers[0]) == 43
    assert verifiers[0] != verifiers[1]
    assert "s:e/cret" not in verifiers[0]


def test_several_sites_leave_the_choice_open(integration, server, desk):
    """A person chooses; of one there is nothing to choose."""
    sites = (site_at("https://one.test"), site_at("https://two.test"))
    desk.will(says(GIVEN))

    grant = asked(integration, BACK, server, lambda _: Account("7", "Avery", sites))

    assert (grant.site, grant.sites) == (None, sites)
    assert pick(sites, "https://TWO.test/", missing="It is not there.", fix="Choose.") is sites[1]
    with pytest.raises(AuthError) as caught:
        pick(sites, "three", missing="It is not there.", fix="Choose.")
    assert caught.value.code == "site_not_granted"


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"error": "access_denied"}, "consent_declined"),
        ({"error": "access_denied", "code": "c-1"}, "consent_declined"),
        ({"error": "server_error"}, "consent_failed"),
        ({"state": "s"}, "consent_failed"),
    ],
)
def test_who_says_no_is_told_so(integration, server, desk, parameters, code):
    """And nobody is asked."""
    back = AuthorizationReturn(callback_url=CALLBACK, parameters=parameters)

    error = refused(integration, back, server)

    assert (type(error), error.code, desk.asked) == (AuthError, code, [])


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ({"expires_in": None, "refresh_token": None}, None),
        ({"expires_in": None}, timedelta(hours=1)),
        ({"expires_in": "900"}, timedelta(minutes=15)),
        ({"expires_in": True}, timedelta(hours=1)),
        ({"expires_in": 0}, timedelta(hours=1)),
        ({"expires_in": 1}, timedelta(seconds=1)),
        ({"expires_in": 366 * 86400}, timedelta(days=366)),
        ({"expires_in": -5}, timedelta(hours=1)),
        ({"expires_in": 1e300}, timedelta(hours=1)),
        ({"expires_in": "9" * 50}, timedelta(hours=1)),
    ],
)
def test_how_long_a_token_lives(integration, server, desk, given, known):
    """Told as a number or its digits; else an hour, or for good where it cannot be renewed and need not be."""
    desk.will(says({**GIVEN, **given}))

    grant = asked(integration, BACK, server, lambda _: Account("7", "Avery"))

    assert grant.expires_at == (known and NOW + known)


def test_access_that_would_end_within_the_hour_is_not_taken(integration, server, desk):
    """The client needs refresh tokens."""
    desk.will(says({**GIVEN, "refresh_token": None}))

    error = refused(integration, BACK, server)

    assert (type(error), error.code) == (ConfigError, "offline_access_missing")


# Renewal


def test_a_renewal_rotates(integration, server, desk, whoami):
    """New tokens take the place of the old ones; nobody is asked who it is."""
    ends = replace(server, unused_for=timedelta(days=90), consent_for=timedelta(days=365))
    integration.clock.forward(timedelta(days=300).total_seconds())
    desk.will(says({**GIVEN, "scope": None}))

    grant = asked(integration, RENEWAL, ends, whoami)

    assert desk.asked[0].form["refresh_token"] == "refresh-1"
    assert len(desk.asked) == 1
    assert grant.secrets["refresh_token"].get_secret_value() == "refresh-2"
    assert (grant.site, grant.scopes) == (OLD.site, OLD.scopes)
    assert grant.renewable_until == NOW + timedelta(days=365)


def test_an_old_token_stays_good_where_no_new_one_is_given(integration, server, desk, whoami):
    """As the RFC has it."""
    desk.will(says({"access_token": "access-2"}))

    assert asked(integration, RENEWAL, server, whoami).secrets == OLD.secrets


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lost, id="lost"),
        pytest.param(truncated, id="truncated"),
        pytest.param(html(), id="asleep"),
        pytest.param(html(502), id="502"),
        pytest.param(raw(b""), id="nothing"),
        pytest.param(says({}), id="no token"),
        pytest.param(says({**GIVEN, "access_token": "a\nb"}), id="a token that cannot be sent"),
        pytest.param(says({**GIVEN, "refresh_token": 7}), id="a refresh token that is none"),
    ],
)
def test_a_lost_renewal_is_asked_for_again_at_once(integration, server, desk, whoami, answer):
    """With the same token, once; lost again, it comes later and the present grant is kept."""
    desk.will(answer, says(GIVEN))
    assert asked(integration, RENEWAL, server, whoami).headers["Authorization"].get_secret_value() == "Bearer access-2"
    assert [one.form["refresh_token"] for one in desk.asked] == ["refresh-1", "refresh-1"]

    desk.asked.clear()
    desk.will(answer)
    error = refused(integration, RENEWAL, server)

    assert (type(error), error.outcome_unknown, len(desk.asked)) == (RetryLater, True, 2)


def test_a_renewal_over_the_limit_is_not_repeated(integration, server, desk):
    """Nothing was rotated; the wait is the one that is asked for."""
    desk.will(says({}, 429, Retry_After="40"))

    error = refused(integration, RENEWAL, server)

    assert (error.after_s, error.outcome_unknown, len(desk.asked)) == (40, False, 1)


@pytest.mark.parametrize(
    ("name", "means"),
    [
        ("invalid_grant", (AuthError, "authorization_needed")),
        ("invalid_client", (ConfigError, "client_secret_wrong")),
        ("unauthorized_client", (ConfigError, "client_secret_wrong")),
        ("unsupported_grant_type", (ConfigError, "grant_type_not_allowed")),
        ("temporarily_unavailable", (RetryLater, "temporarily_unavailable")),
        ("invalid_request", (RemoteError, "token_refused")),
        (["odd"], (RemoteError, "token_refused")),
        (None, (RemoteError, "token_refused")),
    ],
)
def test_a_refusal_goes_by_its_name(integration, server, desk, name, means):
    """Whatever the status: only a dead token sends a person to consent again."""
    for status in (400, 401, 403):
        desk.will(says({"error": name, "error_description": "refused"}, status))

        error = refused(integration, RENEWAL, server)

        assert (type(error), error.code) == means


@pytest.mark.parametrize(
    ("passed", "says_why"),
    [
        (timedelta(days=365), "The consent of 2026-11-23 has ended after a year."),
        (timedelta(days=90), "The authorization was not used for 90 days and has ended."),
        (timedelta(days=1), "Helpdesk access has expired or was revoked: "),
    ],
)
def test_why_a_token_is_dead(integration, server, desk, passed, says_why):
    """As far as its age tells."""
    ends = replace(server, unused_for=timedelta(days=90), consent_for=timedelta(days=365))
    integration.clock.forward(passed.total_seconds())
    desk.will(says({"error": "invalid_grant"}, 400))

    error = refused(integration, RENEWAL, ends)

    assert error.message.startswith(says_why)


def test_a_scope_that_is_needed_and_lost_needs_a_person(integration, server, desk):
    """One that is not needed does not."""
    desk.will(says({**GIVEN, "scope": "users"}))
    assert code_flow(integration, RENEWAL, replace(server, needed_scopes=("users",)), CLIENT, None).scopes == ("users",)

    error = refused(integration, RENEWAL, replace(server, needed_scopes=("tickets",)))

    assert (type(error), error.code) == (AuthError, "scopes_lost")
    assert "tickets" in error.message


def test_what_has_no_refresh_token_cannot_be_renewed(integration, server, desk):
    """A person is needed, and the server is not asked."""
    error = refused(integration, AuthorizationRenewal(grant=Grant(headers=BEARER)), server)

    assert (type(error), desk.asked) == (AuthError, [])


@pytest.mark.parametrize(("status", "fix"), [(404, "Check the address of the site."), (500, ""), (503, "")])
def test_a_page_in_place_of_tokens_may_be_a_wrong_address(integration, server, desk, status, fix):
    """A server that is away needs nobody."""
    desk.will(html(status))

    assert refused(integration, RENEWAL, server).fix == fix


def test_a_failed_server_that_answers_in_json_is_away(integration, server, desk):
    """A refusal has another status."""
    desk.will(says({"error": "invalid_grant"}, 500))

    assert type(refused(integration, RENEWAL, server)) is RetryLater


def test_only_scopes_that_are_some_are_taken(integration, server, desk):
    """Whatever else is among them."""
    desk.will(says({**GIVEN, "scope": "tickets \u00e9 users"}))

    assert asked(integration, BACK, server, lambda _: Account("7", "Avery")).scopes == ("tickets", "users")


# A client of its own


def test_a_client_acts_for_itself(integration, server, desk, whoami):
    """Without a person, and renewing is the same again; what was known of it stays."""
    desk.will(says({"access_token": "access-2", "expires_in": 1800}), ME, says({"access_token": "access-3"}))

    grant = client_credentials(integration, START, server, CLIENT, whoami)
    again = client_credentials(integration, AuthorizationRenewal(grant=grant), server, CLIENT, whoami)

    assert desk.asked[0].form["grant_type"] == "client_credentials"
    assert desk.asked[0].form["scope"] == "tickets users"
    assert (grant.account_id, grant.expires_at) == ("7", NOW + timedelta(minutes=30))
    assert again.headers["Authorization"].get_secret_value() == "Bearer access-3"
    assert (again.account_id, again.site, again.expires_at) == ("7", grant.site, NOW + timedelta(hours=1))
    assert len(desk.asked) == 3


# Headers


def test_headers_are_proved_at_once(integration, desk, whoami):
    """And good at one address only."""
    desk.will(ME)

    grant = header_grant(
        integration, basic("a", SecretStr("b")), whoami, vendor="Helpdesk", base_url=desk.url, ends=end_of("2027-01-31")
    )

    assert desk.asked[0].headers["authorization"] == "Basic YTpi"
    assert (grant.account_name, grant.base_url, grant.expires_at) == ("Avery", desk.url, None)
    assert grant.renewable_until is not None
    assert grant.renewable_until.isoformat() == "2027-01-31T23:59:59.999999+00:00"


@pytest.mark.parametrize(
    ("ends", "message"),
    [
        (None, "Helpdesk does not accept the API key."),
        ("2026-11-23", "Helpdesk does not accept the API key."),
        ("2026-11-22", "The API key ended on 2026-11-22."),
    ],
)
def test_headers_that_are_refused_are_not_taken(integration, desk, whoami, ends, message):
    """The reason is that they have ended, where they have."""
    desk.will(says({"message": "no"}, 401))

    with pytest.raises(AuthError) as caught:
        header_grant(
            integration, BEARER, whoami, vendor="Helpdesk", base_url=desk.url, what="API key", ends=end_of(ends)
        )

    assert (caught.value.message, caught.value.code) == (message, "token_refused")


def test_a_better_reason_of_the_plugins_stands(integration, desk):
    """It knows what the account lacks."""

    def whoami(_):
        raise AuthError("The account is no agent.", code="no_agent")

    with pytest.raises(AuthError, match="no agent"):
        header_grant(integration, BEARER, whoami, vendor="Helpdesk", base_url=desk.url)


@pytest.mark.parametrize("answer", [html(), lost, html(404), nothing(503)], ids=["asleep", "lost", "404", "503"])
def test_a_site_that_is_away_refuses_nothing(integration, desk, whoami, answer):
    """Nobody has to make a new token for that."""
    desk.will(answer)

    with pytest.raises(RetryLater):
        header_grant(integration, BEARER, whoami, vendor="Helpdesk", base_url=desk.url)


# What was given


class _DeskSettings(Settings):
    """Settings with an address that is kept without the slash at its end."""

    site: Annotated[str, AfterValidator(partial(http_address, example="https://desk.test"))]


def test_one_setting_is_read_before_all_are_there(integration):
    """In the form that it will have; one that is missing, or none, is a setting to enter."""
    given = replace(integration, settings=None, answers={"site": "https://desk.test/"})
    active = replace(integration, settings=_DeskSettings(site="https://desk.test/a"), answers={})

    assert setting_given(given, _DeskSettings, "site") == "https://desk.test"
    assert setting_given(active, _DeskSettings, "site") == "https://desk.test/a"
    for answers in ({}, {"site": "desk"}):
        with pytest.raises(ConfigError, match="no site") as refused:
            setting_given(replace(given, answers=answers), _DeskSettings, "site")
        assert (refused.value.code, refused.value.fix) == ("site_missing", "Enter it in set-up.")


def test_answers_are_there_before_they_are_settings(integration):
    """A client, a token and an address of the integration's own."""
    given = replace(
        integration,
        settings=None,
        answers={"site": "https://desk.test", "client_id": "x"},
        secret_answers={"client_secret": SecretStr("y")},
    )

    assert client_given(given) == OAuthClient("x", SecretStr("y"))
    assert (text_given(given, "site"), text_given(given, "other")) == ("https://desk.test", "")
    assert secret_given(given, "token") is None
    assert secret_given(replace(given, answers={"token": 7}), "token") == SecretStr("7")
    assert (site_at("https://desk.test/x").name, site_at("desk").name) == ("desk.test", "desk")
    active = replace(given, settings=Site(id="1", name="n", url="u"), answers={})
    assert text_given(active, "url") == "u"


@pytest.mark.parametrize(
    ("answers", "secrets"), [({}, {}), ({"client_id": "x"}, {}), ({"client_id": "x"}, {"client_secret": SecretStr("")})]
)
def test_no_client_is_a_setting_to_enter(integration, answers, secrets):
    """It is named."""
    with pytest.raises(ConfigError) as caught:
        client_given(replace(integration, answers=answers, secret_answers=secrets))

    assert caught.value.code == "oauth_client_missing"


def test_a_secret_that_is_needed_and_not_given_is_asked_for(integration):
    """By what people call it; its code says which one it is."""
    given = replace(integration, settings=None, secret_answers={"token": SecretStr("y")})

    assert secret_needed(given, "token", "token") == SecretStr("y")
    with pytest.raises(ConfigError, match="There is no API key") as told:
        secret_needed(given, "api_key", "API key")
    assert told.value.code == "api_key_missing"
