"""Incidents that are there already: found by number, sys_id or address, marked, and listed by the mark on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

import connector_core as core
from connector_core.kit import marks
from connector_core.kit.values import Json
from connector_servicenow.incidents import DISPLAY, FIELDS, snapshot
from connector_servicenow.settings import ServiceNowIntegration
from connector_servicenow.table import Table, is_sys_id, raw

_NAMES = marks.TicketNames(alone=r"([0-9a-f]{32}|[a-z]+[0-9]{1,20})", below=r"\S*sys_id(?:=|%3[Dd])([0-9a-f]{32})\b")
_PAGE = 100


@core.implements(core.hookspecs.find_tickets)
def find(integration: ServiceNowIntegration, names: Sequence[str]) -> Mapping[str, core.FoundTicket]:
    """Find incidents by what people call them: a number, a sys_id, or the address of their page."""
    wanted, table = _NAMES.wanted(names, integration.settings.instance), Table.of(integration)
    ids = sorted(set(filter(is_sys_id, wanted.values())))
    numbers = sorted({one.upper() for one in wanted.values()} - {one.upper() for one in ids})
    asked = [(name, some) for name, some in (("sys_id", ids), ("number", numbers)) if some]
    rows = (row for name, some in asked for row in table.find({name: some}, fields=FIELDS))
    return marks.found_by(wanted, (_shown(integration, row) for row in rows))


@core.implements(core.hookspecs.mark_ticket)
def leave(integration: ServiceNowIntegration, mark: core.MarkTicket) -> core.MarkedTicket:
    """Put our marker into `correlation_id`, unless another program has its own there."""
    table, ours = Table.of(integration), {"correlation_id": mark.marker, "correlation_display": DISPLAY}
    present = raw(table.get(mark.ticket.id, FIELDS), "correlation_id")
    if present and not marks.marker_in(present):
        theirs = f"Another program has put its own mark into correlation_id: {present}."
        fix = "Let it use another column, or go on without a mark."
        raise core.RemoteError(theirs, code="correlation_taken", fix=fix)
    if present != mark.marker and raw(table.write(ours, FIELDS, mark.ticket.id), "correlation_id") != mark.marker:
        allow = "Let the account write correlation_id."
        raise core.RemoteError("ServiceNow took the mark and does not show it.", code="unmarked", fix=allow)
    return core.MarkedTicket()


@core.implements(core.hookspecs.list_marked)
def listed(integration: ServiceNowIntegration, cursor: str | None) -> core.MarkedTickets:
    """List the marked incidents, the oldest first; where access rules hide one, some come twice."""
    where, order = {"correlation_display": DISPLAY}, "sys_created_on^ORDERBYsys_id"
    found = Table.of(integration).find(where, fields=FIELDS, most=str(_PAGE), skip=cursor or "0", order=order)
    rows = list(islice(found, _PAGE))
    marked = tuple(shown for row in rows if (shown := _shown(integration, row)).marker)
    following = str(int(cursor or 0) + _PAGE) if len(rows) == _PAGE else None
    return core.MarkedTickets(tickets=marked, seen=len(rows), cursor=following)


def _shown(integration: ServiceNowIntegration, row: Json) -> core.FoundTicket:
    return core.FoundTicket(ticket=snapshot(integration, row), marker=marks.marker_in(raw(row, "correlation_id")))
