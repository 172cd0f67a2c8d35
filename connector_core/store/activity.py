"""What happened over all links, the latest first: the timelines of many as one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

from connector_core.store import timeline
from connector_core.store.records import Activity, ActivityFilter, Happened
from connector_core.store.rows import NO_TITLE, must_read_time, write_time
from connector_core.store.search import containing, marks
from connector_core.store.statements import Connection, Row

#: So many entries are looked through for a page. What is rare among millions is found further back by asking again.
DEEPEST = 50_000
#: The entries of so few links are looked through from those links, however much happened to others.
FEW_LINKS = 200
_PEOPLE = ("by", "changed_by", "ticket_changed_by", "author")

SELECT = (
    "SELECT timeline.id, timeline.at, timeline.kind, timeline.side, timeline.text, timeline.detail, link.id AS link_id,"
    " link.organization, link.integration_id, link.incident_id, link.ticket_key,"
    " json_extract(incident.body, '$.title') AS title"
    " FROM timeline JOIN link ON link.id = timeline.link_id"
    " JOIN incident ON incident.organization = link.organization AND incident.id = link.incident_id"
)
ORDER = "ORDER BY timeline.at DESC, timeline.id DESC"
FLOOR = "SELECT at, id FROM timeline WHERE (at, id) < (?, ?) ORDER BY at DESC, id DESC LIMIT 1 OFFSET ?"
_TIME_ENDS = ("9", 2**62)  # later than any time that is written, and any id

_Condition = tuple[str, tuple[object, ...]]


def find(db: Connection, wanted: ActivityFilter) -> Activity:
    """Return a page of what fits, and how far back it was looked for."""
    conditions = [*_times(wanted), *_meant(wanted)]
    few = _few_links(db, wanted)
    floor = None
    if few is not None:
        conditions = [(f"timeline.link_id IN ({marks(few)})", tuple(few)), *conditions]
    elif wanted.organizations is not None or wanted.integration_id is not None:
        conditions += _owners(wanted)
    if few is None and conditions:
        floor = _floor(db, wanted)
    if floor is not None:
        conditions.append(("(timeline.at, timeline.id) >= (?, ?)", floor))
    where = f" WHERE {' AND '.join(text for text, _ in conditions)}" if conditions else ""
    values = [value for _, some in conditions for value in some]
    rows = db.execute(f"{SELECT}{where} {ORDER} LIMIT ?", (*values, wanted.limit)).fetchall()
    entries = [_read(row) for row in rows]
    if floor is None or len(entries) == wanted.limit:
        return Activity(entries, None)
    return Activity(entries, (must_read_time(floor[0]), floor[1]))


def _few_links(db: Connection, wanted: ActivityFilter) -> list[int] | None:
    """Return all links whose entries may be meant, if they are few."""
    owners = _owners(wanted, "link_listed")
    if not owners:
        return None
    where = " AND ".join(text for text, _ in owners)
    values = [value for _, some in owners for value in some]
    rows = db.execute(f"SELECT link_id FROM link_listed WHERE {where} LIMIT ?", (*values, FEW_LINKS + 1))  # noqa: S608 - ours
    found = [row[0] for row in rows]
    return found if len(found) <= FEW_LINKS else None


def _floor(db: Connection, wanted: ActivityFilter) -> tuple[str, int] | None:
    """Return the entry that is looked at last, None when there are not so many."""
    top = _TIME_ENDS
    if wanted.until is not None:
        top = min(top, (write_time(wanted.until) or "", 0))
    if wanted.before is not None:
        top = min(top, _place(wanted.before))
    row = db.execute(FLOOR, (*top, DEEPEST - 1)).fetchone()
    if row is None or (wanted.since is not None and row["at"] < (write_time(wanted.since) or "")):
        return None
    return row["at"], row["id"]


def _place(before: tuple[datetime, int]) -> tuple[str, int]:
    return write_time(before[0]) or "", before[1]


def _times(wanted: ActivityFilter) -> Iterator[_Condition]:
    if wanted.since is not None:
        yield "timeline.at >= ?", (write_time(wanted.since),)
    if wanted.until is not None:
        yield "timeline.at < ?", (write_time(wanted.until),)
    if wanted.before is not None:
        yield "(timeline.at, timeline.id) < (?, ?)", _place(wanted.before)


def _owners(wanted: ActivityFilter, table: str = "link") -> list[_Condition]:
    """Say whose links are meant; a plus sign keeps SQLite from beginning with the links."""
    found: list[_Condition] = []
    if wanted.organizations is not None:
        found.append((f"+{table}.organization IN ({marks(wanted.organizations)})", tuple(wanted.organizations)))
    if wanted.integration_id is not None:
        found.append((f"+{table}.integration_id = ?", (wanted.integration_id,)))
    return found


def _meant(wanted: ActivityFilter) -> Iterator[_Condition]:
    if wanted.side is not None:
        yield "timeline.side = ?", (wanted.side,)
    if wanted.kinds is not None:
        yield f"timeline.kind IN ({marks(wanted.kinds)})", tuple(wanted.kinds)
    if wanted.person:
        # A row is read apart only where the name stands in it at all.
        name = json.dumps(wanted.person, ensure_ascii=False)[1:-1]
        is_one = " OR ".join(f"json_extract(timeline.detail, '$.{key}') LIKE ? ESCAPE '\\'" for key in _PEOPLE)
        pattern = containing(wanted.person)[1:-1]
        yield (
            f"timeline.detail LIKE ? ESCAPE '\\' AND ({is_one})",
            (containing(name), *[pattern] * len(_PEOPLE)),
        )


def _read(row: Row) -> Happened:
    return Happened(
        id=row["id"],
        entry=timeline.entry_of(row),
        link_id=row["link_id"],
        organization=row["organization"],
        integration_id=row["integration_id"],
        incident_id=row["incident_id"],
        title=(row["title"] or "").strip() or NO_TITLE,
        ticket_key=row["ticket_key"],
    )
