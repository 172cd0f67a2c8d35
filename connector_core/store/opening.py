"""Opening a database: made or migrated first, and refused where it is not one that this version can work with."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import sqlite_utils

from connector_core.contract.errors import ConfigError
from connector_core.databases import DatabasePlace, PostgreSQL
from connector_core.secrets import SecretBox
from connector_core.store import health, meta, private, sealing
from connector_core.store.connection import connect
from connector_core.store.filelock import FileLock
from connector_core.store.schema import migrations
from connector_core.store.sqlite import SQLiteDatabase
from connector_core.store.store import Store


def open_store(database: DatabasePlace, box: SecretBox, *, with_any_key: bool = False) -> Store:
    """Open the database, making or migrating it first; nobody else can read it.

    Args:
        database: where it is.
        box: what seals and opens secrets.
        with_any_key: the key may be another one than that of the database. The daemon takes it up when it starts, and
            nothing can be sealed before.

    Raises:
        ConfigError: the secret key is not the one it was made with, the file is no database of ours, or newer than us.
    """
    path = file_of(database)
    try:
        private.make_folder(path.parent)
        with FileLock(path.with_name(f"{path.name}.migrate.lock")):
            private.make_private(path)
            private.narrow(path)
            _prepare(path, box, with_any_key=with_any_key)
        return Store(SQLiteDatabase(path, box))
    except (sqlite3.DatabaseError, OSError) as exc:
        raise health.unusable(path, exc) from exc


def file_of(database: DatabasePlace) -> Path:
    """Return SQLite's file. Every way to a database begins here, and here PostgreSQL is told apart.

    Raises:
        ConfigError: it is PostgreSQL, which cannot be used yet.
    """
    if isinstance(database, PostgreSQL):
        require_driver()
        raise ConfigError(
            f"{database} cannot be used yet: this version keeps everything in SQLite.",
            code="database_unsupported",
            fix="Name a file in database, like sqlite:///var/connector.db.",
        )
    return database


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
