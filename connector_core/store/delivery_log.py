"""The delivery log: what came in and what was called, the latest first, for a while."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from connector_core.secrets import WrongKey
from connector_core.store import audit, payloads
from connector_core.store.nouns import Noun, opens, reads, seals, writes
from connector_core.store.payloads import PayloadBox
from connector_core.store.records import (
    About,
    Act,
    Logged,
    LoggedFilter,
    LoggedPage,
    NewEntry,
    Result,
    Subject,
    Way,
)
from connector_core.store.rows import must_read_time, write_json, write_time
from connector_core.store.search import containing, marks
from connector_core.store.statements import Connection, Row

MOST_ENTRIES = 1_000_000
#: Of what was refused so many are kept of each organization, and of those that are nobody's.
MOST_REFUSED = 2_000
#: So many deliveries can be kept as samples of each organization.
MOST_SAMPLES = 100
#: So many entries are looked through for a page. What is rare is found further back by asking again.
DEEPEST = 50_000
#: Entries are written a little later than they came: one that came at a time may have an id of so many later.
LATE = 5_000
_MOST_LINKS = 20
_BY_INDEX = ("organization = ?", "integration_id = ?", "link_id = ?")

_COLUMNS = (
    "id, at, way, kind, organization, integration_id, client, method, address, result, code, status, took_ms, size,"
    " attempt, event, about, link_id, facts, has_payload, is_sample"
)
_INSERT = (
    "INSERT INTO delivery_log (at, way, kind, organization, integration_id, client, method, address, result, code,"
    " status, took_ms, size, attempt, event, about, link_id, facts, has_payload)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id"
)


def add(db: Connection, entries: Sequence[NewEntry]) -> list[int]:
    """Log some entries, in their order; return their ids."""
    ids = [_add(db, entry) for entry in entries]
    for organization in {one.organization for one in entries if one.result is Result.REFUSED}:
        _drop_refused(db, organization)
    return ids


def _add(db: Connection, entry: NewEntry) -> int:
    links = [] if entry.link_id is not None else _links_of(db, entry)
    facts = {**entry.facts, "links": links} if len(links) > 1 else entry.facts
    row = db.execute(
        _INSERT,
        (
            write_time(entry.at),
            entry.way,
            entry.kind,
            entry.organization,
            entry.integration_id,
            entry.client,
            entry.method,
            entry.address,
            entry.result,
            entry.code,
            entry.status,
            entry.took_ms,
            entry.size,
            entry.attempt,
            entry.event,
            entry.about,
            entry.link_id if not links else links[0],
            write_json(dict(facts)),
            int(entry.payload is not None),
        ),
    ).fetchone()
    if entry.payload is not None:
        payloads.add(db, row[0], entry.at, entry.payload)
    return int(row[0])


def _links_of(db: Connection, entry: NewEntry) -> list[int]:
    """Return the links that a delivery is about, of its own integration or organization."""
    found: list[int] = []
    if entry.tickets:
        rows = db.execute(
            f"SELECT id FROM link WHERE integration_id = ? AND ticket_id IN ({marks(entry.tickets)})"  # noqa: S608 - question marks
            " ORDER BY id LIMIT ?",
            (entry.integration_id, *entry.tickets, _MOST_LINKS),
        )
        found += [row[0] for row in rows.fetchall()]
    if entry.incidents:
        rows = db.execute(
            f"SELECT id FROM link WHERE organization = ? AND incident_id IN ({marks(entry.incidents)})"  # noqa: S608 - as above
            " ORDER BY id LIMIT ?",
            (entry.organization, *entry.incidents, _MOST_LINKS),
        )
        found += [row[0] for row in rows.fetchall()]
    return found


def _drop_refused(db: Connection, organization: str) -> None:
    """Keep the latest of what was refused: who sends rubbish must not fill the disk."""
    db.execute(
        "DELETE FROM delivery_log WHERE organization = ?1 AND result = 'refused' AND is_sample = 0 AND id <="
        " (SELECT id FROM delivery_log WHERE organization = ?1 AND result = 'refused' ORDER BY id DESC LIMIT 1"
        " OFFSET ?2)",
        (organization, MOST_REFUSED),
    )


def find(db: Connection, wanted: LoggedFilter) -> LoggedPage:
    """Return a page of what fits, and how far back it was searched."""
    conditions = list(_conditions(wanted))
    top = _top(db, wanted)
    floor = None
    if any(text.lstrip("+") not in _BY_INDEX for text, _ in conditions):
        floor = max(top - DEEPEST, 0)
        conditions.append(("id >= ?", (floor,)))
    conditions.append(("id < ?", (top,)))
    where = " AND ".join(text for text, _ in conditions)
    values = [value for _, some in conditions for value in some]
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM delivery_log WHERE {where} ORDER BY id DESC LIMIT ?",  # noqa: S608 - conditions of our own
        (*values, wanted.limit),
    ).fetchall()
    entries = [read(row) for row in rows]
    is_all = not floor or len(entries) == wanted.limit or not _is_any_before(db, floor, wanted.since)
    return LoggedPage(entries, None if is_all else floor)


def _top(db: Connection, wanted: LoggedFilter) -> int:
    """Return before which id is searched."""
    (newest,) = db.execute("SELECT COALESCE(MAX(id), 0) FROM delivery_log").fetchone()
    top: int = newest + 1 if wanted.before is None else min(wanted.before, newest + 1)
    if wanted.until is not None:
        later = db.execute(
            "SELECT id FROM delivery_log WHERE at >= ? ORDER BY at LIMIT 1", (write_time(wanted.until),)
        ).fetchone()
        top = top if later is None else min(top, later[0] + LATE)
    return top


def _is_any_before(db: Connection, floor: int, since: datetime | None) -> bool:
    row = db.execute("SELECT at FROM delivery_log WHERE id < ? ORDER BY id DESC LIMIT 1", (floor,)).fetchone()
    return row is not None and (since is None or must_read_time(row[0]) >= since)


def _conditions(wanted: LoggedFilter) -> Iterator[tuple[str, tuple[Any, ...]]]:
    equal = {
        "way": wanted.way,
        "organization": wanted.organization,
        "integration_id": wanted.integration_id,
        "result": wanted.result,
        "link_id": wanted.link_id,
    }
    for name, value in equal.items():
        if value is not None:
            yield f"{'+' if name in {'way', 'result'} else ''}{name} = ?", (value,)
    if wanted.organizations is not None:
        if len(wanted.organizations) == 1:
            yield "organization = ?", tuple(wanted.organizations)
        else:
            yield f"organization IN ({marks(wanted.organizations)})", tuple(wanted.organizations)
    yield from _narrower(wanted)


def _narrower(wanted: LoggedFilter) -> Iterator[tuple[str, tuple[Any, ...]]]:
    if wanted.status is not None:
        is_class = wanted.status < 10  # noqa: PLR2004 - 4 stands for 4xx
        low = wanted.status * 100 if is_class else wanted.status
        yield "status >= ? AND status < ?", (low, low + (100 if is_class else 1))
    if wanted.text:
        yield (
            "(about LIKE ? ESCAPE '\\' OR link_id IN (SELECT link_id FROM link_text WHERE text LIKE ? ESCAPE '\\'))",
            (containing(wanted.text),) * 2,
        )
    if wanted.since is not None:
        yield "+at >= ?", (write_time(wanted.since),)
    if wanted.until is not None:
        yield "+at < ?", (write_time(wanted.until),)
    if wanted.only_samples:
        yield "is_sample = 1", ()
    if wanted.only_read:
        yield "way = 'in' AND has_payload = 1 AND facts LIKE ?", ('%"read":%',)


def get(db: Connection, entry_id: int) -> Logged | None:
    """Return an entry."""
    row = db.execute(f"SELECT {_COLUMNS} FROM delivery_log WHERE id = ?", (entry_id,)).fetchone()  # noqa: S608 - ours
    return None if row is None else read(row)


def keep(db: Connection, entry_id: int, *, is_sample: bool) -> bool:
    """Keep a delivery beyond its time, or no longer; False when its organization has too many of them already."""
    entry = get(db, entry_id)
    if entry is None or entry.is_sample == is_sample or not entry.has_payload:
        return entry is not None and entry.is_sample == is_sample
    (kept,) = db.execute(
        "SELECT COUNT(*) FROM delivery_log WHERE organization = ? AND is_sample = 1", (entry.organization,)
    ).fetchone()
    if is_sample and kept >= MOST_SAMPLES:
        return False
    db.execute("UPDATE delivery_log SET is_sample = ? WHERE id = ?", (int(is_sample), entry_id))
    db.execute("UPDATE delivery_payload SET is_sample = ? WHERE entry_id = ?", (int(is_sample), entry_id))
    act = Act.KEPT if is_sample else Act.RELEASED
    audit.note(db, act, About(Subject.DELIVERY, str(entry_id), entry.organization))
    return True


def forget(db: Connection, before: datetime, most: int) -> int:
    """Delete some entries that are older, or that are more than are kept; return how many."""
    old = db.execute(
        "DELETE FROM delivery_log WHERE id IN (SELECT id FROM delivery_log WHERE at < ? AND is_sample = 0"
        " ORDER BY at LIMIT ?)",
        (write_time(before), most),
    ).rowcount
    return (
        old
        or db.execute(
            "DELETE FROM delivery_log WHERE id IN (SELECT id FROM delivery_log WHERE is_sample = 0 AND id <="
            " (SELECT MAX(id) FROM delivery_log) - ? ORDER BY id LIMIT ?)",
            (MOST_ENTRIES, most),
        ).rowcount
    )


def read(row: Row) -> Logged:
    """Read a row."""
    facts = {name: row[name] for name in ("id", "kind", "organization", "integration_id", "client", "method")}
    facts |= {name: row[name] for name in ("address", "code", "status", "took_ms", "size", "attempt", "event")}
    return Logged(
        **facts,
        at=must_read_time(row["at"]),
        way=Way(row["way"]),
        result=Result(row["result"]),
        about=row["about"],
        link_id=row["link_id"],
        facts=json.loads(row["facts"]),
        has_payload=bool(row["has_payload"]),
        is_sample=bool(row["is_sample"]),
    )


class DeliveryLogs(Noun):
    """What came in, and what was called."""

    add = writes(add)
    find = reads(find)
    get = reads(get)
    keep = writes(keep)
    payload = opens(payloads.get)
    read_box = opens(payloads.box_of)
    make_box = seals(payloads.make_box)
    trim = writes(payloads.trim)
    forget_payloads = writes(payloads.forget)
    forget = writes(forget)

    def box(self) -> PayloadBox | None:
        """Return what seals payloads; None where no key opens it."""
        try:
            return self.read_box() or self.make_box()
        except WrongKey:  # nothing can be sealed before the key is back, or was given up
            return None
