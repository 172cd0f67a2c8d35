"""Figures over time: counted by hour and by day in the transaction that stores what they count.

    count(db, 7, entries)  # what was appended to the timeline of link 7

A row of an integration, a span and its start has all counts; another table has how long requests took, by bucket. What
waits is looked at every minute, and the most is kept. All that ever was is one row more, which is never forgotten.
Tests of the connector are not counted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from connector_core.store.nouns import EVERYBODY, Noun, reads, writes
from connector_core.store.records import Nuance, TimelineEntry
from connector_core.store.records.figures import COUNTED, COUNTS, Figures, Span, Waiting, bucket_of
from connector_core.store.rows import link_marker, must_read_time, read_time, write_time
from connector_core.store.statements import Connection, Row

#: Whoever looks at a page learns that more changes wait, not how many.
MOST_COUNTED = 10_000
HOURS_FOR, DAYS_FOR = timedelta(days=35), timedelta(days=400)

_COUNTED_AS = {kind: name for name, kinds in COUNTED.items() for kind in kinds}
#: A ticket was made by a daemon of before, or the link goes on with the one that its own went into.
_NOTHING_NEW = (Nuance.EARLIER_LIFE, Nuance.FOLLOWED)
_PARTS = (
    "(SELECT 'hour' AS span, 13 AS letters UNION ALL SELECT 'day', 10 UNION ALL SELECT 'ever', 0) AS part"  # of a time
)
_ADD = (
    f"INSERT INTO figure (integration_id, span, start, {', '.join(COUNTS)})"  # noqa: S608 - ours
    f" SELECT link.integration_id, part.span, substr(?2, 1, part.letters), {{values}} FROM link, {_PARTS}"
    " WHERE link.id = ?1 AND link.is_test = 0 ON CONFLICT (integration_id, span, start) DO UPDATE SET "
    + ", ".join(f"{name} = figure.{name} + excluded.{name}" for name in COUNTS)
).format(values=", ".join(f"?{place}" for place in range(3, 3 + len(COUNTS))))
_ADD_TIME = (
    "INSERT INTO figure_time (integration_id, span, start, bucket, requests)"  # noqa: S608 - ours
    f" SELECT ?1, part.span, substr(?2, 1, part.letters), ?3, 1 FROM {_PARTS} WHERE part.letters > 0"
    " ON CONFLICT (integration_id, span, start, bucket) DO UPDATE SET requests = figure_time.requests + 1"
)
_KEEP_MOST = (
    "INSERT INTO figure (integration_id, span, start, waiting, oldest_s)"  # noqa: S608 - ours
    f" SELECT ?1, part.span, substr(?2, 1, part.letters), ?3, ?4 FROM {_PARTS} WHERE part.letters > 0"
    " ON CONFLICT (integration_id, span, start) DO UPDATE SET waiting = MAX(figure.waiting, excluded.waiting),"
    " oldest_s = MAX(figure.oldest_s, excluded.oldest_s)"
)
WAITING = (
    "SELECT integration_id, COUNT(*), MIN(since) FROM"
    " (SELECT integration_id, to_ticket_since AS since FROM link WHERE to_ticket_since IS NOT NULL"
    "  UNION ALL SELECT integration_id, to_incident_since FROM link WHERE to_incident_since IS NOT NULL) AS waits"
    " GROUP BY integration_id"
)
#: Of an integration, and one direction: both are answered by an index that has what waits alone.
WAITING_OF = (
    "SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM link WHERE integration_id = ?1 AND {direction} IS NOT NULL LIMIT ?2)"
    " AS found), (SELECT MIN({direction}) FROM link WHERE integration_id = ?1 AND {direction} IS NOT NULL)"
)
SUMS = ", ".join([*(f"SUM({name})" for name in COUNTS), "SUM(waiting)", "MAX(oldest_s)"])
OF_SPAN = f"SELECT start, {SUMS} FROM figure WHERE {{whose}} GROUP BY start"  # noqa: S608 - ours
TIMES_OF_SPAN = "SELECT start, bucket, SUM(requests) FROM figure_time WHERE {whose} GROUP BY start, bucket"
#: All rows lie in the order of time; those of one integration have an index, which a plus sign leads SQLite to.
OF_ALL = "span = ? AND start >= ?"
OF_ONE = "+span = ? AND start >= ? AND integration_id = ?"
_EVER = f"SELECT integration_id, {', '.join(COUNTS)} FROM figure WHERE span = '{Span.EVER}'"  # noqa: S608 - ours


def count_incident(db: Connection, link_id: int, at: datetime) -> None:
    """Count the incident of a link that gets a ticket from now on."""
    _add(db, link_id, write_time(at) or "", {"incidents": 1})


def count(db: Connection, link_id: int, entries: Iterable[TimelineEntry]) -> None:
    """Count what is appended to a link's timeline."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for entry in entries:
        name = _COUNTED_AS.get(entry.kind)
        if name is None or entry.values.get("why") in _NOTHING_NEW:
            continue
        counts[write_time(entry.at) or ""][name] += 1
        if name == "requests":
            _count_time(db, link_id, entry.at)
    for at, found in counts.items():
        _add(db, link_id, at, found)


