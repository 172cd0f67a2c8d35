"""Request Tracker as a ticketing system: the hooks, each a thin delegation; nothing is loaded before it is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import connector_core as core
from connector_core import hookimpl

if TYPE_CHECKING:
    from connector_request_tracker.settings import AnyTracker, Tracker


@hookimpl
def describe_plugin() -> core.PluginInfo:
    """Return who we are."""
    from connector_request_tracker.settings import PLUGIN  # noqa: PLC0415 - as the module says

    return PLUGIN


@hookimpl
def authorize(integration: AnyTracker, request: core.AuthorizationRequest) -> core.Grant:  # noqa: ARG001 - all the same
    """Prove the token of the answers, and say whose it is."""
    from connector_request_tracker import setup  # noqa: PLC0415 - as above

    return setup.authorize(integration)


@hookimpl
def configure_steps(integration: AnyTracker) -> Sequence[core.SetupStep]:
    """List the steps of set-up."""
    from connector_request_tracker import setup  # noqa: PLC0415 - as above

    return setup.steps(integration)


@hookimpl
def check_integration(integration: Tracker) -> Sequence[core.Finding]:
    """Try what the integration will need."""
    from connector_request_tracker import checks  # noqa: PLC0415 - as above

    return checks.check(integration)


@hookimpl
def on_incident_event(integration: Tracker, change: core.IncidentChange) -> core.Receipt | core.NotCreated:
    """Write a change to its ticket."""
    from connector_request_tracker import writing  # noqa: PLC0415 - as above

    return writing.write_change(integration, change)


@hookimpl
def find_signature(request: core.InboundRequest) -> core.Signature:
    """Say who may have sent a delivery."""
    from connector_request_tracker import webhook  # noqa: PLC0415 - as above

    return webhook.SCHEME.find(request)


@hookimpl
def on_inbound_webhook(integration: AnyTracker, request: core.InboundRequest) -> core.Delivery | None:
    """Verify and read a delivery of our Scrip."""
    from connector_request_tracker import webhook  # noqa: PLC0415 - as above

    return webhook.receive(integration, request)


@hookimpl
def fetch_tickets(
    integration: Tracker, query: core.TicketQuery
) -> Sequence[core.TicketSnapshot | core.UnreadableTicket]:
    """Read linked tickets."""
    from connector_request_tracker import tickets  # noqa: PLC0415 - as above

    return tickets.fetch(integration, query)


@hookimpl
def explain_absence(integration: Tracker, tickets: Sequence[core.TicketSnapshot]) -> Mapping[str, core.Absence]:
    """Return why tickets cannot be found."""
    from connector_request_tracker import tickets as reading  # noqa: PLC0415 - as above

    return reading.explain(integration, tickets)


@hookimpl
def write_comment(integration: Tracker, draft: core.CommentDraft) -> core.WrittenComment | core.NotCreated:
    """Write a comment on a ticket, or look for one."""
    from connector_request_tracker import comments  # noqa: PLC0415 - as above

    return comments.write(integration, draft)


@hookimpl
def fetch_comments(integration: Tracker, ticket: core.TicketSnapshot, since: datetime) -> Sequence[core.TicketComment]:
    """Read the comments of a ticket."""
    from connector_request_tracker import comments  # noqa: PLC0415 - as above

    return comments.fetch(integration, ticket, since)
