"""Which Jira sites an authorization reaches, and which of them have what is needed.

No call with our scopes says "this site has both products". What stands in for it: the scopes that the gateway lists
for the site, a `/myself` that answers (Jira), and Jira Service Management calling itself licensed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from connector_core import AnyIntegration, AuthError, ConfigError, Grant, RemoteError, Site, hookspecs, implements
from connector_core.kit.grants import Account, pick
from connector_core.kit.rest import Rest, of_grant
from connector_core.kit.texts import clean
from connector_jira_jsm.api.addresses import cloud_id, gateway, own_address
from connector_jira_jsm.api.client import JiraClient
from connector_jira_jsm.api.responses import RULES
from connector_jira_jsm.sentences import BOTH_PRODUCTS
from connector_jira_jsm.settings import plugin_settings

MOST_PROBED = 20  # an account may reach hundreds of sites, and a person is waiting


@dataclass(frozen=True)
class Probe:
    """What a look at a site showed: the account there, or why the site will not do."""

    site: Site
    account: Account | None
    missing: str = ""


def reachable(integration: AnyIntegration, grant: Grant) -> tuple[Site, ...]:
    """List the sites of a fresh grant that carry scopes of both products.

    One site may take several rows, one for each product, under the same id: their scopes are put together.
    """
    sites: dict[str, Site] = {}
    scopes: dict[str, set[str]] = {}
    for row in _rows(integration, grant):
        if isinstance(row, dict) and isinstance(row.get("id"), str) and isinstance(row.get("url"), str):
            site = _site(row)
            sites.setdefault(site.id, site)
            scopes.setdefault(site.id, set()).update(_scopes(row))
    return tuple(site for id_, site in sites.items() if _covers_both(scopes[id_]))


@implements(hookspecs.find_site)
def find(integration: AnyIntegration) -> Site | None:
    """Return the integration's site as the gateway shows it now, by its cloud ID; None when it does not show it.

    With an API token the address is a setting, and nobody else's to change; what is looked up is its cloud ID.
    Where the token goes to the site itself, that is what the site says, and no more.
    """
    grant = integration.core.grant()
    if grant is None or grant.site is None:
        return None
    if own := own_address(grant):
        if own == gateway(integration, grant.site.id):
            return grant.site.model_copy(update={"is_proven": True})
        return grant.site.model_copy(update={"id": cloud_id(integration, grant.site.url), "is_proven": False})
    for row in _rows(integration, grant):
        if isinstance(row, dict) and row.get("id") == grant.site.id and isinstance(row.get("url"), str) and row["url"]:
            return _site(row)
    return None


def scopes_at(integration: AnyIntegration, grant: Grant, site_id: str) -> frozenset[str]:
    """Return the scopes that a grant has on one site, as the gateway lists them."""
    rows = [row for row in _rows(integration, grant) if isinstance(row, dict) and row.get("id") == site_id]
    return frozenset(scope for row in rows for scope in _scopes(row))


def _rows(integration: AnyIntegration, grant: Grant) -> list[Any]:
    rest = Rest(integration, plugin_settings(integration).api_url, RULES, auth=of_grant(grant))
    rows = rest.get("/oauth/token/accessible-resources")
    return rows if isinstance(rows, list) else []


def wanted(sites: Iterable[Site], name: str) -> Site:
    """Find the site that was asked for by its cloud id or URL."""
    return pick(
        sites,
        name,
        missing="The authorization does not reach the wanted site with both Jira and Jira Service Management.",
        fix=f"Authorize again and choose that site. {BOTH_PRODUCTS}",
    )


def probe_all(integration: AnyIntegration, grant: Grant, sites: Iterable[Site]) -> list[Probe]:
    """Look at each of the first sites."""
    return [probe(integration, grant, site) for site in list(sites)[:MOST_PROBED]]


def probe(integration: AnyIntegration, grant: Grant, site: Site) -> Probe:
    """Look whether a site has Jira and Jira Service Management for this account."""
    client = JiraClient(integration, fixed_grant=grant.at_site(site))
    try:
        account = account_of(client.myself())
    except (AuthError, ConfigError, RemoteError):
        return Probe(site, None, f"The account has no access to Jira on {site.name}. {BOTH_PRODUCTS}")
    try:
        licensed = client.desk_info().get("isLicensedForUse")
    except (AuthError, ConfigError, RemoteError):
        licensed = False
    if licensed is False:
        return Probe(site, account, f"{site.name} has no Jira Service Management. {BOTH_PRODUCTS}")
    return Probe(site, account)


def account_of(myself: Mapping[str, Any]) -> Account:
    """Read whose account it is."""
    return Account(clean(str(myself.get("accountId") or "")), clean(str(myself.get("displayName") or "")))


def _site(row: Mapping[str, Any]) -> Site:
    name = str(row.get("name") or row["url"])
    return Site(id=clean(row["id"]), name=clean(name), url=clean(row["url"]).rstrip("/"), is_proven=True)


def _scopes(row: Mapping[str, Any]) -> list[str]:
    scopes = row.get("scopes")
    return [scope for scope in scopes if isinstance(scope, str)] if isinstance(scopes, list) else []


def _covers_both(scopes: set[str]) -> bool:
    return any(s.endswith(":jira-work") for s in scopes) and any(s.endswith(":servicedesk-request") for s in scopes)
