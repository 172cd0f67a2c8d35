"""The tables, as numbered migrations; those of SQLite are in `steps`.

A migration only adds, for daemons of the version before go on beside those of the new one: a table, an index, a column
that may be left out. What its version needs no more is removed by a step of `finishing`, later, with the same number:
nobody removes what a running daemon still reads or writes, this version's included.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

from sqlite_utils import Database

from connector_core.store.steps import finishing, migrations


def missing(db: sqlite3.Connection) -> list[str]:
    """Return what this version stores and a database has no place for, a sentence each."""
    fresh = Database(memory=True, execute_plugins=False)
    with closing(fresh.conn):
        migrations.apply(fresh)
        finishing.apply(fresh)
        there = _parts(db)
        return [f"{part} is missing" for part in _parts(fresh.conn) if part not in there]


def is_known_whole(db: sqlite3.Connection) -> bool:
    """Return whether nothing was missing when it was looked, and no table, index or trigger has changed since."""
    (changes,), (known,) = (db.execute(f"PRAGMA {name}").fetchone() for name in ("schema_version", "user_version"))
    return bool(changes == known)


def note_whole(db: sqlite3.Connection) -> None:
    """Note that nothing is missing: the database itself counts what changes in its tables from here on."""
    (changes,) = db.execute("PRAGMA schema_version").fetchone()
    db.execute(f"PRAGMA user_version = {changes}")


def _parts(db: sqlite3.Connection) -> list[str]:
    """Name every table, column, index, trigger and view."""
    found = [
        (str(kind), str(name))
        for kind, name in db.execute("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite!_%' ESCAPE '!'")
    ]
    columns = [
        f"column {name}.{row[0]}"
        for kind, name in found
        if kind == "table"
        for row in db.execute("SELECT name FROM pragma_table_info(?)", (name,))
    ]
    return [*(f"{kind} {name}" for kind, name in found), *columns]
