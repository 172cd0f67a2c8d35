"""Who may come in: OAuth with its grants, an API key, a password; and how often."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests

BACK = "http://127.0.0.1:9/callback"
VERIFIER = "a-verifier-of-some-length-that-nobody-guesses-so-easily"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
PKCE = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}


def address(sandbox, **more):
    """Return where people are sent to consent."""
    asked = {"response_type": "code", "client_id": sandbox.client.client_id, "redirect_uri": BACK, "state": "s-1"}
    return f"{sandbox.url}/oauth_auth.do?{urlencode({**asked, **more})}"


def answered(callback):
    """Return what the callback address carries."""
    return {name: values[0] for name, values in parse_qs(urlsplit(callback).query).items()}


def tokens(sandbox, grant_type, *, secret=True, **more):
    """Ask the token endpoint."""
    asked = {"grant_type": grant_type, "client_id": sandbox.client.client_id, **more}
    if secret:
        asked["client_secret"] = sandbox.client.client_secret
    return requests.post(f"{sandbox.url}/oauth_token.do", data=asked, timeout=10)


def for_code(sandbox, code, **more):
    """Ask for tokens for a code."""
    return tokens(sandbox, "authorization_code", code=code, redirect_uri=BACK, **more)


def status_with(sandbox, headers):
    """Return what a read answers to these headers."""
    return requests.get(f"{sandbox.url}/api/now/table/incident", headers=headers, timeout=10).status_code


def test_consent_gives_a_code_and_the_code_tokens(sandbox):
    """State comes back, the code is good once, and the token reads incidents until it ends."""
    query = answered(sandbox.approve(address(sandbox)))
    given = for_code(sandbox, query["code"]).json()
    again = for_code(sandbox, query["code"])

    assert query["state"] == "s-1"
    assert (given["scope"], given["token_type"], given["expires_in"]) == ("useraccount", "Bearer", 1800)
    assert (again.status_code, again.json()["error_description"]) == (401, "access_denied")
    bearer = {"Authorization": f"Bearer {given['access_token']}"}
    assert status_with(sandbox, bearer) == 200
    sandbox.clock.advance(1801)
    assert status_with(sandbox, bearer) == 401


def test_a_code_is_bound_to_where_it_was_sent(sandbox):
    """Another address gets nothing for it, and it is spent."""
    code = answered(sandbox.approve(address(sandbox)))["code"]
    elsewhere = tokens(sandbox, "authorization_code", code=code, redirect_uri="http://127.0.0.1:9/other")

    assert elsewhere.status_code == 401
    assert for_code(sandbox, code).status_code == 401


def test_a_code_does_not_last(sandbox):
    """A minute later it is worth nothing."""
    code = answered(sandbox.approve(address(sandbox)))["code"]
    sandbox.clock.advance(61)

    assert for_code(sandbox, code).status_code == 401


def test_who_declines_gives_no_code(sandbox):
    """The callback says so."""
    assert answered(sandbox.decline(address(sandbox))) == {"state": "s-1", "error": "access_denied"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": ""},
        {"client_id": "nobody"},
        {"response_type": "token"},
        {"redirect_uri": "ftp://elsewhere"},
        {"code_challenge": CHALLENGE, "code_challenge_method": "plain"},
    ],
)
def test_a_wrong_request_shows_a_page(sandbox, wrong):
    """Nobody is sent anywhere."""
    answer = requests.get(address(sandbox, **wrong), timeout=10)

    assert answer.status_code == 400
    assert "text/html" in answer.headers["Content-Type"]


def test_a_verifier_must_fit_its_challenge(sandbox):
    """With PKCE a stolen code is worth nothing."""
    stolen = for_code(sandbox, answered(sandbox.approve(address(sandbox, **PKCE)))["code"], code_verifier="other")
    mine = for_code(sandbox, answered(sandbox.approve(address(sandbox, **PKCE)))["code"], code_verifier=VERIFIER)

    assert (stolen.status_code, mine.status_code) == (401, 200)


def test_a_public_client_needs_pkce_and_gets_no_refresh_token(sandbox):
    """It has no secret to send."""
    sandbox.administer(public_client=True)
    without = requests.get(address(sandbox), timeout=10)
    code = answered(sandbox.approve(address(sandbox, **PKCE)))["code"]
    given = for_code(sandbox, code, secret=False, code_verifier=VERIFIER)

    assert without.status_code == 400
    assert given.status_code == 200
    assert "refresh_token" not in given.json()


def test_a_token_that_is_good_is_given_again(sandbox):
    """A refresh neither prolongs nor renews it; once it has ended a refresh gives another."""
    first = for_code(sandbox, answered(sandbox.approve(address(sandbox)))["code"]).json()
    sandbox.clock.advance(600)
    same = tokens(sandbox, "refresh_token", refresh_token=first["refresh_token"]).json()
    sandbox.clock.advance(1300)
    other = tokens(sandbox, "refresh_token", refresh_token=first["refresh_token"]).json()

    assert (same["access_token"], same["expires_in"]) == (first["access_token"], 1200)
    assert other["access_token"] != first["access_token"]
    assert other["refresh_token"] == first["refresh_token"]


def test_an_access_token_can_end_at_once(sandbox):
    """As when an administrator takes it back; the refresh token is still good."""
    first = for_code(sandbox, answered(sandbox.approve(address(sandbox)))["code"]).json()
    sandbox.tokens.expire_access()

    assert status_with(sandbox, {"Authorization": f"Bearer {first['access_token']}"}) == 401
    second = tokens(sandbox, "refresh_token", refresh_token=first["refresh_token"]).json()["access_token"]
    assert status_with(sandbox, {"Authorization": f"Bearer {second}"}) == 200


def test_a_refresh_token_ends_rotates_or_is_taken_back(sandbox):
    """After 100 days, by a switch, or by the administrator."""
    first = for_code(sandbox, answered(sandbox.approve(address(sandbox)))["code"]).json()["refresh_token"]
    sandbox.administer(refresh_rotates=True)
    second = tokens(sandbox, "refresh_token", refresh_token=first).json()["refresh_token"]
    assert second != first
    assert tokens(sandbox, "refresh_token", refresh_token=first).status_code == 401

    sandbox.administer(refresh_rotates=False)
    sandbox.clock.advance(101 * 24 * 3600)
    assert tokens(sandbox, "refresh_token", refresh_token=second).status_code == 401

    third = for_code(sandbox, answered(sandbox.approve(address(sandbox)))["code"]).json()["refresh_token"]
    sandbox.tokens.revoke_all()
    assert tokens(sandbox, "refresh_token", refresh_token=third).status_code == 401


def test_client_credentials_wait_for_the_property(sandbox):
    """Off in the base system, and the answer does not say why."""
    off = tokens(sandbox, "client_credentials")
    sandbox.administer(client_credentials=True)
    on = tokens(sandbox, "client_credentials")

    assert (off.status_code, off.json()) == (401, {"error": "server_error", "error_description": "access_denied"})
    assert on.status_code == 200
    assert "refresh_token" not in on.json()
    assert status_with(sandbox, {"Authorization": f"Bearer {on.json()['access_token']}"}) == 200


def test_a_password_is_good_for_tokens(sandbox):
    """The right one; and a body that is no form is not read."""
    name, password = sandbox.account

    assert tokens(sandbox, "password", username=name, password=password).status_code == 200
    assert tokens(sandbox, "password", username=name, password="x").status_code == 401
    assert (
        requests.post(f"{sandbox.url}/oauth_token.do", json={"grant_type": "password"}, timeout=10).status_code == 401
    )
    assert tokens(sandbox, "password", secret=False, username=name, password=password).status_code == 401


def test_keys_and_passwords_open_the_api(sandbox):
    """Each where it is switched on; what is wrong is 401 in the shape of all errors."""
    good = {"x-sn-apikey": sandbox.api_key}
    assert status_with(sandbox, good) == 200
    assert status_with(sandbox, {"x-sn-apikey": "wrong"}) == 401
    assert status_with(sandbox, {"Authorization": "Basic not-base64"}) == 401
    sandbox.administer(api_keys=False, basic=False)
    assert status_with(sandbox, good) == 401

    refused = requests.get(f"{sandbox.url}/api/now/table/incident", auth=sandbox.account, timeout=10)
    assert (refused.status_code, refused.json()["error"]["message"]) == (401, "User Not Authenticated")


def test_what_lets_in_can_stand_in_the_address(sandbox):
    """A token and a key; neither is taken for a column, which would find nothing here."""
    sandbox.administer(invalid_query="no_rows")
    name, password = sandbox.account
    token = tokens(sandbox, "password", username=name, password=password).json()["access_token"]

    for query in ({"access_token": token}, {"x-sn-apikey": sandbox.api_key}):
        assert requests.get(f"{sandbox.url}/api/now/table/sys_user", params=query, timeout=10).json()["result"]
    wrong = requests.get(f"{sandbox.url}/api/now/table/sys_user", params={"access_token": "x"}, timeout=10)
    assert wrong.status_code == 401


def test_the_apis_own_rule_asks_for_its_role(incidents, sandbox):
    """Where it is active, an account without the role gets 403."""
    sandbox.administer(api_role="snc_platform_rest_api_access")
    refused = incidents.send("GET")
    sandbox.set_account(roles=frozenset({"itil", "snc_platform_rest_api_access"}))

    assert refused.status_code == 403
    assert incidents.send("GET").status_code == 200


def test_a_burst_passes_before_the_limit_holds(incidents, sandbox):
    """Counts reach the database after 30 s; then 429 tells until when, and the next hour is free again."""
    sandbox.administer(hourly_limit=2)
    burst = [incidents.send("GET") for _ in range(4)]
    sandbox.clock.advance(30)
    refused = incidents.send("GET")

    assert [answer.status_code for answer in burst] == [200] * 4
    assert burst[0].headers["X-RateLimit-Limit"] == "2"
    assert refused.status_code == 429
    assert refused.json()["error"]["message"] == "Rate limit exceeded"
    wait = int(refused.headers["Retry-After"])
    assert int(refused.headers["X-RateLimit-Reset"]) - int(sandbox.clock.now().timestamp()) == wait
    sandbox.clock.advance(wait)
    assert incidents.send("GET").status_code == 200
