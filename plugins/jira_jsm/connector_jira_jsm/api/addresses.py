"""Where Jira is reached with a grant: through Atlassian's gateway, or at the site itself."""

from __future__ import annotations

from connector_core import AnyIntegration, AuthError, ConfigError, Grant, no_grant
from connector_core.kit.rest import Rest, segment
from connector_core.kit.values import as_object
from connector_jira_jsm.api.responses import RULES
from connector_jira_jsm.settings import plugin_settings

BASE_URL = "base_url"  # the secret in which grants made from an API token once kept what `Grant.base_url` says


def base_url(integration: AnyIntegration, grant: Grant) -> str:
    """Return where a grant is good: the gateway for OAuth and scoped tokens, the site itself for other tokens."""
    if own := own_address(grant):
        return own
    if grant.site is None:
        raise AuthError("No Jira site was chosen yet.", code="site_not_chosen", fix="Authorize and choose a site.")
    return gateway(integration, grant.site.id)


def gateway(integration: AnyIntegration, site_id: str) -> str:
    """Return where Atlassian's gateway has a site; whoever gets an answer there was let in at that site."""
    return f"{plugin_settings(integration).api_url}/ex/jira/{segment(site_id)}"


def own_address(grant: Grant) -> str:
    """Return the one address where a grant made from an API token is good; none for that of a consent."""
    former = grant.secrets.get(BASE_URL)
    return former.get_secret_value() if former is not None else grant.base_url


def cloud_id(integration: AnyIntegration, site_url: str) -> str:
    """Look up the id that the gateway knows a site by."""
    found = as_object(Rest(integration, site_url, RULES, auth=no_grant).get("/_edge/tenant_info")).get("cloudId")
    if not isinstance(found, str) or not found:
        raise ConfigError(
            "The site does not tell its cloud ID.",
            code="cloud_id_unknown",
            fix="Check that site is the URL of a Jira Cloud site, like https://example.atlassian.net.",
        )
    return found
