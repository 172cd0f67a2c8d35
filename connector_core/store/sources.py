"""Polled sources: how far each was read, and how the last look ended.

Every function that writes runs inside a transaction of the writer.
"""

from __future__ import annotations

import json
import sqlite3

from pydantic import TypeAdapter

from connector_core.contract.models import Finding
from connector_core.store.records import SourceState
from connector_core.store.rows import must_read_time, read_time, write_time

_findings = TypeAdapter(tuple[Finding, ...])


def cursor(db: sqlite3.Connection, organization: str, plugin: str) -> str | None:
    """Return how far a source was read by this plugin."""
    row = db.execute(
        "SELECT cursor FROM source_cursor WHERE organization = ? AND plugin = ?", (organization, plugin)
    ).fetchone()
    return None if row is None else str(row["cursor"])


def keep_cursor(db: sqlite3.Connection, organization: str, plugin: str, text: str) -> None:
    """Store how far a source was read."""
    db.execute(
        "INSERT INTO source_cursor (organization, plugin, cursor) VALUES (?, ?, ?)"
        " ON CONFLICT DO UPDATE SET plugin = excluded.plugin, cursor = excluded.cursor",
        (organization, plugin, text),
    )


def forget_cursor(db: sqlite3.Connection, organization: str) -> bool:
    """Forget how far a source was read; False when it was not read yet."""
    return bool(db.execute("DELETE FROM source_cursor WHERE organization = ?", (organization,)).rowcount)


def note(db: sqlite3.Connection, state: SourceState) -> None:
    """Store how a look ended; `since` stays while it ends alike."""
    db.execute(
        "INSERT INTO source_state (organization, plugin, looked_at, worked_at, outcome, reason, fix, since,"
        " open_incidents, account_name, findings) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET plugin = excluded.plugin, looked_at = excluded.looked_at,"
        " worked_at = excluded.worked_at, reason = excluded.reason, fix = excluded.fix, outcome = excluded.outcome,"
        " since = CASE WHEN outcome = excluded.outcome THEN since ELSE excluded.since END,"
        " open_incidents = excluded.open_incidents, account_name = excluded.account_name, findings = excluded.findings",
        (
            state.organization,
            state.plugin,
            write_time(state.looked_at),
            write_time(state.worked_at),
            state.outcome,
            state.reason,
            state.fix,
            write_time(state.since),
            state.open_incidents,
            state.account_name,
            json.dumps([finding.model_dump(mode="json") for finding in state.findings]),
        ),
    )


def every(db: sqlite3.Connection) -> dict[str, SourceState]:
    """Return how the last look at each source ended, by organization."""
    return {row["organization"]: _read(row) for row in db.execute("SELECT * FROM source_state").fetchall()}


def one(db: sqlite3.Connection, organization: str) -> SourceState | None:
    """Return how the last look at one source ended."""
    row = db.execute("SELECT * FROM source_state WHERE organization = ?", (organization,)).fetchone()
    return None if row is None else _read(row)


def _read(row: sqlite3.Row) -> SourceState:
    return SourceState(
        organization=row["organization"],
        plugin=row["plugin"],
        looked_at=must_read_time(row["looked_at"]),
        worked_at=read_time(row["worked_at"]),
        outcome=row["outcome"],
        reason=row["reason"],
        fix=row["fix"],
        since=must_read_time(row["since"]),
        open_incidents=row["open_incidents"],
        account_name=row["account_name"],
        findings=_findings.validate_json(row["findings"]),
    )
