"""Integrations: settings, sealed secrets, and what people read for their answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType

from pydantic import SecretStr

from connector_core.contract.comment_rules import CommentRules
from connector_core.contract.merge import FieldRule, Rules
from connector_core.contract.models import FieldName, Site
from connector_core.secrets import SecretBox
from connector_core.store import audit, checkups, life, meta
from connector_core.store.acting import actor
from connector_core.store.nouns import EVERYBODY, Noun, opens, reads, seals, writes
from connector_core.store.records import (
    About,
    Act,
    Changes,
    IntegrationRecord,
    IntegrationState,
    Origin,
    SettingsMoved,
    Subject,
)
from connector_core.store.rows import must_read_time, read_time, write_json, write_time
from connector_core.store.statements import Connection, Row

VERSION = "integrations_version"
MOST_LABELS = 200
NO_SECRETS = write_json({"answers": {}, "webhook": []})


def put(db: Connection, box: SecretBox, record: IntegrationRecord) -> None:
    """Store an integration, new or changed; its grant and its place in the order stay."""
    if actor() is not None:
        row = db.execute("SELECT * FROM integration WHERE id = ?", (record.id,)).fetchone()
        audit.note_integration(db, None if row is None else _read(row, box), record)
    _write(db, box, record)


def _write(db: Connection, box: SecretBox, record: IntegrationRecord) -> None:
    db.execute(
        "INSERT INTO integration (id, organization, plugin, origin, state, answers, secrets, problem_code, problem,"
        " created_at, activated_at, active_since, rules, comments, draft, is_signed, test_at, name, seq)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
        " (SELECT COALESCE(MAX(seq), 0) + 1 FROM integration))"
        " ON CONFLICT (id) DO UPDATE SET organization = excluded.organization, plugin = excluded.plugin,"
        " origin = excluded.origin, state = excluded.state, answers = excluded.answers, secrets = excluded.secrets,"
        " problem_code = excluded.problem_code, problem = excluded.problem, activated_at = excluded.activated_at,"
        " active_since = excluded.active_since, rules = excluded.rules, comments = excluded.comments,"
        " draft = excluded.draft, is_signed = excluded.is_signed, test_at = excluded.test_at, name = excluded.name",
        (
            record.id,
            record.organization,
            record.plugin,
            record.origin,
            record.state,
            write_json(dict(record.answers)),
            _sealed(db, box, record),
            record.problem_code,
            record.problem,
            write_time(record.created_at),
            write_time(record.activated_at),
            write_time(record.active_since),
            write_json({name: rule.model_dump(mode="json") for name, rule in record.rules.items()}),
            _write_comments(record.comments),
            None if record.draft is None else write_json(dict(record.draft)),
            # What cannot be opened may stay, and what is in it is not known.
            None if record.has_unreadable else int(bool(record.webhook_secrets)),
            record.test_at,
            record.name,
        ),
    )
    note_change(db, record.id)


def begin(db: Connection, box: SecretBox, record: IntegrationRecord) -> bool:
    """Store a new integration; False, and nothing stored, when there is one of that name, of whatever organization."""
    # Of two that come at once, one waits here until the other is committed.
    is_new = db.execute(
        "INSERT INTO integration (id, organization, plugin, origin, state, answers, secrets, created_at, seq)"
        " VALUES (?, ?, ?, ?, ?, '{}', ?, ?, (SELECT COALESCE(MAX(seq), 0) + 1 FROM integration))"
        " ON CONFLICT (id) DO NOTHING",
        (
            record.id,
            record.organization,
            record.plugin,
            record.origin,
            record.state,
            b"",
            write_time(record.created_at),
        ),
    ).rowcount
    if is_new:
        audit.note_integration(db, None, record)
        _write(db, box, record)
    return is_new == 1


def put_all(db: Connection, box: SecretBox, records: Sequence[IntegrationRecord]) -> None:
    """Store many integrations, all or none: each with a commit of its own would take a thousand times as long."""
    for record in records:
        put(db, box, record)


def change(db: Connection, box: SecretBox, record: IntegrationRecord, known: IntegrationRecord) -> bool:
    """Store a changed integration if what there is of it is still what is known; False when somebody changed it.

    When its last delivery came in is no change of it.
    """
    row = db.execute("SELECT * FROM integration WHERE id = ?", (record.id,)).fetchone()
    if row is None or replace(_read(row, box), last_delivery_at=None) != replace(known, last_delivery_at=None):
        return False
    put(db, box, record)
    if _is_answered_otherwise(record, known):
        checkups.forget(db, record.id)
    return True


def _is_answered_otherwise(record: IntegrationRecord, known: IntegrationRecord) -> bool:
    """Return whether something changed that a check looks at; that it rests or works again is no such thing."""

    def checked(one: IntegrationRecord) -> tuple[object, ...]:
        return one.answers, one.secret_answers, one.webhook_secrets, one.draft, one.rules, one.comments

    return checked(record) != checked(known)


def _write_comments(rules: CommentRules) -> str:
    """Write the rules; statements of `comments.py` look into them."""
    since = None if rules.since is None else write_time(rules.since)
    return write_json({"to_ticket": rules.to_ticket, "to_incident": rules.to_incident, "since": since})


def _sealed(db: Connection, box: SecretBox, record: IntegrationRecord) -> bytes:
    """Seal the secrets, if there are any; those that cannot be opened stay until others are given."""
    text = _write_secrets(record)
    if text != NO_SECRETS:
        return box.seal(text)
    if not record.has_unreadable:
        return b""
    row = db.execute("SELECT secrets FROM integration WHERE id = ?", (record.id,)).fetchone()
    return b"" if row is None else bytes(row["secrets"])


def _write_secrets(record: IntegrationRecord) -> str:
    return write_json(
        {
            "answers": {key: secret.get_secret_value() for key, secret in record.secret_answers.items()},
            "webhook": [secret.get_secret_value() for secret in record.webhook_secrets],
        }
    )


def every(db: Connection, box: SecretBox | None) -> list[IntegrationRecord]:
    """Return all integrations in the order in which they were made: the first whose secret matches wins.

    Without a box, their secrets are left out.
    """
    return [_read(row, box) for row in db.execute("SELECT * FROM integration ORDER BY seq")]


def of_organization(db: Connection, box: SecretBox, organization: str) -> list[IntegrationRecord]:
    """Return the integrations of an organization in the order in which they were made."""
    rows = db.execute("SELECT * FROM integration WHERE organization = ? ORDER BY seq", (organization,))
    return [_read(row, box) for row in rows]


def is_any_signed(db: Connection, box: SecretBox, plugin: str) -> bool:
    """Return whether an active integration of a plugin has a webhook's secret; no more are opened than that takes."""
    rows = db.execute(
        "SELECT * FROM integration WHERE plugin = ? AND state = ? AND length(secrets) > 0 ORDER BY seq",
        (plugin, IntegrationState.ACTIVE),
    )
    return any(_read(row, box).webhook_secrets for row in rows)


