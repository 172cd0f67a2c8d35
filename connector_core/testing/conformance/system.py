"""The other side of the checks, a vendor's stand-in or a real server, and how a plugin gets a handle of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from connector_core.clock import SystemClock
from connector_core.contract.errors import PluginError
from connector_core.contract.handles import Integration
from connector_core.contract.models import (
    AuthorizationRenewal,
    AuthorizationReturn,
    AuthorizationStart,
    Grant,
    Redirect,
)
from connector_core.contract.sandboxes import Sandbox
from connector_core.http.grant_auth import GrantAuth
from connector_core.plugins import Plugin
from connector_core.testing.conformance.catcher import Catcher
from connector_core.testing.core import MemoryCore
from connector_core.testing.handle import make_integration

CALLBACK = "http://127.0.0.1:9/oauth/callback"
WEBHOOK_SECRET = "a-secret-of-the-conformance-suite"  # noqa: S105 - made up


class MovingClock(SystemClock):
    """The clock of this machine, which a check may move forward."""

    def __init__(self) -> None:
        self._ahead_s = 0.0
        self._older_s = 0.0

    def now(self) -> datetime:
        """Return the time, as far ahead as it was moved."""
        return super().now() + timedelta(seconds=self._ahead_s)

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        return super().monotonic() + self._ahead_s + self._older_s

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self._ahead_s += seconds

    def grow_older(self, seconds: float) -> None:
        """Let what is known be older, and no later: beside a system that goes by a clock of its own."""
        self._older_s += seconds


class System:
    """The other side, once for all checks of a class: the stand-in or server, and a port that catches deliveries."""

    def __init__(self, desk: Sandbox, clock: MovingClock, *, shares_clock: bool, longest_wait_s: float) -> None:
        self.desk = desk
        self.clock = clock
        self.shares_clock = shares_clock
        self.longest_wait_s = longest_wait_s
        self._catcher: Catcher | None = None
        self.grant: Grant | None = None

    @property
    def catcher(self) -> Catcher:
        """The port that deliveries are caught at; it is told to the other side when it is first asked for."""
        if self._catcher is None:
            self._catcher = Catcher()
            self.desk.register_webhook(self._catcher.url, WEBHOOK_SECRET)
        return self._catcher

    @property
    def has_catcher(self) -> bool:
        """Whether deliveries are caught."""
        return self._catcher is not None

    def stop(self) -> None:
        """End it."""
        if self._catcher is not None:
            self._catcher.stop()
        self.desk.stop()


class Caller:
    """Calls hooks of a plugin; a mutant of it tells lies here."""

    def __init__(self, plugin: Plugin, *, is_draft: bool = False) -> None:
        self.plugin = plugin
        self.is_draft = is_draft

    def call(self, hook: str, **arguments: Any) -> Any:  # noqa: ANN401 - each hook has its own types
        """Call a hook; where one of a draft is not written yet, the check is left out with what it has to do."""
        if not self.is_draft:
            return getattr(self.plugin, hook)(**arguments)
        try:
            with capture_logs():  # a traceback for each hook that is not written would take most of the time
                return getattr(self.plugin, hook)(**arguments)
        except PluginError as exc:
            if isinstance(exc.__cause__, NotImplementedError):
                pytest.skip(f"still to be written, {exc.__cause__}")
            raise


def make_system(  # noqa: PLR0913 - by keyword
    desk: Sandbox,
    clock: MovingClock,
    caller: Caller,
    *,
    shares_clock: bool,
    longest_wait_s: float = 1.0,
    settings: Mapping[str, Any] | None = None,
) -> System:
    """Return the other side, to which access was authorized as a person would, with other answers than the usual."""
    system = System(desk, clock, shares_clock=shares_clock, longest_wait_s=longest_wait_s)
    if caller.plugin.implements("authorize"):
        system.grant = _authorized(caller, make_handle(system, caller, settings or {})[2], desk)
    return system


def make_handle(
    system: System, caller: Caller, settings: Mapping[str, Any]
) -> tuple[Integration, MemoryCore, Integration]:
    """Return a handle, the core behind it, and the handle that renews its grant, whose requests carry none."""
    plugin, desk, core = caller.plugin, system.desk, MemoryCore(system.grant)
    given = {**desk.integration_settings(), **settings}
    try:
        plugin.info.settings.model_validate(given)
    except ValidationError as exc:
        if caller.is_draft:
            wrong = ", ".join(f"{error['loc'][0]} ({error['msg']})" for error in exc.errors())
            pytest.skip(f"still to be written, settings as the stand-in has them: {wrong}")
        raise
    both = [
        make_integration(
            plugin.info,
            given,
            plugin_settings=desk.plugin_settings(),
            webhook_secrets=(WEBHOOK_SECRET,),
            core=core,
            clock=system.clock,
        )
        for _ in range(2)
    ]
    handle = replace(both[0], shaping=plugin.info.shaping(both[0].settings), reads_comments=True)
    renewing = replace(handle, session=both[1].session)
    renewing.session.auth = None
    handle.session.auth = _grant_auth(caller, core, handle)

    def renewed(old: Grant) -> Grant:
        new = caller.call("authorize", integration=renewing, request=AuthorizationRenewal(grant=old))
        assert isinstance(new, Grant), "a renewal gives back a grant"
        system.grant = new
        return new

    core.renewer = renewed
    return handle, core, renewing


def _grant_auth(caller: Caller, core: MemoryCore, handle: Integration) -> GrantAuth | None:
    if not caller.plugin.implements("authorize"):
        return None
    has_word = caller.plugin.implements("is_curable")
    curable = (lambda response: bool(caller.call("is_curable", response=response))) if has_word else (lambda _: True)
    return GrantAuth(core, curable, handle.session.observe)  # type: ignore[attr-defined]  # it is ours


def _authorized(caller: Caller, handle: Integration, desk: Sandbox) -> Grant:
    start = AuthorizationStart(state="a-state-of-the-suite", callback_url=CALLBACK)
    answer = caller.call("authorize", integration=handle, request=start)
    if isinstance(answer, Redirect):
        returned = dict(parse_qsl(urlsplit(desk.approve(answer.url)).query, keep_blank_values=True))
        assert returned.get("state") == start.state, "the state comes back as it was sent"
        request = AuthorizationReturn(callback_url=CALLBACK, parameters=returned)
        answer = caller.call("authorize", integration=handle, request=request)
    assert isinstance(answer, Grant), f"authorize gave back {type(answer).__name__}"
    return answer if answer.site is not None or not answer.sites else answer.at_site(answer.sites[0])
