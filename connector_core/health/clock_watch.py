"""Notices that this machine's clock was set, so that nothing waits for an hour that comes twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.contract.errors import RetryLater
from connector_core.loops import Loop
from connector_core.store.life import Life

LOOK_EVERY_S = 1.0
TOLERATED_S = 5.0
#: What others have told is surely seen here too after so many looks: the clock is heard of each second.
SEEN_AFTER_LOOKS = 60


@dataclass
class ClockWatch:
    """Compares the clock with one that nobody sets; `after` is called when what was planned has been moved along.

    Several nodes see the same step of their server's clock, each when it hears of it, and some much later: whoever
    hung or was cut off. So each remembers how far the clock had been set in all when it looked, and the first that
    tells of a step adds it to that sum: the others find it there.
    """

    life: Life
    clock: Clock
    log: FilteringBoundLogger
    after: Sequence[Callable[[], None]]
    #: Whether nobody else watches the same clock.
    is_alone: bool = True
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ahead_s: float = field(init=False)
    #: By how much the clock was set in all, as far as this node has seen, and as the database had it some looks ago.
    _seen_s: float | None = field(init=False, default=None)
    _told_s: float | None = field(init=False, default=None)
    _quiet_looks: int = field(init=False, default=0)
    _to_tell: list[Callable[[], None]] = field(default_factory=list)
    loop: Loop = field(init=False)

    def __post_init__(self) -> None:
        self._ahead_s = self._ahead()
        if not self.is_alone:
            self._seen_s = self._told_s = self.life.clock_set_by_s()
        self.loop = Loop("clock-watch", self._look, first_s=LOOK_EVERY_S, monotonic=self.clock.monotonic)

    def start(self) -> None:
        """Begin to look."""
        self.loop.start()

    def stop(self) -> None:
        """End."""
        self.loop.stop()

    def look(self) -> None:
        """Compare once, and act if the clock was set; whom that could not be told is told by the next look."""
        with self._lock:
            ahead_s = self._ahead()
            by_s = ahead_s - self._ahead_s
            if abs(by_s) > TOLERATED_S:
                self.log.warning("clock_was_set", by_s=round(by_s))
                self._follow(by_s)
                self._to_tell = list(self.after)
            elif not self.is_alone:
                self._settle()
            self._ahead_s = ahead_s
            self._tell()

    def _follow(self, by_s: float) -> None:
        in_all_s = self.life.clock_was_set(by_s, self.clock.now(), self._seen_s)
        if not self.is_alone:
            self._seen_s = self._told_s = in_all_s
            self._quiet_looks = 0

    def _settle(self) -> None:
        """Take over what others told so long ago that it cannot be news here: it was before this node began."""
        self._quiet_looks += 1
        if self._quiet_looks > SEEN_AFTER_LOOKS:
            self._seen_s, self._told_s = self._told_s, self.life.clock_set_by_s()
            self._quiet_looks = 0

    def _tell(self) -> None:
        """Tell everyone, also when one of them fails."""
        failed: list[Exception] = []
        for act in list(self._to_tell):
            try:
                act()
            except Exception as exc:  # noqa: BLE001 - raised below, once the others know
                failed.append(exc)
            else:
                self._to_tell.remove(act)
        if failed:
            raise failed[0]

    def _ahead(self) -> float:
        return self.clock.now().timestamp() - self.clock.monotonic()

    def _look(self) -> float:
        try:
            self.look()
        except RetryLater as exc:
            self.log.warning("clock_not_followed", code=exc.code, detail=exc.detail)
        return LOOK_EVERY_S
