"""Circuit breakers: what is known not to work at present, remembered once for all the lanes that depend on it.

A row is a tripped breaker. Lanes that need what it guards are parked on it: at rest, named by it, and woken together
when it is reset. While it is tripped, one parked lane at a time is woken to try, over all nodes: the row says which of
them tries (`trying_by`), or that a lane was woken to (`SOMEBODY`), and until when that counts. A node that is dead
tries no more.

A place that is near its limit has a row in `pace`: those that can wait do until then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from connector_core.store.nouns import EVERYBODY, Noun, reads, writes
from connector_core.store.records import Breaker
from connector_core.store.rows import must_read_time, write_time
from connector_core.store.statements import Connection, Row

#: Who tries when a lane was woken for it: whichever node claims it.
SOMEBODY = ""
# A time beyond every wait was told by another clock; sums of times are right to the millisecond.
_MAY_BE_TRIED = "(until <= ?1 OR until >= ?1 + ?2 - 0.001)"
_NOBODY_TRIES = (
    "(trying_until IS NULL OR trying_until <= ?1 OR trying_until > ?1 + ?2"
    " OR EXISTS (SELECT 1 FROM node WHERE node.id = breaker.trying_by AND node.ended != ''))"
)
_NOBODY_OR_SOMEBODY = f"(breaker.trying_by = '{SOMEBODY}' OR {_NOBODY_TRIES})"


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
    """Return those of the named breakers that are tripped, in that order."""
    keys = list(keys)
    marks = ", ".join("?" * len(keys)) or "NULL"
    rows = db.execute(f"SELECT *, 0 AS parked FROM breaker WHERE key IN ({marks})", tuple(keys))  # noqa: S608 - marks
    return sorted(map(_read, rows), key=lambda breaker: keys.index(breaker.key))


def every(db: Connection) -> list[Breaker]:
    """Return all tripped breakers with the number of lanes parked on each, the oldest first."""
    rows = db.execute(
        "SELECT *, (SELECT COUNT(*) FROM lane WHERE lane.breaker = breaker.key) AS parked FROM breaker"
        " ORDER BY since, key"
    )
    return [_read(row) for row in rows]


def begin_try(  # noqa: PLR0913, PLR0917 - who, what, and when
    db: Connection, keys: Sequence[str], by: str, now: datetime, until: datetime, horizon_s: float
) -> Breaker | None:
    """Have a node try all of some breakers anew; return one that may not be tried by now, and then it tries none.

    One that was reset meanwhile stands in nobody's way.
    """
    for place, key in enumerate(keys):
        if not _take(db, key, by, now, until, horizon_s, _NOBODY_OR_SOMEBODY) and (found := tripped(db, [key])):
            end_try(db, keys[:place], by, until)
            return found[0]
    return None


def end_try(db: Connection, keys: Iterable[str], by: str, until: datetime) -> None:
    """Note that what was begun until a time has ended."""
    for key in keys:
        db.execute(
            "UPDATE breaker SET trying_by = NULL, trying_until = NULL"
            " WHERE key = ? AND trying_by = ? AND trying_until = ?",
            (key, by, until.timestamp()),
        )


def wake_probes(db: Connection, now: datetime, horizon_s: float, within_s: float) -> list[str]:
    """Wake one parked lane of every breaker that may be tried again; return the breakers' keys.

    The lane has so many seconds to begin. A breaker that is to be tried further ahead than `horizon_s` can only mean
    that the clock was set back.
    """
    rows = db.execute(
        f"SELECT key FROM breaker WHERE {_MAY_BE_TRIED} AND {_NOBODY_TRIES} AND EXISTS"  # noqa: S608 - fixed fragments
        " (SELECT 1 FROM lane WHERE lane.breaker = breaker.key) ORDER BY key",
        (now.timestamp(), horizon_s),
    ).fetchall()
    woken = []
    for (key,) in rows:
        if not _take(db, key, SOMEBODY, now, now + timedelta(seconds=within_s), horizon_s, _NOBODY_TRIES):
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


def _take(  # noqa: PLR0913, PLR0917 - as above
    db: Connection, key: str, by: str, now: datetime, until: datetime, horizon_s: float, free: str
) -> bool:
    """Note who tries a breaker, if it may be tried; return whether it was."""
    return (
        db.execute(
            "UPDATE breaker SET trying_by = ?4, trying_until = ?5"  # noqa: S608 - fixed fragments
            f" WHERE key = ?3 AND {_MAY_BE_TRIED} AND {free}",
            (now.timestamp(), horizon_s, key, by, until.timestamp()),
        ).rowcount
        == 1
    )


def near_limit(db: Connection, site: str, until: datetime) -> None:
    """Note until when a site is near its limit, unless it is for longer."""
    db.execute(
        "INSERT INTO pace (site, until) VALUES (?, ?)"
        " ON CONFLICT (site) DO UPDATE SET until = MAX(pace.until, excluded.until)",
        (site, until.timestamp()),
    )


def near_limit_until(db: Connection, site: str) -> datetime | None:
    """Return until when a site is, or was, near its limit."""
    row = db.execute("SELECT until FROM pace WHERE site = ?", (site,)).fetchone()
    return None if row is None else datetime.fromtimestamp(row[0], UTC)


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

    trip = writes(trip, EVERYBODY)
    reset = writes(reset, EVERYBODY)
    tripped = reads(tripped)
    every = reads(every)
    begin_try = writes(begin_try)
    end_try = writes(end_try)
    wake_probes = writes(wake_probes)
    near_limit = writes(near_limit)
    near_limit_until = reads(near_limit_until)
