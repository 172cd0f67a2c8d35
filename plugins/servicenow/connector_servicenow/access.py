"""Authorizing access: by a person's consent, for a client of its own, with an API key, or with a password."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice

from connector_core import AnyIntegration, AuthorizationRequest, ConfigError, Grant, Redirect, hookspecs, implements
from connector_core.kit.grants import (
    Account,
    client_credentials,
    client_given,
    code_flow,
    header_grant,
    secret_needed,
    site_at,
    text_given,
)
from connector_core.kit.oauth import OAuthServer, OAuthTexts
from connector_core.kit.rest import basic, of_grant
from connector_core.kit.values import Json
from connector_servicenow.table import VENDOR, Table, instance, raw

PROPERTY = "glide.oauth.inbound.client.credential.grant_type.enabled"  # [create-cc-sys-prop]


@implements(hookspecs.authorize)
def authorize(integration: AnyIntegration, request: AuthorizationRequest) -> Redirect | Grant:
    """Start, finish or renew an authorization, in the way that was chosen."""
    site = instance(integration)

    def whoami(grant: Grant) -> Account:
        row = own_row(Table.of(integration, "sys_user", of_grant(grant)))
        return Account(raw(row, "sys_id") or "", raw(row, "user_name") or "", (site_at(site),))

    match text_given(integration, "sign_in") or "oauth":
        case "oauth":
            return code_flow(integration, request, _server(site), client_given(integration), whoami)
        case "client_credentials":
            return client_credentials(
                integration, request, _server(site, alone=True), client_given(integration), whoami
            )
        case "api_key":
            headers, what = {"x-sn-apikey": secret_needed(integration, "api_key", "API key")}, "API key"
        case _:
            password = secret_needed(integration, "password", "password")
            headers, what = basic(text_given(integration, "user_name"), password), "user name or password"
    return header_grant(integration, headers, whoami, vendor=VENDOR, base_url=site, what=what)


def own_row(users: Table) -> Json:
    """Return the user that we act as; an empty one where that cannot be told.

    That a query may ask for `gs.getUserID()` is documented [c_RESTAPI]; whether an account without roles may look is
    not. Where it is ignored many users come back: then nobody is named.
    """
    query = {"sys_id": "javascript:gs.getUserID()"}
    try:
        found = list(islice(users.find(query, fields=("sys_id", "user_name"), most="2"), 2))
    except ConfigError as exc:
        if exc.code not in {"permission_missing", "column_closed"}:  # that the address is wrong, say
            raise
        return {}
    return found[0] if len(found) == 1 else {}


def _server(site: str, *, alone: bool = False) -> OAuthServer:
    # Nothing published says how a refusal is worded; others saw 401 with server_error for each of them.
    return OAuthServer(
        VENDOR,
        f"{site}/oauth_auth.do",
        f"{site}/oauth_token.do",
        has_pkce=True,
        dead_names=frozenset({"invalid_grant"} if alone else {"invalid_grant", "server_error"}),
        client_names=frozenset({"invalid_client", "unauthorized_client", *(["server_error"] if alone else [])}),
        consent_for=timedelta(days=100),  # KB0791140: a renewal does not prolong it
        texts=OAuthTexts(
            client="Enter ID and secret as they stand in the Application Registry."
            + (f" This way also needs the system property {PROPERTY} to be true." if alone else ""),
            offline="In the Application Registry, let the client have a secret (not a public client), then authorize.",
        ),
    )
