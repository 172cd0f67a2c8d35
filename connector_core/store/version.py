"""Which version a database is of, told without the library that brings it up to date: that is slow to load."""

from __future__ import annotations

import sqlite3

#: The last migration of `schema.py`.
LATEST = "m019_nodes"


def is_latest(db: sqlite3.Connection) -> bool:
    """Return whether the last migration that a database has had is the last one of this version."""
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'").fetchone() is None:
        return False
    row = db.execute(
        "SELECT name FROM _sqlite_migrations WHERE migration_set = 'connector_core' ORDER BY rowid DESC LIMIT 1"
    ).fetchone()
    return row is not None and row[0] == LATEST
