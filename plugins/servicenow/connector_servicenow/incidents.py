"""What an incident of ours looks like as one of ServiceNow's, and back; reading many, and why some are not found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from pydantic import TypeAdapter

import connector_core as core
from connector_core import FieldName
from connector_core.kit import field_lines, kept
from connector_core.kit.details import Details
from connector_core.kit.signing import moment_of
from connector_core.kit.texts import clean, one_line
from connector_core.kit.values import Json
from connector_servicenow.settings import ServiceNowIntegration, ServiceNowSettings
from connector_servicenow.table import Table, is_sys_id, raw, stamp

#: The declared lengths of the base system, that no page tells: where an instance has less, what it shows afterwards is
#: compared with what was sent.
LONGEST_TITLE, LONGEST_TEXT = 160, 4_000
DISPLAY = "connector"  # beside our marker, to find all of them by
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

_AT_ONCE = 100
_SEEN = "priority of pairs"
_SEEN_AS = TypeAdapter(dict[str, str])


@core.implements(core.hookspecs.fetch_tickets)
def fetch(
    integration: ServiceNowIntegration, query: core.TicketQuery
) -> Sequence[core.TicketSnapshot | core.UnreadableTicket]:
    """Read incidents by their ids, those that changed since if a time is given.

    The time is read in UTC or in the account's zone, which no page settles: `PluginInfo.read_lag` is a day.
    """
    table = Table.of(integration)
    also = f"sys_updated_on>={stamp(query.changed_since)}" if query.changed_since else ""

    def read(some: Sequence[str]) -> Iterator[core.TicketSnapshot | core.UnreadableTicket]:
        for row in table.find({"sys_id": some}, also=also, fields=FIELDS):
            yield snapshot(integration, row)

    ids = sorted(one for one in query.ids if is_sys_id(one))
    return list(table.rest.by_chunks("incidents at once", ids, _AT_ONCE, read))


@core.implements(core.hookspecs.explain_absence)
def explain(integration: ServiceNowIntegration, tickets: Sequence[core.TicketSnapshot]) -> Mapping[str, core.Absence]:
    """Tell deleted incidents from hidden ones where the account may read `sys_audit_delete`, which few may.

    That the table keeps a row of each is documented for audited tables only [rollback-delete-recovery].
    """
    there = {found.id for found in fetch(integration, core.TicketQuery(ids=frozenset(one.id for one in tickets)))}
    absent = [one.id for one in tickets if one.id not in there]
    log, deleted = Table.of(integration, "sys_audit_delete"), set[str | None]()

    def read(some: Sequence[str]) -> Iterator[str | None]:
        where = {"tablename": "incident", "documentkey": some}
        return (raw(row, "documentkey") for row in log.find(where, fields=("sys_id",)))

    try:
        ids = list(filter(is_sys_id, absent))
        deleted = set(log.rest.by_chunks("deletions at once", ids, _AT_ONCE, read))
    except core.ConfigError as exc:
        integration.log.info("deletions_not_shown", code=exc.code)
    gone = core.Absence(kind=core.AbsenceKind.DELETED, reason="The incident was deleted in ServiceNow.")
    return {one: gone if one in deleted else core.Absence.untold() for one in absent}


def snapshot(integration: ServiceNowIntegration, row: Json) -> core.TicketSnapshot | core.UnreadableTicket:
    """Read a row of the table; a column that our account may not see is not told."""
    settings, sys_id, state = integration.settings, raw(row, "sys_id"), raw(row, "state")
    if not sys_id or not is_sys_id(sys_id):
        return core.UnreadableTicket(reason="It has no sys_id.")
    return core.TicketSnapshot(
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


def new(settings: ServiceNowSettings, incident: core.Incident, marker: str) -> dict[str, str]:
    """Return the values of a new incident, our marker among them."""
    return {
        "short_description": one_line(incident.title, LONGEST_TITLE),
        "description": DETAILS.write(incident, marker),
        **settings.priorities.theirs(incident.priority),
        "assignment_group": settings.assignment_group,
        **({"caller_id": settings.caller} if settings.caller else {}),
        "correlation_id": marker,
        "correlation_display": DISPLAY,
        **field_lines.filled(settings.new_fields, incident, LONGEST_TEXT),
    }


def dropped(row: Json, sent: Mapping[str, str]) -> frozenset[str]:
    """Return the columns that show something else than was sent: it may be dropped, or cut, without a word.

    A column that our account may not see tells nothing; the state, which a close looks at by itself, is none of them.
    """
    held = {name: found for name in sent if (found := raw(row, name)) is not None and name != "state"}
    return frozenset(name for name, found in held.items() if clean(found).strip() != clean(sent[name]).strip())


def note_priority(integration: ServiceNowIntegration, row: Json) -> None:
    """Remember which priority the instance made of a pair that we just wrote: its rules may be its own."""
    pair, made = _pair(row), raw(row, "priority")
    present = kept.known(integration, _SEEN, remembered_as=_SEEN_AS) or {}
    if made and present.get(pair) != made:
        kept.keep(integration, _SEEN, {**present, pair: made}, remembered_as=_SEEN_AS)


def _changed_at(row: Json) -> datetime | None:
    """Return when an incident was last changed; of changes in one second, `sys_mod_count` tells the order.

    That it rises with each of them, an entry of the journal too, is in no page: where it does not, they look alike.
    """
    at, count = moment_of(raw(row, "sys_updated_on") or ""), raw(row, "sys_mod_count") or ""
    return at.replace(microsecond=min(int(count[:9]), 999_999)) if at and count.isdecimal() else at


def _pair(row: Json) -> str:
    return f"{raw(row, 'impact')}/{raw(row, 'urgency')}"


def _priority(integration: ServiceNowIntegration, row: Json) -> core.Priority | None:
    """Read the priority back: our pair with what the instance makes of it is ours, else its number counts."""
    shown = {name: raw(row, name) for name in ("impact", "urgency", "priority")}
    number, priorities = shown.pop("priority"), integration.settings.priorities
    ours, by_number = priorities.ours(shown), priorities.ours({"priority": number})
    made = (kept.known(integration, _SEEN, remembered_as=_SEEN_AS) or {}).get(_pair(row))
    return ours if ours and (by_number is None or number == made) else by_number
