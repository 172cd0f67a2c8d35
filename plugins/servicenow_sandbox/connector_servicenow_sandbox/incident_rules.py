"""What the instance does by itself with an incident: priority, times, and the data policies."""

from __future__ import annotations

from collections.abc import Mapping

from connector_servicenow_sandbox.answers import write_refused
from connector_servicenow_sandbox.database import Database, Row
from connector_servicenow_sandbox.profile import InstanceProfile, Person


def new(database: Database, values: Mapping[str, str], user: Person) -> Row:
    """Return a new incident with what the instance fills in."""
    columns, now = database.columns["incident"], database.clock.stamp()
    row = {name: column.default for name, column in columns.items()}
    row |= {"state": database.profile.new, "opened_at": now, "opened_by": _id_of(database, user)}
    row |= dict(values) | {"number": database.next_number(), "sys_class_name": "incident"}
    return _settled(database, {}, row, user)


def changed(database: Database, before: Row, values: Mapping[str, str], user: Person, *, has_comment: bool) -> Row:
    """Return an incident as it is after a write."""
    profile = database.profile
    after = before | dict(values)
    if "incident_state" in values and "state" not in values:
        after["state"] = values["incident_state"]
    is_caller = bool(before["caller_id"]) and before["caller_id"] == _id_of(database, user)
    if is_caller and has_comment and before["state"] == profile.on_hold and "state" not in values:
        after |= {"state": profile.in_progress, "hold_reason": ""}
    return _settled(database, before, after, user)


def _settled(database: Database, before: Mapping[str, str], row: Row, user: Person) -> Row:
    profile, now = database.profile, database.clock.stamp()
    if profile.priority_is_computed:
        present = before.get("priority", "")
        row["priority"] = profile.levels.get((row["impact"], row["urgency"]), present or "4")
    was, is_now = before.get("state", ""), row["state"]
    row["incident_state"] = is_now
    if is_now == was:
        return row
    who = _id_of(database, user)
    if is_now == profile.resolved:
        row |= {"resolved_at": now, "resolved_by": who}
    if is_now in (profile.closed, profile.canceled):
        row |= {"closed_at": now, "closed_by": who}
    if was == profile.resolved and is_now not in profile.done:
        count = str(int(row["reopen_count"] or "0") + 1)
        row |= {"reopen_count": count, "reopened_by": who, "reopened_time": now, "resolved_at": "", "resolved_by": ""}
    row["active"] = str(is_now not in (profile.closed, profile.canceled)).lower()
    return row


def check(profile: InstanceProfile, before: Mapping[str, str], row: Row) -> None:
    """Refuse what a data policy does not allow."""
    missing = [label for name, label in _needed(profile, before, row) if not row.get(name)]
    if missing:
        raise write_refused(f"Data Policy Exception: The following fields are mandatory: {', '.join(missing)}")
    was, is_now = before.get("state", ""), row["state"]
    goes_back = was in profile.done and is_now not in profile.done
    if goes_back and was not in profile.reopens_from:
        raise write_refused("Operation against file 'incident' was aborted by Business Rule 'Incident reopen'")


def _needed(profile: InstanceProfile, before: Mapping[str, str], row: Row) -> list[tuple[str, str]]:
    needed = []
    ends = row["state"] in (profile.resolved, profile.closed) and row["state"] != before.get("state")
    if not before:
        needed += [(one.name, one.label) for one in profile.extra_fields if one.needed_to_create]
    if ends and profile.resolving_needs_reason:
        needed += [("close_code", "Resolution code"), ("close_notes", "Resolution notes")]
    if ends:
        needed += [(one.name, one.label) for one in profile.extra_fields if one.needed_to_resolve]
    if row["state"] == profile.on_hold and profile.hold_needs_reason:
        needed.append(("hold_reason", "On hold reason"))
    return needed


def _id_of(database: Database, user: Person) -> str:
    return database.user(user.user_name)["sys_id"]
