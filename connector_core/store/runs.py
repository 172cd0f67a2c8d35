"""Runs of the scheduler, and counts over the whole database."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

from connector_core.store import counters, early, lanes, overview
from connector_core.store.records import Run, Stats
from connector_core.store.rows import must_read_time, write_time

KEPT_RUNS = 50


def add(db: sqlite3.Connection, run: Run) -> None:
    """Store a run and drop the oldest of its kind."""
    db.execute(
        "INSERT INTO run (integration_id, kind, started_at, ended_at, outcome, seen, changed, detail)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            run.integration_id,
            run.kind,
            write_time(run.started_at),
            write_time(run.ended_at),
            run.outcome,
            run.seen,
            run.changed,
            run.detail,
        ),
    )
    db.execute(
        "DELETE FROM run WHERE integration_id = ?1 AND kind = ?2 AND id <= (SELECT id FROM run WHERE"
        " integration_id = ?1 AND kind = ?2 AND outcome = ?3 ORDER BY id DESC LIMIT 1 OFFSET ?4) AND outcome = ?3",
        (run.integration_id, run.kind, run.outcome, KEPT_RUNS),
    )


def last(db: sqlite3.Connection, integration_id: str, kind: str, outcome: str | None) -> Run | None:
    """Return the latest run of a kind, with a certain outcome if one is named."""
    row = db.execute(
        "SELECT * FROM run WHERE integration_id = ?1 AND kind = ?2 AND (?3 IS NULL OR outcome = ?3)"
        " ORDER BY id DESC LIMIT 1",
        (integration_id, kind, outcome),
    ).fetchone()
    if row is None:
        return None
    return Run(
        integration_id=row["integration_id"],
        kind=row["kind"],
        started_at=must_read_time(row["started_at"]),
        ended_at=must_read_time(row["ended_at"]),
        outcome=row["outcome"],
        seen=row["seen"],
        changed=row["changed"],
        detail=row["detail"],
    )


def stats(db: sqlite3.Connection) -> Stats:
    """Count links by integration and state, lanes, and what came in."""
    lane = db.execute(
        "SELECT (SELECT COUNT(*) FROM lane WHERE boot IS NULL AND due_at IS NOT NULL) AS due,"
        " (SELECT COUNT(*) FROM lane WHERE boot IS NOT NULL) AS claimed,"
        " (SELECT COUNT(*) FROM lane WHERE breaker IS NOT NULL) AS parked"
    ).fetchone()
    received = db.execute(
        "SELECT (SELECT COALESCE(MAX(seq), 0) FROM event) AS events,"
        " (SELECT COALESCE(MAX(seq), 0) FROM delivery) AS deliveries"
    ).fetchone()
    oldest = lanes.next_due(db)
    return Stats(
        backlogs=overview.backlogs(db),
        due_lanes=lane["due"],
        claimed_lanes=lane["claimed"],
        parked_lanes=lane["parked"],
        oldest_due=None if oldest is None else datetime.fromtimestamp(oldest, UTC),
        events=received["events"],
        deliveries=received["deliveries"],
        early_dropped=counters.value(db, early.DROPPED),
    )
