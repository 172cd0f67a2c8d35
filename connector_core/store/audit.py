"""The audit log: what people, commands and the configuration file changed, in the transaction that changed it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

from pydantic import SecretStr

from connector_core.contract.comment_rules import ToIncident, ToTicket
from connector_core.contract.models import Grant
from connector_core.contract.setup_steps import WEBHOOK_SECRET
from connector_core.store.acting import actor, seen
from connector_core.store.nouns import Noun, reads
from connector_core.store.records import (
    About,
    Act,
    Actor,
    AuditEntry,
    AuditFilter,
    IntegrationRecord,
    NotifierRecord,
    Overtaken,
    SetupLink,
    SourceRecord,
    Subject,
    Via,
)
from connector_core.store.rows import must_read_time, write_json, write_time
from connector_core.store.statements import Connection, Row

KEPT_FOR = timedelta(days=400)
MOST_CHARS = 300
#: Of a long value so much is shown before what differs.
CONTEXT_CHARS = 40
_DRAFT = "draft: "
#: Acts after which something is set otherwise.
_SETTING = frozenset({Act.CREATED, Act.CHANGED, Act.ACTIVATED, Act.DISABLED, Act.REMOVED})
NO_SECRET, SOME_SECRET, OTHER_SECRET = None, "set", "set anew"

Changes = Mapping[str, tuple[str | None, str | None]]


def note(
    db: Connection, act: Act, about: About, changes: Changes | None = None, secrets: frozenset[str] = frozenset()
) -> None:
    """Write down what somebody does; nothing when nobody does, since the connector acts by itself.

    Raises:
        Overtaken: somebody else changed the same since whoever acts looked at it.
    """
    who = actor()
    if who is None:
        return
    if changes and act in _SETTING:
        _refuse_overtaken(db, about, changes, secrets)
    db.execute(
        "INSERT INTO audit_entry (at, organization, actor, via, act, subject, name, changes)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            write_time(who.at),
            about.organization,
            who.name,
            who.via,
            act,
            about.subject,
            about.name,
            write_json(dict(changes or {})),
        ),
    )


def version(db: Connection, organization: str) -> int:
    """Return the number of the last thing that was done about an organization: what a page shows is of then."""
    return int(
        db.execute("SELECT COALESCE(MAX(id), 0) FROM audit_entry WHERE organization = ?", (organization,)).fetchone()[0]
    )


def _refuse_overtaken(db: Connection, about: About, changes: Changes, secrets: frozenset[str]) -> None:
    known = seen()
    if known is None:
        return
    rows = db.execute(
        "SELECT * FROM audit_entry WHERE organization = ? AND id > ? AND subject = ? AND name = ? ORDER BY id",
        (about.organization, known, about.subject, about.name),
    )
    mine = {_of_draft(name) for name in changes}
    since = [entry for entry in map(_read, rows.fetchall()) if entry.act in _SETTING]
    if entries := [entry for entry in since if mine & {_of_draft(name) for name in entry.changes}]:
        raise Overtaken(entries, changes, secrets)


def _of_draft(name: str) -> str:
    """Return the name of a value, whether it is in effect or held as a draft."""
    return name.removeprefix(_DRAFT)


def note_integration(db: Connection, before: IntegrationRecord | None, after: IntegrationRecord) -> None:
    """Write down what is different of an integration, if anything that a person decides is."""
    changes = _changes(_shown_integration(before), _shown_integration(after))
    secrets = _changed_secrets({} if before is None else before.secret_answers, after.secret_answers)
    webhook = _changed_secrets(_webhook_secret(before), _webhook_secret(after))
    found = {**changes, **secrets, **webhook}
    if found:
        about = About(Subject.INTEGRATION, after.id, after.organization)
        note(
            db,
            _act(before, after),
            about,
            found,
            _names(after.secret_answers, {} if before is None else before.secret_answers),
        )


def note_source(db: Connection, before: SourceRecord | None, after: SourceRecord) -> None:
    """Write down what is different of a source."""
    old = {} if before is None else {"plugin": before.plugin, **before.answers}
    changes = _changes(old, {"plugin": after.plugin, **after.answers})
    secrets = _changed_secrets({} if before is None else before.secret_answers, after.secret_answers)
    if found := {**changes, **secrets}:
        act = Act.CREATED if before is None else Act.CHANGED
        about = About(Subject.SOURCE, after.organization, after.organization)
        note(db, act, about, found, _names(after.secret_answers, {} if before is None else before.secret_answers))


def note_notifier(db: Connection, before: NotifierRecord | None, after: NotifierRecord) -> None:
    """Write down what is different of a notifier."""
    changes = _changes({} if before is None else before.settings, after.settings)
    secrets = _changed_secrets({} if before is None else before.secrets, after.secrets)
    if found := {**changes, **secrets}:
        act = Act.CREATED if before is None else Act.CHANGED
        about = About(Subject.NOTIFIER, after.name, after.organization)
        note(db, act, about, found, _names(after.secrets, {} if before is None else before.secrets))


def note_routing(db: Connection, organization: str, before: str | None, after: str | None) -> None:
    """Write down other rules by which an organization's incidents are sent, each as JSON; None where there are none."""
    act = Act.CREATED if before is None else Act.REMOVED if after is None else Act.CHANGED
    note(db, act, About(Subject.ROUTING, organization, organization), {"rules": _cut(before, after)})


