"""How long a stop may take: the time runs from the signal, and what has not ended by then is left behind.

Each part that is stopped waits for something: a call, the database, a client. When a server is down, or hangs, their
waits add up to more than anybody allows, and whoever supervises the process would kill it at some time of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from time import monotonic


class StopDeadline:
    """Counts from `begin`; `leave` is called, by a thread of its own, when the process is still there at the end."""

    def __init__(self, within_s: float, leave: Callable[[], None]) -> None:
        self._within_s = within_s
        self._leave = leave
        self._until: float | None = None
        self._begun: SimpleQueue[None] = SimpleQueue()
        self._ended: SimpleQueue[None] = SimpleQueue()
        self._thread = threading.Thread(target=self._watch, name="stop-deadline", daemon=True)
        self._thread.start()

    def begin(self) -> None:
        """Let the time run; only the first time counts. A handler of signals may call it, which must take no lock."""
        if self._until is None:
            self._until = monotonic() + self._within_s
            self._begun.put(None)

    def left_s(self) -> float:
        """Return how long it may still take."""
        return self._within_s if self._until is None else max(self._until - monotonic(), 0.0)

    def end(self) -> None:
        """Leave nothing: all has been stopped."""
        self._ended.put(None)
        self._begun.put(None)

    def _watch(self) -> None:
        self._begun.get()
        try:
            self._ended.get(timeout=self.left_s())
        except Empty:
            self._leave()
