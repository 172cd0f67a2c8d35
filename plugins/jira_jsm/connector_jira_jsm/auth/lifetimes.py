"""How long authorizations are good, and what it means when one is refused. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta

from connector_core import AuthError, Grant
from connector_jira_jsm.auth.oauth import SCOPES

# Atlassian, "OAuth 2.0 (3LO) apps": a refresh token ends when it is not used, and with its consent in any case.
UNUSED_FOR = timedelta(days=90)
CONSENT_FOR = timedelta(days=365)

AGAIN = "Authorize access to Jira again."


def renewable_until(now: datetime, consented_at: datetime | None) -> datetime:
    """Return until when a refresh token that was given now can be used."""
    unused = now + UNUSED_FOR
    return unused if consented_at is None else min(unused, consented_at + CONSENT_FOR)


def end_of(day: str | None) -> datetime | None:
    """Return the moment at which a token that ends on a day is surely over."""
    return None if day is None else datetime.combine(date.fromisoformat(day), time.max, UTC)


def why_dead(grant: Grant, now: datetime, refused: AuthError) -> AuthError:
    """Return why a refresh token is refused, as far as its age tells: Atlassian answers all reasons alike."""
    if grant.consented_at is not None and now - grant.consented_at >= CONSENT_FOR:
        reason = f"The consent of {grant.consented_at:%Y-%m-%d} has ended after a year."
    elif grant.renewable_until is not None and now >= grant.renewable_until:
        reason = "The authorization was not used for 90 days and has ended."
    else:
        reason = (
            "Atlassian no longer accepts this authorization: access was taken back (Connected apps), the account's "
            "password was changed, or the token was used somewhere else."
        )
    return AuthError(reason, detail=refused.detail, fix=AGAIN)


def lost_scopes(before: Iterable[str], now: Iterable[str]) -> list[str]:
    """Return the scopes that we need and no longer have; nothing where an answer named none."""
    present = set(now)
    return sorted((set(before) & set(SCOPES)) - present) if present else []
