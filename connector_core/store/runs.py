"""Runs of the scheduler."""

from __future__ import annotations

from connector_core.store.nouns import Noun, reads, writes
from connector_core.store.records import Run
from connector_core.store.rows import must_read_time, write_time
from connector_core.store.statements import Connection

KEPT_RUNS = 50


def add(db: Connection, run: Run) -> None:
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


def last(db: Connection, integration_id: str, kind: str, *, outcome: str | None = None) -> Run | None:
    """Return the latest run of a kind, with a certain outcome if one is named."""
    row = db.execute(
        "SELECT * FROM run WHERE integration_id = ?1 AND kind = ?2 AND (CAST(?3 AS TEXT) IS NULL OR outcome = ?3)"
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


class Runs(Noun):
    """Runs of the scheduler."""

    add = writes(add)
    last = reads(last)
