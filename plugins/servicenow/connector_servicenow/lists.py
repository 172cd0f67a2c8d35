"""What an instance offers: groups, people, states, codes, and the columns that it insists on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connector_core import Choice, ConfigError
from connector_servicenow.desk import ServiceNow
from connector_servicenow.table import raw

CHOICES_FIX = "Give the account the role personalize_choices: then states and codes can be chosen and checked."
_MOST = 50
_TABLES = ("incident", "task")  # most columns of incidents are declared by `task` [table-extension-and-classes]
#: What a new incident has without us, or what we fill in.
_FILLED = frozenset({"short_description", "number", "state", "impact", "urgency", "priority", "opened_at", "opened_by"})


def groups(desk: ServiceNow, **of: str) -> Mapping[str, str]:
    """Return the names of the active assignment groups by sys_id; all of them, or those that have these values."""
    rows = desk.table("sys_user_group").find({"active": "true", **of}, fields=("sys_id", "name"), by="name")
    return {raw(row, "sys_id") or "": raw(row, "name") or "" for row in rows}


def people(desk: ServiceNow, typed: str) -> Sequence[Choice]:
    """Find active users by a part of their name, their user name, or their sys_id."""
    part = typed.replace("^", " ").strip()
    also, fields = f"nameLIKE{part}^ORuser_name={part}^ORsys_id={part}", ("sys_id", "name", "user_name")
    rows = desk.table("sys_user").find({"active": "true"}, also=also, fields=fields, by="name")
    named = [tuple(raw(row, name) or "" for name in fields) for row in rows]
    wanted = part.casefold()
    fit = [one for one in named if wanted in one[1].casefold() or wanted in {one[2].casefold(), one[0]}]
    return [Choice(sys_id, f"{name} ({user})") for sys_id, name, user in fit[:_MOST]]


def choices(desk: ServiceNow, element: str) -> Mapping[str, str]:
    """Return the entries of a list of the incident table by value, in their order."""
    where = {"name": _TABLES, "element": element, "inactive": "false"}
    rows = list(desk.table("sys_choice").find(where, fields=("value", "label"), by="sequence"))
    own = [row for row in rows if raw(row, "name") == "incident"] or rows
    listed: dict[str, str] = {}
    for row in own:
        listed.setdefault(raw(row, "value") or "", raw(row, "label") or "")
    return {value: label for value, label in listed.items() if value}


def states(desk: ServiceNow) -> Mapping[str, str]:
    """Return the states by value.

    Raises:
        ConfigError: the list is closed to us: every instance has some.
    """
    if not (listed := choices(desk, "state")):
        raise ConfigError("The list of states comes back empty.", code="choices_closed", fix=CHOICES_FIX)
    return listed


def insisted(desk: ServiceNow) -> Mapping[str, str] | None:
    """Return the columns that every incident must have, by name, as people call them; None where that is closed to us.

    What data policies ask for is not among them.
    """
    fields = ("element", "column_label", "mandatory")
    rows = list(desk.table("sys_dictionary").find({"name": _TABLES}, fields=fields))
    needed = {
        raw(row, "element") or "": raw(row, "column_label") or "" for row in rows if raw(row, "mandatory") == "true"
    }
    return {name: label for name, label in needed.items() if name and name not in _FILLED} if rows else None
