"""Calls to vendors that are asked for by name now and then: each is made by one node, and never twice at the same time.

    checkups = Errands("checkup", check, every_s=300.0, duties=duties, crew=crew, log=log)
    checkups.send(["acme-desk", "globex-desk"])  # returns at once; those that are still under way are left

Every node sends what it finds due; what another has done within `every_s` is left to it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import partial

from structlog.typing import FilteringBoundLogger

from connector_core.engine.duties import Duties
from connector_core.polling.job import telling
from connector_core.polling.recurring import always_alike
from connector_core.shares import SharedCrew
from connector_core.store import Duty


class Errands:
    """Calls `act` with names, on threads of which each site has a share; a name with another `mark` is due at once."""

    def __init__(  # noqa: PLR0913 - its parts, by keyword
        self,
        kind: str,
        act: Callable[[str], object],
        *,
        every_s: float,
        duties: Duties,
        crew: SharedCrew,
        log: FilteringBoundLogger,
        mark: Callable[[str], str] = always_alike,
        organization_of: Callable[[str], str] = str,
        site_of: Callable[[str], str] = str,
        is_writing: bool = False,
    ) -> None:
        self.kind = kind
        self._act = act
        self._every_s = every_s
        self._duties = duties
        self._crew = crew
        self._log = log
        self._mark = mark
        self._organization_of = organization_of
        self._site_of = site_of
        self._is_writing = is_writing
        self._lock = threading.Lock()
        self._under_way: set[str] = set()

    @property
    def under_way(self) -> frozenset[str]:
        """The names that are being called for."""
        with self._lock:
            return frozenset(self._under_way)

    def send(self, names: Iterable[str]) -> None:
        """Call for these names, but for those that are being called for."""
        for name in names:
            with self._lock:
                if name in self._under_way:
                    continue
                self._under_way.add(name)
            self._crew.submit(self._site_of(name), self._do, name).add_done_callback(partial(self._ended, name))

    def _do(self, name: str) -> None:
        with telling(self._log, self.kind, name):
            duty = Duty(f"{self.kind}:{name}", self._organization_of(name), self._mark(name))
            with self._duties.turn(duty, every_s=self._every_s, is_writing=self._is_writing) as turn:
                if turn.is_ours:
                    self._act(name)

    def _ended(self, name: str, future: Future[None]) -> None:
        with self._lock:
            self._under_way.discard(name)
        if not future.cancelled() and (error := future.exception()) is not None:
            self._log.error("loop_failed", loop=self.kind, name=name, exc_info=error)
