"""The rows of all tables, in memory: what is stored, and the columns that the platform fills in by itself."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping

from connector_servicenow_sandbox.profile import InstanceProfile, Person
from connector_servicenow_sandbox.schema import Column, Columns, columns_of
from connector_servicenow_sandbox.times import SandboxClock

Row = dict[str, str]
_FIRST_NUMBER = 10_001
_DISPLAYED = {
    "incident": "number",
    "sys_user": "name",
    "sys_user_group": "name",
    "cmdb_ci": "name",
    "sys_choice": "label",
}


def sys_id_of(*parts: str) -> str:
    """Return the id of a row that every instance of this stand-in has."""
    return hashlib.md5("/".join(parts).encode(), usedforsecurity=False).hexdigest()


class Database:
    """All tables of the instance. Who uses it holds `lock`."""

    def __init__(self, profile: InstanceProfile, clock: SandboxClock) -> None:
        self.lock = threading.RLock()
        self.clock = clock
        self._drawn = 0
        self._numbers = _FIRST_NUMBER
        self._rows: dict[str, dict[str, Row]] = {}
        self.use(profile)

    def use(self, profile: InstanceProfile) -> None:
        """Take the lists, people and columns of a profile; incidents and journals stay."""
        self.profile = profile
        self.columns: dict[str, Columns] = columns_of(profile)
        for table in self.columns:
            if table not in ("incident", "sys_journal_field", "sys_audit_delete"):
                self._rows[table] = {}
            self._rows.setdefault(table, {})
        self._seed()

    def _seed(self) -> None:
        profile = self.profile
        for one in profile.people:
            values = {"user_name": one.user_name, "name": one.name, "time_zone": one.time_zone, "active": "true"}
            self._put("sys_user", one.user_name, values | {"email": f"{one.user_name}@example.com"})
        for group in profile.groups:
            self._put("sys_user_group", group, {"name": group, "active": "true"})
        self._put("cmdb_ci", "display", {"name": "Display 4.01", "serial_number": "SN-0401", "asset_tag": "P1000401"})
        self._seed_choices()
        for table, columns in self.columns.items():
            for column in columns.values():
                self._put("sys_dictionary", f"{table}.{column.name}", _dictionary_row(column))

    def _seed_choices(self) -> None:
        levels = (("1", "1 - High"), ("2", "2 - Medium"), ("3", "3 - Low"))
        priorities = ("1 - Critical", "2 - High", "3 - Moderate", "4 - Low", "5 - Planning")
        lists: dict[str, tuple[tuple[str, str, bool], ...]] = {
            "state": tuple((one.value, one.label, one.inactive) for one in self.profile.states),
            "impact": tuple((value, label, False) for value, label in levels),
            "urgency": tuple((value, label, False) for value, label in levels),
            "priority": tuple((label[0], label, False) for label in priorities),
            "close_code": tuple((code, code, False) for code in self.profile.close_codes),
            "hold_reason": tuple((value, label, False) for value, label in self.profile.hold_reasons),
            "category": (("inquiry", "Inquiry / Help", False), ("hardware", "Hardware", False)),
            "contact_type": (("monitoring", "Monitoring", False), ("phone", "Phone", False)),
        }
        lists |= {one.name: tuple((each, each, False) for each in one.choices) for one in self.profile.extra_fields}
        lists["incident_state"] = lists["state"]
        for element, choices in lists.items():
            for place, (value, label, inactive) in enumerate(choices):
                row = {"element": element, "value": value, "label": label, "sequence": str(place)}
                owner = "task" if element in ("impact", "urgency", "priority", "contact_type") else "incident"
                row |= {"name": owner, "inactive": str(inactive).lower(), "language": "en"}
                self._put("sys_choice", f"{element}.{value}", row)

    def _put(self, table: str, key: str, values: Mapping[str, str]) -> None:
        sys_id = sys_id_of(table, key)
        self._rows[table][sys_id] = self._blank(table) | self._signed("system") | dict(values) | {"sys_id": sys_id}

    def _blank(self, table: str) -> Row:
        return dict.fromkeys(self.columns[table], "")

    def _signed(self, user_name: str) -> Row:
        now = self.clock.stamp()
        made = {"sys_created_on": now, "sys_created_by": user_name}
        return made | {"sys_updated_on": now, "sys_updated_by": user_name, "sys_mod_count": "0"}

    def tables(self) -> Iterator[str]:
        """Name the tables."""
        return iter(self.columns)

    def rows(self, table: str) -> list[Row]:
        """List the rows of a table in the order in which they were made; a new column shows in old rows too."""
        blank = self._blank(table)
        return [blank | row for row in self._rows[table].values()]

    def find(self, table: str, sys_id: str) -> Row | None:
        """Find a row by its id."""
        row = self._rows.get(table, {}).get(sys_id)
        return None if row is None else self._blank(table) | row

    def insert(self, table: str, values: Mapping[str, str], user_name: str) -> Row:
        """Store a new row, with an id that nobody can foresee from its content."""
        self._drawn += 1
        sys_id = sys_id_of(table, "made", str(self._drawn), self.clock.stamp())
        row = self._blank(table) | dict(values) | self._signed(user_name) | {"sys_id": sys_id}
        self._rows[table][sys_id] = row
        return dict(row)

    def update(self, table: str, sys_id: str, changes: Mapping[str, str], user_name: str) -> Row:
        """Change a row: one more update, by somebody, in this second."""
        row = self._rows[table][sys_id]
        count = str(int(row["sys_mod_count"]) + 1)
        row |= changes
        row |= {"sys_updated_on": self.clock.stamp(), "sys_updated_by": user_name, "sys_mod_count": count}
        return self._blank(table) | row

    def delete(self, table: str, sys_id: str) -> Row:
        """Take a row out for good."""
        return self._rows[table].pop(sys_id)

    def next_number(self) -> str:
        """Draw the number of a new incident."""
        number = f"INC{self._numbers:07d}"
        self._numbers += 1
        return number

    def user(self, user_name: str) -> Row:
        """Return the row of somebody who is there."""
        return self._rows["sys_user"][sys_id_of("sys_user", user_name)]

    def display(self, table: str, sys_id: str) -> str:
        """Return the display value of a row that is referred to; an id that leads nowhere shows nothing."""
        row = self._rows.get(table, {}).get(sys_id)
        return "" if row is None else row[_DISPLAYED.get(table, "sys_id")]

    def choice_label(self, element: str, value: str) -> str:
        """Return what a list shows for a value; a value that it lacks shows as it is."""
        row = self._rows["sys_choice"].get(sys_id_of("sys_choice", f"{element}.{value}"))
        return value if row is None else row["label"]

    def has_choice(self, element: str, value: str) -> bool:
        """Say whether a list has a value."""
        return sys_id_of("sys_choice", f"{element}.{value}") in self._rows["sys_choice"]

    def by_display(self, table: str, text: str) -> str:
        """Return the id of the row that shows a text, or the text when none does."""
        name = _DISPLAYED.get(table, "sys_id")
        return next((row["sys_id"] for row in self._rows.get(table, {}).values() if row.get(name) == text), text)

    def person(self, user_name: str) -> Person:
        """Return somebody who is there."""
        found = self.profile.person(user_name)
        if found is None:
            raise KeyError(user_name)
        return found


def _dictionary_row(column: Column) -> Row:
    return {
        "name": column.table,
        "element": column.name,
        "column_label": column.label,
        "internal_type": column.kind,
        "reference": column.target,
        "default_value": column.default,
        "max_length": str(column.max_length),
        "choice": "3" if column.is_choice else "0",
        "mandatory": str(column.mandatory).lower(),
        "read_only": str(column.read_only).lower(),
        "active": "true",
    }
