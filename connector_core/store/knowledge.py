"""What plugins learnt about the other side."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from connector_core.store.nouns import Noun, reads, writes
from connector_core.store.rows import write_time
from connector_core.store.statements import Connection

_MAKE_ROOM = (
    "DELETE FROM knowledge WHERE integration_id = ?1 AND key NOT IN"
    " (SELECT key FROM knowledge WHERE integration_id = ?1 ORDER BY at DESC, key LIMIT ?2)"
)
MOST_KEYS = 2_000


def recall(db: Connection, integration_id: str, key: str) -> Any:  # noqa: ANN401 - JSON
    """Return what was remembered under a key."""
    row = db.execute(
        "SELECT value FROM knowledge WHERE integration_id = ? AND key = ?", (integration_id, key)
    ).fetchone()
    return None if row is None else json.loads(row[0])


def remember(db: Connection, integration_id: str, key: str, value: str, at: datetime) -> None:
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


def forget(db: Connection, integration_id: str) -> None:
    """Forget all that was learnt: it was about another site."""
    db.execute("DELETE FROM knowledge WHERE integration_id = ?", (integration_id,))


class Knowledge(Noun):
    """What plugins learnt about the other side, by integration."""

    recall = reads(recall)
    remember = writes(remember)
    forget = writes(forget)
