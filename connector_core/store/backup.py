"""Copies of the live database: taken while it is written, whole or not at all.

A copy is made in a folder of its own beside its place, checked, brought to disk, and only then given its name: one that
was killed is none.
"""

from __future__ import annotations

import errno
import glob
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from connector_core.contract.errors import ConfigError, RemoteError, RetryLater
from connector_core.store import health, life
from connector_core.store.filelock import FileLock
from connector_core.store.private import make_private
from connector_core.store.records import DAMAGE_FIX

_PARTIAL = ".partial"
_LOCK = "lock"


def copy(db: sqlite3.Connection, target: Path) -> None:
    """Copy to a new file that nobody else can read, and check the copy.

    Writers go on meanwhile, the copy shows one moment.

    Raises:
        ConfigError: the target exists, or cannot be written.
        RemoteError: the database is damaged; no copy is left.
        RetryLater: there is no space for it.
    """
    _refuse_existing(target)
    if not target.parent.is_dir():
        raise ConfigError(
            f"There is no folder {target.parent}.", code="folder_missing", fix="Make it, or name another."
        )
    try:
        with _workplace(target) as folder:
            made = folder / target.name
            if problems := _copy(db, made):
                raise _damaged(problems[0])
            _to_disk(made)
            _publish(made, target)
        _to_disk(target.parent)
    except (sqlite3.Error, OSError) as exc:
        raise _failure(target, exc) from exc


@contextmanager
def _workplace(target: Path) -> Iterator[Path]:
    """Make a folder beside the target that only we can enter, and remove it; those of killed copies go first."""
    for left in target.parent.glob(f".{glob.escape(target.name)}.*{_PARTIAL}"):
        lock = FileLock(left / _LOCK)
        if left.is_dir() and lock.try_acquire():
            shutil.rmtree(left, ignore_errors=True)
            lock.release()
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=_PARTIAL, dir=target.parent))
    try:
        with FileLock(folder / _LOCK):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy(db: sqlite3.Connection, made: Path) -> list[str]:
    make_private(made, is_new=True)
    with closing(sqlite3.connect(made, isolation_level=None)) as there:
        db.backup(there)
        life.mark_copy(there)
        # One file without companions, that is easy to move; the daemon turns it back when it opens it.
        there.execute("PRAGMA journal_mode = DELETE")
        return health.problems(there)


def _publish(made: Path, target: Path) -> None:
    """Give the copy its name, unless somebody else took that meanwhile."""
    try:
        target.hardlink_to(made)
    except FileExistsError:
        _refuse_existing(target)
        raise
    except OSError as exc:
        if exc.errno not in {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}:
            raise
        _refuse_existing(target)  # a file system without hard links
        made.rename(target)


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_existing(target: Path) -> None:
    if target.exists():
        raise ConfigError(f"{target} exists already.", code="file_exists", fix="Name a new file.")


def _failure(target: Path, exc: sqlite3.Error | OSError) -> ConfigError | RemoteError | RetryLater:
    if health.is_damage(exc):
        return _damaged(str(exc))
    if _is_full(exc):
        return RetryLater(f"There is no space for {target}.", code="disk_full", fix="Name a file on another disk.")
    return ConfigError(f"{target} cannot be written: {exc}.", code="target_unusable", fix="Name another file.")


def _is_full(exc: sqlite3.Error | OSError) -> bool:
    if isinstance(exc, OSError):
        return exc.errno in {errno.ENOSPC, errno.EDQUOT}
    return exc.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL


def _damaged(problem: str) -> RemoteError:
    return RemoteError(f"The database is damaged, no copy was made: {problem}", code="database_damaged", fix=DAMAGE_FIX)
