"""How long an authorization is still good without a person, said some days before it ends."""

from __future__ import annotations

from datetime import datetime, timedelta

from connector_core.contract.models import Finding, Grant, Severity

WARNED_BEFORE = timedelta(days=14)


def ending(integration_id: str, grant: Grant | None, now: datetime) -> Finding | None:
    """Return a warning when a person has to authorize again soon; None when there is time."""
    if grant is None or grant.renewable_until is None or grant.renewable_until - now > WARNED_BEFORE:
        return None
    left = grant.renewable_until - now
    when = f"{grant.renewable_until:%Y-%m-%d}"
    days = left.days
    title = f"The authorization ends on {when}, in {days} {'day' if days == 1 else 'days'}"
    return Finding(
        code="authorization_ends",
        severity=Severity.WARNING,
        title=title if left > timedelta(0) else f"The authorization was good until {when}",
        detail="Nothing is lost when it ends: events are kept, and carried once access is authorized again.",
        fix=f"Before that: connector integrations authorize {integration_id}, or put in a new token.",
    )