def note_authorized(db: Connection, integration_id: str, grant: Grant) -> None:
    """Write down that somebody authorized access, and with which account."""
    account = {"account": (None, grant.account_name or None)} if grant.account_name else {}
    _note_integration(db, Act.AUTHORIZED, integration_id, account)


def note_shared(db: Connection, setup_link: SetupLink) -> None:
    """Write down that a step of set-up was handed to somebody else."""
    _note_setup_link(db, Act.SHARED, setup_link, {"step": (None, setup_link.step)})


def note_revoked(db: Connection, setup_link: SetupLink) -> None:
    """Write down that it was taken back."""
    _note_setup_link(db, Act.REVOKED, setup_link, {"step": (setup_link.step, None)})


def _note_setup_link(db: Connection, act: Act, setup_link: SetupLink, step: Changes) -> None:
    if setup_link.of_source:
        note(db, act, About(Subject.SOURCE, setup_link.name, setup_link.name), step)
    else:
        _note_integration(db, act, setup_link.name, step)


def note_link(db: Connection, act: Act, link_id: int, changes: Changes | None = None) -> None:
    """Write down what somebody does about a link."""
    if actor() is None:
        return
    row = db.execute("SELECT organization FROM link WHERE id = ?", (link_id,)).fetchone()
    note(db, act, About(Subject.LINK, str(link_id), row["organization"]), changes)


def note_tested(db: Connection, integration_id: str, incident_id: str) -> None:
    """Write down that somebody sent a test incident."""
    _note_integration(db, Act.TESTED, integration_id, {"incident": (None, incident_id)})


def _note_integration(db: Connection, act: Act, integration_id: str, changes: Changes) -> None:
    if actor() is None:
        return
    row = db.execute("SELECT organization FROM integration WHERE id = ?", (integration_id,)).fetchone()
    if row is not None:
        note(db, act, About(Subject.INTEGRATION, integration_id, row["organization"]), changes)


def find(db: Connection, wanted: AuditFilter, most: int) -> list[AuditEntry]:
    """Return what was done, the latest first, at most so many."""
    allowed = None if wanted.organizations is None else write_json(list(wanted.organizations))
    conditions = {
        "organization IN (SELECT value FROM json_each(?))": allowed,
        "subject = ?": wanted.subject,
        "name = ?": wanted.name,
        "actor = ?": wanted.by,
        "at >= ?": write_time(wanted.since),
        "at < ?": write_time(wanted.until),
        "id < ?": wanted.before,
    }
    asked = {condition: value for condition, value in conditions.items() if value is not None}
    where = f" WHERE {' AND '.join(asked)}" if asked else ""
    rows = db.execute(
        f"SELECT * FROM audit_entry{where} ORDER BY id DESC LIMIT ?",  # noqa: S608 - conditions of our own
        (*asked.values(), most),
    )
    return [_read(row) for row in rows.fetchall()]


