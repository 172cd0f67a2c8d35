"""Sources: what was made in set-up with its sealed secrets, how far each was read, and how the last look ended.

A change in set-up counts as one of the integrations, so that every process reads both again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache

from pydantic import SecretStr, TypeAdapter

from connector_core.contract.models import Finding, Incident
from connector_core.secrets import SecretBox
from connector_core.store import audit, integrations, meta
from connector_core.store.nouns import EVERYBODY, Noun, opens, reads, seals, writes
from connector_core.store.records import About, Act, Reading, SourceRecord, SourceState, Subject
from connector_core.store.rows import must_read_time, read_incident, read_time, write_json, write_time
from connector_core.store.statements import Connection, Row

_findings = cache(lambda: TypeAdapter(tuple[Finding, ...]))  # made when some are read: it takes a while


def put(db: Connection, box: SecretBox, record: SourceRecord, known: SourceRecord | None) -> bool:
    """Store a source if what there is of it is still what is known; False when somebody changed or removed it."""
    if next((one for one in every(db, box) if one.organization == record.organization), None) != known:
        return False
    audit.note_source(db, known, record)
    secrets = {key: secret.get_secret_value() for key, secret in record.secret_answers.items()}
    db.execute(
        "INSERT INTO source (organization, plugin, answers, secrets, created_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (organization) DO UPDATE SET plugin = excluded.plugin, answers = excluded.answers,"
        " secrets = excluded.secrets",
        (
            record.organization,
            record.plugin,
            write_json(dict(record.answers)),
            _sealed(db, box, record, secrets),
            write_time(record.created_at),
        ),
    )
    meta.add(db, integrations.VERSION)
    return True


def begin(db: Connection, box: SecretBox, record: SourceRecord, known: SourceRecord | None) -> bool:
    """Store a source that was just begun in place of another one; False when somebody changed that meanwhile."""
    if next((one for one in every(db, box) if one.organization == record.organization), None) != known:
        return False
    if known is not None:
        remove(db, record.organization)
    return put(db, box, record, None)


def _sealed(db: Connection, box: SecretBox, record: SourceRecord, secrets: Mapping[str, str]) -> bytes:
    """Seal the secrets, if there are any; those that cannot be opened stay until others are given."""
    if secrets:
        return box.seal(write_json(dict(secrets)))
    if not record.has_unreadable:
        return b""
    row = db.execute("SELECT secrets FROM source WHERE organization = ?", (record.organization,)).fetchone()
    return b"" if row is None else bytes(row["secrets"])


def every(db: Connection, box: SecretBox) -> list[SourceRecord]:
    """Return all of them, by organization."""
    return [_read(row, box) for row in db.execute("SELECT * FROM source ORDER BY organization").fetchall()]


def _read(row: Row, box: SecretBox) -> SourceRecord:
    text = box.try_open(row["secrets"]) if row["secrets"] else "{}"
    return SourceRecord(
        organization=row["organization"],
        plugin=row["plugin"],
        answers=json.loads(row["answers"]),
        secret_answers={key: SecretStr(secret) for key, secret in json.loads(text or "{}").items()},
        created_at=must_read_time(row["created_at"]),
        has_unreadable=text is None,
    )


def remove(db: Connection, organization: str) -> bool:
    """Delete a source with its labels and set-up links; how far it was read stays. False when there is none.

    How its last look ended is over: whoever watches that would be told for ever.
    """
    db.execute("DELETE FROM source_state WHERE organization = ?", (organization,))
    removed = db.execute("DELETE FROM source WHERE organization = ?", (organization,)).rowcount
    if removed:
        audit.note(db, Act.REMOVED, About(Subject.SOURCE, organization, organization))
    meta.add(db, integrations.VERSION)
    return bool(removed)


def labels(db: Connection, organization: str) -> Mapping[tuple[str, str], str]:
    """Return what people read for the answers of a source, by key and value."""
    rows = db.execute("SELECT key, value, label FROM source_label WHERE organization = ?", (organization,))
    return {(row["key"], row["value"]): row["label"] for row in rows}


def remember_label(db: Connection, organization: str, key: str, value: str, label: str) -> None:
    """Keep what people read for an answer; those of former answers go when there are very many."""
    db.execute(
        "INSERT INTO source_label (organization, key, value, label) SELECT ?1, ?2, ?3, ?4"
        " WHERE EXISTS (SELECT 1 FROM source WHERE organization = ?1)"
        " ON CONFLICT (organization, key, value) DO UPDATE SET label = excluded.label",
        (organization, key, value, label),
    )
    rows = db.execute("SELECT key, value FROM source_label WHERE organization = ?", (organization,)).fetchall()
    if len(rows) <= integrations.MOST_LABELS:
        return
    (answers,) = db.execute("SELECT answers FROM source WHERE organization = ?", (organization,)).fetchone()
    former = integrations.former_labels(rows, (key, value), [json.loads(answers)])
    db.executemany(
        "DELETE FROM source_label WHERE organization = ? AND key = ? AND value = ?",
        [(organization, *one) for one in former],
    )


def followed(db: Connection, organization: str) -> list[Incident]:
    """Return the open incidents of an organization that have a link which is not over, or lack one by the rules."""
    rows = db.execute(
        "SELECT body FROM incident WHERE organization = ?1 AND status = 'active' AND (route_state IS NOT NULL"
        " OR EXISTS (SELECT 1 FROM link"
        " WHERE link.organization = ?1 AND link.incident_id = incident.id AND link.is_open = 1))",
        (organization,),
    )
    return [read_incident(row["body"]) for row in rows.fetchall()]


def cursor(db: Connection, organization: str, plugin: str) -> str | None:
    """Return how far a source was read by this plugin."""
    row = db.execute(
        "SELECT cursor FROM source_cursor WHERE organization = ? AND plugin = ?", (organization, plugin)
    ).fetchone()
    return None if row is None else str(row["cursor"])


def reading(db: Connection, organization: str, plugin: str) -> Reading:
    """Return from where a source is read by a plugin: what was made in set-up of it, if anything was, and how far."""
    row = db.execute(
        "SELECT plugin, answers, secrets, created_at FROM source WHERE organization = ?", (organization,)
    ).fetchone()
    made = "" if row is None else hashlib.sha256(repr(tuple(row)).encode()).hexdigest()
    return Reading(plugin, cursor(db, organization, plugin), made)


def keep_cursor(db: Connection, organization: str, plugin: str, text: str, at: datetime) -> None:
    """Store how far a source was read."""
    db.execute(
        "INSERT INTO source_cursor (organization, plugin, cursor, read_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (organization) DO UPDATE SET plugin = excluded.plugin, cursor = excluded.cursor,"
        " read_at = excluded.read_at",
        (organization, plugin, text, write_time(at)),
    )


def forget_cursor(db: Connection, organization: str) -> bool:
    """Forget how far a source was read; False when it was not read yet."""
    forgotten = db.execute("DELETE FROM source_cursor WHERE organization = ?", (organization,)).rowcount
    if forgotten:
        audit.note(db, Act.RESET, About(Subject.SOURCE, organization, organization))
    return bool(forgotten)


def note(db: Connection, state: SourceState, made: str) -> bool:
    """Store how a look ended; `since` stays while it ends alike.

    False, and nothing stored, when the source was changed or removed since: what is said of it would be said for ever.
    """
    if reading(db, state.organization, state.plugin).made != made:
        return False
    db.execute(
        "INSERT INTO source_state (organization, plugin, looked_at, worked_at, outcome, reason, fix, since,"
        " open_incidents, account_name, findings) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (organization) DO UPDATE SET plugin = excluded.plugin, looked_at = excluded.looked_at,"
        " worked_at = excluded.worked_at, reason = excluded.reason, fix = excluded.fix, outcome = excluded.outcome,"
        " since = CASE WHEN source_state.outcome = excluded.outcome THEN source_state.since ELSE excluded.since END,"
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
    return True


def states(db: Connection) -> dict[str, SourceState]:
    """Return how the last look at each source ended, by organization."""
    return {row["organization"]: _read_state(row) for row in db.execute("SELECT * FROM source_state").fetchall()}


def state(db: Connection, organization: str) -> SourceState | None:
    """Return how the last look at one source ended."""
    row = db.execute("SELECT * FROM source_state WHERE organization = ?", (organization,)).fetchone()
    return None if row is None else _read_state(row)


def _read_state(row: Row) -> SourceState:
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
        findings=_findings().validate_json(row["findings"]),
    )


class Sources(Noun):
    """The sources of organizations."""

    every = opens(every)
    put = seals(put, EVERYBODY)
    begin = seals(begin, EVERYBODY)
    remove = writes(remove, EVERYBODY)
    labels = reads(labels)
    remember_label = writes(remember_label)
    followed = reads(followed)
    cursor = reads(cursor)
    reading = reads(reading)
    forget_cursor = writes(forget_cursor)
    note = writes(note)
    states = reads(states)
    state = reads(state)
