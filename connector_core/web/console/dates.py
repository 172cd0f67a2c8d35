"""Dates in addresses of pages: whole days, in the time zone that the reader chose, or in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones


@cache
def zones() -> tuple[str, ...]:
    """Return the names of all time zones that somebody may choose: places, and UTC."""
    return ("UTC", *sorted(name for name in available_timezones() if "/" in name and not name.startswith(_NOT_PLACES)))


def zone_of(name: str) -> tzinfo:
    """Return a time zone; UTC for a name that is none here any more."""
    return ZoneInfo(name) if name in zones() and name != "UTC" else UTC


def day(text: str, zone: tzinfo = UTC) -> datetime | None:
    """Return the begin of a day; None for what is no date."""
    try:
        begin = datetime.fromisoformat(text).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=zone)
        return begin.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def end_of_day(text: str, zone: tzinfo = UTC) -> datetime | None:
    """Return the begin of the day after; None for what is no date, and after the last one."""
    try:
        begin = datetime.fromisoformat(text).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=zone)
        return (begin + timedelta(days=1)).astimezone(UTC)  # by the calendar: some days have 23 hours, or 25
    except (ValueError, OverflowError):
        return None


_NOT_PLACES = ("Etc/", "SystemV/", "posix/", "right/")