def forget(db: Connection, now: datetime, most: int) -> int:
    """Delete some of what is older than is kept."""
    return db.execute(
        "DELETE FROM audit_entry WHERE id IN (SELECT id FROM audit_entry WHERE at < ? ORDER BY at LIMIT ?)",
        (write_time(now - KEPT_FOR), most),
    ).rowcount


def _act(before: IntegrationRecord | None, after: IntegrationRecord) -> Act:
    if before is None:
        return Act.CREATED
    if before.state == after.state:
        return Act.CHANGED
    return {"active": Act.ACTIVATED, "disabled": Act.DISABLED}.get(after.state, Act.CHANGED)


def _shown_integration(record: IntegrationRecord | None) -> dict[str, Any]:
    """Return what a person decides of an integration, by name."""
    if record is None:
        return {}
    comments = record.comments
    return {
        "plugin": record.plugin,
        "display name": record.name,
        "state": record.state,
        **record.answers,
        **{f"{_DRAFT}{key}": value for key, value in (record.draft or {}).items() if record.answers.get(key) != value},
        **{f"rule: {name}": f"{rule.direction}, {rule.on_conflict}" for name, rule in record.rules.items()},
        "comments to the ticket": _unless_none(comments.to_ticket),
        "comments to the incident": _unless_none(comments.to_incident),
        "daily test": record.test_at or None,
    }


def _names(*secrets: Mapping[str, SecretStr]) -> frozenset[str]:
    """Name what is secret; the webhook's secret is not among the answers."""
    return frozenset({WEBHOOK_SECRET, *(name for some in secrets for name in some)})


def _unless_none(said: ToTicket | ToIncident) -> str | None:
    return None if said.value == "none" else said.value


def _webhook_secret(record: IntegrationRecord | None) -> dict[str, SecretStr]:
    """Return the accepted secrets as one."""
    secrets = () if record is None else record.webhook_secrets
    return {"webhook secret": SecretStr("\n".join(one.get_secret_value() for one in secrets))} if secrets else {}


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[str | None, str | None]]:
    names = [*after, *(name for name in before if name not in after)]
    pairs = {name: (_text(before.get(name)), _text(after.get(name))) for name in names}
    return {name: _cut(*pair) for name, pair in pairs.items() if pair[0] != pair[1]}


def _changed_secrets(
    before: Mapping[str, SecretStr], after: Mapping[str, SecretStr]
) -> dict[str, tuple[str | None, str | None]]:
    """Say which secrets were given or taken away, and nothing of what is in them."""
    found: dict[str, tuple[str | None, str | None]] = {}
    for name in {**before, **after}:
        old, new = before.get(name), after.get(name)
        if old != new:
            found[name] = (
                NO_SECRET if old is None else SOME_SECRET,
                NO_SECRET if new is None else SOME_SECRET if old is None else OTHER_SECRET,
            )
    return found


def _text(value: object) -> str | None:
    """Write a value as it is, whole."""
    if value in (None, "", [], {}):
        return None
    return value if isinstance(value, str) else write_json(value)


def _cut(before: str | None, after: str | None) -> tuple[str | None, str | None]:
    """Return two texts so that each can be read in a line, and what differs is in it."""
    if max(len(before or ""), len(after or "")) <= MOST_CHARS:
        return before, after
    pairs = zip(before or "", after or "", strict=False)
    alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    start = alike - CONTEXT_CHARS if alike >= MOST_CHARS - CONTEXT_CHARS else 0
    return _part(before, start), _part(after, start)


def _part(text: str | None, start: int) -> str | None:
    if text is None or not text[start:]:
        return text and "…"
    part = f"…{text[start:]}" if start else text
    return part if len(part) <= MOST_CHARS else f"{part[: MOST_CHARS - 1]}…"


def _read(row: Row) -> AuditEntry:
    return AuditEntry(
        id=row["id"],
        by=Actor(row["actor"], Via(row["via"]), must_read_time(row["at"])),
        act=Act(row["act"]),
        about=About(Subject(row["subject"]), row["name"], row["organization"]),
        changes={name: (old, new) for name, (old, new) in json.loads(row["changes"]).items()},
    )


class Audit(Noun):
    """The audit log."""

    find = reads(find)
    version = reads(version)
