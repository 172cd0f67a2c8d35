"""What headers say about rate limits: how long to wait, whether a limit is near, whom a refusal is about.

Read are `Retry-After` (RFC 9110: seconds or a date), `RateLimit` and `RateLimit-Policy` (IETF draft "RateLimit header
fields for HTTP", also its earlier `RateLimit-Limit`, `-Remaining` and `-Reset`), and what vendors had before it:
`X-RateLimit-*` and `X-Rate-Limit-*`, whose reset is a number of seconds, a moment since 1970, or a date.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from connector_core.contract.errors import Scope

_FAMILIES = ("RateLimit", "X-RateLimit", "X-Rate-Limit")
_LONGEST_HEADER = 2000
_SINCE_1970_S, _SINCE_1970_MS = 1e9, 1e11  # nobody asks for a wait of thirty years


def _of_the_site(_reason: str) -> Scope:
    return Scope.SITE


@dataclass(frozen=True)
class RateHeaders:
    """How one vendor tells of its limits.

    limits = RateHeaders(reason="RateLimit-Reason", scope_of=lambda reason: Scope.SITE)
    wait_s = limits.wait_of(response.headers, now)
    """

    #: The header that names the limit which was hit; shown in logs, and what `scope_of` gets.
    reason: str = "RateLimit-Reason"
    #: Whom a refusal is about, by the value of that header, which may be empty.
    scope_of: Callable[[str], Scope] = _of_the_site
    #: No wait is longer than this, in seconds.
    longest_wait_s: float = 3600.0
    #: A limit is near when less than this share of it is left.
    near_share: float = 0.2
    #: How many seconds to spare calls for when the answer does not say until when.
    near_wait_s: float = 60.0

    def wait_of(self, headers: Mapping[str, str], now: datetime) -> float | None:
        """Return how many seconds the other side asks us to wait, None when it does not say.

        The answer to one call too many may lack `Retry-After` and only tell the moment of the reset.
        """
        names = ("Retry-After", *(f"{family}-Reset" for family in _FAMILIES))
        told = (_seconds(headers.get(name, ""), now) for name in names)
        wait = next((one for one in told if one is not None), None)
        return None if wait is None else min(max(wait, 0.0), self.longest_wait_s)

    def near_until(self, headers: Mapping[str, str], now: datetime) -> datetime | None:
        """Return until when to spare calls because a limit is near, None when none is."""
        waits = [one.wait_s for one in self._told(headers, now) if self._is_near(one)]
        if not waits:
            return None
        longest = max(self.near_wait_s if wait is None else wait for wait in waits)
        return now + timedelta(seconds=min(max(longest, 1.0), self.longest_wait_s))

    def left(self, headers: Mapping[str, str], now: datetime) -> float | None:
        """Return the smallest share that is left of a limit, from 0 to 1; None when the answer does not say."""
        return min((one.share for one in self._told(headers, now) if one.share is not None), default=None)

    def _told(self, headers: Mapping[str, str], now: datetime) -> Iterator[_Told]:
        """Yield what is told of each limit."""
        policies = _policies(headers.get("RateLimit-Policy", ""))
        for name, values in _policies(headers.get("RateLimit", "")).items():
            quota = values.get("limit", policies.get(name, {}).get("q"))
            share = _share(values.get("r", values.get("remaining")), quota)
            yield _Told(share, values.get("t", values.get("reset")))
        for family in _FAMILIES:
            reset = _seconds(headers.get(f"{family}-Reset", ""), now)
            said = headers.get(f"{family}-NearLimit", "").strip().casefold() == "true"
            left, quota = (_number(headers.get(f"{family}-{name}", "")) for name in ("Remaining", "Limit"))
            yield _Told(_share(left, quota), reset, is_said=said)

    def _is_near(self, told: _Told) -> bool:
        return told.is_said or (told.share is not None and told.share < self.near_share)


@dataclass(frozen=True)
class _Told:
    """What an answer tells of one limit: the share that is left, when it begins anew, or that it is near."""

    share: float | None
    wait_s: float | None
    is_said: bool = False


def _share(left: float | None, quota: float | None) -> float | None:
    return min(left / quota, 1.0) if left is not None and quota else None


def _policies(header: str) -> dict[str, dict[str, float]]:
    """Read the numbers of each limit that a header tells of, by its name; a limit without one is called nothing."""
    found: dict[str, dict[str, float]] = {}
    name = ""
    for part in re.split("[,;]", header[:_LONGEST_HEADER]):
        key, is_number, value = part.partition("=")
        if not is_number:
            name = key.strip().strip('"')
        elif (number := _number(value)) is not None:
            found.setdefault(name, {})[key.strip().casefold()] = number
    return found


def _number(text: str) -> float | None:
    text = text.strip()
    return float(text) if re.fullmatch(r"[0-9]{1,12}", text) else None


def _seconds(text: str, now: datetime) -> float | None:
    """Read seconds, a moment since 1970, an HTTP date, or an ISO time that may lack seconds."""
    text = text.strip()
    try:
        number = float(text)
    except ValueError:
        pass
    else:
        if not math.isfinite(number):
            return None
        if number >= _SINCE_1970_S:
            return number / (1000 if number >= _SINCE_1970_MS else 1) - now.timestamp()
        return number
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = parse(text)
        except (ValueError, OverflowError):  # OverflowError: a year or an offset beyond what a number can be
            continue
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return (moment - now).total_seconds()
    return None
