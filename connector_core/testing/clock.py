"""A clock that moves only when it is told to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

BEGINNING = datetime(2026, 11, 23, 10, tzinfo=UTC)


class FrozenClock:
    """Stands at `BEGINNING` until `forward`."""

    def __init__(self, start: datetime = BEGINNING) -> None:
        self._now = start
        self._elapsed_s = 0.0

    def now(self) -> datetime:
        """Return the time it stands at."""
        return self._now

    def monotonic(self) -> float:
        """Return how many seconds it was moved in all."""
        return self._elapsed_s

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self._now += timedelta(seconds=seconds)
        self._elapsed_s += seconds

    def set_by(self, seconds: float) -> None:
        """Set the wall clock forward or back, as a person may; no time passes."""
        self._now += timedelta(seconds=seconds)
