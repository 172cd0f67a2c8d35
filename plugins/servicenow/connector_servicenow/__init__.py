"""ServiceNow's incident table as a ticketing system: the hooks, each a thin delegation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import connector_core as core
from connector_core import hookimpl

if TYPE_CHECKING:
    from connector_servicenow.settings import ServiceNowIntegration


@hookimpl
def describe_plugin() -> core.PluginInfo:
    """Return who we are."""
    from connector_servicenow.settings import PLUGIN  # noqa: PLC0415 - nothing is loaded before it is needed

    return PLUGIN


@hookimpl
def authorize(integration: core.AnyIntegration, request: core.AuthorizationRequest) -> core.Redirect | core.Grant:
    """Start, finish or renew an authorization, in the way that was chosen."""
    from connector_servicenow import access  # noqa: PLC0415 - as above

    return access.authorize(integration, request)


@hookimpl
def configure_steps(integration: core.AnyIntegration) -> Sequence[core.SetupStep]:
    """List the steps of set-up."""
    from connector_servicenow import steps  # noqa: PLC0415 - as above

    return steps.steps(integration)


@hookimpl
def check_integration(integration: ServiceNowIntegration) -> Sequence[core.Finding]:
    """Try what the integration will need."""
    from connector_servicenow import checks  # noqa: PLC0415 - as above

    return checks.check(integration)


@hookimpl
def on_incident_event(
    integration: ServiceNowIntegration, change: core.IncidentChange
) -> core.Receipt | core.NotCreated:
    """Write a change to ServiceNow."""
    from connector_servicenow import writing  # noqa: PLC0415 - as above

    return writing.write_change(integration, change)


@hookimpl
def find_signature(request: core.InboundRequest) -> core.Signature:
    """Say who may have sent a delivery."""
    from connector_servicenow import webhook  # noqa: PLC0415 - as above

    return webhook.SCHEME.find(request)


@hookimpl
def on_inbound_webhook(integration: core.AnyIntegration, request: core.InboundRequest) -> core.Delivery | None:
    """Verify and read what our Business Rule sent."""
    from connector_servicenow import webhook  # noqa: PLC0415 - as above

    return webhook.receive(integration, request)


@hookimpl
def fetch_tickets(
    integration: ServiceNowIntegration, query: core.TicketQuery
) -> Sequence[core.TicketSnapshot | core.UnreadableTicket]:
    """Read linked tickets."""
    from connector_servicenow import reading  # noqa: PLC0415 - as above

    return reading.fetch(integration, query)


@hookimpl
def explain_absence(
    integration: ServiceNowIntegration, tickets: Sequence[core.TicketSnapshot]
) -> Mapping[str, core.Absence]:
    """Say why tickets cannot be found, as far as that can be told."""
    from connector_servicenow import reading  # noqa: PLC0415 - as above

    return reading.explain(integration, tickets)


@hookimpl
def write_comment(
    integration: ServiceNowIntegration, draft: core.CommentDraft
) -> core.WrittenComment | core.NotCreated:
    """Write a comment or a work note, or find it."""
    from connector_servicenow import journal  # noqa: PLC0415 - as above

    return journal.write(integration, draft)


@hookimpl
def fetch_comments(
    integration: ServiceNowIntegration, ticket: core.TicketSnapshot, since: datetime
) -> Sequence[core.TicketComment]:
    """Read comments and work notes."""
    from connector_servicenow import journal  # noqa: PLC0415 - as above

    return journal.fetch(integration, ticket, since)
