"""The database in one SQLite file: one writer thread, one connection for each thread that reads."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from connector_core.clock import SystemClock
from connector_core.contract.errors import ConfigError, RetryLater
from connector_core.loops import Watched
from connector_core.secrets import SecretBox
from connector_core.store import backup, health, meta
from connector_core.store.beside import Beside, BesideFile
from connector_core.store.connection import connect
from connector_core.store.failures import TROUBLE, store_failure
from connector_core.store.filelock import FileLock
from connector_core.store.nouns import Scope
from connector_core.store.writer import Writer

T = TypeVar("T")

PROOF_WITHIN_S = 5.0

_PROOFS = "writability_proofs"


@dataclass(frozen=True)
class _Reader:
    """The connection of one thread; SQLite ends the process when it is closed in the middle of a read."""

    db: sqlite3.Connection
    in_use: threading.RLock = field(default_factory=threading.RLock)
    thread: threading.Thread = field(default_factory=threading.current_thread)


class SQLiteReading:
    """A SQLite file that is read: a connection for each thread."""

    def __init__(self, path: Path, box: SecretBox) -> None:
        self.path = path
        self.box = box
        self.beside: Beside = BesideFile(path)
        self._local = threading.local()
        self._readers: list[_Reader] = []
        self._readers_lock = threading.Lock()

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
            reader: _Reader = getattr(self._local, "reader", None) or self._open_reader()
            with reader.in_use:
                return work(reader.db)
        except TROUBLE as exc:
            raise store_failure(exc, reading=True) from exc

    def _open_reader(self) -> _Reader:
        """Open a connection for this thread; those of threads that have ended are closed."""
        reader = _Reader(connect(self.path))
        self._local.reader = reader
        with self._readers_lock:
            for gone in [one for one in self._readers if not one.thread.is_alive()]:
                gone.db.close()
                self._readers.remove(gone)
            self._readers.append(reader)
        return reader

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
        with self._readers_lock:
            for reader in self._readers:
                with reader.in_use:
                    reader.db.close()
            self._readers.clear()


class SQLiteDatabase(SQLiteReading):
    """A SQLite file that is read and written.

    There is one writer, which has what the scope of a write asks for: writes come one after the other.
    """

    def __init__(self, path: Path, box: SecretBox) -> None:
        super().__init__(path, box)
        self._writer = Writer(connect(path, writer=True))

    @property
    def loops(self) -> Sequence[Watched]:
        """The thread that writes."""
        return (self._writer.loop,)

    @property
    def commits(self) -> int:
        """How often something was committed from here."""
        return self._writer.commits

    def submit(self, scope: Scope | None, work: Callable[[sqlite3.Connection], T]) -> Future[T]:  # noqa: ARG002 - as said above
        """Have a transaction run and committed; the future ends afterwards."""
        return self._writer.submit(work)

    def write(self, scope: Scope | None, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run and commit a transaction."""
        return self.submit(scope, work).result()

    def prove_writable(self) -> None:
        """Write something small, as proof that what comes in can be stored, and open the database to read it.

        Raises:
            RetryLater: it cannot be written or opened, or not soon.
        """
        try:
            with closing(connect(self.path)) as db:
                meta.get(db, _PROOFS)
        except TROUBLE as exc:
            raise store_failure(exc, reading=True) from exc
        proof = self.submit(None, lambda db: meta.add(db, _PROOFS))
        try:
            proof.result(PROOF_WITHIN_S)
        except TimeoutError as exc:
            raise RetryLater("The database does not take changes in time.", code="store_busy") from exc

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
