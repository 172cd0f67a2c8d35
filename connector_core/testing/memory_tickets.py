"""The tickets of a helpdesk in memory, and the people who work on them: what stands in for a vendor.

The plugin that reaches them is in `memory_desk.py`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connector_core import (
    Clock,
    Delivery,
    FieldName,
    InboundRequest,
    TicketComment,
    TicketSnapshot,
    WriteComment,
)
from connector_core.contract.models import SHOWN_AS
from connector_core.testing.in_memory import InMemory

SIGNATURE = "x-desk-signature"
MOMENT = timedelta(milliseconds=1)


@dataclass(frozen=True)
class MemoryComment:
    """A comment on a ticket, with the draft that it was written from if the connector wrote it."""

    shown: TicketComment
    draft: WriteComment | None = None


@dataclass
class MemoryTicket:
    """A ticket."""

    #: As the desk shows it now.
    shown: TicketSnapshot
    #: As it was made.
    made: TicketSnapshot
    marker: str
    #: The incident that its mark names.
    incident_id: str = ""
    #: The connector's account may not see it.
    hidden: bool = False
    comments: list[MemoryComment] = field(default_factory=list)
    #: All that there is of it; `shown` is without what the desk hides.
    whole: TicketSnapshot = field(init=False)
    #: Everything that it ever was.
    had: list[TicketSnapshot] = field(init=False)

    def __post_init__(self) -> None:
        self.whole = self.shown
        self.had = [self.shown]

    def become(self, whole: TicketSnapshot, unshown: frozenset[FieldName]) -> None:
        """Be something else, of which some fields are not told."""
        self.whole = whole
        self.had.append(whole)
        self.shown = without(whole, unshown)


class MemoryTickets(InMemory):
    """A helpdesk whose tickets are plain attributes: what people see and do there, and how it tells of that."""

    #: What cannot be changed once a ticket is made.
    unchangeable: frozenset[FieldName] = frozenset()
    #: Whether the times of its tickets are an order.
    times_are_exact = True

    def __init__(
        self, clock: Clock | None = None, *, name: str = "desk", title: str = "Desk", longest_title: int = 200
    ) -> None:
        super().__init__(clock, name, title)
        self.longest_title = longest_title
        self.url = f"https://{name}.example.test"
        #: The desks that set-up offers, by id.
        self.desks = {"1": "IT help", "2": "Facilities"}
        self.tickets: dict[str, MemoryTicket] = {}
        #: The fields that no ticket shows.
        self.unshown: frozenset[FieldName] = frozenset()
        #: Whether it looks before an edit for what a person changed just now.
        self.is_careful = False
        #: Whether searches ignore what they are asked and find everything.
        self.finds_everything = False
        #: What people do right behind an edit of the connector's, before it is answered; each once.
        self.interruptions: list[Callable[[], object]] = []
        #: For how long a search does not know of a change yet.
        self.index_lag = timedelta()
        #: How many tickets a list shows at once.
        self.page = 100
        #: Every webhook so far, in order.
        self.told: list[Delivery] = []
        self._comments = 0
        self._created = 0

    # What people see and do

    @property
    def shown(self) -> list[TicketSnapshot]:
        """All tickets as the desk shows them now."""
        return [ticket.shown for ticket in self.tickets.values()]

    @property
    def written(self) -> list[WriteComment]:
        """The drafts of all comments that the connector wrote, in order."""
        every = [comment for ticket in self.tickets.values() for comment in ticket.comments]
        every.sort(key=lambda comment: comment.shown.created_at)
        return [comment.draft for comment in every if comment.draft is not None]

    def open(self, title: str) -> TicketSnapshot:
        """Open a ticket as a person; the desk tells of it."""
        return self._opened({"title": title}, marker="").made

    def edit(self, ticket_id: str, **fields: object) -> TicketSnapshot:
        """Change fields as an agent; the desk tells of it."""
        if "done" in fields:
            fields.setdefault("status", "Done" if fields["done"] else "Open")
        return self._changed(self.tickets[ticket_id], fields)

    def comment(
        self, ticket_id: str, text: str, *, author: str = "Ben", internal: bool = False, name: str = ""
    ) -> TicketComment:
        """Write a comment as an agent; the desk tells of it."""
        return self._commented(self.tickets[ticket_id], text, author=author, internal=internal, name=name).shown

    def delete(self, ticket_id: str) -> None:
        """Delete a ticket as an agent; the desk tells of it."""
        del self.tickets[ticket_id]
        self.tell(Delivery(id=self._delivery_id(), event="ticket_deleted", deleted=frozenset({ticket_id})))

    def hide(self, *unshown: FieldName) -> None:
        """Hide these fields of all tickets, and no others, as an administrator; nobody is told."""
        self.unshown = frozenset(unshown)
        for ticket in self.tickets.values():
            ticket.shown = without(ticket.whole, self.unshown)

    def tell(self, delivery: Delivery) -> None:
        """Send a webhook: here it is only kept, `signed` makes the request of it."""
        self.told.append(delivery)

    def signed(self, delivery: Delivery, secret: str) -> InboundRequest:
        """Return a webhook as the connector gets it."""
        body = delivery.model_dump_json(exclude={"signed_by"}).encode()
        headers = {SIGNATURE: signature(secret, body)}
        return InboundRequest(headers=headers, body=body, received_at=self.clock.now())

    def _opened(self, values: dict[str, object], marker: str) -> MemoryTicket:
        self._created += 1
        key = f"T-{self._created}"
        made = TicketSnapshot.model_validate(
            {
                **values,
                "id": str(self._created),
                "key": key,
                "url": f"{self.url}/{key}",
                "status": "Open",
                "updated": self.clock.now(),
            }
        )
        ticket = self.tickets[made.id] = MemoryTicket(shown=made, made=made, marker=marker)
        ticket.shown = without(made, self.unshown)
        self._tell_of(ticket)
        return ticket

    def _changed(self, ticket: MemoryTicket, fields: dict[str, object]) -> TicketSnapshot:
        ticket.become(ticket.whole.model_copy(update={**fields, "updated": self._moment_after(ticket)}), self.unshown)
        self._tell_of(ticket)
        return ticket.shown

    def _commented(  # noqa: PLR0913 - by keyword
        self,
        ticket: MemoryTicket,
        text: str,
        *,
        author: str,
        internal: bool,
        name: str = "",
        draft: WriteComment | None = None,
    ) -> MemoryComment:
        self._comments += not name
        shown = TicketComment(
            id=name or f"c{self._comments}",
            author=author,
            text=text,
            created_at=self.clock.now(),
            internal=internal,
            own=draft is not None,
        )
        ticket.comments.append(MemoryComment(shown, draft))
        ticket.become(ticket.whole.model_copy(update={"updated": self._moment_after(ticket)}), self.unshown)
        self._tell_of(ticket, shown.id)
        return ticket.comments[-1]

    def _moment_after(self, ticket: MemoryTicket) -> datetime:
        """Return the present, but never the time of the change before: who compares times has to see two."""
        before, now = ticket.shown.updated, self.clock.now()
        return now if before is None else max(now, before + MOMENT)

    def _tell_of(self, ticket: MemoryTicket, *comments: str) -> None:
        commented = {ticket.shown.id: frozenset(comments)} if comments else {}
        shown = (ticket.shown,)
        self.tell(Delivery(id=self._delivery_id(), event="ticket_changed", tickets=shown, commented=commented))

    def _delivery_id(self) -> str:
        return f"{self.name}-{len(self.told) + 1}"


def without(whole: TicketSnapshot, unshown: frozenset[FieldName]) -> TicketSnapshot:
    """Return what is shown of a ticket where some fields are hidden: they are not told."""
    if not unshown:
        return whole
    blank = {name: TicketSnapshot.model_fields[name].default for one in unshown for name in SHOWN_AS[one]}
    return whole.model_copy(update={**blank, "unknown": unshown})


def signature(secret: str, body: bytes) -> str:
    """Return what proves that a body was sent by whoever knows the secret."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"
