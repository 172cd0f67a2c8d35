"""A time of the day at which something is done by itself."""

from __future__ import annotations

import re

#: What `nightly` means, in UTC.
NIGHTLY = "03:00"
_TIME = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d")


def time_of_day(text: str) -> str | None:
    """Return a time as it is stored, empty for never; None for what is neither.

    >>> time_of_day("nightly"), time_of_day("03:30"), time_of_day("off"), time_of_day("noon")
    ('03:00', '03:30', '', None)
    >>> time_of_day("never"), time_of_day("none")
    ('', '')
    """
    told = text.strip().lower()
    if told in {"", "off", "never", "none"}:
        return ""
    if told == "nightly":
        return NIGHTLY
    return told if _TIME.fullmatch(told) else None
