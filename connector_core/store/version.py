"""Which version a database is of, told without the library that brings it up to date, which is slow to load.

And what is said of one that is of another version, on either kind of database.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.errors import ConfigError

#: The last migration of `steps`.
LATEST = "m037_revoked_and_unlinked"


def is_latest(db: sqlite3.Connection) -> bool:
    """Return whether the last migration that a database has had is the last one of this version."""
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'").fetchone() is None:
        return False
    row = db.execute(
        "SELECT name FROM _sqlite_migrations WHERE migration_set = 'connector_core' ORDER BY rowid DESC LIMIT 1"
    ).fetchone()
    return row is not None and row[0] == LATEST


def newer(name: object, step: str) -> ConfigError:
    """Say that a later version has made of a database what this one does not understand, by a step not known here."""
    return ConfigError(
        f"{name} is a newer version's: what this version needs may be gone ({step}).",
        code="database_newer",
        fix="Install that version or a later one, or restore a backup.",
    )


def older(name: object) -> ConfigError:
    """Say that a database has to be brought up to date first."""
    return ConfigError(
        f"{name} was written by an older version of the connector, and this command does not bring it up to date.",
        code="database_older",
        fix="Start the connector, or bring the database up to date.",
        advice=Advice(Remedy.MIGRATE),
    )


def refuse_incomplete(name: object, missing: Sequence[str]) -> None:
    """Refuse a database that says that it is of this version, but lacks what this version stores.

    Raises:
        ConfigError: something is missing.
    """
    if not missing:
        return
    more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
    raise ConfigError(
        f"{name} is not as this version of the connector made it: {missing[0]}{more}.",
        code="database_incomplete",
        fix="Restore a backup. Or name a new database: what was linked is then found by the marks on the tickets.",
    )
