"""Our mark on a ticket that somebody linked by hand: what a ticket of ours has from the beginning."""

from __future__ import annotations

from connector_core.contract.errors import RemoteError, TicketGone
from connector_core.contract.models import MarkTicket, TicketSnapshot
from connector_core.store import Progress, TimelineKind
from connector_core.sync.lane import Lane


def mark(lane: Lane, ticket: TicketSnapshot) -> None:
    """Put our mark on a ticket, once; where that is refused for good the link goes on without.

    Where a plugin has no marks to put on tickets of others, or cannot, a lost database does not find it again.
    """
    if not lane.plugin.implements("mark_ticket"):
        lane.record(Progress(marked=True))
        return
    change = MarkTicket(incident=lane.link.incident, marker=lane.link.marker, ticket=ticket)
    try:
        with lane.guard_writing("mark"):
            note = lane.plugin.mark_ticket(lane.integration, change).note
    except TicketGone:
        raise
    except RemoteError as exc:
        note = exc.message
    entries = (lane.entry(TimelineKind.TICKET_UNMARKED, "ticket", {"note": note}),) if note else ()
    lane.record(Progress(marked=True, entries=entries))
