"""Deliveries from Jira's webhooks: who signed them, and what they show."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import SecretStr

from connector_core import Delivery, InboundRequest, Integration, TicketSnapshot, WebhookRejected, object_of
from connector_jira_jsm.fields import mapping
from connector_jira_jsm.fields.forms import known_priorities
from connector_jira_jsm.text import mentions
from connector_jira_jsm.tickets import history
from connector_jira_jsm.webhooks import managed

SIGNATURE = "x-hub-signature"
IDENTIFIER = "x-atlassian-webhook-identifier"
OF_ISSUES = "jira:issue_"
KNOWN_EVENTS = (OF_ISSUES, "comment_", "worklog_", "issue_property_")
PASSED_OVER = frozenset({"comment_updated", "comment_deleted", "jira:issue_deleted"})
DELETED = "jira:issue_deleted"  # its snapshot is of before: taken at its word, the ticket would be there

_PREFIX = "sha256="
_LONGEST_NAME = 200
_SITE_OF_SELF = re.compile(r"^(https?://[^/?#\s]+(?:/[^?#\s]*?)?)/rest/api/")


def receive(integration: Integration, request: InboundRequest) -> Delivery | None:
    """Read a delivery that was signed for this integration; None when it was not."""
    signer = signed_by(integration.webhook_secrets, request.headers, *request.signable)
    if signer is None and not request.is_addressed:
        if any(secret.get_secret_value() for secret in integration.webhook_secrets) and not _given(request.headers):
            raise WebhookRejected(
                "The delivery has no signature.", status=403, reply="forbidden", code="signature_missing"
            )
        return None
    body = object_of(request)
    name = _name(request.headers.get(IDENTIFIER)) or f"sha256:{hashlib.sha256(request.body).hexdigest()}"
    event = _name(body.get("webhookEvent")) or "unknown"
    issue = body.get("issue")
    site = (_site_url(issue) if isinstance(issue, dict) else None) or ""
    if signer is None:
        return managed.hinted(integration, name, event, body, site)
    ticket = None
    commented = _commented(event, issue, body.get("comment"))
    number = issue.get("id") if isinstance(issue, dict) and event == DELETED else None
    deleted = frozenset({_name(str(number))}) if number and isinstance(number, str | int) else frozenset()
    hints: frozenset[str] = frozenset()
    if isinstance(issue, dict) and event != DELETED:
        names = mentions.recall(integration, _description(issue))
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


def _commented(event: str, issue: object, comment: object) -> dict[str, frozenset[str]]:
    """Return the ticket and the comment that a delivery tells of; one that was edited or deleted is no news."""
    if not isinstance(issue, dict) or not isinstance(comment, dict) or event in PASSED_OVER:
        return {}
    named = [_name(str(one.get("id"))) for one in (issue, comment) if isinstance(one.get("id"), str | int)]
    return {named[0]: frozenset({named[1]})} if len(named) == 2 and all(named) else {}  # noqa: PLR2004 - both


def _description(issue: Mapping[str, Any]) -> object:
    fields = issue.get("fields")
    return fields.get("description") if isinstance(fields, dict) else None


def is_signed(secrets: Iterable[SecretStr], headers: Mapping[str, str], body: bytes) -> bool:
    """Return whether one of the secrets signed exactly these bytes. Without a secret nothing is authentic."""
    return signed_by(secrets, headers, body) is not None


def signed_by(secrets: Iterable[SecretStr], headers: Mapping[str, str], *forms: bytes) -> int | None:
    """Return which secret signed one of these forms; all are tried, so that the time it takes tells nothing."""
    given = _given(headers)
    keys = [secret.get_secret_value().encode("utf-8", "replace") for secret in secrets]
    matches = [
        bool(key) and any([hmac.compare_digest(_signature(key, form), given) for form in forms])  # noqa: C419 - a generator would stop early
        for key in keys
    ]
    return matches.index(True) if True in matches else None


def _given(headers: Mapping[str, str]) -> bytes:
    """Return the signature that was sent; relays differ in the letters that they write it in."""
    return headers.get(SIGNATURE, "").encode("utf-8", "replace").lower()


def _why_ignored(event: str, issue: object) -> str:
    """Return in one word why a delivery shows no ticket; of events that nobody knows only the kind is counted."""
    if not event.startswith(KNOWN_EVENTS):
        return "event_unknown"
    return "issue_thin" if isinstance(issue, dict) else "no_issue"


def _signature(key: bytes, body: bytes) -> bytes:
    return (_PREFIX + hmac.digest(key, body, "sha256").hex()).encode("ascii")


def _name(value: object) -> str:
    """Return a stranger's word for something, printable and of bounded length."""
    if not isinstance(value, str):
        return ""
    return "".join(c for c in value if c.isprintable())[:_LONGEST_NAME].strip()


def _site_url(issue: Mapping[str, Any]) -> str | None:
    """Return the site that the issue's own address names: a delivery holds no other hint."""
    link = issue.get("self")
    found = _SITE_OF_SELF.match(link) if isinstance(link, str) else None
    return found[1] if found and found[1].isprintable() else None
