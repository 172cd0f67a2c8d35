"""For how long somebody waits for all calls of one thing together: a check that a person looks at, for one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic

from connector_core.contract.errors import RetryLater, Scope

_UNTIL: ContextVar[float | None] = ContextVar("until", default=None)
_ATTEMPTS = 2  # of a call that only reads, see `session.py`


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Have all calls of this thread together take no longer than so many seconds; the next one is refused then."""
    token = _UNTIL.set(monotonic() + seconds)
    try:
        yield
    finally:
        _UNTIL.reset(token)


def timeouts(connect_s: float, read_s: float) -> tuple[float, float]:
    """Return how long a call may wait, in seconds, for a connection and for an answer.

    Raises:
        RetryLater: there is no time left.
    """
    until = _UNTIL.get()
    if until is None:
        return connect_s, read_s
    left_s = until - monotonic()
    if left_s <= 0:
        raise RetryLater("The other side did not answer in time.", code="check_too_long", scope=Scope.LINK)
    return min(connect_s, left_s / _ATTEMPTS), min(read_s, left_s / _ATTEMPTS)
