"""Whether the database file is whole, and what to say of one that is not."""

from __future__ import annotations

import sqlite3

from connector_core.contract.errors import ConfigError, ConnectorError
from connector_core.store.failures import DAMAGED
from connector_core.store.records import DAMAGE_FIX


def integrity(db: sqlite3.Connection) -> list[str]:
    """Return what SQLite finds wrong, nothing when all is well."""
    try:
        found = [str(row[0]) for row in db.execute("PRAGMA integrity_check")]
        found += [
            f"{row[0]} row {row[1]} names a {row[2]} that is not there"
            for row in db.execute("PRAGMA foreign_key_check")
        ]
    except sqlite3.DatabaseError as exc:
        if not is_damage(exc):
            raise
        return [str(exc)]
    return [text for text in found if text != "ok"]


def problems(db: sqlite3.Connection) -> list[str]:
    """Return what is wrong with a database of ours: damage, else what is not there."""
    from connector_core.store import schema  # noqa: PLC0415 - slow to load, and only this needs it

    return integrity(db) or schema.missing(db)


def is_damage(exc: Exception) -> bool:
    """Return whether an error means that the file itself is damaged."""
    return getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF in DAMAGED


def unusable(path: object, exc: Exception) -> ConnectorError:
    """Say why a file cannot be opened as database; somebody has to act, starting again and again mends nothing."""
    if is_damage(exc):
        return ConfigError(
            f"{path} is damaged, or no database.", code="database_damaged", detail=str(exc), fix=DAMAGE_FIX
        )
    return ConfigError(
        f"{path} cannot be used as database: {exc}.",
        code="database_unusable",
        detail=str(exc),
        fix="Make the folder, or name another database."
        if isinstance(exc, FileNotFoundError)
        else "Check that file and folder are writable for this user, and that there is space on the disk.",
    )
