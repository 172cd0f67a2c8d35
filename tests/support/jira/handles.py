"""Handles for the plugin's tests: a stopped clock, a core in memory, a session that sends its grant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from pydantic import SecretStr

from connector_core import AuthorizationRenewal, Grant, Integration, Site
from connector_core.http.grant_auth import GrantAuth
from connector_core.http.session import HTTPSession
from connector_core.testing import FrozenClock, MemoryCore
from connector_jira_jsm import is_curable
from connector_jira_jsm.auth.authorization import authorize
from connector_jira_jsm.settings import JiraSettings, OAuthApp, PluginSettings

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SITE = Site(id="cloud-1", name="example", url="https://example.test")


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
) -> tuple[Integration[Any, Any], MemoryCore]:
    """Build the handle of an integration, and the core behind it, that has the grant renewed as the real one does."""
    core = MemoryCore(grant)
    renewing = Integration(
        id="helpdesk",
        organization="acme",
        settings=settings,
        answers=dict(answers or {}),
        plugin_settings=plugin_settings
        or PluginSettings(oauth=OAuthApp(client_id="app", client_secret=SecretStr("app-secret"))),
        session=HTTPSession("connector-tests/1"),
        core=core,
        webhook_secrets=tuple(SecretStr(secret) for secret in secrets),
        webhook_url="https://connector.example.test/webhooks/jira",
        clock=clock or FrozenClock(NOW),
        log=structlog.get_logger(),
        cache={},
    )

    def renewer(old: Grant) -> Grant:
        new = authorize(renewing, AuthorizationRenewal(grant=old))
        assert isinstance(new, Grant)
        return new

    core.renewer = renewer
    session = HTTPSession("connector-tests/1")
    session.auth = GrantAuth(core, is_curable, session.observe)
    return replace(renewing, session=session), core


SETTINGS = JiraSettings(service_desk="10", request_type="25", close_status="10002")