def signed(db: Connection, box: SecretBox) -> frozenset[str]:
    """Return the integrations that have a webhook's secret; only those are opened of which that is not noted."""
    rows = db.execute("SELECT id FROM integration WHERE is_signed = 1 AND length(secrets) > 0")
    noted = [row[0] for row in rows]
    return frozenset([*noted, *(one for one, is_signed in _not_noted(db, box) if is_signed)])


def note_signed(db: Connection, box: SecretBox) -> None:
    """Write down who has a webhook's secret, of integrations that a version stored which did not."""
    for integration_id, is_signed in _not_noted(db, box):
        db.execute("UPDATE integration SET is_signed = ? WHERE id = ?", (int(is_signed), integration_id))


def _not_noted(db: Connection, box: SecretBox) -> list[tuple[str, bool]]:
    """Return of which integrations it is not noted whether they have a webhook's secret, and whether they have."""
    rows = db.execute("SELECT id, secrets FROM integration WHERE is_signed IS NULL AND length(secrets) > 0").fetchall()
    opened = ((integration_id, box.try_open(sealed)) for integration_id, sealed in rows)
    return [(one, bool(json.loads(text)["webhook"])) for one, text in opened if text is not None]


def opened(db: Connection, box: SecretBox, integration_id: str) -> IntegrationRecord | None:
    """Return one integration with its secrets; None when there is none."""
    row = db.execute("SELECT * FROM integration WHERE id = ?", (integration_id,)).fetchone()
    return None if row is None else _read(row, box)


