"""What the console shows at a glance: counts and ages over many links, answered by indexes and what triggers keep."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping
from datetime import datetime

from connector_core.store.records import Backlog, OpenLinks
from connector_core.store.rows import must_read_time, read_time, write_time

OLDEST = "SELECT MIN({direction}) FROM link WHERE integration_id = ? AND {direction} IS NOT NULL"


def backlogs(db: sqlite3.Connection) -> dict[str, Backlog]:
    """Return, by integration, how many links are in each state and since when each direction waits."""
    counts: dict[str, dict[str, int]] = {row[0]: {} for row in db.execute("SELECT id FROM integration ORDER BY seq")}
    for row in db.execute("SELECT integration_id, state, links FROM link_count WHERE links > 0"):
        counts[row["integration_id"]][row["state"]] = row["links"]
    return {
        name: Backlog(links, _oldest(db, "to_ticket_since", name), _oldest(db, "to_incident_since", name))
        for name, links in counts.items()
    }


def _oldest(db: sqlite3.Connection, direction: str, integration_id: str) -> datetime | None:
    row = db.execute(OLDEST.format(direction=direction), (integration_id,)).fetchone()
    return read_time(row[0])


def last_activity(db: sqlite3.Connection) -> dict[str, datetime]:
    """Return when something last happened, by integration."""
    rows = db.execute("SELECT integration_id, MAX(last_at) FROM activity GROUP BY integration_id")
    return {row[0]: must_read_time(row[1]) for row in rows}


def activity(db: sqlite3.Connection, integration_id: str, since: datetime) -> dict[str, int]:
    """Return how much happened in each hour since a time; an hour is named like 2026-11-23T10."""
    rows = db.execute(
        "SELECT hour, entries FROM activity WHERE integration_id = ? AND hour >= ? ORDER BY hour",
        (integration_id, (write_time(since) or "")[:13]),
    )
    return {row["hour"]: row["entries"] for row in rows}


def first_reason(db: sqlite3.Connection, integration_id: str, states: Collection[str]) -> str:
    """Return why the link that has been in one of some states for longest does not go on."""
    marks = ", ".join("?" * len(states))
    row = db.execute(
        f"SELECT reason FROM link WHERE integration_id = ? AND state IN ({marks}) ORDER BY since LIMIT 1",  # noqa: S608 - question marks
        (integration_id, *states),
    ).fetchone()
    return "" if row is None else str(row[0])


def open_links(db: sqlite3.Connection, integration_id: str) -> list[OpenLinks]:
    """Count the links that are not over on both sides, by the settings they were made with."""
    rows = db.execute(
        "SELECT settings, COUNT(*) FROM link WHERE integration_id = ? AND is_open = 1 GROUP BY settings",
        (integration_id,),
    )
    return [OpenLinks(settings=json.loads(row[0]), count=row[1]) for row in rows]


def labels(db: sqlite3.Connection, integration_id: str) -> Mapping[tuple[str, str], str]:
    """Return what people read for the answers of an integration, by key and value."""
    rows = db.execute("SELECT key, value, label FROM answer_label WHERE integration_id = ?", (integration_id,))
    return {(row["key"], row["value"]): row["label"] for row in rows}


def remember_label(db: sqlite3.Connection, integration_id: str, key: str, value: str, label: str) -> None:
    """Keep what people read for an answer, unless the integration was removed meanwhile."""
    db.execute(
        "INSERT INTO answer_label (integration_id, key, value, label) SELECT ?1, ?2, ?3, ?4"
        " WHERE EXISTS (SELECT 1 FROM integration WHERE id = ?1)"
        " ON CONFLICT (integration_id, key, value) DO UPDATE SET label = excluded.label",
        (integration_id, key, value, label),
    )


def note_secret_change(db: sqlite3.Connection, integration_id: str, at: datetime) -> None:
    """Remember when the secret of the webhook last changed."""
    db.execute(
        "INSERT INTO webhook_secret_change (integration_id, changed_at) VALUES (?, ?)"
        " ON CONFLICT (integration_id) DO UPDATE SET changed_at = excluded.changed_at",
        (integration_id, write_time(at)),
    )


def last_delivery_at(db: sqlite3.Connection, integration_id: str) -> datetime | None:
    """Return when the last delivery came in; this is no change of the integration, so its cached record lags."""
    row = db.execute("SELECT last_delivery_at FROM integration WHERE id = ?", (integration_id,)).fetchone()
    return None if row is None else read_time(row[0])


def secret_changed_at(db: sqlite3.Connection, integration_id: str) -> datetime | None:
    """Return when the secret of the webhook last changed in set-up."""
    row = db.execute(
        "SELECT changed_at FROM webhook_secret_change WHERE integration_id = ?", (integration_id,)
    ).fetchone()
    return None if row is None else read_time(row[0])
