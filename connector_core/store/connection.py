"""Opening the SQLite file: the settings that durability rests on, in one place."""

from __future__ import annotations

import sqlite3
from pathlib import Path

BUSY_TIMEOUT_S = 10.0
WAL_LIMIT_BYTES = 64 * 1024 * 1024


def connect(path: Path, *, writer: bool = False) -> sqlite3.Connection:
    """Open a connection for the calling thread.

    WAL with `synchronous=FULL`: a replay of power cuts lost rows with NORMAL and none with FULL. Writers begin with
    IMMEDIATE transactions, so the busy timeout covers other processes too.
    """
    raw = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    try:
        raw.row_factory = sqlite3.Row
        raw.execute("PRAGMA foreign_keys = ON")
        raw.execute("PRAGMA synchronous = FULL")
        if writer:
            raw.execute("PRAGMA journal_mode = WAL")
            raw.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT_BYTES}")
        else:
            raw.execute("PRAGMA query_only = ON")
    except BaseException:  # it is no database, or it is locked
        raw.close()
        raise
    return raw
