"""Messages to send in tests."""

from __future__ import annotations

from datetime import UTC, datetime

from connector_core.notify.changes import Notice
from connector_core.notify.conditions import Kind
from connector_core.notify.messages import Writer

AT = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


def notice(kind=Kind.INTEGRATION_BLOCKED, integration="acme-desk", *, reason="The project is gone.", **fields):
    """Return a notice that is to be told."""
    return Notice(kind, AT, AT, integration, {"system": "Desk", "reason": reason}, message="msg_1", **fields)


def message(*notices, name="Acme Inc.", are_left=False):
    """Put notices into words."""
    writer = Writer("https://connector.example.com", "acme", name)
    return writer.of(notices or [notice()], message_id="msg_1", now=AT, are_left=are_left)
