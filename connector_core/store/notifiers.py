"""Notifiers that were made in set-up, with their sealed secrets; what each has told; and how sending fares.

A change in set-up counts as one of the integrations, so that every process reads them again.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import astuple, fields
from datetime import datetime

from pydantic import SecretStr

from connector_core.notify.changes import Notice
from connector_core.notify.conditions import Kind
from connector_core.secrets import SecretBox
from connector_core.store import audit, integrations, meta
from connector_core.store.acting import actor
from connector_core.store.nouns import EVERYBODY, Noun, opens, reads, seals, writes
from connector_core.store.records import About, Act, NotifierRecord, Sending, Subject
from connector_core.store.rows import must_read_time, read_time, write_json, write_time
from connector_core.store.statements import Connection, Row

_SENDING = tuple(field.name for field in fields(Sending))
_SAVE_SENDING = (
    f"INSERT INTO notifier_state (id, {', '.join(_SENDING)}) VALUES ({', '.join('?' * (len(_SENDING) + 1))})"  # noqa: S608 - ours
    " ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _SENDING if name not in {"organization", "name"})
)


def id_of(organization: str, name: str) -> str:
    """Return the one name of a notifier among those of all organizations: no id has a slash in it."""
    return f"{organization}/{name}"


def put(db: Connection, box: SecretBox, record: NotifierRecord) -> None:
    """Store a notifier, in place of one of its name."""
    if actor() is not None:
        place = id_of(record.organization, record.name)
        row = db.execute("SELECT * FROM notifier WHERE id = ?", (place,)).fetchone()
        audit.note_notifier(db, None if row is None else _read(row, box), record)
    secrets = {key: secret.get_secret_value() for key, secret in record.secrets.items()}
    db.execute(
        "INSERT INTO notifier (id, organization, name, settings, secrets, created_at) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET settings = excluded.settings, secrets = excluded.secrets",
        (
            id_of(record.organization, record.name),
            record.organization,
            record.name,
            write_json(dict(record.settings)),
            box.seal(write_json(secrets)) if secrets else b"",
            write_time(record.created_at),
        ),
    )
    db.execute(
        "UPDATE notifier_state SET failing_since = NULL, failures = 0, next_try = NULL, code = '', reason = '',"
        " fix = '' WHERE id = ?",
        (id_of(record.organization, record.name),),
    )
    meta.add(db, integrations.VERSION)


def remove(db: Connection, organization: str, name: str) -> bool:
    """Delete a notifier with all that it told; False when there is none."""
    _forget(db, id_of(organization, name))
    removed = db.execute("DELETE FROM notifier WHERE id = ?", (id_of(organization, name),)).rowcount
    if removed:
        audit.note(db, Act.REMOVED, About(Subject.NOTIFIER, name, organization))
    meta.add(db, integrations.VERSION)
    return bool(removed)


def every(db: Connection, box: SecretBox) -> list[NotifierRecord]:
    """Return all of them, by organization and name."""
    return [_read(row, box) for row in db.execute("SELECT * FROM notifier ORDER BY id").fetchall()]


def notices(db: Connection, organization: str, name: str) -> list[Notice]:
    """Return what a notifier has told or is to tell, in the order in which it was seen."""
    rows = db.execute(
        "SELECT * FROM notice WHERE notifier = ? ORDER BY seen_at, key", (id_of(organization, name),)
    ).fetchall()
    return [_read_notice(row) for row in rows]


def note(db: Connection, organization: str, name: str, changed: Sequence[Notice], gone: Collection[str]) -> None:
    """Store what has changed of a notifier's notices, and delete some by their keys."""
    notifier = id_of(organization, name)
    db.executemany("DELETE FROM notice WHERE notifier = ? AND key = ?", [(notifier, key) for key in gone])
    db.executemany(
        "INSERT INTO notice (notifier, key, organization, kind, integration_id, since, details, seen_at, told_at,"
        " ended_at, message) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (notifier, key) DO UPDATE SET since = excluded.since, details = excluded.details,"
        " told_at = excluded.told_at, ended_at = excluded.ended_at, message = excluded.message",
        [
            (
                notifier,
                one.key,
                organization,
                one.kind.value,
                one.integration,
                write_time(one.since),
                write_json(dict(one.values)),
                write_time(one.seen_at),
                write_time(one.told_at),
                write_time(one.ended_at),
                one.message,
            )
            for one in changed
        ],
    )


