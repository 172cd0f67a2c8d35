"""How often a password may be tried: a few wrong ones at once, then ever more rarely."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

from connector_core.clock import Clock

FREE_TRIES = 5
FIRST_WAIT_S = 5.0
LONGEST_WAIT_S = 15 * 60.0
FORGOTTEN_AFTER_S = 60 * 60.0
MOST_REMEMBERED = 10_000


@dataclass
class _Tries:
    wrong: int = 0
    until: float = 0.0
    last: float = 0.0


class Throttle:
    """Remembers wrong passwords by key (an address, a name), in memory and for an hour."""

    def __init__(self, clock: Clock, *, free_tries: int = FREE_TRIES, longest_wait_s: float = LONGEST_WAIT_S) -> None:
        self._clock = clock
        self._free_tries = free_tries
        self._longest_wait_s = longest_wait_s
        self._lock = Lock()
        self._tries: dict[str, _Tries] = {}

    def wait_s(self, key: str) -> float:
        """Return for how many seconds a key may not try again."""
        now = self._clock.monotonic()
        with self._lock:
            return max(0.0, self._tries[key].until - now) if key in self._tries else 0.0

    def failed(self, key: str) -> None:
        """Count a wrong password."""
        now = self._clock.monotonic()
        with self._lock:
            self._forget(now)
            tries = self._tries.setdefault(key, _Tries())
            tries.wrong += 1
            tries.last = now
            if tries.wrong >= self._free_tries:
                doubled = FIRST_WAIT_S * 2 ** min(tries.wrong - self._free_tries, 20)
                tries.until = now + min(doubled, self._longest_wait_s)

    def succeeded(self, key: str) -> None:
        """Forget the wrong passwords before the right one."""
        with self._lock:
            self._tries.pop(key, None)

    def _forget(self, now: float) -> None:
        stale = [key for key, tries in self._tries.items() if now - tries.last > FORGOTTEN_AFTER_S]
        if len(self._tries) > MOST_REMEMBERED:
            stale = list(self._tries)[: MOST_REMEMBERED // 2]
        for key in stale:
            del self._tries[key]
