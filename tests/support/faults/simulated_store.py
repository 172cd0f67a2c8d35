"""The real store on one connection in memory, in one thread, with trouble before or after a commit."""

from __future__ import annotations

import sqlite3
from concurrent.futures import Future
from functools import cache
from pathlib import Path

from pydantic import SecretStr
from sqlite_utils import Database

from connector_core.contract.errors import RetryLater
from connector_core.secrets import SecretBox
from connector_core.store import life
from connector_core.store.schema import migrations
from connector_core.store.sqlite import SQLiteStore

BOX = SecretBox([SecretStr("0123456789abcdef0123456789abcdef")])


@cache
def template():
    """Return a migrated database to copy from."""
    database = Database(sqlite3.connect(":memory:", isolation_level=None))
    migrations.apply(database)
    return database.conn


class SimulatedStore(SQLiteStore):
    """`trouble` is asked at every write: None, "before" (nothing is done) or "after" (it is done, but seems not)."""

    def __init__(self, trouble):
        self.path = Path("memory")
        self._box = BOX
        self._trouble = trouble
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        template().backup(self._connection)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA foreign_keys = ON")
        self.beside = None

    def _place_beside(self):
        return self.beside

    def _keep_place(self, place):
        self.beside = place

    def copied(self):
        """Return a copy of all that is stored."""
        made = sqlite3.connect(":memory:", isolation_level=None)
        self._connection.backup(made)
        return made

    def put_back(self, copy):
        """Be what an earlier copy was, or new."""
        (copy or template()).backup(self._connection)

    def mark_copy(self):
        """Be a backup."""
        self._write(life.mark_copy)

    def _submit(self, work):
        future = Future()
        trouble = self._trouble()
        if trouble == "before":
            future.set_exception(RetryLater("The database did not take the change.", code="store_failed"))
            return future
        self._connection.execute("BEGIN")
        try:
            result = work(self._connection)
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        if trouble == "after":
            future.set_exception(RetryLater("The database did not answer.", code="store_failed"))
        else:
            future.set_result(result)
        return future

    def _write(self, work):
        return self._submit(work).result()

    def _read(self, work):
        return work(self._connection)

    def rows(self, statement, *values):
        """Read rows for a check of the whole state."""
        return self._connection.execute(statement, values).fetchall()

    def close(self):
        """Let go of the memory."""
        self._connection.close()
