"""The columns of the tables: which table declares them, what kind they are, how much they hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from connector_servicenow_sandbox.profile import InstanceProfile

Kind = Literal["string", "integer", "boolean", "glide_date_time", "reference", "journal_input", "GUID"]
# A column of up to this many characters is as long as declared; a longer one is a text of 16 million bytes.
_LONGEST_VARCHAR = 255
_MEDIUMTEXT = 16_777_215


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `table` is where it is declared, which for most of an incident's is `task`."""

    name: str
    label: str
    kind: Kind = "string"
    table: str = "task"
    max_length: int = 40
    target: str = ""
    is_choice: bool = False
    mandatory: bool = False
    read_only: bool = False
    default: str = ""

    @property
    def holds(self) -> int:
        """How many characters the database has room for."""
        return self.max_length if self.max_length <= _LONGEST_VARCHAR else _MEDIUMTEXT


Columns = Mapping[str, Column]


def _system(table: str) -> tuple[Column, ...]:
    return (
        Column("sys_id", "Sys ID", "GUID", table, 32, read_only=True),
        Column("sys_created_on", "Created", "glide_date_time", table, read_only=True),
        Column("sys_created_by", "Created by", "string", table, read_only=True),
        Column("sys_updated_on", "Updated", "glide_date_time", table, read_only=True),
        Column("sys_updated_by", "Updated by", "string", table, read_only=True),
        Column("sys_mod_count", "Updates", "integer", table, read_only=True),
    )


def _text(name: str, table: str, longest: int = 255) -> Column:
    return Column(name, name.replace("_", " ").capitalize(), "string", table, longest)


_TASK = (
    Column("number", "Number", read_only=True),
    Column("short_description", "Short description", max_length=160),
    Column("description", "Description", max_length=4000),
    Column("state", "State", "integer", is_choice=True, default="1"),
    Column("impact", "Impact", "integer", is_choice=True, default="3"),
    Column("urgency", "Urgency", "integer", is_choice=True, default="3"),
    Column("priority", "Priority", "integer", is_choice=True),
    Column("active", "Active", "boolean", default="true"),
    Column("assigned_to", "Assigned to", "reference", target="sys_user"),
    Column("assignment_group", "Assignment group", "reference", target="sys_user_group"),
    Column("cmdb_ci", "Configuration item", "reference", target="cmdb_ci"),
    Column("opened_at", "Opened", "glide_date_time"),
    Column("opened_by", "Opened by", "reference", target="sys_user"),
    Column("closed_at", "Closed", "glide_date_time"),
    Column("closed_by", "Closed by", "reference", target="sys_user"),
    Column("close_notes", "Close notes", max_length=4000),
    Column("comments", "Additional comments", "journal_input", max_length=4000),
    Column("work_notes", "Work notes", "journal_input", max_length=4000),
    Column("contact_type", "Contact type", is_choice=True),
    Column("correlation_id", "Correlation ID", max_length=100),
    Column("correlation_display", "Correlation display", max_length=100),
    Column("sys_class_name", "Task type", read_only=True, max_length=80),
)
_INCIDENT = (
    Column("caller_id", "Caller", "reference", "incident", target="sys_user"),
    Column("category", "Category", "string", "incident", is_choice=True, default="inquiry"),
    Column("close_code", "Resolution code", "string", "incident", is_choice=True),
    Column("hold_reason", "On hold reason", "integer", "incident", is_choice=True),
    Column("incident_state", "Incident state", "integer", "incident", is_choice=True, default="1"),
    Column("reopen_count", "Reopen count", "integer", "incident", default="0"),
    Column("reopened_by", "Last reopened by", "reference", "incident", target="sys_user"),
    Column("reopened_time", "Last reopened at", "glide_date_time", "incident"),
    Column("resolved_at", "Resolved", "glide_date_time", "incident"),
    Column("resolved_by", "Resolved by", "reference", "incident", target="sys_user"),
)
_PLAIN: Mapping[str, tuple[Column, ...]] = {
    "sys_user": (
        _text("user_name", "sys_user"),
        _text("name", "sys_user"),
        _text("email", "sys_user"),
        _text("time_zone", "sys_user"),
        Column("active", "Active", "boolean", "sys_user"),
    ),
    "sys_user_group": (_text("name", "sys_user_group"), Column("active", "Active", "boolean", "sys_user_group")),
    "cmdb_ci": (_text("name", "cmdb_ci"), _text("serial_number", "cmdb_ci"), _text("asset_tag", "cmdb_ci")),
    "sys_choice": (
        _text("name", "sys_choice"),
        _text("element", "sys_choice"),
        _text("value", "sys_choice"),
        _text("label", "sys_choice"),
        _text("language", "sys_choice"),
        Column("sequence", "Sequence", "integer", "sys_choice"),
        Column("inactive", "Inactive", "boolean", "sys_choice"),
    ),
    "sys_dictionary": (
        _text("name", "sys_dictionary"),
        _text("element", "sys_dictionary"),
        _text("column_label", "sys_dictionary"),
        _text("internal_type", "sys_dictionary"),
        _text("reference", "sys_dictionary"),
        _text("default_value", "sys_dictionary"),
        Column("max_length", "Max length", "integer", "sys_dictionary"),
        Column("choice", "Choice", "integer", "sys_dictionary"),
        Column("mandatory", "Mandatory", "boolean", "sys_dictionary"),
        Column("read_only", "Read only", "boolean", "sys_dictionary"),
        Column("active", "Active", "boolean", "sys_dictionary"),
    ),
    "sys_journal_field": (
        _text("name", "sys_journal_field"),
        _text("element", "sys_journal_field"),
        _text("element_id", "sys_journal_field"),
        _text("value", "sys_journal_field", 4000),
    ),
    "sys_audit_delete": (
        _text("tablename", "sys_audit_delete"),
        _text("documentkey", "sys_audit_delete"),
        _text("display_value", "sys_audit_delete"),
    ),
}


def is_integer(text: str) -> bool:
    """Say whether a text is a number that an integer column takes."""
    return re.fullmatch(r"-?[0-9]+", text) is not None


def columns_of(profile: InstanceProfile) -> dict[str, Columns]:
    """Return the columns of every table, by table and name."""
    extra = tuple(
        Column(
            one.name,
            one.label,
            "string",
            "incident",
            100,
            is_choice=bool(one.choices),
            mandatory=one.needed_to_create,
        )
        for one in profile.extra_fields
    )
    tables = {name: (*_system(name), *columns) for name, columns in _PLAIN.items()}
    tables["incident"] = (*_system("task"), *_TASK, *_INCIDENT, *extra)
    return {name: {column.name: column for column in columns} for name, columns in tables.items()}
