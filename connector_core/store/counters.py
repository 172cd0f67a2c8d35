"""Numbers that only grow and outlive the process, by name."""

from __future__ import annotations

import sqlite3


def add(db: sqlite3.Connection, name: str, by: int = 1) -> None:
    """Count."""
    db.execute(
        "INSERT INTO meta (key, value) VALUES (?1, CAST(?2 AS TEXT))"
        " ON CONFLICT (key) DO UPDATE SET value = CAST(CAST(value AS INTEGER) + ?2 AS TEXT)",
        (name, by),
    )


def value(db: sqlite3.Connection, name: str) -> int:
    """Return how far a number has come."""
    row = db.execute("SELECT value FROM meta WHERE key = ?", (name,)).fetchone()
    return 0 if row is None else int(row[0])
