"""Lanes: which links have work, since when, and who is working on them.

A wake-up is counted, never queued: a lane that is woken while it is being worked on is due again afterwards. A claim
belongs to a boot (one life of a daemon, the id of its node), so the claims of a dead daemon can be freed: by the next
one that starts, or by another node (`nodes.py`). The fence grows with every claim; whoever writes with an old one is
refused.

Lanes are claimed integration by integration, so that a long queue of one never stands before another's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from operator import itemgetter
from typing import TypeAlias, TypeVar

from connector_core.store.nouns import CLAIMS, EVERYBODY, Noun, reads, writes
from connector_core.store.records import NOTHING_RUNS, Claim, LeftLane, NodeEnd, Rest
from connector_core.store.rows import must_read_time, read_time, write_time
from connector_core.store.statements import Connection, Row

T = TypeVar("T")
#: Makes a function that tells for one lane after the other whether its integration may have one more.
Turns: TypeAlias = Callable[[], Callable[[str], bool]]

_READY = "boot IS NULL AND due_at IS NOT NULL"
#: After any time.
_WHENEVER = 1e18
#: Who held it last may still be answered: nobody takes it before (`?1` is now).
_OPEN = "(not_before IS NULL OR not_before <= ?1)"

# Jumps in the index from the first lane of an integration to that of the next: its cost is their number, not that of
# the lanes. What is known of a lane is looked up one by one: with its key, whatever the server knows of the table.
FIRST_OF_EACH = f"""
  WITH RECURSIVE first (link_id) AS (
    SELECT (SELECT link_id FROM lane WHERE {_READY} AND {_OPEN} ORDER BY integration_id, due_at LIMIT 1)
    UNION ALL
    SELECT (SELECT link_id FROM lane WHERE {_READY} AND {_OPEN} AND integration_id >
        (SELECT integration_id FROM lane AS known WHERE known.link_id = first.link_id)
      ORDER BY integration_id, due_at LIMIT 1)
    FROM first WHERE first.link_id IS NOT NULL
  ), found AS MATERIALIZED (
    SELECT link_id, (SELECT integration_id FROM lane WHERE lane.link_id = first.link_id) AS integration_id,
      (SELECT due_at FROM lane WHERE lane.link_id = first.link_id) AS due
    FROM first WHERE link_id IS NOT NULL
  )
  SELECT integration_id, link_id, due FROM found
