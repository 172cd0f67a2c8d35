"""Single values of the database by name, and numbers that only grow and outlive the process."""

from __future__ import annotations

from connector_core.store.statements import Connection


def get(db: Connection, name: str) -> str | None:
    """Return a value."""
    row = db.execute("SELECT value FROM meta WHERE key = ?", (name,)).fetchone()
    return None if row is None else str(row[0])


def put(db: Connection, name: str, value: str | None) -> None:
    """Keep a value in place of the one that is there; None forgets it."""
    if value is None:
        db.execute("DELETE FROM meta WHERE key = ?", (name,))
        return
    db.execute(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (name, value),
    )


def add(db: Connection, name: str, by: int = 1) -> None:
    """Count, in one statement: others may count at the same time."""
    db.execute(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE"
        " SET value = CAST(CAST(meta.value AS BIGINT) + CAST(excluded.value AS BIGINT) AS TEXT)",
        (name, str(by)),
    )


def number(db: Connection, name: str) -> int:
    """Return how far a number has come; none has come to 0."""
    return int(get(db, name) or 0)


def keep_latest(db: Connection, prefix: str, most: int) -> None:
    """Forget all but so many of the values whose names begin alike and which are numbers: the highest stay."""
    db.execute(
        "DELETE FROM meta WHERE substr(key, 1, CAST(?1 AS INTEGER)) = ?2 AND key NOT IN (SELECT key FROM meta"
        " WHERE substr(key, 1, CAST(?1 AS INTEGER)) = ?2 ORDER BY CAST(value AS BIGINT) DESC, key LIMIT ?3)",
        (len(prefix), prefix, most),
    )
