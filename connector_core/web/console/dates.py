"""Dates in addresses of pages: whole days in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def day(text: str) -> datetime | None:
    """Return the begin of a day; None for what is no date."""
    try:
        return datetime.fromisoformat(text).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=UTC)
    except ValueError:
        return None


def end_of_day(text: str) -> datetime | None:
    """Return the begin of the day after; None for what is no date, and after the last one."""
    begin = day(text)
    try:
        return None if begin is None else begin + timedelta(days=1)
    except OverflowError:
        return None
