"""The database in one SQLite file: one writer thread, and connections that threads which read share."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

from connector_core.clock import SystemClock
from connector_core.contract.errors import ConfigError, RetryLater
from connector_core.loops import Watched
from connector_core.secrets import SecretBox
from connector_core.store import backup, health
from connector_core.store.beside import Beside, BesideFile
from connector_core.store.connection import BUSY_TIMEOUT_S, connect
from connector_core.store.failures import TROUBLE, store_failure
from connector_core.store.filelock import FileLock
from connector_core.store.nouns import Scope
from connector_core.store.writer import Writer

T = TypeVar("T")


#: So many read at once. Each connection has a cache of up to 2 MiB and two descriptors: one for each of the thousand
#: threads that may wait for vendors would be gigabytes.
MOST_READERS = 32


class Readers:
    """Connections that read: one is lent to a thread, the one that was given back last, and opened when none is free.

    SQLite ends the process when one is closed in the middle of a read. What a thread could not give back, for an error
    came in between, stays with it, and goes when it ends.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._free: list[sqlite3.Connection] = []
        self._lent: dict[threading.Thread, sqlite3.Connection] = {}
        self._changed = threading.Condition()
        self._is_closed = False

    @contextmanager
    def lent(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection; whoever has one already, and reads while it reads, goes on with it.

        Raises:
            RetryLater: all are lent, and stay it.
        """
        thread = threading.current_thread()
        known = self._lent.get(thread)
        if known is not None:
            yield known
            return
        try:
            yield self._lend(thread)
        finally:
            self._take_back(thread)

    def _lend(self, thread: threading.Thread) -> sqlite3.Connection:
        with self._changed:
            if not self._changed.wait_for(self._has_room, BUSY_TIMEOUT_S):
                raise RetryLater("The database is read by too many at once.", code="database_busy")
            if self._is_closed:
                raise sqlite3.ProgrammingError("The database is closed.")
            db = self._free.pop() if self._free else connect(self._path)
            self._lent[thread] = db
            return db

    def _take_back(self, thread: threading.Thread) -> None:
        with self._changed:
            db = self._lent.pop(thread, None)
            if db is not None:
                self._free.append(db)
            self._changed.notify_all()

    def _has_room(self) -> bool:
        return self._is_closed or len(self._lent) < MOST_READERS or self._reading() < MOST_READERS

    def _reading(self) -> int:
        """Count those that are lent; what ended threads had is closed."""
        for thread in [one for one in self._lent if not one.is_alive()]:
            self._lent.pop(thread).close()
        return len(self._lent)

    @property
    def opened(self) -> int:
        """How many connections are open and free."""
        return len(self._free)

    def close(self) -> None:
        """Let reads under way finish, then close every connection; one that does not finish ends with its thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._reading(), BUSY_TIMEOUT_S)
            for db in self._free:
                db.close()
            self._free.clear()