def say_sent(
    db: Connection, organization: str, sending: Sending, changed: Sequence[Notice], gone: Collection[str]
) -> None:
    """Note that a message was taken, with all that it told."""
    note(db, organization, sending.name, changed, gone)
    save_sending(db, organization, sending)


def save_sending(db: Connection, organization: str, sending: Sending) -> None:
    """Store how sending fares."""
    values = [write_time(value) if isinstance(value, datetime) else value for value in astuple(sending)]
    db.execute(_SAVE_SENDING, (id_of(organization, sending.name), *values))


def sending(db: Connection, organization: str, name: str) -> Sending | None:
    """Return how sending by a notifier fares; None before the first look."""
    row = db.execute("SELECT * FROM notifier_state WHERE id = ?", (id_of(organization, name),)).fetchone()
    return None if row is None else _read_sending(row)


def sendings(db: Connection) -> dict[tuple[str, str], Sending]:
    """Return how sending fares, by organization and name."""
    found = map(_read_sending, db.execute("SELECT * FROM notifier_state ORDER BY id").fetchall())
    return {(one.organization, one.name): one for one in found}


def forget_unused(db: Connection, before: datetime, most: int) -> int:
    """Delete what notifiers have told that nobody looks at any more: they were taken out of the file."""
    rows = db.execute(
        "SELECT id FROM notifier_state WHERE looked_at < ? LIMIT ?", (write_time(before), most)
    ).fetchall()
    for row in rows:
        _forget(db, row[0])
    return len(rows)


def _forget(db: Connection, notifier: str) -> None:
    db.execute("DELETE FROM notice WHERE notifier = ?", (notifier,))
    db.execute("DELETE FROM notifier_state WHERE id = ?", (notifier,))


def _read(row: Row, box: SecretBox) -> NotifierRecord:
    text = box.try_open(row["secrets"]) if row["secrets"] else "{}"
    return NotifierRecord(
        organization=row["organization"],
        name=row["name"],
        settings=json.loads(row["settings"]),
        secrets={key: SecretStr(secret) for key, secret in json.loads(text or "{}").items()},
        created_at=must_read_time(row["created_at"]),
        has_unreadable=text is None,
    )


def _read_notice(row: Row) -> Notice:
    return Notice(
        kind=Kind(row["kind"]),
        since=must_read_time(row["since"]),
        seen_at=must_read_time(row["seen_at"]),
        integration=row["integration_id"],
        values=json.loads(row["details"]),
        told_at=read_time(row["told_at"]),
        ended_at=read_time(row["ended_at"]),
        message=row["message"],
    )


def _read_sending(row: Row) -> Sending:
    return Sending(
        organization=row["organization"],
        name=row["name"],
        looked_at=must_read_time(row["looked_at"]),
        tried_at=read_time(row["tried_at"]),
        worked_at=read_time(row["worked_at"]),
        failing_since=read_time(row["failing_since"]),
        failures=row["failures"],
        next_try=read_time(row["next_try"]),
        code=row["code"],
        reason=row["reason"],
        fix=row["fix"],
    )


class Notifiers(Noun):
    """Who is told, of what, and whether messages arrive."""

    put = seals(put, EVERYBODY)
    remove = writes(remove, EVERYBODY)
    every = opens(every)
    notices = reads(notices)
    note = writes(note)
    say_sent = writes(say_sent)
    save_sending = writes(save_sending)
    sending = reads(sending)
    sendings = reads(sendings)
