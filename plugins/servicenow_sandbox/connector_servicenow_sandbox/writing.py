"""Writes to a table: what is taken of what was sent, and whether this user may."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from connector_servicenow_sandbox import incident_rules
from connector_servicenow_sandbox.answers import not_found, write_refused
from connector_servicenow_sandbox.database import Database, Row
from connector_servicenow_sandbox.profile import ADMIN, Person
from connector_servicenow_sandbox.schema import Column, is_integer
from connector_servicenow_sandbox.times import stored

Operation = Literal["insert", "update", "delete"]
JOURNALS = ("comments", "work_notes")
_WRITERS = frozenset({ADMIN, "itil", "sn_incident_write"})


@dataclass(frozen=True, slots=True)
class Change:
    """One write that was done, as a business rule sees it. `row` is the record after it, before it for a delete."""

    operation: Operation
    table: str
    row: Row
    user_name: str


@dataclass(slots=True)
class Writer:
    """All writes, by the API and by people; who listens is told of each while the database is locked."""

    database: Database
    listeners: list[Callable[[Change], None]] = field(default_factory=list)

    # ------------------------------------------------------------------ incidents

    def insert(self, values: Mapping[str, str], user: Person) -> Row:
        """Make an incident."""
        database = self.database
        if not user.roles & _WRITERS:
            raise write_refused("ACL Exception Insert Failed due to security constraints")
        texts = {name: values[name] for name in JOURNALS if values.get(name)}
        row = incident_rules.new(database, {name: text for name, text in values.items() if name not in JOURNALS}, user)
        incident_rules.check(database.profile, {}, row)
        row = database.insert("incident", row, user.user_name)
        self._write_journals(row["sys_id"], texts, user)
        self._tell("insert", row, user)
        return row

    def update(self, sys_id: str, values: Mapping[str, str], user: Person) -> Row:
        """Change an incident; what changes nothing is no update."""
        database = self.database
        before = database.find("incident", sys_id)
        if before is None:
            raise not_found()
        values = self._allowed(before, values, user)
        texts = {name: values[name] for name in JOURNALS if values.get(name)}
        wanted = {name: text for name, text in values.items() if name not in JOURNALS}
        after = incident_rules.changed(database, before, wanted, user, has_comment="comments" in texts)
        changes = {name: text for name, text in after.items() if text != before[name]}
        if not changes and not texts:
            return before
        incident_rules.check(database.profile, before, after)
        row = database.update("incident", sys_id, changes, user.user_name)
        self._write_journals(sys_id, texts, user)
        self._tell("update", row, user)
        return row

    def delete(self, sys_id: str, user: Person) -> None:
        """Delete an incident; who keeps an audit has a row of it."""
        database = self.database
        row = database.find("incident", sys_id)
        if row is None:
            raise not_found()
        if not user.roles & {ADMIN, *database.profile.deleters}:
            raise write_refused("ACL Exception Delete Failed due to security constraints")
        self._tell("delete", row, user)
        database.delete("incident", sys_id)
        audit = {"tablename": "incident", "documentkey": sys_id, "display_value": row["number"]}
        database.insert("sys_audit_delete", audit, user.user_name)

    def _allowed(self, before: Row, values: Mapping[str, str], user: Person) -> Mapping[str, str]:
        """Return what this user may write to this record."""
        profile = self.database.profile
        if not user.roles & _WRITERS:
            raise write_refused("ACL Exception Update Failed due to security constraints")
        is_ended = before["state"] in (profile.closed, profile.canceled)
        if is_ended and ADMIN not in user.roles:
            if profile.closed_write == "dropped":
                return {}
            raise write_refused("ACL Exception Update Failed due to security constraints")
        closes = values.get("state") == profile.closed != before["state"]
        if closes and profile.closing_needs_admin and not user.roles & {ADMIN, "itil_admin"}:
            raise write_refused("ACL Exception Update Failed due to security constraints")
        return values

    # ------------------------------------------------------------------ journals

    def _write_journals(self, sys_id: str, texts: Mapping[str, str], user: Person) -> None:
        for element, text in texts.items():
            entry = {"name": "incident", "element": element, "element_id": sys_id, "value": text}
            self.database.insert("sys_journal_field", entry, user.user_name)

    def _tell(self, operation: Operation, row: Row, user: Person) -> None:
        for listener in self.listeners:
            listener(Change(operation, "incident", dict(row), user.user_name))

    # ------------------------------------------------------------------ what is taken of a body

    def taken(self, body: Mapping[str, Any], user: Person, *, as_displayed: bool = False) -> dict[str, str]:
        """Return what of a body is written: unknown and closed columns fall away without a word."""
        columns = self.database.columns["incident"]
        result = {}
        for name, value in body.items():
            column = columns.get(name)
            if column is None or column.read_only or name in self._closed_columns(user):
                continue
            text = self._text(value, column, user, as_displayed=as_displayed)
            if text is not None:
                result[name] = text
        return result

    def _closed_columns(self, user: Person) -> frozenset[str]:
        profile = self.database.profile
        return frozenset() if ADMIN in user.roles else profile.hidden_fields | profile.unwritable_fields

    def _text(self, value: Any, column: Column, user: Person, *, as_displayed: bool) -> str | None:  # noqa: ANN401 - JSON
        text = _plain(value)
        if not text:
            return None if column.is_choice else ""
        if column.kind == "glide_date_time":
            return stored(text, user.time_zone if as_displayed else "")
        if as_displayed and column.target:
            return self.database.by_display(column.target, text)
        if column.is_choice:
            return self._choice(text, column, as_displayed=as_displayed)
        if column.kind == "integer" and not is_integer(text):
            return None
        return self._fitting(text, column)

    def _choice(self, text: str, column: Column, *, as_displayed: bool) -> str | None:
        database = self.database
        if as_displayed:
            rows = database.rows("sys_choice")
            text = next((one["value"] for one in rows if (one["element"], one["label"]) == (column.name, text)), text)
        if column.kind == "integer" and not is_integer(text):
            return None
        if database.has_choice(column.name, text):
            return text
        match database.profile.unknown_choice:
            case "refused":
                raise write_refused(f"Invalid value for field {column.label}")
            case "dropped":
                return None
            case _:
                return text

    def _fitting(self, text: str, column: Column) -> str:
        if len(text) <= column.holds or self.database.profile.too_long == "kept":
            return text
        if self.database.profile.too_long == "refused":
            raise write_refused(f"Data too long for field {column.label}")
        return text[: column.holds]


def _plain(value: Any) -> str:  # noqa: ANN401 - JSON
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return _plain(value.get("value"))
    # Half a surrogate pair is no text that a database keeps.
    return str(value).encode("utf-8", "replace").decode()
