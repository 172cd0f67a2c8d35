"""What `connector doctor` says of single sign-on, and how the provider is called."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from starlette.responses import JSONResponse, Response

from connector_core.config import read_config
from connector_core.contract.errors import ConfigError
from connector_core.health.sign_on_findings import sign_on_findings
from connector_core.http.outbound import Outbound, Places
from connector_core.sign_on.errors import ProviderDown, ProviderUnfit
from connector_core.sign_on.provider import Provider
from connector_core.sign_on.settings import OidcSettings
from connector_core.sign_on.tokens import require_library
from connector_core.testing import FrozenClock
from tests.support.forward_proxy import ForwardProxy
from tests.support.oidc import ROLES, Forger, settings

BACK = "https://connector.example.com/login/callback"
DISCOVERY = "/.well-known/openid-configuration"


@pytest.fixture(scope="module")
def forger():
    """Run a provider."""
    opened = Forger()
    yield opened
    opened.stop()


@pytest.fixture
def clock():
    """Stand at the present time: the provider says what time it is."""
    return FrozenClock(datetime.now(UTC))


def provider_of(forger, clock, outbound=None, **changes):
    """Return what asks a provider that tells the truth."""
    forger.answers, forger.document = {}, {}
    said = {"issuer": forger.url, "client_id": "connector", "roles": ROLES, **changes}
    return Provider(OidcSettings.model_validate(said), lambda: outbound or Outbound(), clock)


def codes(findings):
    """Return what was found, by code."""
    return {one.code: one.severity.value for one in findings}


def test_a_provider_that_works(forger, clock):
    """It answers, the clocks agree, and the address that it has to know is named."""
    found = sign_on_findings(provider_of(forger, clock), BACK, clock)

    assert codes(found) == {"sign_on_provider": "ok", "sign_on_clock": "ok", "sign_on_redirect": "ok"}
    assert any(BACK in one.detail for one in found)


def test_what_does_not_work(forger, clock):
    """Each with what to do: it does not answer, its clock is another, people come back without TLS."""
    down = provider_of(forger, clock)
    forger.answers = {DISCOVERY: Response(status_code=503)}
    unreachable = sign_on_findings(down, BACK, clock)
    later = clock.now() + timedelta(minutes=5)
    wrong_clock = provider_of(forger, clock)
    document = dict.fromkeys(("authorization_endpoint", "token_endpoint"), f"{forger.url}/x")
    answer = JSONResponse({"issuer": forger.url, "jwks_uri": f"{forger.url}/keys", **document})
    answer.headers["date"] = format_datetime(later, usegmt=True)
    forger.answers = {DISCOVERY: answer}
    apart = sign_on_findings(wrong_clock, BACK.replace("https", "http"), clock)

    assert codes(unreachable) == {"sign_on_unavailable": "problem"}
    assert all(one.fix for one in unreachable)
    assert codes(apart)["sign_on_redirect"] == "warning"


def test_calls_go_through_the_proxy_of_the_configuration(forger, clock):
    """And nowhere where that does not let them."""
    proxy = ForwardProxy()
    through = provider_of(forger, clock, Outbound(proxy=proxy.url, no_proxy=Places()))
    through.metadata()
    through.keys()
    proxy.stop()
    refused = ForwardProxy(user="me", password="secret")
    without = provider_of(forger, clock, Outbound(proxy=refused.url, no_proxy=Places()))
    with pytest.raises((ProviderDown, ProviderUnfit)) as caught:
        without.metadata()
    refused.stop()

    assert [address for _, address in proxy.requests] == [f"{forger.url}{DISCOVERY}", f"{forger.url}/keys"]
    assert "outbound.proxy" in caught.value.fix


@pytest.mark.parametrize(
    "lie",
    [
        {"issuer": "https://login.example.org"},
        {"issuer": None},
        {"token_endpoint": "http://login.example.org/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "https://[x"},
        {"authorization_endpoint": "https://me:s3cret@login.example.org/x"},
    ],
    ids=str,
)
def test_a_document_that_does_not_fit_is_refused(forger, clock, lie):
    """What is sent to a provider goes nowhere without TLS but to this machine."""
    provider = provider_of(forger, clock)
    forger.document = lie

    with pytest.raises(ProviderUnfit):
        provider.metadata()


def test_a_secret_in_the_body_where_the_provider_wants_it(forger, clock):
    """Some take it in no header."""
    forger.document = {}
    provider = provider_of(forger, clock, client_secret="s3cret")
    forger.document = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}

    assert provider.metadata().secret_in_body


def test_the_library_is_an_extra(monkeypatch):
    """Without it there is a sentence, and what to run."""
    monkeypatch.setitem(__import__("sys").modules, "joserfc", None)

    with pytest.raises(ConfigError) as caught:
        require_library()

    assert caught.value.code == "sign_on_library_missing"
    assert ".[oidc]" in caught.value.fix


def test_the_file_is_read_with_it(tmp_path):
    """An admin by a claim who sees one organization has it count as one with admins; unknown ones are a mistake."""
    path = tmp_path / "connector.yaml"
    roles = {"acme-admins": {"role": "admin", "organizations": ["acme"]}}
    text = "secret_key: a passphrase of many letters\nconsole: {oidc: %s}\norganizations: {%s: {}}\n"
    path.write_text(text % (settings("https://login.example.com", roles=roles), "acme"))
    config, _ = read_config(path, [])
    path.write_text(text % (settings("https://login.example.com", roles=roles), "other"))

    assert config.console.can_sign_in
    assert config.administered == {"acme"}
    with pytest.raises(ConfigError, match="there is no organization acme"):
        read_config(path, [])
