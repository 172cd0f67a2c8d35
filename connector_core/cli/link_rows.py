"""How one link is shown in a listing."""

from __future__ import annotations

from typing import Any

from connector_core.store import Link
from connector_core.words.advice import advice_on, for_terminal


def fix_in_terminal(link: Link) -> str:
    """Return what to do about a link, elsewhere and by which command."""
    return f"{link.status.fix} {for_terminal(advice_on(link))}".strip()


def row(link: Link) -> dict[str, Any]:
    """Return a link as a row."""
    return {
        "link": link.id,
        "organization": link.organization,
        "integration": link.integration_id,
        "incident": link.incident_id,
        "ticket": link.ticket.key if link.ticket else None,
        "title": link.incident.title,
        "state": link.status.state.value,
        "code": link.status.code,
        "since": link.status.since,
        "next_try": link.status.next_try,
    }
