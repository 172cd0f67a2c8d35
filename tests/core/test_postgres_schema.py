"""Both databases have a place for the same things."""

from __future__ import annotations

from contextlib import closing

from sqlite_utils import Database

from connector_core.store import steps
from connector_core.store.listing_schema import LISTING_TRIGGERS
from connector_core.store.postgres_schema import _columns
from connector_core.store.postgres_steps import ADDED, INDEXES, LATER, LATER_INDEXES, MIGRATIONS, TABLES, TRIGGERS
from connector_core.store.version import LATEST


def test_what_sqlite_stores_postgresql_stores():
    """Tables, columns, named indexes and triggers are the same: who adds one to the former adds it to the latter."""
    database = Database(memory=True, execute_plugins=False)
    with closing(database.conn):
        steps.migrations.apply(database)
        tables = [name for name in database.table_names() if not name.startswith(("_", "sqlite_"))]
        columns = {name: {column.name for column in database[name].columns} for name in tables}
        named = database.conn.execute("SELECT type, name FROM sqlite_master WHERE sql IS NOT NULL").fetchall()

    whole = {name: set(_columns(text)) for name, text in (*TABLES.items(), *LATER.items())}
    for name, text in (one for added in ADDED.values() for one in added.items()):
        whole[name].update(_columns(text))
    assert whole == columns
    assert {*INDEXES, *LATER_INDEXES} == {
        name for kind, name in named if kind == "index" and not name.startswith("idx__sqlite")
    }
    assert {*TRIGGERS, *LISTING_TRIGGERS} == {name for kind, name in named if kind == "trigger"}


def test_a_migration_of_one_is_one_of_the_other():
    """The last ones have the same number."""
    assert list(MIGRATIONS)[-1][:4] == LATEST[:4]
