"""What is wrong when the database fails, in our words: the one place where that is said.

It may be the database itself, or this process, that has used up its memory, its descriptors or its threads.
"""

from __future__ import annotations

import errno
import os
import sqlite3

from connector_core.contract.errors import RetryLater
from connector_core.store.records import DAMAGE_FIX

#: What an operation on the database may raise because of it; whatever else is raised belongs to the caller.
TROUBLE = (sqlite3.Error, sqlite3.Warning, OSError, MemoryError)

DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_NO_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE})
_NOT_OPENED = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR})
_NO_THREAD = "can't start new thread"
_SUPERVISOR = "If it goes on, restart it with more."


def store_failure(exc: BaseException, *, reading: bool = False) -> RetryLater:
    """Say what is wrong with the database, or with the process that asks it."""
    short = shortage(exc)
    if short is not None:
        return short
    text = str(exc)
    kind = getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the rest says more exactly what it was
    if kind in DAMAGED:
        return RetryLater("The database file is damaged.", code="database_damaged", detail=text, fix=DAMAGE_FIX)
    if kind == sqlite3.SQLITE_FULL:
        return RetryLater("The disk of the database is full.", code="disk_full", detail=text, fix="Free some space.")
    if kind == sqlite3.SQLITE_CANTOPEN and reading:
        return RetryLater(
            "The database cannot be opened.",
            code="not_opened",
            detail=text,
            fix="Check that the file is there, and the permissions of it and its folder.",
        )
    if kind in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}:
        return RetryLater(
            "The database cannot be written.",
            code="read_only",
            detail=text,
            fix="Check the permissions of the file and its folder.",
        )
    message = "The database could not be read." if reading else "The database did not take the change."
    return RetryLater(message, code="store_failed", detail=text)


def server_failure(
    exc: BaseException, sqlstate: str | None, *, reading: bool = False, named_in: str = "database"
) -> RetryLater:
    """Say what is wrong with PostgreSQL, which tells by a code; none, as long as it cannot be reached.

    `named_in` is where its address is: a key of the file, or an option.
    """
    short = shortage(exc)
    if short is not None:
        return short
    text = " ".join(str(exc).split())
    kind = next((code for code in (sqlstate, (sqlstate or "")[:2]) if code in _SERVER), None)
    if sqlstate is None or kind is not None:
        message, code, fix = _UNREACHABLE if kind is None else _SERVER[kind]
        return RetryLater(message, code=code, detail=text, fix=fix.format(named_in=named_in))
    message = "The database could not be read." if reading else "The database did not take the change."
    return RetryLater(message, code="store_failed", detail=text)


_UNREACHABLE = (
    "The database cannot be reached.",
    "database_unreachable",
    "Check that PostgreSQL runs, and the address, user and password in {named_in}.",
)
_BUSY = ("The database is too busy.", "store_busy", "")
#: By code or class of codes: what is wrong, our code for it, and what helps.
_SERVER = {
    "08": _UNREACHABLE,
    "57P01": _UNREACHABLE,
    "57P02": _UNREACHABLE,
    "57P03": _UNREACHABLE,
    "57P05": _UNREACHABLE,
    "25P03": _BUSY,
    "40": _BUSY,
    "55P03": _BUSY,
    "57014": _BUSY,
    "53100": ("The disk of the database is full.", "disk_full", "Free some space."),
    "53300": (
        "The database takes no more connections.",
        "store_busy",
        "Raise max_connections of PostgreSQL, or see who holds connections.",
    ),
    "53": ("The database has too little memory or room.", "store_busy", "See the log of PostgreSQL."),
    "25006": (
        "The database cannot be written.",
        "read_only",
        "Name the server in {named_in} that takes changes: this one is a standby, or was told to only read.",
    ),
    "XX001": ("The database is damaged.", "database_damaged", "Restore a backup."),
    "XX002": ("An index of the database is damaged.", "database_damaged", "Have PostgreSQL rebuild it: REINDEX"),
}


def shortage(exc: BaseException) -> RetryLater | None:
    """Return what this process has too little of, if an error is about that; it passes, and is nobody's bug."""
    text = f"{type(exc).__name__}: {exc}"
    if isinstance(exc, MemoryError) or (isinstance(exc, OSError) and exc.errno == errno.ENOMEM):
        return RetryLater("The connector has no memory left.", code="out_of_memory", detail=text, fix=_SUPERVISOR)
    if isinstance(exc, OSError) and exc.errno in _NO_DESCRIPTORS:
        return _no_descriptors(text)
    if isinstance(exc, RuntimeError) and _NO_THREAD in str(exc):
        return RetryLater("The connector cannot start another thread.", code="no_threads", detail=text, fix=_SUPERVISOR)
    kind = getattr(exc, "sqlite_errorcode", None)
    if kind is not None and kind & 0xFF in _NOT_OPENED and _are_descriptors_used_up():
        return _no_descriptors(text)
    return None


def _no_descriptors(text: str) -> RetryLater:
    return RetryLater(
        "The connector cannot open more files or connections.",
        code="no_descriptors",
        detail=text,
        fix="See who holds connections open, and raise the limit of open files (LimitNOFILE, ulimit -n).",
    )


def _are_descriptors_used_up() -> bool:
    """Return whether nothing can be opened now: SQLite says only that it could not."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as exc:
        return exc.errno in _NO_DESCRIPTORS
    return False
