"""The append-only record of what was seen, decided and written for a link."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from connector_core.store import figures
from connector_core.store.acting import actor
from connector_core.store.nouns import Noun, reads, writes
from connector_core.store.records import StoredEntry, TimelineEntry, TimelineKind
from connector_core.store.rows import must_read_time, write_json, write_time
from connector_core.store.statements import Connection, Row

MOST_ENTRIES = 2_000
_MAKE_ROOM = (
    "DELETE FROM timeline WHERE link_id = ?1"
    " AND id <= (SELECT id FROM timeline WHERE link_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)"
)


def append(db: Connection, link_id: int, entries: Iterable[TimelineEntry]) -> None:
    """Add entries at the end of a link's timeline, and count them; the oldest go when there are very many."""
    entries = list(entries)
    rows = [(link_id, write_time(entry.at), entry.kind, entry.side, write_json(_values(entry))) for entry in entries]
    if not rows:
        return
    for row in rows:  # most often one
        db.execute("INSERT INTO timeline (link_id, at, kind, side, text, detail) VALUES (?, ?, ?, ?, '', ?)", row)
    db.execute(_MAKE_ROOM, (link_id, MOST_ENTRIES))
    figures.count(db, link_id, entries)


def _values(entry: TimelineEntry) -> dict[str, object]:
    """Return the values of an entry, and who acted if somebody did."""
    who = actor()
    return dict(entry.values) if who is None else {"by": who.name, **entry.values}


def writes_between(db: Connection, link_id: int, start: datetime, end: datetime) -> int:
    """Count what we wrote to either side, but not before a person had the link resumed.

    What was written after the end was written before the clock was set back.
    """
    row = db.execute(
        "SELECT COUNT(*) FROM timeline WHERE link_id = ?1 AND at >= ?2 AND at <= ?4"
        " AND kind IN ('ticket_written', 'incident_written', 'comment_to_ticket', 'comment_to_incident')"
        " AND id > (SELECT COALESCE(MAX(id), 0) FROM timeline WHERE link_id = ?1 AND kind = ?3)",
        (link_id, write_time(start), TimelineKind.RESUMED, write_time(end)),
    ).fetchone()
    count: int = row[0]
    return count


def read(db: Connection, link_id: int) -> list[StoredEntry]:
    """Return a link's timeline, oldest entry first."""
    rows = db.execute("SELECT at, kind, side, text, detail FROM timeline WHERE link_id = ? ORDER BY id", (link_id,))
    return [entry_of(row) for row in rows]


def entry_of(row: Row) -> StoredEntry:
    """Read an entry."""
    return StoredEntry(
        kind=row["kind"],
        side=row["side"],
        text=row["text"],
        at=must_read_time(row["at"]),
        values=json.loads(row["detail"]),
    )


class Timelines(Noun):
    """The timelines of links."""

    append = writes(append)
    read = reads(read)
    writes_between = reads(writes_between)
