"""Sources that were made in set-up: their settings, sealed secrets, and what people read for answers.

Every function that writes runs inside a transaction of the writer. A change counts as one of the integrations, so that
every process reads both again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping

from pydantic import SecretStr

from connector_core.contract.models import Incident
from connector_core.secrets import SecretBox
from connector_core.store import counters, integrations
from connector_core.store.records import SourceRecord
from connector_core.store.rows import must_read_time, write_json, write_time


def put(db: sqlite3.Connection, box: SecretBox, record: SourceRecord, known: SourceRecord | None) -> bool:
    """Store a source if what there is of it is still what is known; False when somebody changed or removed it."""
    if next((one for one in every(db, box) if one.organization == record.organization), None) != known:
        return False
    secrets = {key: secret.get_secret_value() for key, secret in record.secret_answers.items()}
    db.execute(
        "INSERT INTO source (organization, plugin, answers, secrets, created_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (organization) DO UPDATE SET plugin = excluded.plugin, answers = excluded.answers,"
        " secrets = excluded.secrets",
        (
            record.organization,
            record.plugin,
            write_json(dict(record.answers)),
            box.seal(write_json(secrets)),
            write_time(record.created_at),
        ),
    )
    counters.add(db, integrations.VERSION)
    return True


def every(db: sqlite3.Connection, box: SecretBox) -> list[SourceRecord]:
    """Return all of them, by organization."""
    return [
        SourceRecord(
            organization=row["organization"],
            plugin=row["plugin"],
            answers=json.loads(row["answers"]),
            secret_answers={key: SecretStr(text) for key, text in json.loads(box.open(row["secrets"])).items()},
            created_at=must_read_time(row["created_at"]),
        )
        for row in db.execute("SELECT * FROM source ORDER BY organization").fetchall()
    ]


def remove(db: sqlite3.Connection, organization: str) -> bool:
    """Delete a source with its labels and set-up links; how far it was read stays. False when there is none.

    How its last look ended is over: whoever watches that would be told for ever.
    """
    db.execute("DELETE FROM source_state WHERE organization = ?", (organization,))
    removed = db.execute("DELETE FROM source WHERE organization = ?", (organization,)).rowcount
    counters.add(db, integrations.VERSION)
    return bool(removed)


def labels(db: sqlite3.Connection, organization: str) -> Mapping[tuple[str, str], str]:
    """Return what people read for the answers of a source, by key and value."""
    rows = db.execute("SELECT key, value, label FROM source_label WHERE organization = ?", (organization,))
    return {(row["key"], row["value"]): row["label"] for row in rows}


def remember_label(db: sqlite3.Connection, organization: str, key: str, value: str, label: str) -> None:
    """Keep what people read for an answer."""
    db.execute(
        "INSERT INTO source_label (organization, key, value, label) SELECT ?1, ?2, ?3, ?4"
        " WHERE EXISTS (SELECT 1 FROM source WHERE organization = ?1)"
        " ON CONFLICT (organization, key, value) DO UPDATE SET label = excluded.label",
        (organization, key, value, label),
    )


def followed(db: sqlite3.Connection, organization: str) -> list[Incident]:
    """Return the incidents of an organization that have a link which is not over on both sides."""
    rows = db.execute(
        "SELECT body FROM incident WHERE organization = ?1 AND status = 'active' AND EXISTS (SELECT 1 FROM link"
        " WHERE link.organization = ?1 AND link.incident_id = incident.id AND link.is_open = 1)",
        (organization,),
    )
    return [Incident.model_validate_json(row["body"]) for row in rows.fetchall()]