def since(db: Connection, box: SecretBox | None, known: int) -> Changes:
    """Return the integrations that changed after a version, and how many there are in all."""
    present = version(db)  # first: what changes meanwhile is read again
    # The sum keeps the index of the order out of it: a few are found by their revision, and sorted.
    rows = db.execute("SELECT * FROM integration WHERE revision > ? ORDER BY seq + 0", (known,))
    changed = [_read(row, box) for row in rows]
    return Changes(present, changed, int(db.execute("SELECT COUNT(*) FROM integration").fetchone()[0]))


def ids(db: Connection) -> tuple[str, ...]:
    """Return the ids of all integrations, in the order in which they were made."""
    return tuple(row[0] for row in db.execute("SELECT id FROM integration ORDER BY seq").fetchall())


def _read(row: Row, box: SecretBox | None) -> IntegrationRecord:
    text = box.try_open(row["secrets"]) if box is not None and row["secrets"] else NO_SECRETS
    opened = json.loads(NO_SECRETS if text is None else text)
    return IntegrationRecord(
        id=row["id"],
        organization=row["organization"],
        plugin=row["plugin"],
        origin=Origin(row["origin"]),
        state=IntegrationState(row["state"]),
        answers=json.loads(row["answers"]),
        secret_answers={key: SecretStr(text) for key, text in opened["answers"].items()},
        webhook_secrets=tuple(SecretStr(text) for text in opened["webhook"]),
        created_at=must_read_time(row["created_at"]),
        activated_at=read_time(row["activated_at"]),
        active_since=read_time(row["active_since"]),
        problem_code=row["problem_code"],
        problem=row["problem"],
        last_delivery_at=read_time(row["last_delivery_at"]),
        rules=_rules(row["rules"]),
        comments=_comments(row["comments"]),
        draft=None if row["draft"] is None else json.loads(row["draft"]),
        site=None if row["site"] is None else Site.model_validate_json(row["site"]),
        has_unreadable=text is None,
        test_at=row["test_at"],
        name=row["name"],
    )


@lru_cache(maxsize=1024)  # most have those of all others
def _rules(text: str) -> Rules:
    return MappingProxyType({FieldName(name): FieldRule(**rule) for name, rule in json.loads(text).items()})


@lru_cache(maxsize=1024)
def _comments(text: str) -> CommentRules:
    return CommentRules.model_validate_json(text)


def remove(db: Connection, integration_id: str) -> bool:
    """Delete an integration with its links and their timelines; False when there is none."""
    owner = db.execute("SELECT organization FROM integration WHERE id = ?", (integration_id,)).fetchone()
    db.execute("DELETE FROM link WHERE integration_id = ?", (integration_id,))
    db.execute("DELETE FROM link_count WHERE integration_id = ?", (integration_id,))
    db.execute(
        "DELETE FROM breaker WHERE key = 'grant:' || ?1"
        " OR substr(key, 1, length(?1) + length('settings::')) = 'settings:' || ?1 || ':'",
        (integration_id,),
    )
    removed = db.execute("DELETE FROM integration WHERE id = ?", (integration_id,)).rowcount
    if removed:
        life.note_removed(db, integration_id)
        audit.note(db, Act.REMOVED, About(Subject.INTEGRATION, integration_id, owner[0]))
    meta.add(db, VERSION)
    return bool(removed)


def note_problem(db: Connection, integration_id: str, code: str, problem: str) -> None:
    """Store why an integration cannot work at present; empty texts mean that it can."""
    changed = db.execute(
        "UPDATE integration SET problem_code = ?1, problem = ?2 WHERE id = ?3 AND (problem_code, problem) != (?1, ?2)",
        (code, problem, integration_id),
    ).rowcount
    if changed:
        note_change(db, integration_id)


