"""The clock that is handed to whatever needs the time, so that tests can stop it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Wall-clock time for people and records, monotonic time for durations."""

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        return time.monotonic()


class SharedClock:
    """The clock of a server that several machines share: what it said last, and the time that passed here since.

    So all of them have one time, whatever their own clocks say. Seconds go on while the machine sleeps, where it can
    tell.
    """

    def __init__(self) -> None:
        self._said = (datetime.now(UTC), steady())

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""
        at, since = self._said
        return at + timedelta(seconds=self.monotonic() - since)

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        return steady()

    def heard(self, said: datetime, asked: float, answered: float) -> None:
        """Take over what the server said to a question that was asked and answered at two times of `monotonic`.

        It said so at some time between the two: a clock that may have been right by then goes on as it is.
        """
        at, since = self._said
        middle, half_s = (asked + answered) / 2, (answered - asked) / 2
        shown = at + timedelta(seconds=middle - since)
        if abs((shown - said).total_seconds()) > half_s:
            self._said = (said, middle)


def steady() -> float:
    """Return seconds that never run backwards and go on while the machine sleeps, where it can tell."""
    return time.clock_gettime(_STEADY)


_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
