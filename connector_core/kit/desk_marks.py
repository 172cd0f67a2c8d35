"""Tickets that are there already, of a ticketing system as a class: found by name, marked, listed by the mark on them.

class AcmeDesk(MarkedDesk[AcmeSettings]): ...

find_tickets = hook(hookspecs.find_tickets, "desk:AcmeDesk.find_tickets")
mark_ticket = hook(hookspecs.mark_ticket, "desk:AcmeDesk.mark_ticket")
list_marked = hook(hookspecs.list_marked, "desk:AcmeDesk.list_marked")
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, NamedTuple, Self

from connector_core.contract.errors import RemoteError
from connector_core.contract.handles import Integration
from connector_core.contract.models import FoundTicket, MarkedTicket, MarkedTickets, MarkTicket
from connector_core.kit.desk import Desk, S
from connector_core.kit.marks import TicketNames, found_by
from connector_core.kit.paging import PageNumber
from connector_core.kit.rest import Rest
from connector_core.kit.values import Json, listed


class MarkedPage(NamedTuple):
    """A page of a search for marks."""

    found: Sequence[Json]
    #: Where the next page begins; None after the last.
    cursor: str | None

    @classmethod
    def numbered(cls, rest: Rest, path: str, items: str, paging: PageNumber, cursor: str | None, **asked: str) -> Self:
        """Read one page of a search whose pages have numbers, which the cursor is then; `asked` are its parameters.

        return MarkedPage.numbered(self.rest, "/tickets", "items", PAGES, cursor, query="marked = true")
        """
        number = int(cursor or paging.begin)
        sized = {paging.size_parameter: str(paging.size)} if paging.size_parameter else {}
        found = listed(rest.get(path, params={**asked, **sized, paging.parameter: str(number)}), items)
        return cls(found, str(number + 1) if len(found) >= paging.size else None)


class MarkedDesk(Desk[S]):
    """One ticketing system whose tickets can be marked, for one integration."""

    #: What people call tickets: what is asked for by `called`.
    names: ClassVar[TicketNames]
    #: What makes a mark be taken.
    mark_fix: ClassVar[str]

    @abstractmethod
    def leave_mark(self, mark: MarkTicket, shown: Json) -> None:
        """Put `mark.marker` on a ticket, in place of a former one: `marker_of` tells it then, and `marked` finds it."""

    @abstractmethod
    def page_of_marked(self, cursor: str | None) -> MarkedPage:
        """Read one page of tickets that may be marked, in an order that stays; the first one without a cursor."""

    def called(self, wanted: Sequence[str]) -> Iterable[Json]:
        """Search for tickets by what `names` makes of what people typed; by default each is an id."""
        return self.found(wanted, None) if wanted else ()

    @classmethod
    def find_tickets(cls, integration: Integration[S], names: Sequence[str]) -> Mapping[str, FoundTicket]:
        """Find tickets by what people call them, with one search."""
        desk = cls(integration)
        wanted = desk.names.wanted(names, desk.site_url)
        return found_by(wanted, desk._with_marks(desk.called(sorted(set(wanted.values())))))

    @classmethod
    def mark_ticket(cls, integration: Integration[S], mark: MarkTicket) -> MarkedTicket:
        """Mark a ticket, and see that it is marked."""
        desk = cls(integration)
        desk.leave_mark(mark, desk.look(mark.ticket.id))
        if desk.marker_of(desk.look(mark.ticket.id)) != mark.marker:
            said = " ".join(filter(None, desk.notes)) or "It gives no reason."
            lost = f"{cls.info.spoken} took the mark and does not show it. {said}"
            raise RemoteError(lost, code="unmarked", fix=cls.mark_fix)
        return MarkedTicket()

    @classmethod
    def list_marked(cls, integration: Integration[S], cursor: str | None) -> MarkedTickets:
        """List the tickets with a mark of ours, a page of the search at a time."""
        desk = cls(integration)
        page = desk.page_of_marked(cursor)
        tickets = tuple(one for one in desk._with_marks(page.found) if one.marker)
        return MarkedTickets(tickets=tickets, seen=len(page.found), cursor=page.cursor)

    def _with_marks(self, found: Iterable[Json]) -> Iterable[FoundTicket]:
        return (FoundTicket(ticket=self.snapshot(one), marker=self.marker_of(one)) for one in found)
