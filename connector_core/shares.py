"""Shares of threads: no place, however slow its answers are, leaves the others without one.

A place, such as a site, may hold `most` threads while nearly all are free. The fewer are free, the fewer it may hold,
by the square of what is left, but always one. So each holds several while few places need any, and one each when many
do:

    shares = Shares(size=512, most=8)
    shares.take("site:a")  # True: 1 of 512
    shares.give_back("site:a")

While `size` places have nothing but calls that hang, nobody has a thread. Below that there is one for whoever comes;
also where three hundred filled their shares of 512 one after the other. Where `most` is as much as `size`, one place
may hold all.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, ParamSpec, TypeVar

from connector_core.loops import Crew, Watched, finish

P = ParamSpec("P")
T = TypeVar("T")


class Shares:
    """Counts what places hold; whoever uses it from several threads holds a lock."""

    def __init__(self, size: int, most: int, held: Iterable[str] = ()) -> None:
        self.size = size
        self._most = most
        self._held = Counter(held)
        self._total = self._held.total()

    def has_room(self, place: str) -> bool:
        """Return whether a place may hold one thread more."""
        free = self.size - self._total
        if free <= 0 or self._most >= self.size:
            return free > 0
        return self._held[place] < max(1, round(self._most * (free / self.size) ** 2))

    def take(self, place: str) -> bool:
        """Count one thread more for a place, if it may hold it."""
        if not self.has_room(place):
            return False
        self._held[place] += 1
        self._total += 1
        return True

    def give_back(self, place: str) -> None:
        """Count one less."""
        self._total -= 1
        self._held[place] -= 1
        if not self._held[place]:
            del self._held[place]


@dataclass(frozen=True)
class _Call(Generic[T]):
    """A call of a place, and the future that ends with it."""

    place: str
    outcome: Future[T]
    call: Callable[[], T]

    def run(self) -> None:
        """Call, and end the future with what came of it."""
        finish(self.outcome, self.call)


class SharedCrew:
    """Threads that run calls of many places, each of which holds no more than its share; what is beyond it waits."""

    def __init__(self, name: str, size: int, *, most: int) -> None:
        self._crew = Crew(name, size)
        self._shares = Shares(size, most)
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[_Call[Any]]] = {}

    @property
    def loops(self) -> Sequence[Watched]:
        """The threads."""
        return (self._crew,)

    def grow(self) -> None:
        """Try again to start threads that could not be."""
        self._crew.grow()

    def has_room(self, place: str) -> bool:
        """Return whether a call of a place would be run at once."""
        with self._lock:
            return place not in self._waiting and self._shares.has_room(place)

    def submit(self, place: str, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a function called as soon as its place may hold a thread more; those of one place go in their order."""
        call = _Call(place, Future[T](), partial(fn, *args, **kwargs))
        with self._lock:
            if place in self._waiting or not self._shares.take(place):
                self._waiting.setdefault(place, deque()).append(call)
                return call.outcome
        self._begin(call)
        return call.outcome

    def shutdown(self) -> None:
        """Take nothing more; what has not begun is cancelled."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for calls in waiting.values():
            for call in calls:
                call.outcome.cancel()
        self._crew.shutdown(wait=False, cancel_futures=True)

    def _begin(self, call: _Call[Any]) -> None:
        """Hand a call over whose place has been counted already."""
        try:
            running = self._crew.submit(call.run)
        except RuntimeError:  # the threads have ended
            call.outcome.cancel()
            return
        running.add_done_callback(partial(self._ended, call))

    def _ended(self, call: _Call[Any], running: Future[None]) -> None:
        """Give a thread back, and let those begin that waited for it."""
        if running.cancelled():
            call.outcome.cancel()
        with self._lock:
            self._shares.give_back(call.place)
            ready = [*self._next()]
        for one in ready:
            self._begin(one)

    def _next(self) -> Iterator[_Call[Any]]:
        """Take what may begin now, one call of each place, those that waited longest first."""
        for place in list(self._waiting):
            if self._shares.take(place):
                calls = self._waiting.pop(place)
                yield calls.popleft()
                if calls:
                    self._waiting[place] = calls  # behind the others
