"""How long an authorization is still good without a person, said some days before it ends."""

from __future__ import annotations

from datetime import datetime, timedelta

from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.models import Finding, Grant, Severity

WARNED_BEFORE = timedelta(days=14)


def ending(integration_id: str, grant: Grant | None, now: datetime) -> Finding | None:
    """Return a warning when a person has to authorize again soon; None when there is time."""
    return ends_soon(integration_id, None if grant is None else grant.renewable_until, now)


def ends_soon(integration_id: str, until: datetime | None, now: datetime) -> Finding | None:
    """Return the same of an authorization that can be renewed until then; None when it does not end."""
    if until is None or until - now > WARNED_BEFORE:
        return None
    left = until - now
    when = f"{until:%Y-%m-%d}"
    days = left.days
    title = f"The authorization ends on {when}, in {days} {'day' if days == 1 else 'days'}"
    return Finding(
        code="authorization_ends",
        severity=Severity.WARNING,
        title=title if left > timedelta(0) else f"The authorization was good until {when}",
        detail="Nothing is lost when it ends: events are kept, and synced once access is authorized again.",
        fix="Authorize again before that, or put in a new token.",
        advice=Advice(Remedy.AUTHORIZE, integration_id),
    )