class SQLiteReading:
    """A SQLite file that is read, by many threads at once."""

    def __init__(self, path: Path, box: SecretBox) -> None:
        self.path = path
        self.box = box
        self.beside: Beside = BesideFile(path)
        self.readers = Readers(path)

    #: Nobody tells: another process is the command line.
    settings_heard = 0
    #: A look for each delivery costs more than all the rest.
    look_again_s = 0.01

    def tell_settings(self) -> None:
        """Tell nobody: there is one daemon."""

    def together(self) -> None:
        """Return nothing: there is one daemon."""

    def clock(self) -> SystemClock:
        """Return the clock of this machine."""
        return SystemClock()

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run what only reads, on one state of the database."""
        try:
            with self.readers.lent() as db:
                return work(db)
        except TROUBLE as exc:
            raise store_failure(exc, reading=True) from exc

    def backup(self, target: Path) -> None:
        """Copy the live database to a new file; see `backup.copy` for what it raises."""
        self.read(lambda db: backup.copy(db, target))

    def check(self) -> list[str]:
        """Return what is wrong with the database, a sentence each."""
        return self.read(health.problems)

    @contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """Hold a lock, a file beside the database, that no other thread or process holds at the same time."""
        lock = FileLock(self.path.with_name(f"{self.path.name}.{name}.lock"))
        try:
            lock.acquire()
        except TROUBLE as exc:
            raise store_failure(exc) from exc
        try:
            yield
        finally:
            lock.release()

    def drop_locks(self, prefix: str, needed: Collection[str]) -> int:
        """Delete lock files whose names begin so and go on with nothing that is needed; one that is held stays."""
        begins = f"{self.path.name}.{prefix}"
        try:
            found = [path for path in self.path.parent.glob("*.lock") if path.name.startswith(begins)]
            stray = [path for path in found if path.name.removeprefix(begins).removesuffix(".lock") not in needed]
            return sum(FileLock(path).drop() for path in stray)
        except TROUBLE as exc:
            raise store_failure(exc) from exc

    def close(self) -> None:
        """Let reads under way finish, then close every connection."""
        self.readers.close()


class SQLiteDatabase(SQLiteReading):
    """A SQLite file that is read and written.

    There is one writer, which has what the scope of a write asks for: writes come one after the other.
    """

    def __init__(self, path: Path, box: SecretBox) -> None:
        super().__init__(path, box)
        from connector_core.store.writable import Proof  # noqa: PLC0415 - only who writes needs it

        self._writer = Writer(connect(path, writer=True))
        self._proof = Proof(self)

    @property
    def loops(self) -> Sequence[Watched]:
        """The thread that writes."""
        return (self._writer.loop,)

    @property
    def commits(self) -> int:
        """How often something was committed from here."""
        return self._writer.commits

    @property
    def refusals(self) -> int:
        """How often something was not stored for a reason that lies in the database."""
        return self._writer.refusals

    def submit(self, scope: Scope | None, work: Callable[[sqlite3.Connection], T]) -> Future[T]:  # noqa: ARG002 - as said above
        """Have a transaction run and committed; the future ends afterwards."""
        return self._writer.submit(work)

    def write(self, scope: Scope | None, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run and commit a transaction."""
        return self.submit(scope, work).result()

    def prove_writable(self) -> None:
        """Write something, as proof that what comes in can be stored, and open the database to read it.

        Raises:
            RetryLater: it cannot be written or opened, or not soon.
        """
        try:
            with closing(connect(self.path)) as db:
                self._proof.look(db)
        except TROUBLE as exc:
            raise store_failure(exc, reading=True) from exc
        self._proof.give()

    def close(self) -> None:
        """Finish queued writes and reads under way, then close every connection."""
        self._writer.close()
        super().close()


class SQLiteBeside(SQLiteReading):
    """A database that is read; what is written all the same is written at once, on a connection of its own."""

    commits = 0

    def submit(self, scope: Scope | None, work: Callable[[sqlite3.Connection], T]) -> Future[T]:  # noqa: ARG002 - it is not done
        """Refuse: this command only reads."""
        raise ConfigError("This command only reads.", code="only_reading")

    def write(self, scope: Scope | None, work: Callable[[sqlite3.Connection], T]) -> T:
        """Refuse, as `submit` does."""
        return self.submit(scope, work).result()

    @property
    def loops(self) -> Sequence[Watched]:
        """None: nothing is written."""
        return ()

    def prove_writable(self) -> None:
        """Refuse, as `submit` does."""
        self.submit(None, lambda _: None)

    def write_now(self, scope: Scope | None, work: Callable[[sqlite3.Connection], T]) -> T:  # noqa: ARG002 - one writes at a time
        """Run and commit a transaction beside the daemon's."""
        try:
            with closing(connect(self.path, writer=True)) as db:
                db.execute("BEGIN IMMEDIATE")
                result = work(db)
                db.execute("COMMIT")
            self.commits += 1
        except TROUBLE as exc:
            raise store_failure(exc) from exc
        return result
