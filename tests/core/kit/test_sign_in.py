"""Several ways to authorize access: each does what was chosen, and asks for what it needs."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import pytest
from pydantic import Field, SecretStr

from connector_core import AuthorizationStart, ConfigError, PluginInfo
from connector_core.contract.setup_steps import fetch_choices
from connector_core.kit.grants import Account
from connector_core.kit.oauth import OAuthServer
from connector_core.kit.settings import SignInSettings, site_address
from connector_core.kit.sign_in import WAYS, sign_in, sign_in_step
from connector_core.testing import make_integration
from tests.core.kit.test_desk import PaperDesk
from tests.support.scripted_desk import says

SITE = "https://desk.test"
START = AuthorizationStart(state="abc", callback_url="https://us.test/callback")
SERVER = OAuthServer("Paper", f"{SITE}/authorize", f"{SITE}/token")


class BoothSettings(SignInSettings):
    """Settings of a desk with several ways in."""

    address: Annotated[str, site_address(SITE)] = Field(description="Where.")


class Booth(PaperDesk):
    """A desk with several ways in."""

    info = PluginInfo(name="booth", title="Booth", settings=BoothSettings)

    def whoami(self):
        """Say who asks, by what is sent."""
        return Account("1", "Ada")


def started(server=SERVER, **answers):
    """Start an authorization with these answers."""
    blank = replace(make_integration(Booth.info, {"address": SITE}), settings=None)
    secrets = {name: SecretStr(answers.pop(name)) for name in ("api_key", "password", "client_secret") & answers.keys()}
    integration = replace(blank, answers={"address": SITE, **answers}, secret_answers=secrets)
    return sign_in(Booth(integration), START, server, key_header="x-key", alone="Allow it.")


@pytest.mark.parametrize("way", [{}, {"sign_in": "oauth"}])
def test_consent_is_the_usual_way(way):
    """A person is sent to the server."""
    asked = started(client_id="us", client_secret="s3cret", **way)

    assert asked.url.startswith(f"{SITE}/authorize?")


@pytest.mark.parametrize(
    ("given", "header", "sent"),
    [
        ({"sign_in": "api_key", "api_key": "k3y"}, "x-key", "k3y"),
        ({"sign_in": "basic", "user_name": "ada", "password": "pw"}, "Authorization", "Basic YWRhOnB3"),
    ],
)
def test_a_key_or_a_password_is_a_header(given, header, sent):
    """It is good at that address only."""
    grant = started(**given)

    assert grant.headers[header].get_secret_value() == sent
    assert (grant.account_name, grant.base_url) == ("Ada", SITE)


@pytest.mark.parametrize("name", ["invalid_client", "invalid_grant"])
def test_a_client_that_is_refused_is_what_has_to_be_corrected(desk, name):
    """Where it acts for itself nobody's consent is dead; what else that takes is said."""
    desk.will(says({"error": name}, status=401))
    server = OAuthServer("Paper", f"{desk.url}/authorize", f"{desk.url}/token")

    with pytest.raises(ConfigError) as told:
        started(server, sign_in="client_credentials", client_id="us", client_secret="s3cret")

    assert told.value.fix == f"{server.texts.client} Allow it."
    assert desk.asked[0].form["grant_type"] == "client_credentials"


@pytest.mark.parametrize("way", [one.value for one in WAYS])
def test_each_way_says_what_it_lacks(way):
    """Before anybody is asked."""
    with pytest.raises(ConfigError) as told:
        started(sign_in=way)

    assert told.value.code.endswith("_missing")


def test_the_step_asks_for_all_of_it_before_authorization():
    """Secrets are asked for again when the address changes."""
    step = sign_in_step(BoothSettings, "address", title="Booth", text="Make a client.")
    address, way, *others = step.fields

    assert step.before_authorization
    assert (way.key, way.is_fixed, fetch_choices(way)) == ("sign_in", True, WAYS)
    assert {one.key for one in others} == set(BoothSettings.model_fields) - {"address", "sign_in"}
    assert address.needs_again == {"client_secret", "api_key", "password"}
