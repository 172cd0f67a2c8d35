"""Writes to PostgreSQL: one organization's one after the other, those of several side by side.

Whatever waits for the same rows shares one commit, as with SQLite's `Writer`. Each transaction first takes the lock of
its organization and then touches rows of that organization only, so that every transaction waits for locks in the same
order. What writes rows of everybody waits until nobody else writes, and nobody begins meanwhile. What belongs to nobody
has a turn, too: there are rows that every node writes, such as a count, and a batch has them in any order.

A closure may run several times, since its transaction is run again when the server asks for that, or when the
connection was lost before the commit; what it returns is of the one that was committed.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from hashlib import sha256
from typing import Any, TypeAlias, TypeVar

import psycopg
from psycopg_pool import ConnectionPool

from connector_core.contract.errors import RetryLater
from connector_core.loops import BEAT_S, Loop
from connector_core.remembered import Remembered
from connector_core.store.nouns import CLAIMS, EVERYBODY, Scope
from connector_core.store.postgres_connections import (
    EVERYBODYS,
    OF_DOMAINS,
    OF_NAMES,
    TROUBLE,
    Raw,
    Session,
    failure,
    is_lost,
    is_read_only,
)
from connector_core.store.statements import Connection

T = TypeVar("T")

MAX_BATCH = 256
MAX_WAITING = 8192
THREADS = 4
TRIES = 3
AFTER_FAILURE_S = 0.05

#: The server asks to run it again: it would have been in a circle of waits, or not have seen what came before.
_RUN_AGAIN = frozenset({"40001", "40P01"})
#: Classes of codes of what a caller asked for, and nobody else: what cannot be done, said or held.
_CALLERS = ("0A", "21", "22", "23", "42", "P0")

_NOBODYS_TURN = f"SELECT pg_advisory_xact_lock({OF_NAMES}, hashtext('nobodys'))"

_Job: TypeAlias = "tuple[Callable[[Connection], Any], Future[Any]]"


class KeyedWriter:
    """Runs closures in transactions, in the order of their arrival for each organization."""

    def __init__(self, pool: ConnectionPool[Raw], *, threads: int = THREADS) -> None:
        self._pool = pool
        self._door = threading.Condition()
        self._jobs: dict[Scope | None, deque[_Job]] = {}
        #: Whose writes wait and are not under way.
        self._ready: deque[Scope | None] = deque()
        self._waiting = 0
        self._closed = False
        #: How many batches were committed.
        self.commits = 0
        #: How many were not, for a reason that lies in the database.
        self.refusals = 0
        self._running = threads
        self._organizations: Remembered[Scope, str] = Remembered(time.monotonic)
        self.loops = [
            Loop(f"store-writer-{number}", self._serve, after_failure_s=AFTER_FAILURE_S, at_end=self._ended)
            for number in range(1, threads + 1)
        ]
        for loop in self.loops:
            loop.start()

    def submit(self, scope: Scope | None, work: Callable[[Connection], T]) -> Future[T]:
        """Queue a closure; the future ends after its commit. A full or closed queue fails it with `RetryLater`."""
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # who no longer waits for it must not stop the writer
        whose = self._known(scope)
        with self._door:
            if self._closed:
                future.set_exception(RetryLater("The database is closed.", code="store_closed"))
            elif self._waiting >= MAX_WAITING:
                future.set_exception(RetryLater("The database is too busy.", code="store_busy", after_s=5))
            else:
                self._waiting += 1
                waiting = self._jobs.get(whose)
                if waiting is None:
                    self._jobs[whose] = deque([(work, future)])
                    self._ready.append(whose)
                    self._door.notify()
                else:
                    waiting.append((work, future))
        return future

    def close(self) -> None:
        """Finish what was queued and end the threads; whoever comes later is told, never left waiting."""
        with self._door:
            self._closed = True
            self._door.notify_all()
        for loop in self.loops:
            loop.join()

    def _serve(self) -> float:
        """Run what waits of one organization as one batch; whatever is raised, nobody of it is left waiting."""
        with self._door:
            if not self._ready:
                if self._closed and not self._jobs:
                    self._end_all()
                else:
                    self._door.wait(BEAT_S)
            if not self._ready:
                return 0.0
            whose = self._ready.popleft()
            queued = self._jobs[whose]
            batch = [queued.popleft() for _ in range(min(len(queued), MAX_BATCH))]
            self._waiting -= len(batch)
        try:
            self._commit(whose, batch)
        except BaseException as exc:
            _fail(batch, failure(exc))
            raise
        finally:
            with self._door:
                if queued:
                    self._ready.append(whose)
                    self._door.notify()
                else:
                    del self._jobs[whose]
                    if self._closed:
                        self._door.notify_all()
        return 0.0

    def _end_all(self) -> None:
        for loop in self.loops:
            loop.end()

    def _ended(self) -> None:
        """Refuse what waits when no thread is left, and whoever comes then."""
        with self._door:
            self._running -= 1
            if self._running:
                return
            self._closed = True
            left = [job for queued in self._jobs.values() for job in queued]
            self._jobs.clear()
        _fail(left, RetryLater("The database is closed.", code="store_closed"))

    def _commit(self, whose: Scope | None, batch: Sequence[_Job]) -> None:
        """Run one batch, again where that is asked for, and end the futures of those in it."""
        for left in reversed(range(TRIES)):
            raw: Raw | None = None
            committing = False
            try:
                raw = self._pool.getconn()
                finished = self._run(raw, whose, batch)
                committing = True
                raw.commit()
            except TROUBLE as exc:
                again = getattr(exc, "sqlstate", None) in _RUN_AGAIN or (is_lost(exc, raw) and not committing)
                if again and left:
                    if is_lost(exc, raw):
                        self._pool.check()  # the others may be gone with it
                    continue
                with self._door:
                    self.refusals += 1  # before anybody learns of it
                if is_read_only(exc):
                    self._pool.drain()  # so that new ones find the server that is to be written by now
                _fail(batch, failure(exc))
                return
            else:
                with self._door:
                    self.commits += 1
                for future, result, error in finished:
                    _finish(future, result, error)
                return
            finally:
                if raw is not None:
                    _give_back(self._pool, raw)

    def _run(
        self, raw: Raw, whose: Scope | None, batch: Sequence[_Job]
    ) -> list[tuple[Future[Any], Any, Exception | None]]:
        """Run a batch in a transaction as if nothing could fail; else each of it by itself."""
        db = Session(raw)
        self._begin(raw, whose)
        try:
            return [(future, work(db), None) for work, future in batch]
        except Exception as exc:
            if isinstance(exc, TROUBLE) and not _is_callers(exc):
                raise
        raw.execute("ROLLBACK")
        self._begin(raw, whose)
        return [_run_one(db, work, future) for work, future in batch]

    def _begin(self, raw: Raw, whose: Scope | None) -> None:
        """Begin a transaction, and wait for its turn."""
        if whose is None:
            raw.execute(f"BEGIN; {_NOBODYS_TURN}", prepare=False)
        elif whose == EVERYBODY:
            turn = f"SELECT pg_advisory_xact_lock({OF_DOMAINS}, {EVERYBODYS})"
            raw.execute(f"BEGIN; {turn}; {_NOBODYS_TURN}", prepare=False)
        elif whose == CLAIMS:
            raw.execute(f"BEGIN; SELECT pg_advisory_xact_lock({OF_NAMES}, hashtext('claims'))", prepare=False)
        else:
            number = domain_number(self._organization(raw, whose))
            raw.execute(
                f"BEGIN; SELECT pg_advisory_xact_lock_shared({OF_DOMAINS}, {EVERYBODYS}),"
                f" pg_advisory_xact_lock({OF_DOMAINS}, {number})",
                prepare=False,
            )

    def _known(self, scope: Scope | None) -> Scope | None:
        """Return the scope of the organization, if that is known; so what is of one waits in one queue."""
        if scope is None or scope.kind in {"organization", "everybody", "claims"}:
            return scope
        try:
            return Scope("organization", self._organizations[scope])
        except KeyError:
            return scope

    def _organization(self, raw: Raw, whose: Scope) -> str:
        """Return which organization an integration or link is of; what there is none of is by itself."""
        if whose.kind == "organization":
            return str(whose.id)
        table = "integration" if whose.kind == "integration_id" else "link"
        row = raw.execute(f"SELECT organization FROM {table} WHERE id = %s", (whose.id,)).fetchone()  # noqa: S608 - ours
        if row is None:
            return f"{table} {whose.id}"
        self._organizations[whose] = str(row[0])
        return str(row[0])


def domain_number(organization: str) -> int:
    """Return the second half of the name of an organization's lock; never the one of everybody's."""
    number = int.from_bytes(sha256(organization.encode()).digest()[:4], "big", signed=True)
    return number or 1


def _run_one(
    db: Session, work: Callable[[Connection], Any], future: Future[Any]
) -> tuple[Future[Any], Any, Exception | None]:
    db.raw.execute("SAVEPOINT one")
    try:
        result, error = work(db), None
    except Exception as exc:
        if isinstance(exc, TROUBLE) and not _is_callers(exc):
            raise
        db.raw.execute("ROLLBACK TO SAVEPOINT one")
        is_ours = isinstance(exc, TROUBLE) and not isinstance(exc, psycopg.IntegrityError)
        result, error = None, failure(exc) if is_ours else exc
    db.raw.execute("RELEASE SAVEPOINT one")
    return future, result, error


def _is_callers(exc: BaseException) -> bool:
    """Return whether an error of the database is about what one caller wanted, not about the database."""
    return (getattr(exc, "sqlstate", None) or "").startswith(_CALLERS)


def _finish(future: Future[Any], result: Any, error: Exception | None) -> None:  # noqa: ANN401 - whatever is waited for
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


def _fail(batch: Sequence[_Job], error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)


def _give_back(pool: ConnectionPool[Raw], raw: Raw) -> None:
    """Give a connection back, out of any transaction; one that is of no use any more is closed there."""
    with suppress(psycopg.Error):
        if not raw.closed and raw.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            raw.execute("ROLLBACK")
    pool.putconn(raw)
