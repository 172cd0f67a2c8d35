"""Opening a database to look into it: it is neither made nor brought up to date.

Commands that only look load no more than they need: not the library that migrates, nor, for a file, what PostgreSQL
needs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Protocol, TypeVar

from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.errors import ConfigError
from connector_core.databases import DatabasePlace, PostgreSQL
from connector_core.secrets import NoKey, SecretBox
from connector_core.store import health, sealing
from connector_core.store.connection import connect
from connector_core.store.nouns import Scope, StoreDatabase
from connector_core.store.sqlite import SQLiteBeside
from connector_core.store.statements import Connection
from connector_core.store.version import is_latest

T = TypeVar("T")


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
            advice=Advice(Remedy.START),
        )
    try:
        with closing(connect(database)) as db:
            if not is_latest(db):
                from connector_core.store.opening import refuse_other  # noqa: PLC0415 - slow to load

                refuse_other(db, database)
            usable = _usable(db, box, with_any_key=with_any_key)
    except (sqlite3.DatabaseError, OSError) as exc:
        raise health.unusable(database, exc) from exc
    return SQLiteBeside(database, usable)


def _read_server(place: PostgreSQL, box: SecretBox, *, with_any_key: bool) -> Reading:
    from connector_core.store.driver import require_driver  # noqa: PLC0415 - few need it

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
