"""Opening a database: made or migrated first, and refused where it is not one that this version can work with."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlite_utils import Database, Migrations

from connector_core.contract.errors import ConfigError
from connector_core.databases import DatabasePlace, PostgreSQL
from connector_core.secrets import SecretBox
from connector_core.store import health, meta, private, schema, sealing, version
from connector_core.store.connection import connect
from connector_core.store.driver import require_driver
from connector_core.store.filelock import FileLock
from connector_core.store.nouns import EVERYBODY
from connector_core.store.sqlite import SQLiteDatabase
from connector_core.store.steps import finishing, migrations
from connector_core.store.store import Store


def open_store(
    database: DatabasePlace,
    box: SecretBox,
    *,
    with_any_key: bool = False,
    is_alone: bool = False,
    migrates: bool = True,
) -> Store:
    """Open the database, making or migrating it first; nobody else can read a file.

    Args:
        database: where it is.
        box: what seals and opens secrets.
        with_any_key: the key may be another one than that of the database. The daemon takes it up when it starts, and
            nothing can be sealed before.
        is_alone: nobody else works on this file, so that what no version needs any more is removed, too. What is there
            is compared with what this version needs, on a server as well.
        migrates: bring an earlier version's database up to date; without it that is refused. A new one is made.

    Raises:
        ConfigError: the secret key is not the one it was made with, the database is none of ours, or newer than us, or
            older, or something is missing in it, or its server does not keep what we promise.
    """
    if isinstance(database, PostgreSQL):
        return _open_server(database, box, with_any_key=with_any_key, is_whole=is_alone, migrates=migrates)
    try:
        private.make_folder(database.parent)
        with FileLock(database.with_name(f"{database.name}.migrate.lock")):
            private.make_private(database, for_owner=True)
            private.narrow(database)
            _prepare(database, box, with_any_key=with_any_key, is_alone=is_alone, migrates=migrates)
        return Store(SQLiteDatabase(database, box))
    except (sqlite3.DatabaseError, OSError) as exc:
        raise health.unusable(database, exc) from exc


def _open_server(place: PostgreSQL, box: SecretBox, *, with_any_key: bool, is_whole: bool, migrates: bool) -> Store:
    require_driver()
    from connector_core.store import postgres  # noqa: PLC0415 - the driver is an extra
    from connector_core.store import postgres_connections as connections  # noqa: PLC0415 - as above

    try:
        connections.prepare(place.url, place, migrates=migrates)
    except connections.TROUBLE as exc:
        raise connections.unusable(place, exc) from exc
    database = postgres.PostgresDatabase(place, box)
    try:
        if is_whole:
            version.refuse_incomplete(place, database.check())
        if not with_any_key or (box.has_key and database.read(lambda db: meta.get(db, sealing.CANARY)) is None):
            database.write(EVERYBODY, lambda db: sealing.check_key(db, box))
    except BaseException:
        database.close()
        raise
    return Store(database)


def _prepare(path: Path, box: SecretBox, *, with_any_key: bool, is_alone: bool, migrates: bool) -> None:
    with closing(connect(path, writer=True)) as db:
        database = Database(db, execute_plugins=False)
        _refuse_newer(database, path)
        if not migrates and migrations.applied(database) and migrations.pending(database):
            raise version.older(path)
        migrations.apply(database)
        if is_alone:
            finishing.apply(database)
            if not schema.is_known_whole(db):
                version.refuse_incomplete(path, schema.missing(db))
                schema.note_whole(db)
        if not with_any_key or (box.has_key and meta.get(db, sealing.CANARY) is None):
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
        raise version.older(path)


def refuse_any_other(db: sqlite3.Connection, path: Path) -> None:
    """Refuse a database that is not of this very version.

    Raises:
        ConfigError: as `refuse_other`; or a later version added to it.
    """
    refuse_other(db, path)
    if added := unknown(Database(db, execute_plugins=False), migrations):
        raise version.newer(path, added[-1])


def _refuse_newer(database: Database, path: Path) -> None:
    """Refuse a database of which a later version has removed something; what one only added to is no trouble.

    Raises:
        ConfigError: what this version needs may be gone.
    """
    if removed := unknown(database, finishing):
        raise version.newer(path, removed[-1])


def unknown(database: Database, steps: Migrations) -> list[str]:
    """Return which steps of a kind a later version has taken."""
    known = {step.name for step in steps._migrations}  # noqa: SLF001 - the library has no public list
    return [step.name for step in steps.applied(database) if step.name not in known]
