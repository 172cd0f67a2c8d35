"""Single values of the database by name, and numbers that only grow and outlive the process."""

from __future__ import annotations

import sqlite3


def get(db: sqlite3.Connection, name: str) -> str | None:
    """Return a value."""
    row = db.execute("SELECT value FROM meta WHERE key = ?", (name,)).fetchone()
    return None if row is None else str(row[0])


def put(db: sqlite3.Connection, name: str, value: str | None) -> None:
    """Keep a value in place of the one that is there; None forgets it."""
    if value is None:
        db.execute("DELETE FROM meta WHERE key = ?", (name,))
        return
    db.execute(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (name, value),
    )


def add(db: sqlite3.Connection, name: str, by: int = 1) -> None:
    """Count, in one statement: others may count at the same time."""
    db.execute(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE"
        " SET value = CAST(CAST(meta.value AS INTEGER) + CAST(excluded.value AS INTEGER) AS TEXT)",
        (name, str(by)),
    )


def number(db: sqlite3.Connection, name: str) -> int:
    """Return how far a number has come; none has come to 0."""
    return int(get(db, name) or 0)


def keep_latest(db: sqlite3.Connection, prefix: str, most: int) -> None:
    """Forget all but so many of the values whose names begin alike and which are numbers: the highest stay."""
    db.execute(
        "DELETE FROM meta WHERE key IN (SELECT key FROM meta WHERE substr(key, 1, ?1) = ?2"
        " ORDER BY CAST(value AS INTEGER) DESC, key LIMIT -1 OFFSET ?3)",
        (len(prefix), prefix, most),
    )
