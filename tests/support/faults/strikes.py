"""Errors that nobody expects, raised at random lines of our own files while threads run them.

A trace function sees each line before it runs; which of them are struck, and by what, follows from a seed. Python takes
the trace function away from a thread in which it raised, so each round of a loop and each job sets it again. Lines that
take or give back a lock are left out, for nothing real can be raised between the two halves of a `with`; so are `try:`,
which does nothing and which Python does not hold for a part of the block around it, and the few functions that are the
last to catch anything.
"""

from __future__ import annotations

import errno
import linecache
import random
import sqlite3
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import connector_core
from connector_core.loops import Loop, _Job

HOME = Path(connector_core.__file__).parent
FILES = {
    str(HOME / name)
    for name in (
        "engine/engine.py",
        "loops.py",
        "store/lanes.py",
        "store/links.py",
        "store/sqlite.py",
        "store/writer.py",
        "sync/advance.py",
        "sync/creating.py",
        "sync/lane.py",
    )
}
LAST_RESORTS = frozenset({"_work", "_note", "_fail", "_end", "note", "stop", "close", "submit", "end", "join"})
KINDS = (
    MemoryError,
    RecursionError,
    SystemExit,
    lambda: OSError(errno.EMFILE, "Too many open files"),
    lambda: sqlite3.OperationalError("unable to open database file"),
    lambda: RuntimeError("can't start new thread"),
)


class Strikes:
    """Raises something at one line of `every` in the mean."""

    def __init__(self, seed, *, every) -> None:
        self.struck: list[str] = []
        self.is_on = False
        self._every = every
        self._chance = random.Random(seed)
        self._lock = threading.Lock()

    def trace(self, frame, event, argument):
        """Choose the frames whose lines may be struck."""
        code = frame.f_code
        if not self.is_on or code.co_filename not in FILES or code.co_name in LAST_RESORTS:
            return None
        return self._line

    def _line(self, frame, event, argument):
        if event == "line" and self.is_on:
            with self._lock:
                is_struck = self._chance.random() < 1 / self._every
                kind = self._chance.choice(KINDS)
            text = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
            if is_struck and not text.startswith(("with ", "try:", "finally", "except", "else", "raise", "return")):
                self.struck.append(f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}")
                raise kind()
        return self._line


@contextmanager
def striking(monkeypatch, seed, *, every):
    """Have errors raised in the loops and crews of this process, while `is_on`."""
    strikes = Strikes(seed, every=every)

    def armed(real):
        def call(*args):
            sys.settrace(strikes.trace)
            return real(*args)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "_rest", armed(Loop._rest))
        patch.setattr(_Job, "run", armed(_Job.run))
        try:
            yield strikes
        finally:
            strikes.is_on = False
