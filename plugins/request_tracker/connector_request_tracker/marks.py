"""Tickets that are there already: found by number or address, marked, and listed by the mark on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import connector_core as core
from connector_core.kit import marks, values
from connector_core.kit.answers import Subject
from connector_core.kit.rest import segment
from connector_request_tracker.api import LINKS, PAGES, RIGHT_FIX, address_of, asking, quoted, rest_of, search
from connector_request_tracker.settings import Tracker
from connector_request_tracker.tickets import MARK, references, snapshot

_NAMES = marks.TicketNames(alone=r"#?([1-9]\d{0,17})", below=r"Ticket/\w+\.html\?(?:[^#]*&)?id=([1-9]\d{0,17})\b")


@core.implements(core.hookspecs.find_tickets)
def find(integration: Tracker, names: Sequence[str]) -> Mapping[str, core.FoundTicket]:
    """Find tickets by what people call them, with one search; those that were merged or deleted are not found."""
    wanted = _NAMES.wanted(names, address_of(integration))
    which = " OR ".join(f"id = {number}" for number in sorted(set(wanted.values()), key=int))
    return marks.found_by(wanted, _shown(integration, search(integration, which, LINKS) if which else ()))


@core.implements(core.hookspecs.mark_ticket)
def leave(integration: Tracker, mark: core.MarkTicket) -> core.MarkedTicket:
    """Have a ticket refer to our mark and to the incident's page, beside what it refers to; a former mark goes."""
    api, path = rest_of(integration), f"/ticket/{segment(mark.ticket.id)}"
    ours, present = MARK + mark.marker, references(api.get(path, about=Subject.TICKET))
    former = [one for one in present if one.startswith(MARK) and one != ours]
    links = [one for one in (ours, mark.incident.url) if one and one not in present]
    said = api.put(path, {"AddRefersTo": links, "DeleteRefersTo": former}) if links or former else []
    if ours not in references(api.get(path, about=Subject.TICKET)):
        why = " ".join(map(values.sentence, said)) if isinstance(said, list) else ""
        told = f"Request Tracker did not take the links of the ticket. It says: {why}"
        raise core.RemoteError(told, code="unmarked", fix=RIGHT_FIX)
    return core.MarkedTicket()


@core.implements(core.hookspecs.list_marked)
def listed(integration: Tracker, cursor: str | None) -> core.MarkedTickets:
    """List the marked tickets of the queue, a page of the search at a time."""
    query = f"Queue = {quoted(integration.settings.queue)} AND RefersTo IS NOT NULL"
    page = {PAGES.parameter: cursor or "1", PAGES.size_parameter: str(PAGES.size)}
    found = values.listed(rest_of(integration).get("/tickets", params={**asking(query, LINKS), **page}), "items")
    marked = tuple(one for one in _shown(integration, found) if one.marker)
    following = str(int(cursor or 1) + 1) if len(found) >= PAGES.size else None
    return core.MarkedTickets(tickets=marked, seen=len(found), cursor=following)


def _shown(integration: Tracker, found: Iterable[values.Json]) -> Iterator[core.FoundTicket]:
    for shown in found:
        mark = next((one for one in references(shown) if one.startswith(MARK)), "")
        yield core.FoundTicket(ticket=snapshot(integration, shown), marker=marks.marker_in(mark))
