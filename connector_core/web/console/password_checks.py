"""Checking passwords beside everything else: one at a time, with few waiting, on no thread that others need.

A check takes a tenth of a second and tens of megabytes on purpose. Those who come from a browser that is known wait in
a line of their own, so that a crowd of strangers does not keep them out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from connector_core.contract.errors import RetryLater

T = TypeVar("T")

MOST_WAITING = 16
AGAIN_AFTER_S = 5.0


class TooManyLogins(RetryLater):
    """As many as may wait are waiting already."""

    default_code = "too_many_logins"


class PasswordQueue:
    """One check at a time, on a thread that counts to nobody else's, and a bounded number that wait for it."""

    def __init__(self, most_waiting: int = MOST_WAITING) -> None:
        self._most_waiting = most_waiting
        self._waiting = 0
        self._one = CapacityLimiter(1)

    async def run(self, check: Callable[[], T]) -> T:
        """Run a check when its turn comes.

        Raises:
            TooManyLogins: the line is full.
        """
        if self._waiting > self._most_waiting:
            raise TooManyLogins("Too many sign-ins at the moment.", after_s=AGAIN_AFTER_S)
        self._waiting += 1
        try:
            return await run_sync(check, limiter=self._one)
        finally:
            self._waiting -= 1


class PasswordChecks:
    """The lines of those who are known and of strangers."""

    def __init__(self, most_waiting: int = MOST_WAITING) -> None:
        self._known = PasswordQueue(most_waiting)
        self._strangers = PasswordQueue(most_waiting)

    async def run(self, check: Callable[[], T], *, is_known: bool) -> T:
        """Run a check in its line.

        Raises:
            TooManyLogins: the line is full.
        """
        return await (self._known if is_known else self._strangers).run(check)
