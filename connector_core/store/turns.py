"""Turns within this process: one thread for each name, and so many names at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


class NoTurn(Exception):
    """So many others have their turn for all the time that somebody waits."""


@dataclass
class _Line:
    """Those who wait for one name, and the one whose turn it is."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    threads: int = 0


class Turns:
    """Gives turns by name; what is held in one costs something of which there is not much, such as a connection."""

    def __init__(self, most: int) -> None:
        self._room = threading.Semaphore(most)
        self._lines: dict[str, _Line] = {}
        self._lock = threading.Lock()

    @contextmanager
    def of(self, name: str, patience_s: float) -> Iterator[None]:
        """Run a block in which no other thread has the turn of a name.

        Raises:
            NoTurn: so many other names have theirs for all that time.
        """
        with self._lock:
            line = self._lines.setdefault(name, _Line())
            line.threads += 1
        try:
            with line.lock:
                if not self._room.acquire(timeout=patience_s):
                    raise NoTurn(f"no turn for {name} within {patience_s:.0f} s")
                try:
                    yield
                finally:
                    self._room.release()
        finally:
            with self._lock:
                line.threads -= 1
                if not line.threads:
                    del self._lines[name]
