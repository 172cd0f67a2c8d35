"""The append-only record of what was seen, decided and written for a link."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

from connector_core.store.records import TimelineEntry
from connector_core.store.rows import must_read_time, write_json, write_time


def append(db: sqlite3.Connection, link_id: int, entries: Iterable[TimelineEntry]) -> None:
    """Add entries at the end of a link's timeline."""
    db.executemany(
        "INSERT INTO timeline (link_id, at, kind, side, text, detail) VALUES (?, ?, ?, ?, ?, ?)",
        [
            (link_id, write_time(entry.at), entry.kind, entry.side, entry.text, write_json(dict(entry.values)))
            for entry in entries
        ],
    )


def read(db: sqlite3.Connection, link_id: int) -> list[TimelineEntry]:
    """Return a link's timeline, oldest entry first."""
    rows = db.execute("SELECT at, kind, side, text, detail FROM timeline WHERE link_id = ? ORDER BY id", (link_id,))
    return [
        TimelineEntry(
            kind=row["kind"],
            side=row["side"],
            text=row["text"],
            at=must_read_time(row["at"]),
            values=json.loads(row["detail"]),
        )
        for row in rows
    ]
