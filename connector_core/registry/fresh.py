"""What is read from the store once, and again after something that it depends on changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from connector_core.store import Store

T = TypeVar("T")


class Fresh(Generic[T]):
    """A value made of the stored integrations and sources, made anew after any changed, here or in another process.

    `make` is given what was made before, and of which version that was; None at the first time.
    """

    def __init__(self, store: Store, make: Callable[[tuple[int, T] | None], tuple[int, T]]) -> None:
        self._store = store
        self._make = make
        self._lock = threading.Lock()
        self._made: tuple[int, T] | None = None
        self.times = 0
        """How often it was made: whoever made something of it sees by that whether it is still good."""
        #: The commits of this process and what others told, a steady time, and the version that was read then.
        self._seen: tuple[int, float, int] | None = None

    def get(self) -> T:
        """Return the value as of now."""
        # What this process commits counts at once; what another does, soon.
        database = self._store.database
        commits, now = database.commits + database.settings_heard, time.monotonic()
        seen, made = self._seen, self._made
        if seen is None or seen[0] != commits or now - seen[1] >= database.look_again_s:
            self._seen = seen = (commits, now, self._store.integrations.version())
        if made is not None and made[0] >= seen[2]:  # it may hold what was stored after that look
            return made[1]
        with self._lock:
            if self._made is None or self._made[0] < seen[2]:
                is_first = self._made is None
                self._made = self._make(self._made)
                self.times += 1
                if not is_first:  # whoever sees it first tells the others, who see it once and tell nothing new
                    database.tell_settings()
            return self._made[1]

    def look(self, after_s: float = 0.0) -> None:
        """Look whether another process has changed something, unless that was done a moment ago."""
        seen = self._seen
        if seen is None or time.monotonic() - seen[1] >= after_s:
            self._seen = None
            self.get()

    def forget(self) -> None:
        """Make the value anew when it is next asked for: what else it depends on has changed."""
        with self._lock:
            self._made = None
