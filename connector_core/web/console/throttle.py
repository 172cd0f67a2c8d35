"""How often a password may be tried: a few wrong ones at once, then ever more rarely.

A try is counted when it begins: checking a password takes long, and many may be under way at once. The right password
gives it back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

from connector_core.clock import Clock

FIRST_WAIT_S = 30.0
FORGOTTEN_AFTER_S = 60 * 60.0
MOST_REMEMBERED = 10_000
_DOUBLINGS = 20


@dataclass(frozen=True)
class Limit:
    """How many tries are free, and how long the wait between two grows; it doubles with each.

    With `ends_at_success` the right password makes all wrong ones before it forgotten. Where one sender may know the
    password of a name and guess that of another, it does not.
    """

    name: str
    free_tries: int
    longest_wait_s: float
    ends_at_success: bool = True


# Somebody's guesses never keep a person out who comes from another place, least of all one with a known browser.
PER_DEVICE = Limit("device", free_tries=5, longest_wait_s=15 * 60.0)
PER_NAME_THERE = Limit("name there", free_tries=5, longest_wait_s=15 * 60.0)
PER_ADDRESS = Limit("address", free_tries=20, longest_wait_s=15 * 60.0, ends_at_success=False)
PER_NAME = Limit("name", free_tries=50, longest_wait_s=60.0, ends_at_success=False)

Key = tuple[Limit, str]


@dataclass
class _Tries:
    wrong: int = 0
    until: float = 0.0
    last: float = 0.0


class Throttle:
    """Remembers tries by key (an address, a name), in memory and for an hour."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._tries: dict[Limit, dict[str, _Tries]] = {}

    def begin(self, keys: Sequence[Key]) -> float:
        """Count a try under all its keys; return for how many seconds it has to wait instead, if it does."""
        now = self._clock.monotonic()
        with self._lock:
            known = [(limit, self._of(limit, now).get(key)) for limit, key in keys]
            wait_s = max((tries.until - now for _, tries in known if tries is not None), default=0.0)
            if wait_s > 0:
                return wait_s
            for limit, key in keys:
                self._count(limit, key, now)
        return 0.0

    def failed(self, keys: Sequence[Key]) -> None:
        """Let the wait begin now: the check may have taken long itself."""
        now = self._clock.monotonic()
        with self._lock:
            for limit, key in keys:
                if tries := self._tries[limit].get(key):
                    _start_wait(limit, tries, now)

    def take_back(self, keys: Sequence[Key]) -> None:
        """Do not count a try that was not carried out."""
        with self._lock:
            for limit, key in keys:
                self._uncount(limit, key)

    def succeeded(self, keys: Sequence[Key]) -> None:
        """Do not count a try with the right password, and forget the wrong ones before it where that is safe."""
        with self._lock:
            for limit, key in keys:
                if limit.ends_at_success:
                    self._tries[limit].pop(key, None)
                else:
                    self._uncount(limit, key)

    def _count(self, limit: Limit, key: str, now: float) -> None:
        of_limit = self._tries[limit]
        tries = of_limit.pop(key, None) or _Tries()
        of_limit[key] = tries  # at the end: those that were not touched for longest stand first
        tries.wrong += 1
        _start_wait(limit, tries, now)

    def _uncount(self, limit: Limit, key: str) -> None:
        tries = self._tries[limit].get(key)
        if tries is not None:
            tries.wrong -= 1
            tries.until = 0.0

    def _of(self, limit: Limit, now: float) -> dict[str, _Tries]:
        """Return the tries under a limit, without those that are forgotten."""
        tries = self._tries.setdefault(limit, {})
        while tries:
            oldest = next(iter(tries))
            if now - tries[oldest].last <= FORGOTTEN_AFTER_S and len(tries) < MOST_REMEMBERED:
                break
            del tries[oldest]
        return tries


def _start_wait(limit: Limit, tries: _Tries, now: float) -> None:
    tries.last = now
    if tries.wrong >= limit.free_tries:
        doublings = min(tries.wrong - limit.free_tries, _DOUBLINGS)
        tries.until = now + min(FIRST_WAIT_S * 2**doublings, limit.longest_wait_s)
