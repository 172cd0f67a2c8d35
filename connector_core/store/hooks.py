"""What is known of an integration's webhook: which secrets sign, what is ignored and why, what nobody told of."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime

from connector_core.store.records import HookFact
from connector_core.store.rows import must_read_time, write_time


def count(db: sqlite3.Connection, integration_id: str, name: str, at: datetime, by: int = 1) -> None:
    """Count a fact, and when it was last so."""
    db.execute(
        "INSERT INTO hook_fact (integration_id, name, count, last_at) VALUES (?1, ?2, ?3, ?4)"
        " ON CONFLICT (integration_id, name) DO UPDATE SET count = count + ?3, last_at = MAX(last_at, ?4)",
        (integration_id, name, by, write_time(at)),
    )


def facts(db: sqlite3.Connection, integration_id: str) -> Mapping[str, HookFact]:
    """Return all facts by name."""
    rows = db.execute("SELECT name, count, last_at FROM hook_fact WHERE integration_id = ?", (integration_id,))
    return {row["name"]: HookFact(row["count"], must_read_time(row["last_at"])) for row in rows}
