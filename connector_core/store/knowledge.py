"""What plugins learnt about the other side, and what was last found when an integration was tried."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime
from typing import Any

from connector_core.contract.models import Finding
from connector_core.store.records import Checkup
from connector_core.store.rows import must_read_time, write_time

_MAKE_ROOM = (
    "DELETE FROM knowledge WHERE integration_id = ?1 AND key NOT IN"
    " (SELECT key FROM knowledge WHERE integration_id = ?1 ORDER BY at DESC, key LIMIT ?2)"
)
MOST_KEYS = 2_000


def recall(db: sqlite3.Connection, integration_id: str, key: str) -> Any:  # noqa: ANN401 - JSON
    """Return what was remembered under a key."""
    row = db.execute(
        "SELECT value FROM knowledge WHERE integration_id = ? AND key = ?", (integration_id, key)
    ).fetchone()
    return None if row is None else json.loads(row[0])


def remember(db: sqlite3.Connection, integration_id: str, key: str, value: str, at: datetime) -> None:
    """Keep a value that is JSON already; the oldest go when there are very many."""
    if value == "null":
        db.execute("DELETE FROM knowledge WHERE integration_id = ? AND key = ?", (integration_id, key))
        return
    db.execute(
        "INSERT INTO knowledge (integration_id, key, value, at) SELECT ?1, ?2, ?3, ?4"
        " WHERE EXISTS (SELECT 1 FROM integration WHERE id = ?1)"
        " ON CONFLICT (integration_id, key) DO UPDATE SET value = excluded.value, at = excluded.at",
        (integration_id, key, value, write_time(at)),
    )
    db.execute(_MAKE_ROOM, (integration_id, MOST_KEYS))


def forget(db: sqlite3.Connection, integration_id: str) -> None:
    """Forget all that was learnt: it was about another site."""
    db.execute("DELETE FROM knowledge WHERE integration_id = ?", (integration_id,))


def deliveries(db: sqlite3.Connection, integration_id: str, latest: int) -> tuple[int, int]:
    """Count the latest deliveries of an integration, and those among them that were about no linked ticket."""
    row = db.execute(
        "SELECT COUNT(*), COALESCE(SUM(matched = 0), 0) FROM"
        " (SELECT matched FROM delivery WHERE integration_id = ? ORDER BY seq DESC LIMIT ?)",
        (integration_id, latest),
    ).fetchone()
    return int(row[0]), int(row[1])


def record_checkup(db: sqlite3.Connection, checkup: Checkup) -> None:
    """Keep what was found, in place of what was found before."""
    findings = json.dumps([finding.model_dump(mode="json") for finding in checkup.findings], ensure_ascii=False)
    db.execute(
        "INSERT INTO checkup (integration_id, at, findings) SELECT ?1, ?2, ?3"
        " WHERE EXISTS (SELECT 1 FROM integration WHERE id = ?1)"
        " ON CONFLICT (integration_id) DO UPDATE SET at = excluded.at, findings = excluded.findings",
        (checkup.integration_id, write_time(checkup.at), findings),
    )


def checkups(db: sqlite3.Connection) -> list[Checkup]:
    """Return what was last found, for each integration that was ever tried."""
    return [
        Checkup(
            integration_id=row["integration_id"],
            at=must_read_time(row["at"]),
            findings=tuple(Finding.model_validate(one) for one in json.loads(row["findings"])),
        )
        for row in db.execute("SELECT * FROM checkup ORDER BY integration_id")
    ]
