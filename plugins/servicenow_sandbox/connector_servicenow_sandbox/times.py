"""Time on the instance: whole seconds, kept in UTC, shown in the reader's zone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

FORMAT = "%Y-%m-%d %H:%M:%S"


def utc_now() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)


class SandboxClock:
    """A clock that can be moved on, over one that goes by itself or stands still."""

    def __init__(self, base: Callable[[], datetime] = utc_now) -> None:
        self._base = base
        self._ahead = timedelta()

    def now(self) -> datetime:
        """Return the time on the instance."""
        return self._base() + self._ahead

    def advance(self, seconds: float) -> None:
        """Move on."""
        self._ahead += timedelta(seconds=seconds)

    def stamp(self) -> str:
        """Return the time as the database keeps it."""
        return self.now().astimezone(UTC).strftime(FORMAT)


def shown(stored: str, zone: str) -> str:
    """Turn a stored time into what somebody in a zone sees; what is no time stays as it is."""
    moment = parsed(stored, "UTC")
    return stored if moment is None else moment.astimezone(ZoneInfo(zone or "UTC")).strftime(FORMAT)


def stored(written: str, zone: str) -> str | None:
    """Turn a time that was written in a zone into what the database keeps; None when it is no time."""
    moment = parsed(written, zone)
    return None if moment is None else moment.astimezone(UTC).strftime(FORMAT)


def parsed(text: str, zone: str) -> datetime | None:
    """Read a time of a zone; a day alone is its midnight."""
    for shape in (FORMAT, "%Y-%m-%d"):
        try:
            return datetime.strptime(text, shape).replace(tzinfo=ZoneInfo(zone or "UTC"))
        except ValueError:
            continue
    return None