"""  # noqa: S608 - fixed fragments
_OF_INTEGRATION = f"SELECT link_id, due_at FROM lane WHERE {_READY} AND {_OPEN} AND integration_id = ?2"  # noqa: S608 - as above
# Those that are due, and then those that only a clock that was set back since can have planned.
DUE_OF_INTEGRATION = (
    f"SELECT link_id, due_at FROM ({_OF_INTEGRATION} AND due_at <= ?1 ORDER BY due_at LIMIT ?4) AS due"  # noqa: S608 - as above
    f" UNION ALL SELECT link_id, due_at FROM ({_OF_INTEGRATION} AND due_at > ?3 ORDER BY due_at LIMIT ?4) AS planned"
)
RUNNING = "SELECT integration_id, COUNT(*) FROM lane WHERE boot IS NOT NULL GROUP BY integration_id"

# Whoever takes the lane over waits until what is written under the claim is committed.
HELD = "SELECT 1 FROM lane WHERE link_id = ? AND boot = ? AND fence = ? /* FOR UPDATE */"
# Others may write the lane at the moment: whoever claims does not wait for them, and takes another one.
TAKE = (
    "UPDATE lane SET boot = ?2, fence = fence + 1, not_before = NULL"  # noqa: S608 - as above
    f" WHERE link_id IN (SELECT link_id FROM lane WHERE {_READY} AND {_OPEN} AND link_id IN ({{marks}})"
    " /* FOR UPDATE SKIP LOCKED */) RETURNING link_id, integration_id, fence, wakes, calling_until,"
    " (SELECT organization FROM link WHERE id = link_id) AS organization"
)

_GIVE_BACK = (
    "UPDATE lane SET boot = NULL, calling_until = ?6, breaker = {breaker}, parked_at = {parked_at},"
    " due_at = CASE WHEN wakes > ?4 THEN ?5 {due} END WHERE link_id = ?1 AND boot = ?2 AND fence = ?3"
)
# Two statements: whether there is a breaker is known before, and a server makes a plan of each only once.
_REST = _GIVE_BACK.format(breaker="NULL", parked_at="NULL", due="ELSE ?7")
_PARK = _GIVE_BACK.format(
    breaker="CASE WHEN wakes = ?4 THEN (SELECT key FROM breaker WHERE key = ?7) END",
    parked_at="?5",
    due="WHEN EXISTS (SELECT 1 FROM breaker WHERE key = ?7) THEN NULL ELSE ?5",
)


def create(db: Connection, link_id: int, integration_id: str) -> None:
    """Make the lane of a new link."""
    db.execute("INSERT INTO lane (link_id, integration_id) VALUES (?, ?)", (link_id, integration_id))


def wake(db: Connection, link_id: int, at: datetime) -> None:
    """Make a lane due at a time, or keep it due earlier if it already is; a parked one is parked no longer."""
    db.execute(
        "UPDATE lane SET due_at = MIN(COALESCE(due_at, ?1), ?1), breaker = NULL, wakes = wakes + 1 WHERE link_id = ?2",
        (at.timestamp(), link_id),
    )


def wake_for(db: Connection, link_id: int, direction: str, at: datetime) -> None:
    """Wake a lane for something that is to be synced in a direction."""
    db.execute(
        f"UPDATE link SET {direction} = COALESCE({direction}, ?) WHERE id = ?",  # noqa: S608 - our own column names
        (write_time(at), link_id),
    )
    wake(db, link_id, at)


def wake_all(db: Connection, integration_id: str, at: datetime) -> int:
    """Wake every lane of an integration that is not at rest; return how many."""
    return db.execute(
        "UPDATE lane SET due_at = ?, breaker = NULL, wakes = wakes + 1 WHERE link_id IN"
        " (SELECT id FROM link WHERE integration_id = ? AND state != 'in_sync')",
        (at.timestamp(), integration_id),
    ).rowcount


def wake_blocked(db: Connection, at: datetime) -> int:
    """Wake every lane that is blocked and not parked on a breaker; return how many."""
    return db.execute(
        "UPDATE lane SET due_at = ?, wakes = wakes + 1 WHERE breaker IS NULL AND link_id IN"
        " (SELECT id FROM link WHERE state = 'blocked')",
        (at.timestamp(),),
    ).rowcount


def claim(  # noqa: PLR0913 - what decides whose turn it is
    db: Connection,
    boot: str,
    now: datetime,
    limit: int,
    horizon_s: float,
    *,
    per_integration: int | None = None,
    running: Mapping[str, int] | None = NOTHING_RUNS,
    turns: Turns | None = None,
) -> list[Claim]:
    """Take up to `limit` lanes that are due, in turn from each integration, the longest waiting first.

    An integration with `running` lanes gets no more than make `per_integration` together, and no more than `turns`
    says, which makes a function that is asked for each lane whether its integration may have one more. Where `running`
    is None the lanes of all nodes are counted; who claims is alone with that (`CLAIMS`), so it holds. A lane due
    further ahead than `horizon_s`, longer than any back-off, can only mean that the clock was set back: it counts as
    due.
    """
    at = now.timestamp()
    set_back = at + horizon_s
    first_of_each = db.execute(
        f"SELECT integration_id, link_id FROM ({FIRST_OF_EACH}) AS waiting WHERE due <= ?1 OR due > ?2 ORDER BY due",  # noqa: S608 - fixed
        (at, set_back),
    ).fetchall()
    if not first_of_each:
        return []
    taken_up = dict(db.execute(RUNNING).fetchall()) if running is None else running
    queues: list[Iterator[int]] = []
    may_have = _everybody if turns is None else turns()
    for integration_id, first in first_of_each:
        share = limit if per_integration is None else per_integration - taken_up.get(integration_id, 0)
        room = min(limit, share)
        if room > 0:
            values = (at, integration_id, set_back, room)
            queues.append(_due(db, first, values, partial(may_have, integration_id)))
    taken = _take(db, boot, at, list(islice(_in_turn(queues), limit)))
    return [
        Claim(
            link_id=row["link_id"],
            integration_id=row["integration_id"],
            organization=row["organization"],
            boot=boot,
            fence=row["fence"],
            wakes=row["wakes"],
            calling_until=_time(row["calling_until"]),
        )
        for row in taken
    ]


def _take(db: Connection, boot: str, at: float, chosen: list[int]) -> list[Row]:
    """Take lanes, all at once; return those that were to be had, in the order in which they were chosen."""
    if not chosen:
        return []
    # The last is named again up to a power of two: each number of them is a statement of its own to a server.
    named = [*chosen, *chosen[-1:] * ((1 << (len(chosen) - 1).bit_length()) - len(chosen))]
    marks = ", ".join(f"?{place}" for place, _ in enumerate(named, 3))
    rows = db.execute(TAKE.format(marks=marks), (at, boot, *named)).fetchall()
    return sorted(rows, key=lambda row: chosen.index(row["link_id"]))


def _due(
    db: Connection, first: int, values: tuple[float, str, float, int], may_have: Callable[[], bool]
) -> Iterator[int]:
    """Tell of the lanes of an integration that are due, one after the other, as long as it may have one more.

    The first is known; the others are looked for, by `values`, only when it is their turn.
    """
    if not may_have():
        return
    yield first
    *_, room = values
    found = db.execute(DUE_OF_INTEGRATION, values).fetchall() if room > 1 else ()
    others = [link_id for link_id, _ in sorted(found, key=itemgetter(1)) if link_id != first]
    for link_id in others[: room - 1]:  # earlier ones may have come since the first was found
        if not may_have():
            return
        yield link_id


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _everybody(_: str) -> bool:
    """Refuse nobody."""
    return True


def _in_turn(queues: Iterable[Iterator[T]]) -> Iterator[T]:
    """Tell of the first of each queue, then of the second of each."""
    waiting = deque(queues)
    while waiting:
        queue = waiting.popleft()
        for one in islice(queue, 1):
            yield one
            waiting.append(queue)


def next_due(db: Connection) -> float | None:
    """Return when the next lane is due, in seconds since the epoch; None when all are at rest or worked on."""
    statement = f"SELECT MIN(due) FROM ({FIRST_OF_EACH}) AS waiting"  # noqa: S608 - fixed
    due: float | None = db.execute(statement, (_WHENEVER,)).fetchone()[0]
    return due


def is_held(db: Connection, held: Claim) -> bool:
    """Return whether a claim is still good."""
    row = db.execute(HELD, (held.link_id, held.boot, held.fence)).fetchone()
    return row is not None


def begin_call(db: Connection, held: Claim, until: datetime) -> bool:
    """Note until when a write to either side may be under way; return whether the claim is still good."""
    return (
        db.execute(
            "UPDATE lane SET calling_until = ? WHERE link_id = ? AND boot = ? AND fence = ?",
            (until.timestamp(), held.link_id, held.boot, held.fence),
        ).rowcount
        == 1
    )


def release(db: Connection, held: Claim, rest: Rest, now: datetime) -> bool:
    """Give a lane back: due at a time, parked on a breaker, or at rest; return whether the claim was still good.

    It is due at once when it was woken since it was claimed, or when its breaker has been reset meanwhile. Its own
    calls have ended; one of an earlier holder may not have.
    """
    due = None if rest.due is None else rest.due.timestamp()
    calling = None if held.calling_until is None or held.calling_until <= now else held.calling_until.timestamp()
    values = (held.link_id, held.boot, held.fence, held.wakes, now.timestamp(), calling)
    if rest.breaker is None:
        return db.execute(_REST, (*values, due)).rowcount == 1
    return db.execute(_PARK, (*values, rest.breaker)).rowcount == 1


def clock_was_set(db: Connection, by_s: float, now: datetime) -> None:
    """Move along what was planned by a clock that was then set forward, or back when `by_s` is negative.

    Lanes set forward only run early, so they are left. Breakers are tried at once: a clock that is wrong makes others
    refuse us. An attempt is as old after it as before; those made since the clock was set are told by their time.
    """
    at = now.timestamp()
    if by_s < 0:
        db.execute("UPDATE lane SET due_at = due_at + ?1 WHERE due_at > ?2", (by_s, at))
    db.execute(
        "UPDATE lane SET calling_until = calling_until + ?1, not_before = not_before + ?1"
        " WHERE calling_until IS NOT NULL",
        (by_s,),
    )
    db.execute("UPDATE breaker SET until = ?, trying_by = NULL, trying_until = NULL", (at,))
    db.execute("DELETE FROM pace")
    for table, kind in (("link", "attempted_at IS NOT NULL"), ("comment", "state = 'waiting'")):
        attempts = db.execute(f"SELECT id, attempted_at FROM {table} WHERE {kind}").fetchall()  # noqa: S608 - our own
        for row_id, text in attempts:
            if text is None:
                continue
            attempted = must_read_time(text)
            age_s = (now - attempted).total_seconds()
            if (by_s > 0 and age_s >= by_s) or (by_s < 0 and age_s < 0):
                moved = write_time(attempted + timedelta(seconds=by_s))
                db.execute(f"UPDATE {table} SET attempted_at = ? WHERE id = ?", (moved, row_id))  # noqa: S608 - as above


def recover(db: Connection, boot: str, running: Collection[int] = ()) -> int:
    """Free every lane that another boot holds, or this one without knowing; return how many.

    Nobody tries any more what another boot tried.
    """
    held = db.execute("SELECT link_id, boot FROM lane WHERE boot IS NOT NULL").fetchall()
    stray = [(row["link_id"],) for row in held if row["boot"] != boot or row["link_id"] not in running]
    db.executemany("UPDATE lane SET boot = NULL, calling_until = NULL WHERE link_id = ?", stray)
    db.execute("UPDATE breaker SET trying_by = NULL, trying_until = NULL WHERE trying_by != ?", (boot,))
    return len(stray)


def claimed(db: Connection, boot: str) -> list[int]:
    """Return the links whose lanes a boot holds."""
    return [row[0] for row in db.execute("SELECT link_id FROM lane WHERE boot = ?", (boot,))]


def free(db: Connection, boot: str, link_ids: Collection[int]) -> None:
    """Free lanes that a boot holds although nobody works on them; they are due as they were."""
    db.executemany(
        "UPDATE lane SET boot = NULL, calling_until = NULL WHERE link_id = ? AND boot = ?",
        [(one, boot) for one in link_ids],
    )


def take_over(db: Connection, left: LeftLane, calls_end: datetime) -> bool:
    """Free a lane whose node is dead; return whether it still held it.

    If a write was under way, it may arrive until `calls_end`. Of a node that is only silent it may be answered, too:
    nobody takes the lane before.
    """
    held_back = "calling_until" if left.ended is NodeEnd.SILENT else "NULL"
    db.execute(
        "UPDATE lane SET calling_until = ?1 WHERE link_id = ?2 AND boot = ?3 AND calling_until IS NOT NULL",
        (calls_end.timestamp(), left.link_id, left.boot),
    )
    statement = f"UPDATE lane SET boot = NULL, not_before = {held_back} WHERE link_id = ? AND boot = ?"  # noqa: S608 - ours
    return db.execute(statement, (left.link_id, left.boot)).rowcount == 1


def left_behind(db: Connection) -> list[LeftLane]:
    """Return the lanes that dead nodes hold."""
    return [
        LeftLane(
            row["link_id"],
            row["boot"],
            NodeEnd(row["ended"]) if row["ended"] else None,
            read_time(row["seen_at"]),
        )
        for row in db.execute(
            "SELECT lane.link_id, lane.boot, node.ended, node.seen_at FROM lane LEFT JOIN node ON node.id = lane.boot"
            " WHERE lane.boot IS NOT NULL AND (node.id IS NULL OR node.ended != '')"
        )
    ]


class Lanes(Noun):
    """Which links have work, and who works on them."""

    claim = writes(claim, CLAIMS)
    release = writes(release)
    recover = writes(recover, EVERYBODY)
    claimed = reads(claimed)
    free = writes(free, EVERYBODY)
    take_over = writes(take_over)
    left_behind = reads(left_behind)
    wake = writes(wake)
    wake_all = writes(wake_all)
    wake_blocked = writes(wake_blocked, EVERYBODY)
    next_due = reads(next_due)
