"""Copies of the live database: taken while it is written, whole or not at all."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from connector_core.contract.errors import ConfigError, RemoteError, RetryLater
from connector_core.store import health, life
from connector_core.store.records import DAMAGE_FIX


def copy(db: sqlite3.Connection, target: Path) -> None:
    """Copy to a new file and check the copy; writers go on meanwhile, the copy shows one moment.

    Raises:
        ConfigError: the target exists, or cannot be written.
        RemoteError: the database is damaged; no copy is left.
        RetryLater: there is no space for it.
    """
    if target.exists():
        raise ConfigError(f"{target} exists already.", code="file_exists", fix="Name a new file.")
    if not target.parent.is_dir():
        raise ConfigError(
            f"There is no folder {target.parent}.", code="folder_missing", fix="Make it, or name another."
        )
    try:
        problems = _copy(db, target)
    except sqlite3.Error as exc:
        target.unlink(missing_ok=True)
        raise _failure(target, exc) from exc
    if problems:
        target.unlink()
        raise _damaged(problems[0])


def _copy(db: sqlite3.Connection, target: Path) -> list[str]:
    with closing(sqlite3.connect(target, isolation_level=None)) as made:
        db.backup(made)
        life.mark_copy(made)
        # One file without companions, that is easy to move; the daemon turns it back when it opens it.
        made.execute("PRAGMA journal_mode = DELETE")
        return health.integrity(made)


def _failure(target: Path, exc: sqlite3.Error) -> ConfigError | RemoteError | RetryLater:
    if health.is_damage(exc):
        return _damaged(str(exc))
    if exc.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL:
        return RetryLater(f"There is no space for {target}.", code="disk_full", fix="Name a file on another disk.")
    return ConfigError(f"{target} cannot be written: {exc}.", code="target_unusable", fix="Name another file.")


def _damaged(problem: str) -> RemoteError:
    return RemoteError(f"The database is damaged, no copy was made: {problem}", code="database_damaged", fix=DAMAGE_FIX)
