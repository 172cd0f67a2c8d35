"""Authorizing: by a person's consent, or by an API token without anybody; and renewing either."""

from __future__ import annotations

from base64 import b64encode
from datetime import timedelta

from pydantic import SecretStr

from connector_core import (
    AuthError,
    AuthorizationRenewal,
    AuthorizationRequest,
    AuthorizationReturn,
    AuthorizationStart,
    ConfigError,
    ConnectorError,
    Grant,
    Integration,
    Redirect,
    Site,
)
from connector_jira_jsm import sentences
from connector_jira_jsm.api.addresses import cloud_id, gateway
from connector_jira_jsm.auth import lifetimes, oauth, sites
from connector_jira_jsm.settings import OAuthApp, TokenLogin, plugin_settings, token_login, wanted_site
from connector_jira_jsm.webhooks import managed

REFRESH_TOKEN = "refresh_token"  # noqa: S105 - the name of a secret


def authorize(integration: Integration, request: AuthorizationRequest) -> Redirect | Grant:
    """Start, finish or renew."""
    login = token_login(integration)
    if login is not None:
        return _from_api_token(integration, login)
    if isinstance(request, AuthorizationRenewal):
        return _renewed(integration, request.grant)
    app = _app(integration)
    if isinstance(request, AuthorizationStart):
        auth_url = plugin_settings(integration).auth_url
        more = managed.wanted_scopes(integration)
        return Redirect(url=oauth.consent_url(auth_url, app, request.callback_url, request.state, more))
    return _from_consent(integration, app, request)


def _from_consent(integration: Integration, app: OAuthApp, request: AuthorizationReturn) -> Grant:
    code = request.parameters.get("code")
    if "error" in request.parameters or not code:
        raise _declined(request.parameters.get("error", ""))
    tokens = oauth.exchange_code(integration, app, code, request.callback_url)
    if tokens.refresh is None:
        raise ConfigError(
            "Atlassian gave no refresh token, so access would end within the hour.",
            code="offline_access_missing",
            fix="Check that the consent asks for offline_access: no proxy may shorten the authorize address.",
        )
    grant = _with_tokens(integration, Grant(headers={}, consented_at=integration.clock.now()), tokens)
    return _at_its_site(integration, grant, request.site or wanted_site(integration))


def _at_its_site(integration: Integration, grant: Grant, wanted: str | None) -> Grant:
    """Settle on the wanted or the only site; with several, leave the choice open."""
    found = sites.reachable(integration, grant)
    if wanted:
        found = (sites.pick(found, wanted),)
    probes = sites.probe_all(integration, grant, found)
    good = [probe for probe in probes if not probe.missing]
    if not good:
        reason = probes[0].missing if probes else sentences.BOTH_PRODUCTS
        raise AuthError(reason, code="products_missing", fix="Then authorize again.")
    account = good[0].account or sites.Account("", "")
    return grant.model_copy(
        update={
            "account_id": account.id,
            "account_name": account.name,
            "sites": tuple(probe.site for probe in good),
            "site": good[0].site if len(good) == 1 else None,
        }
    )


def _renewed(integration: Integration, grant: Grant) -> Grant:
    token = grant.secrets.get(REFRESH_TOKEN)
    if token is None:
        raise AuthError("This authorization cannot be renewed.", fix="Authorize access to Jira again.")
    try:
        tokens = oauth.refresh(integration, _app(integration), token)
    except AuthError as exc:
        raise lifetimes.why_dead(grant, integration.clock.now(), exc) from exc
    if lost := lifetimes.lost_scopes(grant.scopes, tokens.scopes):
        raise AuthError(
            f"The authorization has lost scopes that are needed: {', '.join(lost)}.",
            code="scopes_lost",
            fix="Add them to the app in the developer console (Permissions), then authorize access to Jira again.",
        )
    return _with_tokens(integration, grant, tokens)


def _with_tokens(integration: Integration, grant: Grant, tokens: oauth.Tokens) -> Grant:
    """Put new tokens into a grant. An answer without a refresh token leaves the old one good (CDAC 54555)."""
    secrets = dict(grant.secrets)
    if tokens.refresh is not None:
        secrets[REFRESH_TOKEN] = tokens.refresh
    bearer = SecretStr(f"Bearer {tokens.access.get_secret_value()}")
    return grant.model_copy(
        update={
            "headers": {"Authorization": bearer},
            "secrets": secrets,
            "expires_at": integration.clock.now() + timedelta(seconds=tokens.expires_in),
            "renewable_until": lifetimes.renewable_until(integration.clock.now(), grant.consented_at),
            "scopes": tokens.scopes or grant.scopes,
        }
    )


def _from_api_token(integration: Integration, login: TokenLogin) -> Grant:
    """Make a grant of an API token and prove at once that it works."""
    pair = f"{login.email}:{login.api_token.get_secret_value()}"
    basic = SecretStr("Basic " + b64encode(pair.encode()).decode("ascii"))
    site_id, base = login.site, login.site
    if login.api_token_scoped:
        site_id = cloud_id(integration, login.site)
        base = gateway(integration, site_id)
    name, is_proven = login.site.partition("//")[2], login.api_token_scoped
    site = Site(id=site_id, name=name, url=login.site, is_proven=is_proven)
    grant = Grant(headers={"Authorization": basic}, base_url=base, site=site, sites=(site,))
    probe = sites.probe(integration, grant, site)
    ends = lifetimes.end_of(login.api_token_expires)
    if probe.account is None:
        is_over = ends is not None and ends < integration.clock.now()
        raise AuthError(
            f"The API token ended on {login.api_token_expires}." if is_over else "Jira does not accept the API token.",
            code="api_token_refused",
            fix="Check email, token and site. A token made with scopes needs api_token_scoped: true. Tokens end after "
            "at most a year: make a new one at id.atlassian.com > Security.",
        )
    if probe.missing:
        raise AuthError(probe.missing, code="products_missing")
    site = site.model_copy(update={"id": _id_of(integration, site)})
    account = {"account_id": probe.account.id, "account_name": probe.account.name}
    return grant.model_copy(update={**account, "renewable_until": ends, "site": site, "sites": (site,)})


def _id_of(integration: Integration, site: Site) -> str:
    """Return the cloud ID of a site that was perhaps renamed; else, or where it does not tell, its address will do."""
    before = integration.core.grant()
    if before is None or before.site is None or before.site.url == site.url:
        return site.id
    try:
        return cloud_id(integration, site.url)
    except ConnectorError as exc:
        integration.log.info("cloud_id_not_read", code=exc.code)
        return site.id


def _app(integration: Integration) -> OAuthApp:
    app = plugin_settings(integration).oauth
    if app is None:
        raise ConfigError(
            "There is no OAuth app to authorize with.",
            code="oauth_app_missing",
            fix="Set client_id and client_secret under plugins: jira_jsm: oauth, or give the integration an API token.",
        )
    return app


def _declined(error: str) -> AuthError:
    if error == "access_denied":
        return AuthError(sentences.DECLINED, code="consent_declined", fix=sentences.BOTH_PRODUCTS)
    return AuthError(
        "Atlassian sent the person back without an authorization.",
        code="consent_failed",
        detail=error[:200],
        fix="Start the authorization again.",
    )
