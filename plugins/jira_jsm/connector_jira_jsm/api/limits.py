"""What Jira's answers say about rate limits: whom a refusal is about, how long to wait, whether the limit is near.

Three limits run side by side (Atlassian, "Rate limiting", October 2026): points per hour for an app, a burst of calls
per second for a site, and writes per issue. `RateLimit-Reason` tells which one refused; its values are not stable.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import requests

from connector_core import Scope

LONGEST_WAIT_S = 3600.0  # the hourly quota starts anew at the top of each hour
NEAR_WAIT_S = 60.0  # how long to spare when the answer does not say until when
NEAR_SHARE = 0.2  # what `X-RateLimit-NearLimit` means by near

_REMAINING = re.compile(r";\s*r=(\d{1,12})")
_SECONDS = re.compile(r";\s*t=(\d{1,6})")
_QUOTA = re.compile(r";\s*q=(\d{1,12})")


def scope_of(reason: str) -> Scope:
    """Return whom a refusal is about; an unknown reason is taken for the site's."""
    known = reason.casefold()
    if "per-issue" in known:
        return Scope.LINK
    return Scope.APP if "global" in known else Scope.SITE


def wait_of(response: requests.Response, now: datetime) -> float | None:
    """Return how long the other side asks us to wait, None when it does not say.

    A 429 of the gateway may lack `Retry-After` and only tell the moment of the reset (Atlassian status, 2026-04-22).
    """
    after = _seconds(response.headers.get("Retry-After", ""), now)
    if after is None:
        after = _seconds(response.headers.get("X-RateLimit-Reset", ""), now)
    return None if after is None else min(max(after, 0.0), LONGEST_WAIT_S)


def near_until(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """Return until when to spare calls because the limit is near, None when it is not."""
    if not _is_near(headers):
        return None
    found = _SECONDS.search(headers.get("RateLimit", ""))
    wait = float(found[1]) if found else _seconds(headers.get("X-RateLimit-Reset", ""), now)
    return now + timedelta(seconds=min(max(NEAR_WAIT_S if wait is None else wait, 1.0), LONGEST_WAIT_S))


def _is_near(headers: Mapping[str, str]) -> bool:
    if headers.get("X-RateLimit-NearLimit", "").strip().casefold() == "true":
        return True
    remaining, quota = _number(headers, "X-RateLimit-Remaining"), _number(headers, "X-RateLimit-Limit")
    if remaining is None:
        left = _REMAINING.search(headers.get("RateLimit", ""))
        whole = _QUOTA.search(headers.get("RateLimit-Policy", ""))
        remaining, quota = (float(left[1]) if left else None), (float(whole[1]) if whole else None)
    return remaining is not None and quota is not None and quota > 0 and remaining < quota * NEAR_SHARE


def _number(headers: Mapping[str, str], name: str) -> float | None:
    text = headers.get(name, "").strip()
    return float(text) if re.fullmatch(r"[0-9]{1,12}", text) else None


def _seconds(text: str, now: datetime) -> float | None:
    """Read seconds, an HTTP date, or an ISO time that may lack seconds."""
    text = text.strip()
    try:
        number = float(text)
    except ValueError:
        pass
    else:
        return number if math.isfinite(number) else None
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = parse(text)
        except (ValueError, OverflowError):  # OverflowError: a year or an offset beyond what a number can be
            continue
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return (moment - now).total_seconds()
    return None
