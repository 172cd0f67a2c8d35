"""Rolling updates: what a later version added to a database, and removing what no version needs any more.

A migration only adds, so that daemons of two versions work side by side. What is to go is removed by finishing steps,
once no daemon is left that does not know the migration of the same number: a file's daemon does that when it starts,
for it is alone; on a server somebody says so.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from sqlite_utils import Database

from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.errors import ConfigError
from connector_core.databases import DatabasePlace, PostgreSQL
from connector_core.store import health, postgres_schema
from connector_core.store.connection import connect
from connector_core.store.daemon_lock import daemon_lock
from connector_core.store.driver import require_driver
from connector_core.store.filelock import FileLock
from connector_core.store.opening import unknown
from connector_core.store.steps import finishing, migrations

if TYPE_CHECKING:
    from connector_core.store.postgres_connections import Raw

#: A node that has no session and was not heard of for so long is no more, even if nobody was there to bury it.
GONE_AFTER_S = 60
#: The part of a migration's name that orders it: `m023`.
_NUMBER = 4


def added_later(place: DatabasePlace) -> Sequence[str]:
    """Return what a later version has added to a database."""
    if isinstance(place, PostgreSQL):
        return postgres_schema.added_later(_applied(place))
    with closing(connect(place)) as db:
        return unknown(Database(db, execute_plugins=False), migrations)


def unfinished(place: DatabasePlace) -> Sequence[str]:
    """Return what is left to be removed."""
    if isinstance(place, PostgreSQL):
        return postgres_schema.unfinished(_applied(place))
    with closing(connect(place)) as db:
        return [step.name for step in finishing.pending(Database(db, execute_plugins=False))]


def require_made(place: DatabasePlace) -> None:
    """Refuse a database in which there is nothing of ours, without making anything.

    Raises:
        ConfigError: there is none, or nothing in it.
    """
    is_made = bool(_applied(place)) if isinstance(place, PostgreSQL) else place.exists() and _is_ours(place)
    if not is_made:
        raise ConfigError(
            f"There is no database of the connector in {place}: nothing can be removed from it.",
            code="database_missing",
            fix="Check what database names, or make a new one.",
            advice=Advice(Remedy.MIGRATE),
        )


def _is_ours(path: Path) -> bool:
    try:
        with closing(connect(path)) as db:
            return bool(migrations.applied(Database(db, execute_plugins=False)))
    except sqlite3.DatabaseError as exc:
        raise health.unusable(path, exc) from exc


def finish(place: DatabasePlace) -> Sequence[str]:
    """Remove what no version needs any more from a database that is up to date; return which steps were taken.

    Raises:
        ConfigError: a daemon runs that may need it.
    """
    return _finish_server(place) if isinstance(place, PostgreSQL) else _finish_file(place)


def _finish_file(path: Path) -> Sequence[str]:
    lock = daemon_lock(path)
    if not lock.try_acquire():
        raise ConfigError(
            f"A connector is running on {path}.",
            code="already_running",
            fix="There is nothing to do: it removes what is not needed any more at its start.",
        )
    try:
        with FileLock(path.with_name(f"{path.name}.migrate.lock")), closing(connect(path, writer=True)) as db:
            database = Database(db, execute_plugins=False)
            steps = [step.name for step in finishing.pending(database)]
            finishing.apply(database)
    except (sqlite3.DatabaseError, OSError) as exc:
        raise health.unusable(path, exc) from exc
    finally:
        lock.release()
    return steps


def _applied(place: PostgreSQL) -> list[str]:
    require_driver()
    from connector_core.store import postgres_connections as connections  # noqa: PLC0415 - the driver is an extra

    try:
        with closing(connections.connect(place.url)) as raw:
            return connections.applied(raw)
    except connections.TROUBLE as exc:
        raise connections.unusable(place, exc) from exc


def _finish_server(place: PostgreSQL) -> Sequence[str]:
    require_driver()
    from connector_core.store import postgres_connections as connections  # noqa: PLC0415 - as above

    try:
        with connections.migrating(place.url, place) as (raw, done):
            connections.refuse_newer(done, place)
            steps = postgres_schema.unfinished(done)
            if steps:
                # Others wait behind whoever waits for a table: not long.
                raw.execute("SET LOCAL lock_timeout = '5s'")
                raw.execute("LOCK TABLE node IN SHARE ROW EXCLUSIVE MODE")  # nobody registers meanwhile
                _refuse_earlier(raw, max(step.partition("_")[2] for step in steps))
                postgres_schema.finish(lambda statement: raw.execute(statement.encode()), done)
            return steps
    except connections.TROUBLE as exc:
        raise connections.unusable(place, exc) from exc


def _refuse_earlier(raw: Raw, needed: str) -> None:
    """Refuse while a node lives whose version does not know a migration."""
    from connector_core.store.postgres_presence import number_of, sessions  # noqa: PLC0415 - as above

    rows = raw.execute(
        "SELECT id, host, version, COALESCE(seen_at, started_at) < to_char((clock_timestamp()"
        " - make_interval(secs => %s)) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS')"
        " FROM node WHERE ended = '' AND left(knows, CAST(%s AS int)) < %s ORDER BY started_at",
        (GONE_AFTER_S, _NUMBER, needed[:_NUMBER]),
    ).fetchall()
    there = sessions(raw)
    living = [f"{host} ({version})" for name, host, version, is_old in rows if number_of(name) in there or not is_old]
    if living:
        raise ConfigError(
            f"Connectors of an earlier version run on this database: {', '.join(living)}.",
            code="earlier_nodes",
            fix="Update them too, then run this again.",
            advice=Advice(Remedy.LIST_NODES),
        )
