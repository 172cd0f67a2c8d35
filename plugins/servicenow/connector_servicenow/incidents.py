"""What an incident of ours looks like as one of ServiceNow's, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from pydantic import TypeAdapter

from connector_core import FieldName, Incident, Priority, TicketSnapshot, UnreadableTicket
from connector_core.kit.details import Details
from connector_core.kit.field_lines import filled
from connector_core.kit.kept import keep, known
from connector_core.kit.signing import moment_of
from connector_core.kit.texts import clean, one_line
from connector_core.kit.values import Json
from connector_servicenow.settings import ServiceNowIntegration, ServiceNowSettings
from connector_servicenow.table import is_sys_id, raw

#: The declared lengths of the base system, that no page tells: where an instance has less, what it shows afterwards is
#: compared with what was sent.
LONGEST_TITLE, LONGEST_TEXT = 160, 4_000
DETAILS = Details(longest=LONGEST_TEXT)
COLUMNS: Mapping[FieldName, tuple[str, ...]] = {
    FieldName.TITLE: ("short_description",),
    FieldName.DESCRIPTION: ("description",),
    FieldName.PRIORITY: ("impact", "urgency"),
    FieldName.STATUS: ("state",),
}
FIELDS: Final[Sequence[str]] = (
    *("sys_id", "number", "short_description", "description", "state", "impact", "urgency", "priority"),
    *("sys_updated_on", "sys_mod_count", "sys_created_on", "sys_created_by", "correlation_id"),
)

_SEEN = "priority of pairs"
_SEEN_AS = TypeAdapter(dict[str, str])


def snapshot(integration: ServiceNowIntegration, row: Json) -> TicketSnapshot | UnreadableTicket:
    """Read a row of the table; a column that our account may not see is not told."""
    settings, sys_id, state = integration.settings, raw(row, "sys_id"), raw(row, "state")
    if not sys_id or not is_sys_id(sys_id):
        return UnreadableTicket(reason="It has no sys_id.")
    return TicketSnapshot(
        id=sys_id,
        key=raw(row, "number") or "",
        url=f"{settings.instance}/nav_to.do?uri=incident.do?sys_id={sys_id}",  # a custom; no page tells the address
        title=clean(raw(row, "short_description") or ""),
        description=DETAILS.own_words(raw(row, "description")),
        priority=_priority(integration, row),
        priority_name=raw(row, "priority", "display_value") or raw(row, "priority"),
        status=raw(row, "state", "display_value") or state or "",
        done=state in settings.done,
        updated=_changed_at(row),
        unknown=frozenset(name for name, columns in COLUMNS.items() if any(raw(row, one) is None for one in columns)),
    )


def new(settings: ServiceNowSettings, incident: Incident, marker: str) -> dict[str, str]:
    """Return the values of a new incident, our marker among them."""
    return {
        "short_description": one_line(incident.title, LONGEST_TITLE),
        "description": DETAILS.write(incident, marker),
        **settings.priorities.theirs(incident.priority),
        "assignment_group": settings.assignment_group,
        **({"caller_id": settings.caller} if settings.caller else {}),
        "correlation_id": marker,
        "correlation_display": "connector",
        **filled(settings.new_fields, incident, LONGEST_TEXT),
    }


def dropped(row: Json, sent: Mapping[str, str]) -> frozenset[str]:
    """Return the columns that show something else than was sent: it may be dropped, or cut, without a word.

    A column that our account may not see tells nothing.
    """
    held = {name: raw(row, name) for name in sent}
    return frozenset(
        name for name, found in held.items() if found is not None and clean(found).strip() != clean(sent[name]).strip()
    )


def note_priority(integration: ServiceNowIntegration, row: Json) -> None:
    """Remember which priority the instance made of a pair that we just wrote: its rules may be its own."""
    pair, made = _pair(row), raw(row, "priority")
    present = known(integration, _SEEN, remembered_as=_SEEN_AS) or {}
    if made and present.get(pair) != made:
        keep(integration, _SEEN, {**present, pair: made}, remembered_as=_SEEN_AS)


def _changed_at(row: Json) -> datetime | None:
    """Return when an incident was last changed; of changes in one second, `sys_mod_count` tells the order.

    That it rises with each of them, an entry of the journal too, is in no page: where it does not, they look alike.
    """
    at, count = moment_of(raw(row, "sys_updated_on") or ""), raw(row, "sys_mod_count") or ""
    return at.replace(microsecond=min(int(count[:9]), 999_999)) if at and count.isdecimal() else at


def _pair(row: Json) -> str:
    return f"{raw(row, 'impact')}/{raw(row, 'urgency')}"


def _priority(integration: ServiceNowIntegration, row: Json) -> Priority | None:
    """Read the priority back: our pair with what the instance makes of it is ours, else its number counts."""
    shown = {name: raw(row, name) for name in ("impact", "urgency", "priority")}
    number, priorities = shown.pop("priority"), integration.settings.priorities
    ours, by_number = priorities.ours(shown), priorities.ours({"priority": number})
    made = (known(integration, _SEEN, remembered_as=_SEEN_AS) or {}).get(_pair(row))
    return ours if ours and (by_number is None or number == made) else by_number
