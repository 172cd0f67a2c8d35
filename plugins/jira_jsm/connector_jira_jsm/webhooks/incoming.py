"""Deliveries from Jira's webhooks: what they show."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from connector_core import (
    AnyIntegration,
    Delivery,
    InboundRequest,
    TicketSnapshot,
    WebhookRejected,
    hookspecs,
    implements,
    object_of,
)
from connector_core.kit.signing import delivery_id, name_of
from connector_jira_jsm.fields import mapping
from connector_jira_jsm.fields.forms import known_priorities
from connector_jira_jsm.text import mentions
from connector_jira_jsm.tickets import history
from connector_jira_jsm.webhooks import managed, signature

IDENTIFIER = "x-atlassian-webhook-identifier"
OF_ISSUES = "jira:issue_"
KNOWN_EVENTS = (OF_ISSUES, "comment_", "worklog_", "issue_property_")
PASSED_OVER = frozenset({"comment_updated", "comment_deleted", "jira:issue_deleted"})
DELETED = "jira:issue_deleted"  # its snapshot is of before: taken at its word, the ticket would be there

_SITE_OF_SELF = re.compile(r"^(https?://[^/?#\s]+(?:/[^?#\s]*?)?)/rest/api/")


@implements(hookspecs.on_inbound_webhook)
def receive(integration: AnyIntegration, request: InboundRequest) -> Delivery | None:
    """Read a delivery that was signed for this integration; None when it was not."""
    signer = signature.SCHEME.signer(request, integration.webhook_secrets)
    if signer is None and not request.is_addressed:
        return None
    name = delivery_id(request, IDENTIFIER)
    if signer is not None and (unfollowed := _unfollowed(integration, request, name, signer)):
        return unfollowed
    body = object_of(request)
    event = _event(body.get("webhookEvent"))
    issue = body.get("issue")
    site = (_site_url(issue.get("self")) if isinstance(issue, dict) else None) or ""
    if signer is None:
        return managed.hinted(integration, name, event, body, site)
    ticket = None
    commented = _commented(event, issue, body.get("comment"))
    number = issue.get("id") if isinstance(issue, dict) and event == DELETED else None
    deleted = frozenset({name_of(str(number))}) if number and isinstance(number, str | int) else frozenset()
    hints: frozenset[str] = frozenset()
    if isinstance(issue, dict) and event != DELETED:
        names = mentions.recall(integration, _fields(issue).get("description"))
        issue = {**issue, mentions.NAMES: names}
        try:
            shown = mapping.snapshot(issue, known_priorities(integration), site or None)
        except ValueError as exc:  # pydantic's: for example a ticket without any text as its number
            raise WebhookRejected("The delivery's issue cannot be read.") from exc
        if isinstance(shown, TicketSnapshot) and names is None:  # who is mentioned is asked when the ticket is read
            hints = frozenset({shown.id})
        elif isinstance(shown, TicketSnapshot) and shown.updated is not None:
            ticket = shown
        elif isinstance(shown, TicketSnapshot) and event.startswith(OF_ISSUES):
            hints = frozenset({shown.id})  # nobody knows of when that is, so the ticket is read
    return Delivery(
        id=name,
        event=event,
        tickets=(ticket,) if ticket else (),
        deleted=deleted,
        hints=hints,
        commented=commented,
        changed_by=history.told_by(body) if ticket else {},
        signed_by=signer,
        site=site,
        ignored="" if ticket or deleted or hints else _why_ignored(event, issue),
    )


class _Fields(BaseModel):
    updated: Any = None


class _Issue(BaseModel):
    id: Any = None
    address: Any = Field(None, alias="self")
    fields: _Fields = _Fields()


class _Head(BaseModel):
    """The beginning of a delivery: of a long one the rest is passed over without being taken apart."""

    event: Any = Field(None, alias="webhookEvent")
    issue: _Issue


def _unfollowed(integration: AnyIntegration, request: InboundRequest, name: str, signer: int) -> Delivery | None:
    """Return a delivery about a ticket that nobody follows, as most of a project's are: its texts are not read.

    None for any other, and for one that has to be looked at more closely.
    """
    try:
        head = _Head.model_validate_json(request.bare)
    except ValidationError:
        return None
    number, event = mapping.id_of({"id": head.issue.id}), _event(head.event)
    if not number or integration.core.follows(number):
        return None
    shows = event.startswith(OF_ISSUES) or bool(head.issue.fields.updated)
    return Delivery(
        id=name,
        event=event,
        signed_by=signer,
        site=_site_url(head.issue.address) or "",
        ignored="" if shows else _why_ignored(event, {}),
    )


def _event(given: object) -> str:
    return name_of(given) or "unknown"


def _commented(event: str, issue: object, comment: object) -> dict[str, frozenset[str]]:
    """Return the ticket and the comment that a delivery tells of; one that was edited or deleted is no news."""
    if not isinstance(issue, dict) or not isinstance(comment, dict) or event in PASSED_OVER:
        return {}
    named = [name_of(str(one.get("id"))) for one in (issue, comment) if isinstance(one.get("id"), str | int)]
    return {named[0]: frozenset({named[1]})} if len(named) == 2 and all(named) else {}  # noqa: PLR2004 - both


def _fields(issue: object) -> Mapping[str, Any]:
    fields = issue.get("fields") if isinstance(issue, dict) else None
    return fields if isinstance(fields, dict) else {}


def _why_ignored(event: str, issue: object) -> str:
    """Return in one word why a delivery shows no ticket; of events that nobody knows only the kind is counted."""
    if not event.startswith(KNOWN_EVENTS):
        return "event_unknown"
    return "issue_thin" if isinstance(issue, dict) else "no_issue"


def _site_url(link: object) -> str | None:
    """Return the site that an issue's own address names: a delivery holds no other hint."""
    found = _SITE_OF_SELF.match(link) if isinstance(link, str) else None
    return found[1] if found and found[1].isprintable() else None
