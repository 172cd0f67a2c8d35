"""Reading linked incidents, and saying why some cannot be found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from connector_core import (
    Absence,
    AbsenceKind,
    ConfigError,
    TicketQuery,
    TicketSnapshot,
    UnreadableTicket,
    hookspecs,
    implements,
)
from connector_servicenow import incidents
from connector_servicenow.settings import ServiceNowIntegration
from connector_servicenow.table import Table, is_sys_id, raw, stamp

_AT_ONCE = 100


@implements(hookspecs.fetch_tickets)
def fetch(integration: ServiceNowIntegration, query: TicketQuery) -> Sequence[TicketSnapshot | UnreadableTicket]:
    """Read incidents by their ids, those that changed since if a time is given.

    The time is read in UTC or in the account's zone, which no page settles: `PluginInfo.read_lag` is a day.
    """
    table = Table.of(integration)
    also = f"sys_updated_on>={stamp(query.changed_since)}" if query.changed_since else ""

    def read(some: Sequence[str]) -> Iterator[TicketSnapshot | UnreadableTicket]:
        for row in table.find({"sys_id": some}, also=also, fields=incidents.FIELDS):
            yield incidents.snapshot(integration, row)

    ids = sorted(one for one in query.ids if is_sys_id(one))
    return list(table.rest.by_chunks("incidents at once", ids, _AT_ONCE, read))


@implements(hookspecs.explain_absence)
def explain(integration: ServiceNowIntegration, tickets: Sequence[TicketSnapshot]) -> Mapping[str, Absence]:
    """Tell deleted incidents from hidden ones where the account may read `sys_audit_delete`, which few may.

    That the table keeps a row of each is documented for audited tables only [rollback-delete-recovery].
    """
    there = {found.id for found in fetch(integration, TicketQuery(ids=frozenset(one.id for one in tickets)))}
    absent = [one.id for one in tickets if one.id not in there]
    log, deleted = Table.of(integration, "sys_audit_delete"), set[str | None]()

    def read(some: Sequence[str]) -> Iterator[str | None]:
        where = {"tablename": "incident", "documentkey": some}
        return (raw(row, "documentkey") for row in log.find(where, fields=("sys_id",)))

    try:
        ids = list(filter(is_sys_id, absent))
        deleted = set(log.rest.by_chunks("deletions at once", ids, _AT_ONCE, read))
    except ConfigError as exc:
        integration.log.info("deletions_not_shown", code=exc.code)
    gone = Absence(kind=AbsenceKind.DELETED, reason="The incident was deleted in ServiceNow.")
    return {one: gone if one in deleted else Absence.untold() for one in absent}
