"""Atlassian's authorization server, as far as it is particular.

Every refresh gives a new refresh token and retires the old one. For ten minutes the old one is still taken (Atlassian
staff, CDAC 50348), which is what makes a lost answer curable: ask again at once, with the same token. An answer without
a refresh token leaves the old one good (CDAC 54555).
"""

from __future__ import annotations

from datetime import timedelta

from connector_core import AnyIntegration
from connector_core.kit.oauth import OAuthServer, OAuthTexts
from connector_jira_jsm import sentences
from connector_jira_jsm.api.limits import LIMITS
from connector_jira_jsm.settings import plugin_settings

SCOPES = (
    "read:jira-work",
    "write:jira-work",
    "read:servicedesk-request",
    "write:servicedesk-request",
    "read:jira-user",
    "offline_access",
)


def server(integration: AnyIntegration, more: tuple[str, ...] = ()) -> OAuthServer:
    """Return where access is authorized; `more` are scopes beside the usual ones."""
    address = plugin_settings(integration).auth_url
    return OAuthServer(
        "Atlassian",
        authorize_url=f"{address}/authorize",
        token_url=f"{address}/oauth/token",
        scopes=(*SCOPES, *more),
        needed_scopes=SCOPES,
        extra={"audience": "api.atlassian.com", "prompt": "consent"},
        asks_in_json=True,
        # By name: the status that comes with it has changed before (jira.js, tests of its OAuth errors).
        dead_names=frozenset({"unauthorized_client", "invalid_grant"}),
        client_names=frozenset({"access_denied", "invalid_client"}),
        # Atlassian, "OAuth 2.0 (3LO) apps": a refresh token ends when it is not used, and with its consent in any case.
        unused_for=timedelta(days=90),
        consent_for=timedelta(days=365),
        longest_life=timedelta(days=1),
        limits=LIMITS,
        texts=_TEXTS,
    )


_TEXTS = OAuthTexts(
    again="Authorize access to Jira again.",
    client="Copy the secret from the developer console (Settings) into plugins: jira_jsm: oauth. Nobody has to "
    "authorize again.",
    offline="Check that the consent asks for offline_access: no proxy may shorten the authorize address.",
    scopes="Add them to the app in the developer console (Permissions), then authorize access to Jira again.",
    declined=sentences.DECLINED,
    allow=sentences.BOTH_PRODUCTS,
    address="",
    dead="Jira access has expired or was revoked: under Connected apps, by a new password of the account, or because "
    "the token was used elsewhere.",
)
