"""The one thread that writes: whatever waits at the moment shares one commit.

Callers hand in closures and wait for their result. A closure that fails is rolled back alone. Nothing is reported done
before the commit that holds it is on disk.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

from sqlite_utils import Database

from connector_core.contract.errors import RetryLater
from connector_core.store.records import DAMAGE_FIX

T = TypeVar("T")

DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

MAX_BATCH = 256
MAX_WAITING = 8192

_Job = tuple[Callable[[sqlite3.Connection], Any], "Future[Any]"]


class Writer:
    """Runs closures on the only write connection, its own from now on, in the order of their arrival."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()  # in C; the door keeps it from growing
        self._door = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Queue a closure; the future ends after its commit. A full or closed queue fails it with `RetryLater`."""
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # who no longer waits for it must not stop the writer
        with self._door:
            if self._closed:
                future.set_exception(RetryLater("The database is closed.", code="store_closed"))
                return future
            if self._jobs.qsize() < MAX_WAITING:
                self._jobs.put((work, future))
            else:
                future.set_exception(RetryLater("The database is too busy.", code="store_busy", after_s=5))
        return future

    def close(self) -> None:
        """Finish what was queued and end the thread; whoever comes later is told, never left waiting."""
        with self._door:
            already, self._closed = self._closed, True
        if not already:
            self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            while (first := self._jobs.get()) is not None:
                last = self._commit_batch(self._database, first)
                if last:
                    return
        finally:
            self._database.conn.close()

    def _commit_batch(self, database: Database, first: _Job) -> bool:
        """Run one batch; return whether the end of the queue was reached."""
        batch, ending = self._gather(first)
        finished: list[tuple[Future[Any], Any]] = []
        db = database.conn
        try:
            db.execute("BEGIN IMMEDIATE")
            if not self._run_all(db, batch, finished):
                db.execute("ROLLBACK")
                db.execute("BEGIN IMMEDIATE")
                for work, future in batch:
                    self._run_one(db, work, future, finished)
            db.execute("COMMIT")
        except sqlite3.Error as exc:
            with suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            failure = store_failure(exc)
            for _, future in batch:
                if not future.done():
                    future.set_exception(failure)
        else:
            for future, result in finished:
                future.set_result(result)
        return ending

    def _gather(self, first: _Job) -> tuple[list[_Job], bool]:
        batch = [first]
        while len(batch) < MAX_BATCH:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                return batch, True
            batch.append(job)
        return batch, False

    @staticmethod
    def _run_all(db: sqlite3.Connection, batch: list[_Job], finished: list[tuple[Future[Any], Any]]) -> bool:
        """Run a batch as if nothing could fail; False, when something did, to have it run again one by one."""
        try:
            finished.extend([(future, work(db)) for work, future in batch])
        except Exception:  # noqa: BLE001 - it is met again, and answered, when each runs alone
            return False
        return True

    @staticmethod
    def _run_one(
        db: sqlite3.Connection,
        work: Callable[[sqlite3.Connection], Any],
        future: Future[Any],
        finished: list[tuple[Future[Any], Any]],
    ) -> None:
        db.execute("SAVEPOINT one")
        try:
            result = work(db)
        except Exception as exc:
            if isinstance(exc, sqlite3.Error) and not isinstance(exc, sqlite3.IntegrityError):
                raise  # the database itself is in trouble: the whole batch fails and is answered so
            db.execute("ROLLBACK TO one")
            future.set_exception(exc)  # it belongs to the caller who waits
        else:
            finished.append((future, result))
        db.execute("RELEASE one")


def store_failure(exc: sqlite3.Error) -> RetryLater:
    """Say in our words what is wrong with the database."""
    text = str(exc)
    kind = getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the rest says more exactly what it was
    if kind in DAMAGED:
        return RetryLater("The database file is damaged.", code="database_damaged", detail=text, fix=DAMAGE_FIX)
    if kind == sqlite3.SQLITE_FULL:
        return RetryLater("The disk of the database is full.", code="disk_full", detail=text, fix="Free some space.")
    if kind in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}:
        return RetryLater(
            "The database cannot be written.",
            code="read_only",
            detail=text,
            fix="Check the permissions of the file and its folder.",
        )
    return RetryLater("The database did not take the change.", code="store_failed", detail=text)
