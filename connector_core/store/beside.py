"""The file beside the database that tells how far its daemon has come, so that an earlier copy of it can be told."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from connector_core.store.private import make_private


@dataclass(frozen=True)
class Place:
    """How far a daemon has come: its name, and a count of its signs of life and of what it began to make."""

    count: int
    name: str

    def __str__(self) -> str:
        """Return it as it stands beside the database."""
        return f"{self.name} {self.count}"


class Beside(Protocol):
    """What stands beside a database."""

    def read(self) -> Place | None:
        """Return how far the last daemon came by what stands there; None when nothing can be read."""
        ...

    def keep(self, place: Place) -> None:
        """Note how far we have come."""
        ...

    def has_moved(self) -> bool:
        """Return whether the database was found somewhere else since this was last asked."""
        ...


class BesideFile:
    """What stands beside a database file."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(f"{database.name}.life")
        self._kept: Place | None = None
        self._lock = threading.Lock()

    def read(self) -> Place | None:
        """Return what stands there; None when there is nothing that can be read."""
        try:
            name, count = self._path.read_text(encoding="ascii").split()
            return Place(int(count), name)
        except (OSError, ValueError):
            return None

    def has_moved(self) -> bool:
        """Return False: a file that is open stays what it is."""
        return False

    def keep(self, place: Place) -> None:
        """Write how far we have come, unless another thread has come further.

        Where that cannot be written, each start looks for what may be missing.
        """
        with self._lock:
            if self._kept is not None and self._kept.name == place.name and self._kept.count >= place.count:
                return
            self._kept = place
            made = self._path.with_suffix(".life.new")
            with suppress(OSError):
                make_private(made, for_owner=True)
                made.write_text(str(place), encoding="ascii")
                made.replace(self._path)
