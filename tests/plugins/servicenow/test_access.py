"""Each way to authorize access, and each way in which it fails."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from connector_core import (
    AuthError,
    AuthorizationRenewal,
    AuthorizationReturn,
    AuthorizationStart,
    ConfigError,
    RetryLater,
)
from connector_servicenow import authorize
from tests.support.servicenow import unfinished

BACK = "http://127.0.0.1/callback"


@pytest.fixture
def signing_in(sandbox, integration):
    """Return a function that gives a handle in the midst of set-up: with answers, and without settings."""
    integration.session.headers.pop("Authorization")

    def one(sign_in, *, instance="", **secrets):
        answers = {"instance": instance or sandbox.url, "sign_in": sign_in, "client_id": sandbox.client.client_id}
        answers["user_name"] = sandbox.account[0]
        return unfinished(integration, answers, client_secret=sandbox.client.client_secret, **secrets)

    return one


def consent(sandbox, handle):
    """Start, approve, come back."""
    start = authorize(handle, AuthorizationStart(state="abc", callback_url=BACK))
    query = parse_qs(urlsplit(sandbox.approve(start.url)).query)
    back = AuthorizationReturn(callback_url=BACK, parameters={name: one[0] for name, one in query.items()})
    return authorize(handle, back)


def test_consent_with_pkce(sandbox, signing_in):
    """The address is asked for before, and the code is bound to who asked for it."""
    handle = signing_in("oauth")
    start = authorize(handle, AuthorizationStart(state="abc", callback_url=BACK))

    grant = consent(sandbox, handle)

    assert "code_challenge_method=S256" in start.url
    assert start.url.startswith(f"{sandbox.url}/oauth_auth.do?")
    assert (grant.account_name, grant.site.url) == ("connector.api", sandbox.url)
    assert grant.expires_at is not None


@pytest.mark.parametrize("rotates", [True, False])
def test_renewal(sandbox, signing_in, rotates):
    """With the same refresh token, or another one."""
    sandbox.administer(refresh_rotates=rotates)
    handle = signing_in("oauth")
    grant = consent(sandbox, handle)
    sandbox.tokens.expire_access()

    renewed = authorize(handle, AuthorizationRenewal(grant=grant))

    assert renewed.headers != grant.headers
    assert renewed.account_name == grant.account_name


def test_what_was_taken_back_asks_for_a_person(sandbox, signing_in):
    """The instance says server_error; only a person can authorize again."""
    handle = signing_in("oauth")
    grant = consent(sandbox, handle)
    sandbox.tokens.revoke_all()

    with pytest.raises(AuthError):
        authorize(handle, AuthorizationRenewal(grant=grant))


def test_client_credentials(sandbox, signing_in):
    """A client acts for itself where the system property allows it; else the property is named."""
    handle = signing_in("client_credentials")
    start = AuthorizationStart(state="abc", callback_url=BACK)
    with pytest.raises(ConfigError) as caught:
        authorize(handle, start)
    assert "client.credential.grant_type.enabled" in caught.value.fix

    sandbox.administer(client_credentials=True)

    assert authorize(handle, start).account_name == "connector.api"


@pytest.mark.parametrize(("sign_in", "key"), [("api_key", "api_key"), ("basic", "password")])
def test_key_and_password(sandbox, signing_in, sign_in, key):
    """They are tried before they are kept; a wrong one is refused."""
    secret = {"api_key": sandbox.api_key, "password": sandbox.account[1]}[key]
    start = AuthorizationStart(state="abc", callback_url=BACK)

    assert authorize(signing_in(sign_in, **{key: secret}), start).account_name == "connector.api"
    with pytest.raises(AuthError):
        authorize(signing_in(sign_in, **{key: "wrong"}), start)
    with pytest.raises(ConfigError):
        authorize(signing_in(sign_in), start)


def test_an_instance_that_does_not_say_who_we_are(sandbox, signing_in):
    """A query that is ignored shows everybody: then nobody is named, and access is good all the same."""
    sandbox.administer(readers={**sandbox.profile.readers, "sys_user": frozenset()})

    grant = authorize(
        signing_in("api_key", api_key=sandbox.api_key), AuthorizationStart(state="abc", callback_url=BACK)
    )

    assert (grant.account_id, grant.site.url) == ("", sandbox.url)


def test_a_sleeping_instance(sandbox, signing_in):
    """It answers with a page: come again."""
    sandbox.sleep()

    with pytest.raises(RetryLater):
        authorize(signing_in("api_key", api_key=sandbox.api_key), AuthorizationStart(state="abc", callback_url=BACK))


@pytest.mark.parametrize("instance", ["http://127.0.0.1:1", "ftp://acme", "https://a b", "http://u:p@acme"])
def test_a_wrong_address(signing_in, instance):
    """Nobody is there, or it is none: said as such."""
    with pytest.raises((RetryLater, ConfigError)):
        authorize(
            signing_in("api_key", instance=instance, api_key="x"), AuthorizationStart(state="abc", callback_url=BACK)
        )
