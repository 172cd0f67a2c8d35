"""Opening a database: made or migrated first, and refused where it is not one that this version can work with."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Protocol, TypeVar

import sqlite_utils

from connector_core.contract.errors import ConfigError
from connector_core.databases import DatabasePlace, PostgreSQL
from connector_core.secrets import NoKey, SecretBox
from connector_core.store import health, meta, private, sealing
from connector_core.store.connection import connect
from connector_core.store.filelock import FileLock
from connector_core.store.nouns import EVERYBODY, Scope, StoreDatabase
from connector_core.store.schema import migrations
from connector_core.store.sqlite import SQLiteBeside, SQLiteDatabase
from connector_core.store.statements import Connection
from connector_core.store.store import Store

T = TypeVar("T")


def open_store(database: DatabasePlace, box: SecretBox, *, with_any_key: bool = False) -> Store:
    """Open the database, making or migrating it first; nobody else can read a file.

    Args:
        database: where it is.
        box: what seals and opens secrets.
        with_any_key: the key may be another one than that of the database. The daemon takes it up when it starts, and
            nothing can be sealed before.

    Raises:
        ConfigError: the secret key is not the one it was made with, the database is none of ours, or newer than us, or
            its server does not keep what we promise.
    """
    if isinstance(database, PostgreSQL):
        return _open_server(database, box, with_any_key=with_any_key)
    try:
        private.make_folder(database.parent)
        with FileLock(database.with_name(f"{database.name}.migrate.lock")):
            private.make_private(database)
            private.narrow(database)
            _prepare(database, box, with_any_key=with_any_key)
        return Store(SQLiteDatabase(database, box))
    except (sqlite3.DatabaseError, OSError) as exc:
        raise health.unusable(database, exc) from exc


def _open_server(place: PostgreSQL, box: SecretBox, *, with_any_key: bool) -> Store:
    require_driver()
    from connector_core.store import postgres  # noqa: PLC0415 - the driver is an extra
    from connector_core.store import postgres_connections as connections  # noqa: PLC0415 - as above

    try:
        connections.prepare(place.url, place)
    except connections.TROUBLE as exc:
        raise connections.unusable(place, exc) from exc
    database = postgres.PostgresDatabase(place, box)
    try:
        if not with_any_key or database.read(lambda db: meta.get(db, sealing.CANARY)) is None:
            database.write(EVERYBODY, lambda db: sealing.check_key(db, box))
    except BaseException:
        database.close()
        raise
    return Store(database)


class Reading(StoreDatabase, Protocol):
    """A database that a command reads."""

    def write_now(self, scope: Scope | None, work: Callable[[Connection], T]) -> T:
        """Run and commit a transaction beside the daemon's."""
        ...


def open_reading(database: DatabasePlace, box: SecretBox, *, with_any_key: bool) -> Reading:
    """Open a database for reading: neither made nor brought up to date.

    A key that is not that of the database counts as none, unless `with_any_key`: whatever needs no secret works.

    Raises:
        ConfigError: there is none yet, it was made by an older or a newer version, or it is no database of ours.
    """
    if isinstance(database, PostgreSQL):
        return _read_server(database, box, with_any_key=with_any_key)
    if not database.exists():
        raise ConfigError(
            f"There is no database {database} yet: the connector has not run with this file.",
            code="database_missing",
            fix="Start it with: connector run",
        )
    try:
        opened = connect(database)
        with closing(opened.conn):
            refuse_newer(opened, database)
            refuse_older(opened, database)
            usable = _usable(opened.conn, box, with_any_key=with_any_key)
    except (sqlite3.DatabaseError, OSError) as exc:
        raise health.unusable(database, exc) from exc
    return SQLiteBeside(database, usable)


def _read_server(place: PostgreSQL, box: SecretBox, *, with_any_key: bool) -> Reading:
    require_driver()
    from connector_core.store import postgres  # noqa: PLC0415 - the driver is an extra
    from connector_core.store import postgres_connections as connections  # noqa: PLC0415 - as above

    try:
        with closing(connections.connect(place.url)) as raw:
            done = connections.applied(raw)
            connections.refuse_newer(done, place)
            connections.refuse_older(done, place)
            usable = _usable(connections.Session(raw), box, with_any_key=with_any_key)
    except connections.TROUBLE as exc:
        raise connections.unusable(place, exc) from exc
    return postgres.PostgresBeside(place, usable)


