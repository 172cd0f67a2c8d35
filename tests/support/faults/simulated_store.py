"""The real store on one connection in memory, in one thread, with trouble before or after a commit."""

from __future__ import annotations

import sqlite3
from concurrent.futures import Future
from contextlib import nullcontext
from functools import cache
from pathlib import Path

from pydantic import SecretStr
from sqlite_utils import Database

from connector_core.clock import SystemClock
from connector_core.contract.errors import RetryLater
from connector_core.secrets import SecretBox
from connector_core.store import Store, life
from connector_core.store.steps import migrations

BOX = SecretBox([SecretStr("0123456789abcdef0123456789abcdef")])


@cache
def template():
    """Return a migrated database to copy from."""
    database = Database(sqlite3.connect(":memory:", isolation_level=None))
    migrations.apply(database)
    return database.conn


class PlaceInMemory:
    """What would stand beside the file."""

    def __init__(self):
        self.place = None

    def read(self):
        """Return it."""
        return self.place

    def keep(self, place):
        """Replace it."""
        self.place = place


class SimulatedDatabase:
    """`fault` is asked at every write: None, "before" (nothing is done) or "after" (it is done, but seems not)."""

    def __init__(self, fault):
        self.path = Path("memory")
        self.box = BOX
        self.beside = PlaceInMemory()
        self.fault = fault
        self.commits = 0
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        template().backup(self.connection)
        self.connection.row_factory = sqlite3.Row
        self.connection.execute("PRAGMA foreign_keys = ON")

    def submit(self, scope, work):
        """Run at once, unless there is trouble."""
        future = Future()
        fault = self.fault()
        if fault == "before":
            future.set_exception(RetryLater("The database did not take the change.", code="store_failed"))
            return future
        self.connection.execute("BEGIN")
        try:
            result = work(self.connection)
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")
        self.commits += 1
        if fault == "after":
            future.set_exception(RetryLater("The database did not answer.", code="store_failed"))
        else:
            future.set_result(result)
        return future

    def write(self, scope, work):
        """Run at once, unless there is trouble."""
        return self.submit(scope, work).result()

    def read(self, work):
        """Run at once."""
        return work(self.connection)

    settings_heard, look_again_s = 0, 0.01

    def clock(self):
        """The simulation gives its own."""
        return SystemClock()

    def tell_settings(self):
        """Nobody else is there."""

    def together(self):
        """Nobody else is there."""

    def exclusive(self, name):
        """One thread, so nobody else holds it."""
        return nullcontext()

    def close(self):
        """Let go of the memory."""
        self.connection.close()


class SimulatedStore(Store):
    """A store that can be copied and put back."""

    def __init__(self, fault):
        self.simulated = SimulatedDatabase(fault)
        super().__init__(self.simulated)

    def copied(self):
        """Return a copy of all that is stored."""
        made = sqlite3.connect(":memory:", isolation_level=None)
        self.simulated.connection.backup(made)
        return made

    def put_back(self, copy):
        """Be what an earlier copy was, or new."""
        (copy or template()).backup(self.simulated.connection)

    def mark_copy(self):
        """Be a backup."""
        self.database.write(None, life.mark_copy)

    def rows(self, statement, *values):
        """Read rows for a check of the whole state."""
        return self.simulated.connection.execute(statement, values).fetchall()
