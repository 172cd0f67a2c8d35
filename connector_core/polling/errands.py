"""Calls to vendors that are asked for by name now and then: each is made once, and never twice at the same time.

checkups = Errands(crew, check, site_of=site_of)
checkups.send(["acme-desk", "globex-desk"])  # returns at once; those that are still under way are left
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import partial

from connector_core.logs import get_logger
from connector_core.shares import SharedCrew

log = get_logger(__name__)


class Errands:
    """Calls `act` with names, on threads of which each site has a share."""

    def __init__(self, crew: SharedCrew, act: Callable[[str], object], *, site_of: Callable[[str], str]) -> None:
        self._crew = crew
        self._act = act
        self._site_of = site_of
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
            self._crew.submit(self._site_of(name), self._act, name).add_done_callback(partial(self._ended, name))

    def _ended(self, name: str, future: Future[object]) -> None:
        with self._lock:
            self._under_way.discard(name)
        if not future.cancelled() and (error := future.exception()) is not None:
            log.error("loop_failed", loop=getattr(self._act, "__name__", ""), name=name, exc_info=error)
