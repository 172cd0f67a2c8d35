"""Several ways to authorize access, of which a person chooses one: consent, a client of its own, a key, or a password.

    class DeskSettings(SignInSettings): ...  # of `kit.settings`, which every command loads

    def authorize(integration, request):
        desk = AcmeDesk(integration)
        server = OAuthServer("Acme Desk", f"{desk.site_url}/authorize", f"{desk.site_url}/token")
        return sign_in(desk, request, server, key_header="x-acme-key")

A plugin with one way goes by `grants` itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from connector_core.contract.models import AuthorizationRequest, Grant, Redirect
from connector_core.contract.setup_steps import Choice, SetupStep
from connector_core.kit.desk import Desk
from connector_core.kit.grants import client_credentials, client_given, code_flow, text_given
from connector_core.kit.oauth import OAuthServer
from connector_core.kit.rest import basic
from connector_core.kit.settings import SignInSettings
from connector_core.kit.steps import account_step, ask

WAYS: Sequence[Choice] = (
    Choice("oauth", "A person's consent (OAuth)"),
    Choice("client_credentials", "Client credentials (OAuth)"),
    Choice("api_key", "API key"),
    Choice("basic", "User name and password"),
)
_ASKED = ("client_id", "user_name", "client_secret", "api_key", "password")


def sign_in(
    desk: Desk[Any], request: AuthorizationRequest, server: OAuthServer, *, key_header: str, alone: str = ""
) -> Redirect | Grant:
    """Start, finish or renew an authorization in the way that was chosen; who never chose gives consent.

    The API key is sent as the header `key_header`. Where a client acts for itself nobody's consent can be dead: what
    the server refuses then is the client, and `alone` is a sentence on what else that takes.

    return sign_in(desk, request, server, key_header="x-acme-key")

    Raises:
        ConnectorError: as `code_flow`, `client_credentials` and `header_grant` say.
    """
    integration = desk.integration
    match text_given(integration, "sign_in"):
        case "client_credentials":
            return client_credentials(
                integration, request, _for_client(server, alone), client_given(integration), desk.account_of
            )
        case "api_key":
            return desk.header_grant({key_header: desk.secret("api_key")}, what="API key")
        case "basic":
            headers = basic(desk.given("user_name"), desk.secret("password"))
            return desk.header_grant(headers, what="user name or password")
        case _:
            return code_flow(integration, request, server, client_given(integration), desk.account_of)


def sign_in_step(settings: type[SignInSettings], where: str, *, title: str, text: str) -> SetupStep:
    """Ask where the system is, at the setting `where`, which way is taken, and what each needs: the first step.

    `text` says what to do on the other side for each way.

    >>> sign_in_step(DeskSettings, "address", title="Your Desk", text="Make a client.").before_authorization
    True
    """
    return account_step(
        settings,
        where,
        *_ASKED,
        more=[ask(settings, "sign_in", load=lambda: WAYS, is_fixed=True)],
        title=title,
        help="Where it is, and how access is authorized.",
        text=text,
        before_authorization=True,
    )


def _for_client(server: OAuthServer, also: str) -> OAuthServer:
    texts = replace(server.texts, client=f"{server.texts.client} {also}".strip())
    refused = server.client_names | server.dead_names
    return replace(server, dead_names=frozenset(), client_names=refused, texts=texts)
