"""Calls that come round again for each of many names: whose turn it is. Each site has a share of the threads.

    polls = Rounds("polls", crew, poll, monotonic=clock.monotonic)
    polls.follow({"acme": 30.0})  # `poll("acme")` now, and then every 30 seconds
    polls.start()

A turn costs some dozens of bytes while it waits, so that ten thousand can.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from zlib import crc32

from connector_core.loops import Loop, Watched
from connector_core.shares import SharedCrew

#: The part of an interval that is no time to wait.
_NEAR = 0.01
#: The first turns of many are so far apart.
APART_S = 0.01


@dataclass(slots=True)
class _Turn:
    """When one name is next; `number` tells the present plan from a former one in the heap."""

    every_s: float
    anchor: float
    due: float
    number: int = 0
    is_running: bool = False
    is_wanted_again: bool = False


class Rounds:
    """Calls `act` with a name whenever its turn has come, never twice at once.

    `act` may return after how many seconds it wants to be called again; else that is as `follow` said, and each name
    keeps to its own moment within that time, so that many do not come together.
    """

    def __init__(  # noqa: PLR0913 - its parts, by keyword
        self,
        name: str,
        crew: SharedCrew,
        act: Callable[[str], float | None],
        *,
        monotonic: Callable[[], float],
        apart_s: float = APART_S,
        site_of: Callable[[str], str] = str,
    ) -> None:
        self._crew = crew
        self._site_of = site_of
        self._act = act
        self._monotonic = monotonic
        self._apart_s = apart_s
        self._lock = threading.Lock()
        self._turns: dict[str, _Turn] = {}
        self._heap: list[tuple[float, int, str]] = []
        self._numbers = 0
        self._loop = Loop(name, self.step, monotonic=monotonic)

    @property
    def loops(self) -> Sequence[Watched]:
        """The thread that hands out turns."""
        return (self._loop,)

    def start(self) -> None:
        """Begin."""
        self._loop.start()

    def stop(self) -> None:
        """Hand out no further turn."""
        self._loop.end()

    def follow(self, wanted: Mapping[str, float]) -> None:
        """Call for these names from now on, each after so many seconds again and again, and for no others."""
        now = self._monotonic()
        with self._lock:
            for name in self._turns.keys() - wanted.keys():
                del self._turns[name]
            new = sorted(wanted.keys() - self._turns.keys(), key=_share)
            for number, name in enumerate(new):
                anchor = now + _share(name) * wanted[name]
                first = now + min(number * self._apart_s, _share(name) * wanted[name])
                self._turns[name] = _Turn(wanted[name], anchor, first)
                self._plan(name, first)
            for name, every_s in wanted.items():
                if self._turns[name].every_s != every_s:
                    self._turns[name].every_s = every_s
                    self._turns[name].anchor = now + _share(name) * every_s
                    self._bring_forward(name, now + every_s)
        self._loop.wake()

    def hurry(self, names: Iterable[str] | None = None) -> None:
        """Call soon for these names, or for all; one that is being called for is called for once more."""
        now = self._monotonic()
        with self._lock:
            for number, name in enumerate(self._turns if names is None else names):
                if name in self._turns:
                    self._turns[name].is_wanted_again = True
                    self._bring_forward(name, now + number * self._apart_s)
        self._loop.wake()

    def within(self, names: Iterable[str]) -> None:
        """Call for these names after no more than what `follow` said, whatever `act` wanted."""
        now = self._monotonic()
        with self._lock:
            for name in names:
                if name in self._turns:
                    self._bring_forward(name, now + self._turns[name].every_s)
        self._loop.wake()

    def waits(self) -> dict[str, float]:
        """Return in how many seconds each name has its turn; 0 while it is being called for."""
        now = self._monotonic()
        with self._lock:
            return {name: 0.0 if turn.is_running else max(0.0, turn.due - now) for name, turn in self._turns.items()}

    def step(self) -> float | None:
        """Hand out what is due; return in how many seconds the next is, None while all are being called for."""
        self._crew.grow()
        now = self._monotonic()
        while True:
            with self._lock:
                name, wait_s = self._next(now)
                if name is None:
                    return wait_s
                turn = self._turns[name]
                turn.is_running, turn.is_wanted_again = True, False
            self._crew.submit(self._site_of(name), self._act, name).add_done_callback(partial(self._ended, name, turn))

    # Private

    def _next(self, now: float) -> tuple[str | None, float | None]:
        """Return whose turn it is, else how long until the next."""
        while self._heap:
            due, number, name = self._heap[0]
            turn = self._turns.get(name)
            if turn is None or turn.number != number or turn.is_running:
                heapq.heappop(self._heap)  # it was planned anew, or is not wanted any more
            elif due > now:
                return None, due - now
            else:
                heapq.heappop(self._heap)
                return name, None
        return None, None

    def _plan(self, name: str, due: float) -> None:
        self._numbers += 1
        turn = self._turns[name]
        turn.due, turn.number = due, self._numbers
        heapq.heappush(self._heap, (due, turn.number, name))

    def _bring_forward(self, name: str, due: float) -> None:
        turn = self._turns[name]
        if not turn.is_running and turn.due > due:
            self._plan(name, due)

    def _ended(self, name: str, turn: _Turn, future: Future[float | None]) -> None:
        error = None if future.cancelled() else future.exception()
        if error is not None:
            self._loop.note(error)
        now = self._monotonic()
        with self._lock:
            turn.is_running = False
            if self._turns.get(name) is turn:
                asked_s = None if error is not None or future.cancelled() else future.result()
                self._plan(name, now if turn.is_wanted_again else _due(turn, asked_s, now))
        self._loop.wake()


def _due(turn: _Turn, asked_s: float | None, now: float) -> float:
    """Return the next moment of a turn after its time is over."""
    if asked_s is not None:
        return now + asked_s
    if turn.every_s <= 0:
        return now
    return now + turn.every_s - (now - turn.anchor) % turn.every_s


def until_own_moment(name: str, every_s: float, now: datetime) -> float:
    """Return in how many seconds a name has its next moment within an interval, by the clock that all nodes have.

    One that is very near is passed over: it may be the one that was kept just now, by a clock that is rounded.
    """
    if every_s <= 0:
        return 0.0
    wait_s = every_s - (now.timestamp() - _share(name) * every_s) % every_s
    return wait_s if wait_s > every_s * _NEAR else wait_s + every_s


def _share(name: str) -> float:
    """Return where within an interval a name has its moment, from 0 to 1: always the same."""
    return crc32(name.encode()) / 2**32
