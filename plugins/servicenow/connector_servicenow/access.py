"""Authorizing access: by a person's consent, for a client of its own, with an API key, or with a password."""

from __future__ import annotations

from datetime import timedelta

import connector_core as core
from connector_core.kit import grants, oauth, rest
from connector_servicenow.desk import ServiceNow
from connector_servicenow.settings import ServiceNowSettings
from connector_servicenow.table import VENDOR

PROPERTY = "glide.oauth.inbound.client.credential.grant_type.enabled"  # [create-cc-sys-prop]


@core.implements(core.hookspecs.authorize)
def authorize(
    integration: core.Integration[ServiceNowSettings | None], request: core.AuthorizationRequest
) -> core.Redirect | core.Grant:
    """Start, finish or renew an authorization, in the way that was chosen."""
    desk = ServiceNow(integration)
    match grants.text_given(integration, "sign_in") or "oauth":
        case "oauth":
            client = grants.client_given(integration)
            return grants.code_flow(integration, request, _server(desk.site_url), client, desk.account_of)
        case "client_credentials":
            server, client = _server(desk.site_url, alone=True), grants.client_given(integration)
            return grants.client_credentials(integration, request, server, client, desk.account_of)
        case "api_key":
            return desk.header_grant({"x-sn-apikey": desk.secret("api_key")}, what="API key")
        case _:
            headers = rest.basic(desk.given("user_name"), desk.secret("password"))
            return desk.header_grant(headers, what="user name or password")


def _server(site: str, *, alone: bool = False) -> oauth.OAuthServer:
    # Nothing published says how a refusal is worded; others saw 401 with server_error for each of them.
    also = f" This way also needs the system property {PROPERTY} to be true." if alone else ""
    offline = "In the Application Registry, let the client have a secret (not a public client), then authorize."
    return oauth.OAuthServer(
        VENDOR,
        f"{site}/oauth_auth.do",
        f"{site}/oauth_token.do",
        has_pkce=True,
        dead_names=frozenset({"invalid_grant"} if alone else {"invalid_grant", "server_error"}),
        client_names=frozenset({"invalid_client", "unauthorized_client", *(["server_error"] if alone else [])}),
        consent_for=timedelta(days=100),  # KB0791140: a renewal does not prolong it
        texts=oauth.OAuthTexts(
            client=f"Enter ID and secret as they stand in the Application Registry.{also}", offline=offline
        ),
    )
