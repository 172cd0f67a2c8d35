"""Xyte as an incident source: the hooks, each a thin delegation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from connector_core import (
    Finding,
    InboundRequest,
    IncidentUpdate,
    PluginInfo,
    Poll,
    Push,
    SetupStep,
    UpdateOutcome,
    WebhookRejected,
    hookimpl,
    read_signed_events,
)

if TYPE_CHECKING:
    from connector_xyte.settings import AnyXyteSource, XyteSource


@hookimpl
def describe_plugin() -> PluginInfo:
    """Return who we are."""
    from connector_xyte.settings import PLUGIN  # noqa: PLC0415 - nothing is loaded before it is needed

    return PLUGIN


@hookimpl
def poll_incidents(source: XyteSource, cursor: str | None, active_since: datetime) -> Poll:
    """Look what changed since a cursor."""
    from connector_xyte import polling  # noqa: PLC0415 - as above

    return polling.poll(source, cursor, active_since)


@hookimpl
def configure_source(source: AnyXyteSource) -> Sequence[SetupStep]:
    """List the steps of set-up."""
    from connector_xyte import steps  # noqa: PLC0415 - as above

    return steps.steps(source)


@hookimpl
def check_source(source: XyteSource) -> Sequence[Finding]:
    """Try what the source needs."""
    from connector_xyte import checks  # noqa: PLC0415 - as above

    return checks.check(source)


@hookimpl
def on_source_push(source: XyteSource, request: InboundRequest) -> Push:
    """Take signed events of a gateway, if there is one."""
    if source.settings.push_secret is None:
        raise WebhookRejected("No push_secret is set for this source.", status=404, reply="not found")
    return read_signed_events(source.settings.push_secret, request)


@hookimpl
def apply_change(source: XyteSource, update: IncidentUpdate) -> UpdateOutcome:
    """Write a change to Xyte, as far as it can be told."""
    from connector_xyte import changing  # noqa: PLC0415 - as above

    return changing.apply(source, update)
