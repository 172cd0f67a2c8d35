"""Opening a database: made or migrated first, and refused where it is not one that this version can work with."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlite_utils import Database

from connector_core.contract.errors import ConfigError
from connector_core.databases import DatabasePlace, PostgreSQL
from connector_core.secrets import SecretBox
from connector_core.store import health, meta, private, sealing
from connector_core.store.connection import connect
from connector_core.store.driver import require_driver
from connector_core.store.filelock import FileLock
from connector_core.store.nouns import EVERYBODY
from connector_core.store.schema import migrations
from connector_core.store.sqlite import SQLiteDatabase
from connector_core.store.store import Store


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


def _prepare(path: Path, box: SecretBox, *, with_any_key: bool) -> None:
    with closing(connect(path, writer=True)) as db:
        database = Database(db, execute_plugins=False)
        _refuse_newer(database, path)
        migrations.apply(database)
        if not with_any_key or meta.get(db, sealing.CANARY) is None:
            sealing.check_key(db, box)


def refuse_other(db: sqlite3.Connection, path: Path) -> None:
    """Refuse a database that this version cannot read as it is.

    Raises:
        ConfigError: it was made by a later version, by an earlier one, or by nobody.
    """
    database = Database(db, execute_plugins=False)
    _refuse_newer(database, path)
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


def _refuse_newer(database: Database, path: Path) -> None:
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
