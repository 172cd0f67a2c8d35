"""The database on a PostgreSQL server: a pool of connections, and a writer with a turn for each organization."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import psycopg

from connector_core.clock import SharedClock
from connector_core.contract.errors import ConfigError, RetryLater
from connector_core.databases import PostgreSQL
from connector_core.loops import Watched
from connector_core.secrets import SecretBox
from connector_core.store import life, meta, postgres_schema
from connector_core.store.beside import Beside, Place
from connector_core.store.nouns import Scope
from connector_core.store.postgres_connections import (
    EVERYBODYS,
    OF_DOMAINS,
    TROUBLE,
    NamedLock,
    Raw,
    Session,
    connect,
    failure,
    is_lost,
    make_pool,
    unusable,
)
from connector_core.store.postgres_presence import Notices
from connector_core.store.postgres_presence import Session as Presence
from connector_core.store.postgres_writer import KeyedWriter
from connector_core.store.presence import News, Signals, Together
from connector_core.store.statements import Connection
from connector_core.store.turns import NoTurn, Turns
from connector_core.store.writable import Proof

T = TypeVar("T")

TRIES = 3
#: So long a lock is held at most, and a little longer it is waited for: two calls to a vendor take no longer.
HELD_FOR_S = 150
#: So many locks are held at once: each takes one of the server's connections, of which there are 100 by default.
MOST_LOCKS = 16
#: After so many seconds a change by another process is looked for: one that listens hears of it at once.
LOOK_AGAIN_S, UNTOLD_LOOK_AGAIN_S = 1.0, 0.01

#: How far a daemon has come that has just begun.
_BEGUN = 1


class PostgresReading:
    """A database on a server that is read."""

    def __init__(self, place: PostgreSQL, box: SecretBox) -> None:
        self.place = place
        self.box = box
        beside = ServerLife(self)
        self.beside: Beside = beside
        self._pool = make_pool(place.url, first=beside.follow)
        self._heard = 0
        self._turns = Turns(MOST_LOCKS)
        self._is_listening = False
        self.signals: Signals = Notices(place.url, self._pool, self._take_notice)

    @property
    def settings_heard(self) -> int:
        """How often another process told that it changed settings."""
        return self._heard

    @property
    def look_again_s(self) -> float:
        """After how long what another process changed has to be looked for, since nobody may have told."""
        return LOOK_AGAIN_S if self._is_listening else UNTOLD_LOOK_AGAIN_S

    def tell_settings(self) -> None:
        """Tell other nodes, soon, that integrations or sources have changed."""
        self.signals.tell(News.SETTINGS)

    def together(self) -> Together:
        """Return what a daemon needs that may be one of several."""
        return Together(Presence(self.place.url), self.signals)

    def clock(self) -> SharedClock:
        """Return the clock of the server."""
        clock = SharedClock()
        asked = clock.monotonic()
        (at,) = self.read(lambda db: db.execute("SELECT CURRENT_TIMESTAMP").fetchone())
        clock.heard(at, asked, clock.monotonic())
        return clock

    def _take_notice(self, news: News | None) -> None:
        self._is_listening = news is not None
        self._heard += news is News.SETTINGS

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run what only reads; each statement shows one state of the database."""
        for left in reversed(range(TRIES)):
            raw: Raw | None = None
            try:
                raw = self._pool.getconn()
                return work(Session(raw))
            except TROUBLE as exc:
                if not left or not is_lost(exc, raw):
                    raise failure(exc, reading=True) from exc
                self._pool.check()  # the others may be gone with it
            finally:
                if raw is not None:
                    self._pool.putconn(raw)
        raise AssertionError("the last try returns or raises")

    def backup(self, target: Path) -> None:
        """Refuse: the server has its own way.

        Raises:
            ConfigError: always, with that way.
        """
        raise ConfigError(
            f"{self.place} is no file that could be copied.",
            code="database_no_file",
            fix=f"Have PostgreSQL copy it: pg_dump --format=custom --file={target} and the address in database",
        )

    def check(self) -> list[str]:
        """Return what is missing of the database, a sentence each; damage the server finds by itself."""
        return self.read(postgres_schema.missing)

    @contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """Hold a lock of the server that no other thread, process or host holds at the same time.

        It is free when the connection ends, such as with the process, and after `HELD_FOR_S`: one that is frozen would
        keep all others waiting. Each takes a connection: of one name one at a time, and `MOST_LOCKS` of all.
        """
        try:
            with self._turns.of(name, HELD_FOR_S), self._locked(name):
                yield
        except NoTurn as exc:
            raise RetryLater("Too much waits for a lock of the database.", code="store_busy", detail=str(exc)) from exc

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        lock = NamedLock(self.place.url, name)
        try:
            lock.acquire_for(HELD_FOR_S)
        except TROUBLE as exc:
            raise failure(exc) from exc
        try:
            yield
        finally:
            lock.release()

    def drop_locks(self, prefix: str, needed: Collection[str]) -> int:  # noqa: ARG002 - as SQLite's
        """Delete nothing: these locks leave nothing behind."""
        return 0

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()