def version(db: Connection) -> int:
    """Return a number that grows with every change to any integration, by whatever process."""
    return meta.number(db, VERSION)


def require_unmoved(db: Connection, organization: str, as_of: int | None) -> None:
    """Refuse a write that is for the integrations of an organization as they were at a version, if one changed since.

    Raises:
        SettingsMoved: one did.
    """
    newer = "SELECT 1 FROM integration WHERE revision > ? AND organization = ? LIMIT 1"
    if as_of is not None and db.execute(newer, (as_of, organization)).fetchone() is not None:
        raise SettingsMoved


def note_change(db: Connection, integration_id: str) -> None:
    """Count a change of an integration, or of what its handle holds."""
    meta.add(db, VERSION)
    db.execute("UPDATE integration SET revision = ? WHERE id = ?", (version(db), integration_id))


def note_changes(db: Connection) -> None:
    """Count a change of what may concern any integration, or source."""
    meta.add(db, VERSION)
    db.execute("UPDATE integration SET revision = ?", (version(db),))


def labels(db: Connection, integration_id: str) -> Mapping[tuple[str, str], str]:
    """Return what people read for the answers of an integration, by key and value."""
    rows = db.execute("SELECT key, value, label FROM answer_label WHERE integration_id = ?", (integration_id,))
    return {(row["key"], row["value"]): row["label"] for row in rows}


def remember_label(db: Connection, integration_id: str, key: str, value: str, label: str) -> None:
    """Keep what people read for an answer, unless the integration was removed meanwhile.

    Those of former answers, by which links may have been made, go when there are very many.
    """
    db.execute(
        "INSERT INTO answer_label (integration_id, key, value, label) SELECT ?1, ?2, ?3, ?4"
        " WHERE EXISTS (SELECT 1 FROM integration WHERE id = ?1)"
        " ON CONFLICT (integration_id, key, value) DO UPDATE SET label = excluded.label",
        (integration_id, key, value, label),
    )
    rows = db.execute("SELECT key, value FROM answer_label WHERE integration_id = ?", (integration_id,)).fetchall()
    if len(rows) <= MOST_LABELS:
        return
    answers = db.execute("SELECT answers, draft FROM integration WHERE id = ?", (integration_id,)).fetchone()
    former = former_labels(rows, (key, value), [json.loads(text) for text in answers if text is not None])
    db.executemany(
        "DELETE FROM answer_label WHERE integration_id = ? AND key = ? AND value = ?",
        [(integration_id, *one) for one in former],
    )


def former_labels(
    labelled: Iterable[Iterable[str]], present: tuple[str, str], answers: Iterable[object]
) -> list[tuple[str, str]]:
    """Return which of the labelled answers, by key and value, are neither present nor anywhere among some answers."""
    known = {atom for answer in answers for atom in _atoms(answer)}
    found = [(key, value) for key, value in labelled]
    return [one for one in found if one != present and one[1] not in known]


def _atoms(answer: object) -> Iterator[str]:
    """Yield the texts and numbers in an answer, however deep; that something is so counts as 1."""
    if isinstance(answer, Mapping):
        yield from (atom for one in answer.values() for atom in _atoms(one))
    elif isinstance(answer, list):
        yield from (atom for one in answer for atom in _atoms(one))
    elif answer is not None:
        yield str(int(answer) if isinstance(answer, bool) else answer)


class Integrations(Noun):
    """Integrations with their settings and secrets.

    Whoever changes one counts that in a row for all, which no two organizations may write beside other such rows.
    """

    every = opens(every)
    of_organization = opens(of_organization)
    is_any_signed = opens(is_any_signed)
    signed = opens(signed)
    note_signed = seals(note_signed, EVERYBODY)
    opened = opens(opened)
    since = opens(since)
    ids = reads(ids)
    version = reads(version)
    put = seals(put, EVERYBODY)
    begin = seals(begin, EVERYBODY)
    put_all = seals(put_all, EVERYBODY)
    change = seals(change, EVERYBODY)
    remove = writes(remove, EVERYBODY)
    note_problem = writes(note_problem, EVERYBODY)
    labels = reads(labels)
    remember_label = writes(remember_label)