def _add(db: Connection, link_id: int, at: str, counts: Mapping[str, int]) -> None:
    db.execute(_ADD, (link_id, at, *(counts.get(name, 0) for name in COUNTS)))


def _count_time(db: Connection, link_id: int, at: datetime) -> None:
    """Count how long the first request of a link took; that of one in its place says nothing."""
    row = db.execute(
        "SELECT organization, integration_id, incident_id, marker, created_at, is_test FROM link WHERE id = ?",
        (link_id,),
    ).fetchone()
    if not row["is_test"] and row["marker"] == link_marker(
        row["organization"], row["integration_id"], row["incident_id"]
    ):
        bucket = bucket_of(at - must_read_time(row["created_at"]))
        db.execute(_ADD_TIME, (row["integration_id"], write_time(at), bucket))


def waiting(db: Connection) -> dict[str, Waiting]:
    """Return what waits to be written right now, by integration; those where nothing does are left out."""
    return {row[0]: Waiting(row[1], read_time(row[2])) for row in db.execute(WAITING).fetchall()}


def waiting_of(db: Connection, integrations: Iterable[str]) -> Waiting:
    """Return what waits of some integrations together; of more than `MOST_COUNTED` changes that it is one more."""
    changes, oldest = 0, []
    for name in integrations:
        for direction in ("to_ticket_since", "to_incident_since"):
            row = db.execute(WAITING_OF.format(direction=direction), (name, MOST_COUNTED + 1)).fetchone()
            changes += int(row[0])
            oldest += [row[1]] if row[1] is not None else []
    return Waiting(min(changes, MOST_COUNTED + 1), read_time(min(oldest, default=None)))


def note_waiting(db: Connection, now: datetime) -> None:
    """Keep what waits right now, where no more did within the hour, and the day."""
    for name, one in sorted(waiting(db).items()):
        oldest = (now - one.since) if one.since is not None else timedelta()
        db.execute(_KEEP_MOST, (name, write_time(now), one.changes, max(int(oldest.total_seconds()), 0)))


def read(
    db: Connection,
    span: Span,
    since: datetime,
    organizations: Collection[str] | None = None,
    integration_id: str | None = None,
) -> dict[str, Figures]:
    """Return the figures of hours or days since a time, of some organizations or one integration, added.

    They are by the start of what they are of, such as 2026-11-28T10 or 2026-11-28; where nothing happened is nothing.
    """
    whose = OF_ALL if integration_id is None else OF_ONE
    values: tuple[object, ...] = (span, (write_time(since) or "")[: 13 if span is Span.HOUR else 10])
    if integration_id is not None:
        values = (*values, integration_id)
    if organizations is not None:
        marks = ", ".join("?" * len(organizations)) or "NULL"
        whose += f" AND integration_id IN (SELECT id FROM integration WHERE organization IN ({marks}))"  # noqa: S608 - marks
        values = (*values, *organizations)
    took: dict[str, dict[int, int]] = defaultdict(dict)
    for start, bucket, requests in db.execute(TIMES_OF_SPAN.format(whose=whose), values).fetchall():
        took[start][bucket] = int(requests)
    rows = db.execute(OF_SPAN.format(whose=whose), values).fetchall()
    return {row[0]: _figures(row, took.get(row[0], {})) for row in rows}


def _figures(row: Row, took: Mapping[int, int]) -> Figures:
    counts = dict(zip((*COUNTS, "waiting", "oldest_s"), (int(value) for value in tuple(row)[1:]), strict=True))
    return Figures(**counts, took=took)


def ever(db: Connection) -> dict[str, Figures]:
    """Return all that ever was counted, by integration."""
    rows = db.execute(_EVER).fetchall()
    return {row[0]: Figures(**dict(zip(COUNTS, tuple(row)[1:], strict=True))) for row in rows}


def forget(db: Connection, now: datetime, most: int) -> int:
    """Delete some rows of hours and days that lie far back; return how many."""
    return _forget(db, now, most, table="figure", key="span, start, integration_id")


def forget_times(db: Connection, now: datetime, most: int) -> int:
    """Delete some of how long requests took far back; return how many."""
    return _forget(db, now, most, table="figure_time", key="span, start, bucket, integration_id")


def _forget(db: Connection, now: datetime, most: int, *, table: str, key: str) -> int:
    statement = f"DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE span = ? AND start < ? LIMIT ?)"  # noqa: S608 - ours
    gone = 0
    for span, kept_for, letters in ((Span.HOUR, HOURS_FOR, 13), (Span.DAY, DAYS_FOR, 10)):
        before = (write_time(now - kept_for) or "")[:letters]
        gone += db.execute(statement, (span, before, most - gone)).rowcount
    return gone


class OverTime(Noun):
    """Figures over time."""

    read = reads(read)
    ever = reads(ever)
    waiting = reads(waiting)
    waiting_of = reads(waiting_of)
    note_waiting = writes(note_waiting, EVERYBODY)
