"""Handles for the plugin's tests: a stopped clock, a grant that is kept in memory, a session that sends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
import structlog
from pydantic import SecretStr
from requests.auth import AuthBase

from connector_core import AuthorizationRenewal, Grant, Integration, Site
from connector_core.http.session import HTTPSession
from connector_core.testing import FrozenClock
from connector_jira_jsm.auth.authorization import authorize
from connector_jira_jsm.settings import JiraSettings, OAuthApp, PluginSettings

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SITE = Site(id="cloud-1", name="example", url="https://example.test")


@dataclass
class Keeper(AuthBase):
    """Keeps a grant as the core does, and counts how often it was renewed."""

    grant: Grant | None
    renewals: int = 0
    renewer: Callable[[Grant], Grant] = field(default=lambda grant: grant)

    def current(self) -> Grant | None:
        """Return the present grant."""
        return self.grant

    def renew(self, refused: Grant) -> Grant:
        """Renew the grant unless that was done since."""
        if self.grant == refused:
            self.renewals += 1
            self.grant = self.renewer(refused)
        assert self.grant is not None
        return self.grant

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Send the present grant along."""
        assert self.grant is not None
        for name, secret in self.grant.headers.items():
            request.headers[name] = secret.get_secret_value()
        return request


def oauth_grant(access: str = "access-1", refresh: str = "refresh-1", site: Site | None = SITE) -> Grant:
    """Make a grant as a consent would."""
    return Grant(
        headers={"Authorization": SecretStr(f"Bearer {access}")},
        secrets={"refresh_token": SecretStr(refresh)},
        expires_at=NOW + timedelta(hours=1),
        account_id="acc-1",
        site=site,
        sites=(SITE,),
    )


def build(
    *,
    settings: JiraSettings | None = None,
    answers: Mapping[str, Any] | None = None,
    plugin_settings: PluginSettings | None = None,
    grant: Grant | None = None,
    secrets: tuple[str, ...] = (),
    clock: FrozenClock | None = None,
) -> tuple[Integration, Keeper]:
    """Build the handle of an integration, and the keeper of its grant."""
    keeper = Keeper(grant)
    session = HTTPSession("connector-tests/1")
    session.auth = keeper
    integration = Integration(
        id="helpdesk",
        organization="acme",
        settings=settings,
        answers=dict(answers or {}),
        plugin_settings=plugin_settings
        or PluginSettings(oauth=OAuthApp(client_id="app", client_secret=SecretStr("app-secret"))),
        session=session,
        grant=keeper.current,
        renew=keeper.renew,
        webhook_secrets=tuple(SecretStr(secret) for secret in secrets),
        webhook_url="https://connector.example.test/webhooks/jira",
        clock=clock or FrozenClock(NOW),
        log=structlog.get_logger(),
        cache={},
    )

    def renew(old: Grant) -> Grant:
        new = authorize(integration, AuthorizationRenewal(grant=old))
        assert isinstance(new, Grant)
        return new

    keeper.renewer = renew
    return integration, keeper


SETTINGS = JiraSettings(service_desk="10", request_type="25", close_status="10002")