def _usable(db: Connection, box: SecretBox, *, with_any_key: bool) -> SecretBox:
    return box if with_any_key or not box.has_key or sealing.opens(db, box) else NoKey(is_other=True)


class DaemonLock(Protocol):
    """What the daemon of a database holds while it lives; on PostgreSQL there may be several, who share it."""

    def try_acquire(self) -> bool:
        """Take it if it is free; return whether it was."""
        ...

    def try_share(self) -> bool:
        """Take it beside other daemons, if there may be some; return whether it was taken."""
        ...

    def release(self) -> None:
        """Let go."""
        ...


def daemon_lock(database: DatabasePlace) -> DaemonLock:
    """Return the lock that the daemons of a database hold while they live."""
    if not isinstance(database, PostgreSQL):
        private.make_folder(database.parent)
        return FileLock(database.with_name(f"{database.name}.daemon.lock"))
    require_driver()
    from connector_core.store import postgres  # noqa: PLC0415 - the driver is an extra

    return postgres.DaemonLock(database)


def take_daemon_lock(database: DatabasePlace) -> DaemonLock:
    """Take the daemon's lock.

    Raises:
        ConfigError: another daemon works on this file, a command has the database for itself, or the lock cannot be
            made.
    """
    try:
        lock = daemon_lock(database)
        is_ours = lock.try_share()
    except OSError as exc:
        raise health.unusable(database, exc) from exc
    if not is_ours and isinstance(database, PostgreSQL):
        raise ConfigError(
            f"A command has {database} for itself.",
            code="database_in_use",
            fix="Start the connector again when that command has ended.",
        )
    if not is_ours:
        raise ConfigError(
            f"Another connector is running on {database}.",
            code="already_running",
            fix="Stop it first, or name another database.",
        )
    return lock


def require_driver() -> None:
    """Load what PostgreSQL is reached with.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import psycopg  # noqa: F401, PLC0415 - only who has PostgreSQL needs it
        import psycopg_pool  # noqa: F401, PLC0415 - as above
    except ImportError as exc:
        raise ConfigError(
            f"database names PostgreSQL, and what reaches it cannot be loaded here: {exc}.",
            code="database_driver_missing",
            fix="Run: pip install 'connector-core[postgresql]'",
        ) from exc


def _prepare(path: Path, box: SecretBox, *, with_any_key: bool) -> None:
    database = connect(path, writer=True)
    try:
        refuse_newer(database, path)
        migrations.apply(database)
        if not with_any_key or meta.get(database.conn, sealing.CANARY) is None:
            sealing.check_key(database.conn, box)
    finally:
        database.conn.close()


def refuse_older(database: sqlite_utils.Database, path: Path) -> None:
    """Refuse a database that has to be brought up to date first.

    Raises:
        ConfigError: it was made by an earlier version, or by nobody.
    """
    if not migrations.applied(database):
        raise ConfigError(
            f"{path} is no database of the connector: nothing is in it.",
            code="database_foreign",
            fix="Name the right file in database, or restore a backup.",
        )
    if migrations.pending(database):
        raise ConfigError(
            f"{path} was written by an older version of the connector, and this command only reads.",
            code="database_older",
            fix="Start the connector, or run: connector db migrate",
        )


def refuse_newer(database: sqlite_utils.Database, path: Path) -> None:
    """Refuse a database that this version does not understand.

    Raises:
        ConfigError: it was made by a later one.
    """
    known = {migration.name for migration in migrations.pending(database)}
    known |= {migration.name for migration in migrations.applied(database)} & {
        migration.name
        for migration in migrations._migrations  # noqa: SLF001 - the library has no public list
    }
    newer = [migration.name for migration in migrations.applied(database) if migration.name not in known]
    if newer:
        raise ConfigError(
            f"{path} was written by a newer version of the connector ({newer[-1]}).",
            code="database_newer",
            fix="Install that version or a later one, or restore a backup.",
        )
