"""Authorizing: by a person's consent, or by an API token without anybody; and renewing either."""

from __future__ import annotations

from connector_core import (
    AnyIntegration,
    AuthError,
    AuthorizationRequest,
    AuthorizationReturn,
    ConfigError,
    ConnectorError,
    Grant,
    Redirect,
    Site,
    hookspecs,
    implements,
)
from connector_core.kit.grants import Account, code_flow, end_of, header_grant
from connector_core.kit.oauth import OAuthClient
from connector_core.kit.rest import basic
from connector_jira_jsm import sentences
from connector_jira_jsm.api.addresses import cloud_id, gateway
from connector_jira_jsm.auth import oauth, sites
from connector_jira_jsm.settings import TokenLogin, plugin_settings, token_login, wanted_site
from connector_jira_jsm.webhooks import managed


@implements(hookspecs.authorize)
def authorize(integration: AnyIntegration, request: AuthorizationRequest) -> Redirect | Grant:
    """Start, finish or renew."""
    login = token_login(integration)
    if login is not None:
        return _from_api_token(integration, login)
    chosen = request.site if isinstance(request, AuthorizationReturn) else None
    server = oauth.server(integration, managed.wanted_scopes(integration))

    def whoami(grant: Grant) -> Account:
        return _at_its_sites(integration, grant, chosen or wanted_site(integration))

    return code_flow(integration, request, server, _app(integration), whoami)


def _at_its_sites(integration: AnyIntegration, grant: Grant, wanted: str | None) -> Account:
    """Look at the wanted site, or at all that a consent reaches, and leave out those that will not do."""
    found = sites.reachable(integration, grant)
    if wanted:
        found = (sites.wanted(found, wanted),)
    probes = sites.probe_all(integration, grant, found)
    good = [probe for probe in probes if not probe.missing]
    if not good:
        reason = probes[0].missing if probes else sentences.BOTH_PRODUCTS
        raise AuthError(reason, code="products_missing", fix="Then authorize again.")
    account = good[0].account or Account("", "")
    return Account(account.id, account.name, tuple(probe.site for probe in good))


def _from_api_token(integration: AnyIntegration, login: TokenLogin) -> Grant:
    """Make a grant of an API token and prove at once that it works."""
    site_id, base = login.site, login.site
    if login.api_token_scoped:
        site_id = cloud_id(integration, login.site)
        base = gateway(integration, site_id)
    name, is_proven = login.site.partition("//")[2], login.api_token_scoped
    site = Site(id=site_id, name=name, url=login.site, is_proven=is_proven)

    def whoami(grant: Grant) -> Account:
        probe = sites.probe(integration, grant, site)
        if probe.account is None:
            raise AuthError(probe.missing)
        if probe.missing:
            raise AuthError(probe.missing, code="products_missing")
        named = site.model_copy(update={"id": _id_of(integration, site)})
        return Account(probe.account.id, probe.account.name, (named,))

    return header_grant(
        integration,
        basic(login.email, login.api_token),
        whoami,
        vendor="Jira",
        base_url=base,
        what="API token",
        ends=end_of(login.api_token_expires),
        code="api_token_refused",
        fix="Check email, token and site. A token made with scopes needs api_token_scoped: true. Tokens end after "
        "at most a year: make a new one at id.atlassian.com > Security.",
    )


def _id_of(integration: AnyIntegration, site: Site) -> str:
    """Return the cloud ID of a site that was perhaps renamed; else, or where it does not tell, its address will do."""
    before = integration.core.grant()
    if before is None or before.site is None or before.site.url == site.url:
        return site.id
    try:
        return cloud_id(integration, site.url)
    except ConnectorError as exc:
        integration.log.info("cloud_id_not_read", code=exc.code)
        return site.id


def _app(integration: AnyIntegration) -> OAuthClient:
    app = plugin_settings(integration).oauth
    if app is None:
        raise ConfigError(
            "There is no OAuth app to authorize with.",
            code="oauth_app_missing",
            fix="Set client_id and client_secret under plugins: jira_jsm: oauth, or give the integration an API token.",
        )
    return OAuthClient(app.client_id, app.client_secret)
