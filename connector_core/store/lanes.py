"""Lanes: which links have work, since when, and who is working on them.

A wake-up is counted, never queued: a lane that is woken while it is being worked on is due again afterwards. A claim
belongs to a boot (one life of the daemon), so the claims of a killed daemon are freed when the next one starts, without
waiting for a clock. The fence grows with every claim; whoever writes with an old one is refused.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime

from connector_core.store.records import Claim


def create(db: sqlite3.Connection, link_id: int) -> None:
    """Make the lane of a new link."""
    db.execute("INSERT INTO lane (link_id) VALUES (?)", (link_id,))


def wake(db: sqlite3.Connection, link_id: int, at: datetime) -> None:
    """Make a lane due at a time, or keep it due earlier if it already is."""
    db.execute(
        "UPDATE lane SET due_at = MIN(COALESCE(due_at, ?1), ?1), wakes = wakes + 1 WHERE link_id = ?2",
        (at.timestamp(), link_id),
    )


def wake_all(db: sqlite3.Connection, integration_id: str, at: datetime) -> int:
    """Wake every lane of an integration that is not at rest; return how many."""
    return db.execute(
        "UPDATE lane SET due_at = ?, wakes = wakes + 1 WHERE link_id IN"
        " (SELECT id FROM link WHERE integration_id = ? AND state != 'in_sync')",
        (at.timestamp(), integration_id),
    ).rowcount


def claim(db: sqlite3.Connection, boot: str, now: datetime, limit: int, horizon_s: float) -> list[Claim]:
    """Take up to `limit` lanes that are due, the longest waiting first.

    A lane due further ahead than `horizon_s`, longer than any back-off, can only mean that the clock was set back: it
    counts as due.
    """
    rows = db.execute(
        "UPDATE lane SET boot = ?1, fence = fence + 1 WHERE link_id IN ("
        " SELECT link_id FROM lane WHERE boot IS NULL AND due_at IS NOT NULL AND (due_at <= ?2 OR due_at > ?2 + ?4)"
        " ORDER BY due_at LIMIT ?3)"
        " RETURNING link_id, fence, wakes",
        (boot, now.timestamp(), limit, horizon_s),
    ).fetchall()
    return [Claim(link_id=row["link_id"], boot=boot, fence=row["fence"], wakes=row["wakes"]) for row in rows]


def next_due(db: sqlite3.Connection) -> float | None:
    """Return when the next lane is due, in seconds since the epoch; None when all are at rest or worked on."""
    row = db.execute("SELECT MIN(due_at) FROM lane WHERE boot IS NULL AND due_at IS NOT NULL").fetchone()
    due: float | None = row[0]
    return due


def is_held(db: sqlite3.Connection, held: Claim) -> bool:
    """Tell whether a claim is still good."""
    row = db.execute(
        "SELECT 1 FROM lane WHERE link_id = ? AND boot = ? AND fence = ?", (held.link_id, held.boot, held.fence)
    ).fetchone()
    return row is not None


def release(db: sqlite3.Connection, held: Claim, due: datetime | None, now: datetime) -> None:
    """Give a lane back, due at a time or at rest; due at once when it was woken since it was claimed."""
    db.execute(
        "UPDATE lane SET boot = NULL, due_at = CASE WHEN wakes > ?4 THEN ?6 ELSE ?5 END"
        " WHERE link_id = ?1 AND boot = ?2 AND fence = ?3",
        (
            held.link_id,
            held.boot,
            held.fence,
            held.wakes,
            None if due is None else due.timestamp(),
            now.timestamp(),
        ),
    )


def recover(db: sqlite3.Connection, boot: str) -> int:
    """Free every lane that another boot holds; return how many."""
    return db.execute("UPDATE lane SET boot = NULL WHERE boot IS NOT NULL AND boot != ?", (boot,)).rowcount
