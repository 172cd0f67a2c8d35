"""Tickets that are there already: found by what people call them, marked, and found again by their marks."""

from __future__ import annotations

from connector_core.contract.models.incidents import Incident
from connector_core.contract.models.record import Record
from connector_core.contract.models.tickets import TicketSnapshot, UnreadableTicket


class MarkTicket(Record):
    """Put on a ticket that somebody else made what a ticket of ours has: it is linked with an incident now."""

    #: The incident as it is now.
    incident: Incident
    #: Names the link, and has to be found by `FindTicket` and `list_marked` afterwards.
    marker: str
    #: The ticket as it was last seen.
    ticket: TicketSnapshot


class MarkedTicket(Record):
    """A ticket that carries a mark now."""

    #: A sentence for people on what of the mark could not be put there; empty when all of it was.
    note: str = ""


class FoundTicket(Record):
    """A ticket that is there, and whose it is by the mark on it."""

    #: The ticket, or the word that it cannot be read.
    ticket: TicketSnapshot | UnreadableTicket
    #: What names its link; empty where it has no mark.
    marker: str = ""
    #: The id of the incident that the mark names, empty where it names none.
    incident_id: str = ""


class MarkedTickets(Record):
    """Some of the tickets that carry a mark of ours."""

    #: Those with a mark. Of two with the same one, the original comes first.
    tickets: tuple[FoundTicket, ...] = ()
    #: How many tickets were looked at for it, for people who watch.
    seen: int = 0
    #: Where to go on, None after the last one.
    cursor: str | None = None
