"""Circuit breakers: what is known not to work at present, remembered once for all the lanes that depend on it.

A row is a tripped breaker. Lanes that need what it guards are parked on it: at rest, named by it, and woken together
when it is reset. While it is tripped, one parked lane at a time is woken to try.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime

from connector_core.store.nouns import EVERYBODY, Noun, reads, writes
from connector_core.store.records import Breaker
from connector_core.store.rows import must_read_time, write_time
from connector_core.store.statements import Connection, Row


def trip(db: Connection, breaker: Breaker) -> None:
    """Store a breaker as tripped, or that it still is; `since` stays that of the first time."""
    db.execute(
        "INSERT INTO breaker (key, code, reason, fix, since, until, failures, needs_person)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (key) DO UPDATE SET code = excluded.code, reason = excluded.reason, fix = excluded.fix,"
        " until = excluded.until, failures = excluded.failures, needs_person = excluded.needs_person",
        (
            breaker.key,
            breaker.code,
            breaker.reason,
            breaker.fix,
            write_time(breaker.since),
            breaker.until.timestamp(),
            breaker.failures,
            int(breaker.needs_person),
        ),
    )


def reset(db: Connection, key: str, now: datetime) -> int:
    """Forget a breaker and wake the lanes parked on it; return how many."""
    db.execute("DELETE FROM breaker WHERE key = ?", (key,))
    return db.execute(
        "UPDATE lane SET breaker = NULL, due_at = ?, wakes = wakes + 1 WHERE breaker = ?", (now.timestamp(), key)
    ).rowcount


def tripped(db: Connection, keys: Iterable[str]) -> list[Breaker]:
    """Return those of the named breakers that are tripped."""
    found = (db.execute("SELECT *, 0 AS parked FROM breaker WHERE key = ?", (key,)).fetchone() for key in keys)
    return [_read(row) for row in found if row is not None]


def every(db: Connection) -> list[Breaker]:
    """Return all tripped breakers with the number of lanes parked on each, the oldest first."""
    rows = db.execute(
        "SELECT *, (SELECT COUNT(*) FROM lane WHERE lane.breaker = breaker.key) AS parked FROM breaker"
        " ORDER BY since, key"
    )
    return [_read(row) for row in rows]


def wake_probes(db: Connection, now: datetime, horizon_s: float, skip: Collection[str]) -> list[str]:
    """Wake one parked lane of every breaker that may be tried again; return the breakers' keys.

    A breaker that is to be tried further ahead than `horizon_s` can only mean that the clock was set back.
    """
    rows = db.execute(
        "SELECT key FROM breaker WHERE until <= ?1 OR until > ?1 + ?2", (now.timestamp(), horizon_s)
    ).fetchall()
    woken = []
    for (key,) in rows:
        if key in skip:
            continue
        changed = db.execute(
            "UPDATE lane SET breaker = NULL, due_at = ?1, wakes = wakes + 1 WHERE link_id ="
            " (SELECT link_id FROM lane WHERE breaker = ?2 ORDER BY parked_at, link_id LIMIT 1"
            " /* FOR UPDATE SKIP LOCKED */)",
            (now.timestamp(), key),
        ).rowcount
        if changed:
            woken.append(key)
    return woken


def _read(row: Row) -> Breaker:
    return Breaker(
        key=row["key"],
        code=row["code"],
        reason=row["reason"],
        fix=row["fix"],
        since=must_read_time(row["since"]),
        until=datetime.fromtimestamp(row["until"], UTC),
        failures=row["failures"],
        needs_person=bool(row["needs_person"]),
        parked=row["parked"],
    )


class Breakers(Noun):
    """What is known not to work at present."""

    trip = writes(trip)
    reset = writes(reset, EVERYBODY)
    tripped = reads(tripped)
    every = reads(every)
    wake_probes = writes(wake_probes)
