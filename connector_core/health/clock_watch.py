"""Notices that this machine's clock was set, so that nothing waits for an hour that comes twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.contract.errors import RetryLater
from connector_core.store.life import Life

LOOK_EVERY_S = 1.0
TOLERATED_S = 5.0


@dataclass
class ClockWatch:
    """Compares the clock with one that nobody sets; `after` is called when what was planned has been moved along."""

    life: Life
    clock: Clock
    log: FilteringBoundLogger
    after: Sequence[Callable[[], None]]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ahead_s: float = field(init=False)
    _ending: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __post_init__(self) -> None:
        self._ahead_s = self._ahead()

    def start(self) -> None:
        """Begin to look."""
        self._thread = threading.Thread(target=self._run, name="clock-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()

    def look(self) -> None:
        """Compare once, and act if the clock was set."""
        with self._lock:
            ahead_s = self._ahead()
            by_s = ahead_s - self._ahead_s
            if abs(by_s) > TOLERATED_S:
                self.log.warning("clock_was_set", by_s=round(by_s))
                self.life.clock_was_set(by_s, self.clock.now())
                for act in self.after:
                    act()
            self._ahead_s = ahead_s

    def _ahead(self) -> float:
        return self.clock.now().timestamp() - self.clock.monotonic()

    def _run(self) -> None:
        while not self._ending.wait(LOOK_EVERY_S):
            try:
                self.look()
            except RetryLater as exc:
                self.log.warning("clock_not_followed", code=exc.code, detail=exc.detail)
