"""What a process remembers of places, links and whatever else comes and goes: forgotten when nobody asks any more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from threading import RLock
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

A_DAY_S = 24 * 3600.0
FEW = 256  # so many are not worth looking through


class Remembered(MutableMapping[K, V], Generic[K, V]):
    """A mapping that forgets what was neither set nor read for a while.

    It is looked through when it has twice as many entries as the last time, so that an entry costs little. So it holds
    at most twice what was in use lately. Safe between threads, a step at a time.
    """

    def __init__(self, monotonic: Callable[[], float], *, kept_for_s: float = A_DAY_S, few: int = FEW) -> None:
        self._monotonic = monotonic
        self._kept_for_s = kept_for_s
        self._few = self._look_at = few
        self._entries: dict[K, tuple[V, float]] = {}
        self._lock = RLock()

    def __getitem__(self, key: K) -> V:
        with self._lock:
            value, _ = self._entries[key]
            self._entries[key] = (value, self._monotonic())
            return value

    def __setitem__(self, key: K, value: V) -> None:
        with self._lock:
            self._entries[key] = (value, self._monotonic())
            if len(self._entries) > self._look_at:
                self._forget()

    def __delitem__(self, key: K) -> None:
        with self._lock:
            del self._entries[key]

    def __iter__(self) -> Iterator[K]:
        with self._lock:
            return iter(tuple(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()

    def pop(self, key: K, default: V | None = None) -> V | None:  # type: ignore[override]  # nothing is one default
        """Forget an entry; return what was remembered."""
        with self._lock:
            value, _ = self._entries.pop(key, (default, 0.0))
            return value

    def setdefault(self, key: K, default: V) -> V:
        """Return what is remembered, from now on this where there is nothing."""
        with self._lock:
            if key not in self._entries:
                self[key] = default
            return self[key]

    def _forget(self) -> None:
        over = self._monotonic() - self._kept_for_s
        self._entries = {key: entry for key, entry in self._entries.items() if entry[1] >= over}
        self._look_at = max(self._few, 2 * len(self._entries))
