"""Reads of a table: which rows a query finds for somebody, and what they see of a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from connector_servicenow_sandbox import query as queries
from connector_servicenow_sandbox.answers import failure
from connector_servicenow_sandbox.database import Database, Row
from connector_servicenow_sandbox.profile import ADMIN, Person
from connector_servicenow_sandbox.query import Condition, Query
from connector_servicenow_sandbox.schema import Column, is_integer
from connector_servicenow_sandbox.times import shown, stored

Shown = Literal["false", "true", "all"]
_INSUFFICIENT = "Insufficient rights to query records"
_FIELD_DENIED = "Field(s) present in the query do not have permission to be read"
_TWO = 2


@dataclass(frozen=True, slots=True)
class View:
    """How rows are to be shown: `sysparm_fields`, `sysparm_display_value`, `sysparm_exclude_reference_link`."""

    fields: tuple[str, ...] = ()
    display: Shown = "false"
    without_links: bool = False


@dataclass(slots=True)
class Reader:
    """Somebody who reads a table."""

    database: Database
    table: str
    user: Person
    url: str
    hidden: frozenset[str] = frozenset()

    # ------------------------------------------------------------------ rights

    @property
    def may_read(self) -> bool:
        """Say whether the table is open to this user."""
        readers = self.database.profile.readers.get(self.table)
        return readers is None or bool({ADMIN, *readers} & self.user.roles)

    def check(self) -> None:
        """Refuse the table, where the instance says so and does not only show nothing."""
        if not self.may_read and self.database.profile.closed_table == "refused":
            raise failure(403, _INSUFFICIENT)

    def sees(self, row: Row) -> bool:
        """Say whether the access rules show this row."""
        return self.may_read and row["sys_id"] not in self.hidden

    def sees_column(self, name: str) -> bool:
        """Say whether the access rules show this column."""
        secret = self.database.profile.hidden_fields if self.table == "incident" else frozenset()
        return ADMIN in self.user.roles or name not in secret

    # ------------------------------------------------------------------ queries

    def find(self, text: str) -> list[Row]:
        """Return the rows that a query finds, in its order, before any access rule."""
        asked = queries.parse(text, self._readable, lambda name: self._column(name) is not None)
        if any(not self.sees_column(one.column) for one in asked.conditions):
            raise failure(403, _INSUFFICIENT, _FIELD_DENIED)
        if asked.invalid:
            match self.database.profile.invalid_query:
                case "no_rows":
                    return []
                case "refused":
                    raise failure(403, _INSUFFICIENT, _FIELD_DENIED)
                case "ignored":
                    pass
        return self._matching(asked)

    def _matching(self, asked: Query) -> list[Row]:
        folded = not self.database.profile.values_are_case_sensitive
        rows = [
            row
            for row in self.database.rows(self.table)
            if queries.matches(asked, partial(self.value, row), self._is_number, folded=folded)
        ]
        return queries.ordered(rows, asked, self._sort_key)

    def _sort_key(self, row: Row, name: str) -> tuple[float, str]:
        value = self.value(row, name)
        return (float(value) if value and self._is_number(name) else 0.0, value)

    def _is_number(self, name: str) -> bool:
        column = self._column(name)
        return column is not None and column.kind == "integer"

    def _readable(self, condition: Condition) -> Condition | None:
        column = self._column(condition.column)
        if column is None or column.kind == "journal_input":
            return None
        if not queries.needs_value(condition.operator):
            return condition
        if condition.value.startswith("javascript:"):
            known = {
                "gs.getUserName()": self.user.user_name,
                "gs.getUserID()": self.database.user(self.user.user_name)["sys_id"],
            }
            value = known.get(condition.value.removeprefix("javascript:").rstrip(";"))
            return None if value is None else Condition(condition.column, condition.operator, value)
        return self._typed(condition, column)

    def _typed(self, condition: Condition, column: Column) -> Condition | None:
        value, operator = condition.value, condition.operator
        pieces = value.split("@") if operator == "BETWEEN" else [value]
        if operator == "BETWEEN" and len(pieces) != _TWO:
            return None
        if column.kind == "glide_date_time" and value and operator in {"=", "!=", ">", "<", ">=", "<=", "BETWEEN"}:
            zone = self.user.time_zone if self.database.profile.filter_times == "account" else ""
            moments = [stored(piece, zone) for piece in pieces]
            if None in moments:
                return None
            return Condition(condition.column, operator, "@".join(filter(None, moments)))
        if column.kind == "integer" and operator in {">", "<", ">=", "<=", "BETWEEN"}:
            return condition if all(is_integer(piece) for piece in pieces) else None
        return condition

    # ------------------------------------------------------------------ columns and values

    def _column(self, path: str) -> Column | None:
        """Follow `caller_id.name`; None where it leads nowhere."""
        columns = self.database.columns[self.table]
        found: Column | None = None
        for name in path.split("."):
            found = columns.get(name)
            if found is None:
                return None
            columns = self.database.columns.get(found.target, {})
        return found

    def value(self, row: Mapping[str, str], path: str) -> str:
        """Return the stored value at a path, empty where a reference is."""
        value, columns = "", self.database.columns[self.table]
        present: Mapping[str, str] = row
        for name in path.split("."):
            value = present.get(name, "")
            column = columns.get(name)
            target = column.target if column else ""
            present = self.database.find(target, value) or {} if target else {}
            columns = self.database.columns.get(target, {})
        return value

    # ------------------------------------------------------------------ what is shown

    def show(self, row: Row, view: View) -> dict[str, Any]:
        """Return what an answer has of a row; columns that do not exist or are closed are left out."""
        names: Sequence[str] = view.fields or tuple(self.database.columns[self.table])
        result: dict[str, Any] = {}
        for name in names:
            column = self._column(name)
            if column is not None and self.sees_column(name.partition(".")[0]):
                result[name] = self._shown(row, name, column, view)
        return result

    def _shown(self, row: Row, path: str, column: Column, view: View) -> Any:  # noqa: ANN401 - a text or an object
        value = self.value(row, path)
        link = f"{self.url}/api/now/table/{column.target}/{value}" if column.target and value else ""
        display = "" if view.display == "false" else self._display(row, value, column)
        with_link = bool(link) and not view.without_links
        match view.display:
            case "all":
                both = {"display_value": display, "value": value}
                return both | {"link": link} if with_link else both
            case "true":
                return {"display_value": display, "link": link} if with_link else display
            case _:
                return {"link": link, "value": value} if with_link else value

    def _display(self, row: Row, value: str, column: Column) -> str:
        if column.kind == "journal_input":
            return self._journal(row, column)
        if column.target:
            return self.database.display(column.target, value)
        if column.kind == "glide_date_time":
            return shown(value, self.user.time_zone)
        return self.database.choice_label(column.name, value) if column.is_choice and value else value

    def _journal(self, row: Row, column: Column) -> str:
        """Return all entries in one text, the newest first."""
        entries = [
            one
            for one in self.database.rows("sys_journal_field")
            if (one["element_id"], one["element"]) == (row["sys_id"], column.name)
        ]
        return "".join(self._entry(one, column.label) for one in reversed(entries))

    def _entry(self, entry: Row, label: str) -> str:
        writer = self.database.profile.person(entry["sys_created_by"])
        name = writer.name if writer else entry["sys_created_by"]
        return f"{shown(entry['sys_created_on'], self.user.time_zone)} - {name} ({label})\n{entry['value']}\n\n"
