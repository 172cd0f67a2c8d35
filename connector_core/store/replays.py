"""Replays: logged deliveries that are fed in again, how far each has come, and how it ended."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from connector_core.store import audit, delivery_log
from connector_core.store.nouns import Noun, reads, writes
from connector_core.store.records import About, Act, Logged, LoggedFilter, Replay, Result, Subject
from connector_core.store.rows import must_read_time, read_time, write_json, write_time
from connector_core.store.statements import Connection, Row

MOST_REPLAYS = 1_000
#: So many deliveries may be fed in again at once.
MOST_AT_ONCE = 10_000
DONE, STOPPED = "done", "stopped"
_STEP = 1_000


def select(db: Connection, wanted: LoggedFilter) -> tuple[list[int], bool]:
    """Return the ids of what fits and can be fed in again, the oldest first, and whether there are too many of them."""
    found: list[int] = []
    before = wanted.before
    while True:
        page = delivery_log.find(db, _narrowed(wanted, before))
        found += [entry.id for entry in page.entries if entry.can_replay]
        if len(found) > MOST_AT_ONCE:
            return sorted(found)[-MOST_AT_ONCE:], True
        if len(page.entries) == _STEP:
            before = page.entries[-1].id
        elif page.searched_to is not None:
            before = page.searched_to
        else:
            return sorted(found), False


def _narrowed(wanted: LoggedFilter, before: int | None) -> LoggedFilter:
    return LoggedFilter(
        organizations=wanted.organizations,
        organization=wanted.organization,
        integration_id=wanted.integration_id,
        way=wanted.way,
        result=wanted.result,
        status=wanted.status,
        link_id=wanted.link_id,
        text=wanted.text,
        since=wanted.since,
        until=wanted.until,
        only_samples=wanted.only_samples,
        only_read=True,
        before=before,
        limit=_STEP,
    )


def begin(  # noqa: PLR0913 - by keyword
    db: Connection,
    ids: Collection[int],
    *,
    organizations: Collection[str] | None,
    asked: Mapping[str, Any],
    by: str,
    at: datetime,
) -> int:
    """Have the daemon feed some deliveries in again; `asked` says how they were chosen. Return the replay's number."""
    row = db.execute(
        "INSERT INTO replay (organizations, wanted, started_by, started_at, total, newest)"
        " VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
        (
            None if organizations is None else write_json(sorted(organizations)),
            write_json({"asked": dict(asked), "ids": sorted(ids)}),
            by,
            write_time(at),
            len(ids),
            max(ids, default=0),
        ),
    ).fetchone()
    number = int(row[0])
    of = next(iter(organizations)) if organizations is not None and len(organizations) == 1 else ""
    changes = {"deliveries": (None, str(len(ids)))}
    changes |= {name: (None, str(value)) for name, value in asked.items()}
    audit.note(db, Act.STARTED, About(Subject.REPLAY, str(number), of), changes)
    db.execute("DELETE FROM replay WHERE id <= ? AND ended_at IS NOT NULL", (number - MOST_REPLAYS,))
    return number


def get(db: Connection, number: int) -> Replay | None:
    """Return a replay."""
    row = db.execute("SELECT * FROM replay WHERE id = ?", (number,)).fetchone()
    return None if row is None else _read(row)


def latest(db: Connection, most: int) -> list[Replay]:
    """Return the latest replays."""
    rows = db.execute("SELECT * FROM replay ORDER BY id DESC LIMIT ?", (most,))
    return [_read(row) for row in rows.fetchall()]


def unfinished(db: Connection) -> list[Replay]:
    """Return those that have not ended, the oldest first."""
    rows = db.execute("SELECT * FROM replay WHERE ended_at IS NULL ORDER BY id")
    return [_read(row) for row in rows.fetchall()]


def advance(db: Connection, number: int, entry_id: int, result: Result, why: str) -> bool:
    """Count a delivery that was fed in; False when somebody stopped the replay meanwhile."""
    row = db.execute("SELECT why FROM replay WHERE id = ? AND ended_at IS NULL", (number,)).fetchone()
    if row is None:
        return False
    reasons = json.loads(row[0])
    if why:
        reasons[why] = reasons.get(why, 0) + 1
    counted = {Result.ACCEPTED: "accepted", Result.IGNORED: "ignored"}.get(result, "failed")
    db.execute(
        f"UPDATE replay SET reached = ?, {counted} = {counted} + 1, why = ? WHERE id = ?",  # noqa: S608 - one of three names
        (entry_id, write_json(reasons), number),
    )
    return True


def end(db: Connection, number: int, outcome: str, at: datetime) -> None:
    """End a replay; nothing when it has ended already."""
    ended = db.execute(
        "UPDATE replay SET ended_at = ?, outcome = ? WHERE id = ? AND ended_at IS NULL",
        (write_time(at), outcome, number),
    )
    if ended.rowcount and outcome == STOPPED:
        audit.note(db, Act.STOPPED, About(Subject.REPLAY, str(number)))


def next_of(db: Connection, replay: Replay, most: int) -> list[tuple[int, Logged | None]]:
    """Return the deliveries that come next, with their ids; None for one that is no longer there."""
    ids = [entry_id for entry_id in replay.wanted["ids"] if entry_id > replay.reached]
    return [(entry_id, delivery_log.get(db, entry_id)) for entry_id in ids[:most]]


def _read(row: Row) -> Replay:
    return Replay(
        id=row["id"],
        organizations=None if row["organizations"] is None else json.loads(row["organizations"]),
        wanted=json.loads(row["wanted"]),
        started_by=row["started_by"],
        started_at=must_read_time(row["started_at"]),
        ended_at=read_time(row["ended_at"]),
        outcome=row["outcome"],
        total=row["total"],
        newest=row["newest"],
        reached=row["reached"],
        accepted=row["accepted"],
        ignored=row["ignored"],
        failed=row["failed"],
        why=json.loads(row["why"]),
    )


class Replays(Noun):
    """What is fed in again."""

    select = reads(select)
    begin = writes(begin)
    get = reads(get)
    latest = reads(latest)
    unfinished = reads(unfinished)
    advance = writes(advance)
    end = writes(end)
    next_of = reads(next_of)
