"""Handles for calling hooks in a test, without store or daemon."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from pydantic import SecretStr

from connector_core.clock import Clock
from connector_core.contract.handles import Core, Integration, Source
from connector_core.contract.plugin_info import PluginInfo
from connector_core.http.grant_auth import GrantAuth
from connector_core.http.session import HTTPSession
from connector_core.testing.clock import FrozenClock
from connector_core.testing.core import MemoryCore


def make_integration(  # noqa: PLR0913 - what varies from test to test, by keyword
    info: PluginInfo,
    settings: Mapping[str, Any],
    *,
    plugin_settings: Mapping[str, Any] | None = None,
    webhook_secrets: tuple[str, ...] = (),
    core: Core | None = None,
    clock: Clock | None = None,
) -> Integration[Any, Any]:
    """Return a handle with validated settings; its session sends the grant of the core and renews it after any 401."""
    core = core or MemoryCore()
    session = HTTPSession("connector-test")
    session.auth = GrantAuth(core, lambda _: True, session.observe)
    return Integration(
        id="test",
        organization="test",
        settings=info.settings.model_validate(dict(settings)),
        answers=dict(settings),
        plugin_settings=info.plugin_settings.model_validate(dict(plugin_settings or {})),
        session=session,
        core=core,
        webhook_secrets=tuple(SecretStr(secret) for secret in webhook_secrets),
        webhook_url="http://127.0.0.1/external/test/webhook",
        clock=clock or FrozenClock(),
        log=structlog.get_logger("test"),
        cache={},
    )


def make_source(info: PluginInfo, settings: Mapping[str, Any], *, clock: Clock | None = None) -> Source[Any, Any]:
    """Return a source's handle with validated settings and an empty cache."""
    return Source(
        organization="test",
        settings=info.settings.model_validate(dict(settings)),
        plugin_settings=info.plugin_settings(),
        session=HTTPSession("connector-test"),
        clock=clock or FrozenClock(),
        log=structlog.get_logger("test"),
    )
