"""Opening a database: made or migrated first, and refused where it is not one that this version can work with."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import sqlite_utils

from connector_core.contract.errors import ConfigError
from connector_core.secrets import SecretBox
from connector_core.store import health, meta
from connector_core.store.connection import connect
from connector_core.store.filelock import FileLock
from connector_core.store.schema import migrations
from connector_core.store.sqlite import SQLiteDatabase
from connector_core.store.store import Store

_CANARY = "secret_key_check"


def open_store(path: Path, box: SecretBox) -> Store:
    """Open the database, making or migrating it first.

    Raises:
        ConfigError: the secret key is not the one it was made with, the file is no database of ours, or newer than us.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f"{path.name}.migrate.lock")):
            _prepare(path, box)
        return Store(SQLiteDatabase(path, box))
    except (sqlite3.DatabaseError, OSError) as exc:
        raise health.unusable(path, exc) from exc


def _prepare(path: Path, box: SecretBox) -> None:
    database = connect(path, writer=True)
    try:
        refuse_newer(database, path)
        migrations.apply(database)
        _check_key(database.conn, box)
    finally:
        database.conn.close()


def refuse_older(database: sqlite_utils.Database, path: Path) -> None:
    """Refuse a database that has to be brought up to date first.

    Raises:
        ConfigError: it was made by an earlier version.
    """
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


def _check_key(db: sqlite3.Connection, box: SecretBox) -> None:
    """Open a known text with the secret key, so that a wrong key is noticed before anything runs."""
    sealed = meta.get(db, _CANARY)
    if sealed is None:
        meta.put(db, _CANARY, box.seal(_CANARY).decode())
    else:
        box.open(sealed.encode())