class PostgresDatabase(PostgresReading):
    """A database on a server that is read and written."""

    def __init__(self, place: PostgreSQL, box: SecretBox) -> None:
        super().__init__(place, box)
        self._writer = KeyedWriter(self._pool)
        self._proof = Proof(self)

    @property
    def loops(self) -> Sequence[Watched]:
        """The threads that write."""
        return tuple(self._writer.loops)

    @property
    def commits(self) -> int:
        """How often something was committed from here."""
        return self._writer.commits

    @property
    def refusals(self) -> int:
        """How often something was not stored for a reason that lies in the database."""
        return self._writer.refusals

    def submit(self, scope: Scope | None, work: Callable[[Connection], T]) -> Future[T]:
        """Have a transaction run and committed; the future ends afterwards."""
        return self._writer.submit(scope, work)

    def write(self, scope: Scope | None, work: Callable[[Connection], T]) -> T:
        """Run and commit a transaction."""
        return self.submit(scope, work).result()

    def prove_writable(self) -> None:
        """Write something, as proof that what comes in can be stored, and open the database to read it.

        Raises:
            RetryLater: it cannot be written or opened, or not soon.
        """
        try:
            raw = connect(self.place.url)
            try:
                self._proof.look(Session(raw))
            finally:
                raw.close()
        except TROUBLE as exc:
            raise failure(exc, reading=True) from exc
        self._proof.give()

    def close(self) -> None:
        """Finish queued writes, then close every connection."""
        self._writer.close()
        super().close()


class PostgresBeside(PostgresReading):
    """A database that a command reads; what it writes all the same is written at once."""

    commits = 0

    def submit(self, scope: Scope | None, work: Callable[[Connection], T]) -> Future[T]:  # noqa: ARG002 - it is not done
        """Refuse: this command only reads."""
        raise ConfigError("This command only reads.", code="only_reading")

    def write(self, scope: Scope | None, work: Callable[[Connection], T]) -> T:
        """Refuse, as `submit` does."""
        return self.submit(scope, work).result()

    @property
    def loops(self) -> Sequence[Watched]:
        """None: nothing is written."""
        return ()

    def prove_writable(self) -> None:
        """Refuse, as `submit` does."""
        self.submit(None, lambda _: None)

    def write_now(self, scope: Scope | None, work: Callable[[Connection], T]) -> T:
        """Run and commit a transaction beside those of daemons."""
        writer = KeyedWriter(self._pool, threads=1)
        try:
            result = writer.submit(scope, work).result()
        finally:
            writer.close()
        self.commits += 1
        return result


class DaemonLock(NamedLock):
    """What the daemons of a database share while they live; who has it alone knows that there is none."""

    def __init__(self, place: PostgreSQL) -> None:
        super().__init__(place.url, "daemon")
        self._place = place

    def try_acquire(self) -> bool:
        """Take the lock if it is free; return whether it was.

        Raises:
            ConfigError: the database cannot be used.
        """
        try:
            return super().try_acquire()
        except TROUBLE as exc:
            raise unusable(self._place, exc) from exc

    def try_share(self) -> bool:
        """Take the lock beside other daemons, if nobody has it alone; return whether it was taken.

        Raises:
            ConfigError: the database cannot be used.
        """
        try:
            return super().try_share()
        except TROUBLE as exc:
            raise unusable(self._place, exc) from exc


class ServerLife:
    """What stands beside a database on a server, so that an earlier copy of it can be told: where it is kept.

    A copy that was brought back is another database, or its server goes on from an earlier time; either is another
    place than the one that the last daemon noted. Nothing has to be written but that.
    """

    _NAME, _COUNT, _HOME = "life", "life_count", "life_home"

    def __init__(self, database: PostgresReading) -> None:
        self._database = database
        #: Where the daemon that has begun knows the database to be; empty before one has.
        self._home = ""
        self._moved = False
        self._lock = threading.Lock()

    def read(self) -> Place | None:
        """Return how far the last daemon here has come; None when there was none here, or it is not here any more."""
        return self._database.read(self._read)

    def _read(self, db: Connection) -> Place | None:
        name = meta.get(db, self._NAME)
        if name is None or meta.get(db, self._HOME) != _home(db):
            return None
        return Place(meta.number(db, self._COUNT), name)

    def keep(self, place: Place) -> None:
        """Note where this is, once for each daemon that begins."""
        if place.count == _BEGUN and isinstance(self._database, PostgresDatabase):
            self._home = self._database.write(None, self.keep_home)

    def has_moved(self) -> bool:
        """Return whether another place was found since this was last asked."""
        with self._lock:
            moved, self._moved = self._moved, False
        return moved

    def follow(self, raw: Raw) -> None:
        """Begin once more where a new connection leads to another place, before anything is done on it.

        A standby is no place: it may become one while the connection lasts, unseen. The first connection of all nodes
        begins once more; each node is told once, by its own first one.
        """
        if not self._home:
            return
        db = Session(raw)
        if raw.execute("SELECT pg_is_in_recovery()").fetchone() == (True,):
            raise psycopg.OperationalError("the server is a standby")
        home = _home(db)
        if meta.get(db, self._HOME) != home:
            with raw.transaction():
                raw.execute(f"SELECT pg_advisory_xact_lock({OF_DOMAINS}, {EVERYBODYS})")
                if meta.get(db, self._HOME) != home:
                    (now,) = raw.execute("SELECT clock_timestamp()").fetchall()[0]
                    life.begin(db, now, None)
                    self.keep_home(db)
        with self._lock:
            self._moved = self._moved or home != self._home
            self._home = home

    @classmethod
    def keep_home(cls, db: Connection) -> str:
        """Note that a database belongs where it is; return that place."""
        home = _home(db)
        meta.put(db, cls._HOME, home)
        return home


def _home(db: Connection) -> str:
    """Name the place of a database: which table of which server, and how often that went on from an earlier time."""
    raw = db.raw if isinstance(db, Session) else None
    if raw is None:
        raise TypeError("a connection to PostgreSQL is asked for")
    row = raw.execute(
        "SELECT current_database(), CAST(to_regclass('meta') AS oid),"
        " CASE WHEN pg_is_in_recovery() THEN '' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END,"
        " (SELECT system_identifier FROM pg_control_system())"
    ).fetchone()
    return " ".join(map(str, row or ()))
