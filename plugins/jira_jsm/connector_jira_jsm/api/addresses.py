"""Where Jira is reached with a grant: through Atlassian's gateway, or at the site itself."""

from __future__ import annotations

from urllib.parse import quote

from connector_core import AuthError, ConfigError, Grant, Integration, no_grant
from connector_jira_jsm.api.bodies import object_of
from connector_jira_jsm.api.responses import Subject, read
from connector_jira_jsm.settings import plugin_settings

BASE_URL = "base_url"  # the secret in which grants made from an API token once kept what `Grant.base_url` says


def base_url(integration: Integration, grant: Grant) -> str:
    """Return where a grant is good: the gateway for OAuth and scoped tokens, the site itself for other tokens."""
    if own := own_address(grant):
        return own
    if grant.site is None:
        raise AuthError("No Jira site was chosen yet.", code="site_not_chosen", fix="Authorize and choose a site.")
    return gateway(integration, grant.site.id)


def gateway(integration: Integration, site_id: str) -> str:
    """Return where Atlassian's gateway has a site; whoever gets an answer there was let in at that site."""
    return f"{plugin_settings(integration).api_url}/ex/jira/{segment(site_id)}"


def own_address(grant: Grant) -> str:
    """Return the one address where a grant made from an API token is good; none for that of a consent."""
    former = grant.secrets.get(BASE_URL)
    return former.get_secret_value() if former is not None else grant.base_url


def cloud_id(integration: Integration, site_url: str) -> str:
    """Look up the id that the gateway knows a site by."""
    response = integration.session.request("GET", f"{site_url}/_edge/tenant_info", auth=no_grant)
    found = object_of(read(response, Subject.SETUP, integration.clock.now())).get("cloudId")
    if not isinstance(found, str) or not found:
        raise ConfigError(
            "The site does not tell its cloud ID.",
            code="cloud_id_unknown",
            detail=str(response.status_code),
            fix="Check that site is the URL of a Jira Cloud site, like https://example.atlassian.net.",
        )
    return found


def segment(value: str) -> str:
    """Make one path segment of a value, whatever it holds."""
    return quote(value, safe="")
