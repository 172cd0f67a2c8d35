"""Jira Service Management as a ticketing system: the hooks, each a thin delegation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from connector_core import (
    Absence,
    AnyIntegration,
    AuthorizationRequest,
    CommentDraft,
    Delivery,
    FieldChange,
    FieldName,
    Finding,
    FoundTicket,
    Grant,
    HookRegistration,
    InboundRequest,
    IncidentChange,
    MarkedTicket,
    MarkedTickets,
    MarkTicket,
    NotCreated,
    PluginInfo,
    Receipt,
    Redirect,
    SetupStep,
    Signature,
    Site,
    TicketComment,
    TicketQuery,
    TicketSnapshot,
    UnreadableTicket,
    WrittenComment,
    hookimpl,
)

if TYPE_CHECKING:
    from requests import Response

    from connector_jira_jsm.settings import JiraIntegration


@hookimpl
def describe_plugin() -> PluginInfo:
    """Return who we are."""
    from connector_jira_jsm.settings import PLUGIN  # noqa: PLC0415 - nothing is loaded before it is needed

    return PLUGIN


@hookimpl
def authorize(integration: AnyIntegration, request: AuthorizationRequest) -> Redirect | Grant:
    """Start, finish or renew an authorization."""
    from connector_jira_jsm.auth import authorization  # noqa: PLC0415 - as above

    return authorization.authorize(integration, request)


@hookimpl
def is_curable(response: Response) -> bool:
    """Return whether a renewed grant may be accepted."""
    from connector_jira_jsm.api import responses  # noqa: PLC0415 - as above

    return not responses.is_scope_mismatch(response)


@hookimpl
def configure_steps(integration: AnyIntegration) -> Sequence[SetupStep]:
    """List the steps of set-up."""
    from connector_jira_jsm.setup import steps  # noqa: PLC0415 - as above

    return steps.steps(integration)


@hookimpl
def check_integration(integration: JiraIntegration) -> Sequence[Finding]:
    """Try what the integration will need."""
    from connector_jira_jsm.checks import checkup  # noqa: PLC0415 - as above

    return checkup.check(integration)


@hookimpl
def find_site(integration: AnyIntegration) -> Site | None:
    """Return what the site is called now."""
    from connector_jira_jsm.auth import sites  # noqa: PLC0415 - as above

    return sites.find(integration)


@hookimpl
def on_incident_event(integration: JiraIntegration, change: IncidentChange) -> Receipt | NotCreated:
    """Write a change to Jira."""
    from connector_jira_jsm.tickets import writing  # noqa: PLC0415 - as above

    return writing.write_change(integration, change)


@hookimpl
def find_signature(request: InboundRequest) -> Signature:
    """Say who may have sent a delivery."""
    from connector_jira_jsm.webhooks import signature  # noqa: PLC0415 - as above

    return signature.find(request)


@hookimpl
def on_inbound_webhook(integration: AnyIntegration, request: InboundRequest) -> Delivery | None:
    """Verify and read a delivery from Jira."""
    from connector_jira_jsm.webhooks import incoming  # noqa: PLC0415 - as above

    return incoming.receive(integration, request)


@hookimpl
def keep_webhook(integration: JiraIntegration, address: str, known: HookRegistration | None) -> HookRegistration | None:
    """See to it that a webhook of our own is there, if it is wanted."""
    from connector_jira_jsm.webhooks import managed  # noqa: PLC0415 - as above

    return managed.keep(integration, address, known)


@hookimpl
def drop_webhook(integration: AnyIntegration, known: HookRegistration) -> bool:
    """Remove a webhook of our own."""
    from connector_jira_jsm.webhooks import managed  # noqa: PLC0415 - as above

    return managed.drop(integration, known)


@hookimpl
def fetch_tickets(integration: JiraIntegration, query: TicketQuery) -> Sequence[TicketSnapshot | UnreadableTicket]:
    """Read linked tickets."""
    from connector_jira_jsm.tickets import reading  # noqa: PLC0415 - as above

    return reading.fetch(integration, query)


@hookimpl
def find_tickets(integration: JiraIntegration, names: Sequence[str]) -> Mapping[str, FoundTicket]:
    """Find tickets by key, ID or address."""
    from connector_jira_jsm.tickets import marks  # noqa: PLC0415 - as above

    return marks.find(integration, names)


@hookimpl
def mark_ticket(integration: JiraIntegration, mark: MarkTicket) -> MarkedTicket:
    """Mark a ticket that somebody linked."""
    from connector_jira_jsm.tickets import marks  # noqa: PLC0415 - as above

    return marks.mark(integration, mark)


@hookimpl
def list_marked(integration: JiraIntegration, cursor: str | None) -> MarkedTickets:
    """List the tickets with our mark."""
    from connector_jira_jsm.tickets import marks  # noqa: PLC0415 - as above

    return marks.listed(integration, cursor)


@hookimpl
def explain_absence(integration: JiraIntegration, tickets: Sequence[TicketSnapshot]) -> Mapping[str, Absence]:
    """Return why tickets cannot be found."""
    from connector_jira_jsm.tickets import gone  # noqa: PLC0415 - as above

    return gone.explain(integration, tickets)


@hookimpl
def check_ticket(integration: JiraIntegration, ticket: TicketSnapshot) -> Sequence[Finding]:
    """Check a ticket that was moved."""
    from connector_jira_jsm.checks import moved_tickets  # noqa: PLC0415 - as above

    return moved_tickets.check(integration, ticket)


@hookimpl
def when_changed(integration: JiraIntegration, ticket: TicketSnapshot) -> Mapping[FieldName, FieldChange]:
    """Return when fields of a ticket were last changed, and by whom."""
    from connector_jira_jsm.tickets import history  # noqa: PLC0415 - as above

    return history.when_changed(integration, ticket)


@hookimpl
def write_comment(integration: JiraIntegration, draft: CommentDraft) -> WrittenComment | NotCreated:
    """Write a comment on a ticket."""
    from connector_jira_jsm.tickets import comments  # noqa: PLC0415 - as above

    return comments.write(integration, draft)


@hookimpl
def fetch_comments(integration: JiraIntegration, ticket: TicketSnapshot, since: datetime) -> Sequence[TicketComment]:
    """Read the comments of a ticket."""
    from connector_jira_jsm.tickets import comments  # noqa: PLC0415 - as above

    return comments.fetch(integration, ticket, since)
