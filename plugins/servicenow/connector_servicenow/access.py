"""Authorizing access: by a person's consent, for a client of its own, with an API key, or with a password."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice

import connector_core as core
from connector_core.kit import grants, oauth, rest
from connector_core.kit.values import Json
from connector_servicenow.table import VENDOR, Table, instance, raw

PROPERTY = "glide.oauth.inbound.client.credential.grant_type.enabled"  # [create-cc-sys-prop]


@core.implements(core.hookspecs.authorize)
def authorize(integration: core.AnyIntegration, request: core.AuthorizationRequest) -> core.Redirect | core.Grant:
    """Start, finish or renew an authorization, in the way that was chosen."""
    site = instance(integration)

    def whoami(grant: core.Grant) -> grants.Account:
        row = own_row(Table.of(integration, "sys_user", rest.of_grant(grant)))
        return grants.Account(raw(row, "sys_id") or "", raw(row, "user_name") or "", (grants.site_at(site),))

    match grants.text_given(integration, "sign_in") or "oauth":
        case "oauth":
            return grants.code_flow(integration, request, _server(site), grants.client_given(integration), whoami)
        case "client_credentials":
            server, client = _server(site, alone=True), grants.client_given(integration)
            return grants.client_credentials(integration, request, server, client, whoami)
        case "api_key":
            headers, what = {"x-sn-apikey": grants.secret_needed(integration, "api_key", "API key")}, "API key"
        case _:
            password = grants.secret_needed(integration, "password", "password")
            user = grants.text_given(integration, "user_name")
            headers, what = rest.basic(user, password), "user name or password"
    return grants.header_grant(integration, headers, whoami, vendor=VENDOR, base_url=site, what=what)


def own_row(users: Table) -> Json:
    """Return the user that we act as; an empty one where that cannot be told.

    That a query may ask for `gs.getUserID()` is documented [c_RESTAPI]; whether an account without roles may look is
    not. Where it is ignored many users come back: then nobody is named.
    """
    query = {"sys_id": "javascript:gs.getUserID()"}
    try:
        found = list(islice(users.find(query, fields=("sys_id", "user_name"), most="2"), 2))
    except core.ConfigError as exc:
        if exc.code not in {"permission_missing", "column_closed"}:  # that the address is wrong, say
            raise
        return {}
    return found[0] if len(found) == 1 else {}


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
