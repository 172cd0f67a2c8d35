"""The one thread that writes: whatever waits at the moment shares one commit.

Callers hand in closures and wait for their result. A closure that fails is rolled back alone. Nothing is reported done
before the commit that holds it is on disk. Nobody waits for ever: whatever goes wrong in between, the futures of those
who wait are ended, and so are those of whoever comes when the thread is gone.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

from connector_core.contract.errors import RetryLater
from connector_core.loops import BEAT_S, Loop
from connector_core.store.failures import TROUBLE, store_failure

T = TypeVar("T")

MAX_BATCH = 256
MAX_WAITING = 8192
AFTER_FAILURE_S = 0.05

_Job = tuple[Callable[[sqlite3.Connection], Any], "Future[Any]"]
_END: _Job = (lambda _: None, Future())


class Writer:
    """Runs closures on the only write connection, its own from now on, in the order of their arrival."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()  # in C; the door keeps it from growing
        self._door = threading.Lock()
        self._closed = False
        #: How many batches were committed.
        self.commits = 0
        #: How many were not, for a reason that lies in the database.
        self.refusals = 0
        self._batch: list[_Job] = []
        self._broken = RetryLater("The database did not take the change.", code="store_failed")
        self.loop = Loop("store-writer", self._serve, after_failure_s=AFTER_FAILURE_S, at_end=self._end)
        self.loop.start()

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
            self._jobs.put(_END)
        self.loop.join()

    def _serve(self) -> float:
        """Run what waits as one batch; whatever is raised, nobody of it is left waiting."""
        if self._batch:  # not even failing it went well
            self._fail(self._broken)
        try:
            self._batch.append(self._jobs.get(timeout=BEAT_S))  # at once: what is taken is never in nobody's hands
            is_end = self._gather(self._batch)
            if self._batch:
                self._commit_batch(self._db, self._batch)
            self._batch.clear()
            if is_end:
                self.loop.end()
        except queue.Empty:
            if self._closed:  # the word to end was lost with a batch
                self.loop.end()
        except BaseException as exc:
            self._fail(exc)
            raise
        return 0.0

    def _fail(self, exc: BaseException) -> None:
        """End the futures of the batch in which something was raised that is no business of any of them."""
        failure = self._broken  # made before memory was short
        with suppress(MemoryError):
            failure = store_failure(exc)
        for _, future in self._batch:
            if not future.done():
                future.set_exception(failure)
        self._batch.clear()
        with suppress(sqlite3.Error):
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def _end(self) -> None:
        """Refuse what waits, and close the connection."""
        with self._door:
            self._closed = True
            while not self._jobs.empty():
                self._batch.append(self._jobs.get())
        for _, future in self._batch:
            if not future.done():
                future.set_exception(RetryLater("The database is closed.", code="store_closed"))
        self._db.close()

    def _commit_batch(self, db: sqlite3.Connection, batch: list[_Job]) -> None:
        """Run one batch."""
        finished: list[tuple[Future[Any], Any]] = []
        try:
            db.execute("BEGIN IMMEDIATE")
            if not self._run_all(db, batch, finished):
                if db.in_transaction:  # for want of room or memory SQLite has ended it already
                    db.execute("ROLLBACK")
                db.execute("BEGIN IMMEDIATE")
                for work, future in batch:
                    self._run_one(db, work, future, finished)
            db.execute("COMMIT")
        except sqlite3.Error as exc:
            with suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            failure = store_failure(exc)
            self.refusals += 1  # before anybody learns of it
            for _, future in batch:
                if not future.done():
                    future.set_exception(failure)
        else:
            self.commits += 1
            for future, result in finished:
                future.set_result(result)

    def _gather(self, batch: list[_Job]) -> bool:
        """Add what waits to a batch that has its first; return whether the end of the queue was reached."""
        while batch[-1] is not _END and len(batch) < MAX_BATCH:
            try:
                batch.append(self._jobs.get_nowait())
            except queue.Empty:
                return False
        if batch[-1] is not _END:
            return False
        batch.pop()
        return True

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
            is_ours = isinstance(exc, TROUBLE) and not isinstance(exc, sqlite3.IntegrityError)
            future.set_exception(store_failure(exc) if is_ours else exc)  # it belongs to the caller who waits
        else:
            finished.append((future, result))
        db.execute("RELEASE one")
