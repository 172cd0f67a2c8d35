"""What an error means for a link: its state, a sentence, what happens next and what a person can do. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from connector_core.contract.errors import AuthError, ConnectorError, PluginError, RetryLater, TicketGone
from connector_core.engine.backoff import LONGEST_S, delay_s, is_enough
from connector_core.engine.breakers import NearLimit, Tripped
from connector_core.store import (
    Link,
    LinkState,
    LinkStatus,
    Rest,
    TimelineEntry,
    TimelineKind,
)
from connector_core.sync.asked_waits import StillAsked

FLAPPING_PAUSE_S = 300.0


class TooManyChanges(RetryLater):
    """The two sides keep changing each other, or someone changes one of them very often."""

    default_code = "too_many_changes"

    def __init__(self, changes: int) -> None:
        super().__init__(
            f"More than {changes} changes within a minute; the link rests for a while, so that no loop can build up.",
            after_s=FLAPPING_PAUSE_S,
        )


@dataclass(frozen=True)
class Failure:
    """What is written down of a failure, and how the lane is given back."""

    status: LinkStatus
    rest: Rest
    entries: tuple[TimelineEntry, ...] = ()


def names_a_wait(error: ConnectorError) -> bool:
    """Return whether the other side named a wait for one link; news ends those that we choose ourselves."""
    ours = isinstance(error, (Tripped, NearLimit, TooManyChanges))
    return isinstance(error, RetryLater) and error.after_s is not None and not ours


def failure_of(link: Link, error: ConnectorError, now: datetime, random: Random) -> Failure:
    """Return what follows from an error."""
    if isinstance(error, StillAsked):
        return Failure(link.status, Rest(due=error.due))
    tripped = error.breaker if isinstance(error, Tripped) else None
    attempts = link.status.attempts + (tripped is None and _lengthens_the_wait(link, error, now))
    next_try = _next_try(error, attempts, now, random) if tripped is None else tripped.until
    rest = Rest(due=next_try) if tripped is None else Rest(breaker=tripped.key)
    status = LinkStatus(
        state=_state_after(error),
        code=error.code,
        reason=error.message,
        fix=error.fix,
        next_try=next_try,
        attempts=attempts,
    )
    entries: tuple[TimelineEntry, ...] = ()
    if (link.status.state, link.status.code) != (status.state, status.code):
        values = {"code": error.code, "reason": error.message}
        entries = (TimelineEntry(TimelineKind(f"link_{status.state}"), "connector", now, values),)
    return Failure(status, rest, entries)


def _lengthens_the_wait(link: Link, error: ConnectorError, now: datetime) -> bool:
    """Return whether a failed try counts: not when news brought it forward, nor when the named wait is enough."""
    was_due = link.status.next_try is None or link.status.next_try <= now
    return was_due and not (isinstance(error, RetryLater) and is_enough(error.after_s, link.status.attempts))


def _next_try(error: ConnectorError, attempts: int, now: datetime, random: Random) -> datetime | None:
    if isinstance(error, RetryLater):
        return now + timedelta(seconds=delay_s(attempts - 1, error.after_s, random))
    if isinstance(error, PluginError):
        return now + timedelta(seconds=LONGEST_S)
    return None


def _state_after(error: ConnectorError) -> LinkState:
    if isinstance(error, Tripped):
        return LinkState.BLOCKED if error.breaker.needs_person else LinkState.WAITING
    if isinstance(error, TicketGone):
        return LinkState.GONE
    if isinstance(error, (AuthError, TooManyChanges)):
        return LinkState.PAUSED
    return LinkState.WAITING if isinstance(error, RetryLater) else LinkState.BLOCKED
