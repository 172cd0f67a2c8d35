"""A ticketing system in memory and the plugin that reaches it: what a correct ticketing plugin does, without a vendor.

Whoever writes a plugin finds each hook here with what the core relies on; what stands in for the vendor is above them.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TypeAlias

from pydantic import Field, SecretStr, ValidationError

from connector_core import (
    WEBHOOK_SECRET,
    AuthorizationRenewal,
    AuthorizationRequest,
    AuthorizationStart,
    Choice,
    Clock,
    CloseTicket,
    CommentDraft,
    CreateTicket,
    Delivery,
    FieldKind,
    FieldName,
    FindComment,
    Finding,
    FindTicket,
    FoundTicket,
    Grant,
    InboundRequest,
    Incident,
    IncidentChange,
    Integration,
    MarkedTicket,
    MarkedTickets,
    MarkTicket,
    NotCreated,
    PluginInfo,
    Receipt,
    Redirect,
    Settings,
    SetupField,
    SetupStep,
    Severity,
    Signature,
    TicketChanged,
    TicketComment,
    TicketGone,
    TicketQuery,
    TicketSnapshot,
    UnreadableTicket,
    WebhookRejected,
    WriteComment,
    WriteFields,
    WrittenComment,
    hookimpl,
    make_secret,
)
from connector_core.contract.models import SHOWN_AS
from connector_core.testing.in_memory import InMemory, recorded

SIGNATURE = "x-desk-signature"
MOMENT = timedelta(milliseconds=1)


class MemoryDeskSettings(Settings):
    """Settings of an integration with a desk in memory."""

    desk: str = Field(description="ID of the desk that gets the tickets.")
    token: SecretStr | None = Field(None, description="Token of the desk; it lets everybody in.")
    close_status: str = Field("Done", description="Status of a ticket whose incident is over.")


DeskIntegration: TypeAlias = Integration[MemoryDeskSettings]
#: One whose set-up may be unfinished.
AnyDeskIntegration: TypeAlias = Integration[MemoryDeskSettings | None]


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


class MemoryDesk(InMemory):
    """A helpdesk whose tickets are plain attributes.

    desk = MemoryDesk(clock)
    plugins = load_plugins(entry_points=[desk.entry_point()])
    ...
    desk.edit("1", title="Seen to")               # as an agent
    desk.comment("1", "On our way")
    request = desk.signed(desk.told[-1], secret)  # the webhook that tells of it
    """

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
        headers = {SIGNATURE: _signature(secret, body)}
        return InboundRequest(headers=headers, body=body, received_at=self.clock.now())

    # What the connector calls

    @hookimpl
    def describe_plugin(self) -> PluginInfo:
        """Say who this is; a link keeps the desk that its ticket was opened at."""
        return PluginInfo(
            name=self.name,
            title=self.title,
            settings=MemoryDeskSettings,
            webhook_route=self.name,
            link_settings=frozenset({"desk"}),
            place_settings=frozenset({"desk"}),
            times_are_exact=self.times_are_exact,
            unchangeable=self.unchangeable,
            signature_headers=frozenset({SIGNATURE}),
        )

    @hookimpl
    def authorize(self, integration: AnyDeskIntegration, request: AuthorizationRequest) -> Redirect | Grant:
        """Send people away with the state that they have to bring back, and take whoever comes."""
        if isinstance(request, AuthorizationRenewal):
            return request.grant
        if isinstance(request, AuthorizationStart):
            return Redirect(url=f"{self.url}/consent?state={request.state}")
        return Grant(headers={}, account_id="1", account_name=f"{self.title} Agent")

    @hookimpl
    def configure_steps(self, integration: AnyDeskIntegration) -> Sequence[SetupStep]:
        """Ask for the desk, from a list that is fetched when it is shown, and for two secrets that are optional."""
        desk = SetupField("desk", "Desk", "It gets the tickets.", FieldKind.CHOICE, load=self._choices)
        token = SetupField("token", "Token", "The desk's own.", FieldKind.SECRET, required=False)
        secret = SetupField(
            WEBHOOK_SECRET, "Webhook Secret", "It signs.", FieldKind.SECRET, required=False, generate=make_secret
        )
        return (
            SetupStep("desk", "Select Desk", "One of them.", (desk,)),
            SetupStep("token", "Token", "Where the desk asks for one.", (token,), optional=True),
            SetupStep("webhook", "Webhook", "The desk then tells of changes.", (secret,), optional=True),
        )

    @hookimpl
    @recorded
    def check_integration(self, integration: DeskIntegration) -> Sequence[Finding]:
        """Look whether the desk is there."""
        if integration.settings.desk in self.desks:
            return [Finding(code="desk", severity=Severity.OK, title="The desk is there")]
        return [Finding(code="desk", severity=Severity.PROBLEM, title="The desk is gone", fix="Choose another.")]

    @hookimpl
    @recorded
    def on_incident_event(self, integration: DeskIntegration, change: IncidentChange) -> Receipt | NotCreated:
        """Create, find, change or close a ticket.

        A look for a lost create goes by the marker only, and creates nothing. A change is written to the ticket that
        is named; twice the same change leaves it as once. Each looks first, and leaves alone what somebody finished.
        """
        match change:
            case CreateTicket():
                return self._create(change)
            case FindTicket():
                return self._found(change)
            case WriteFields():
                return self._edit(change)
            case CloseTicket():
                return self._close(change, integration.settings.close_status)

    @hookimpl
    @recorded
    def fetch_tickets(
        self, integration: DeskIntegration, query: TicketQuery
    ) -> Sequence[TicketSnapshot | UnreadableTicket]:
        """Show the tickets that are asked for and can be seen; a missing one means that it is gone."""
        found = self._list(query.changed_since)
        return found if self.finds_everything else [ticket for ticket in found if ticket.id in query.ids]

    @hookimpl
    @recorded
    def find_tickets(self, integration: DeskIntegration, names: Sequence[str]) -> Mapping[str, FoundTicket]:
        """Show the tickets that people call by an id, a key or an address."""
        every = [ticket for ticket in self.tickets.values() if not ticket.hidden]
        called = {name: one for one in every for name in (one.shown.id, one.shown.key, one.shown.url) if name}
        return {name: _whose(called[name]) for name in names if name in called}

    @hookimpl
    @recorded
    def mark_ticket(self, integration: DeskIntegration, mark: MarkTicket) -> MarkedTicket:
        """Note on a ticket of somebody's whose it is; nothing of what people see changes."""
        ticket = self._visible(mark.ticket.id)
        ticket.marker, ticket.incident_id = mark.marker, mark.incident.id
        return MarkedTicket()

    @hookimpl
    @recorded
    def list_marked(self, integration: DeskIntegration, cursor: str | None) -> MarkedTickets:
        """Show the tickets with a mark, a few at a time, from the oldest on."""
        start = int(cursor or 0)
        some = list(self.tickets.values())[start : start + self.page]
        marked = tuple(_whose(one) for one in some if one.marker and not one.hidden)
        following = str(start + self.page) if start + self.page < len(self.tickets) else None
        return MarkedTickets(tickets=marked, seen=len(some), cursor=following)

    @hookimpl
    @recorded
    def write_comment(self, integration: DeskIntegration, draft: CommentDraft) -> WrittenComment | NotCreated:
        """Write a comment with its marker, or look for one with it; only a public draft is seen by customers."""
        ticket = self._visible(draft.ticket.id)
        if isinstance(draft, FindComment):
            known = (one for one in ticket.comments if one.draft is not None and one.draft.marker == draft.marker)
            found = next(known, None)
            return NotCreated() if found is None else WrittenComment(id=found.shown.id)
        text = f"{draft.comment.author} on {draft.platform}: {draft.comment.text}"
        written = self._commented(ticket, text, author="Connector", internal=not draft.public, draft=draft)
        return WrittenComment(id=written.shown.id)

    @hookimpl
    @recorded
    def fetch_comments(
        self, integration: DeskIntegration, ticket: TicketSnapshot, since: datetime
    ) -> Sequence[TicketComment]:
        """Show a ticket's comments since a time, the oldest first, and which of them the connector wrote."""
        shown = [comment.shown for comment in self._visible(ticket.id).comments]
        return [comment for comment in shown if comment.created_at >= since or self.finds_everything]

    @hookimpl
    def find_signature(self, request: InboundRequest) -> Signature:
        """Say who may have sent a request."""
        given = request.headers.get(SIGNATURE, "").encode("utf-8", "replace")
        return Signature(is_by=partial(_is_by, given, request.body), is_given=bool(given))

    @hookimpl
    def on_inbound_webhook(self, integration: AnyDeskIntegration, request: InboundRequest) -> Delivery | None:
        """Compare the signature of the exact bytes with each secret, in constant time; only then read them."""
        given = request.headers.get(SIGNATURE, "").encode("utf-8", "replace")
        for position, secret in enumerate(integration.webhook_secrets):
            if _is_by(given, request.body, secret):
                return _read(request.body).model_copy(update={"signed_by": position})
        return None

    # Inside the desk

    def _choices(self) -> list[Choice]:
        return [Choice(number, label) for number, label in self.desks.items()]

    def _create(self, change: CreateTicket) -> Receipt:
        ticket = self._opened(self._values(change.incident, ["title", "description", "priority"]), change.marker)
        ticket.incident_id = change.incident.id
        return Receipt(ticket=ticket.made)  # what was sent and taken is known, although it may not be shown

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

    def _found(self, change: FindTicket) -> Receipt | NotCreated:
        found = self._search(change.marker)
        if found is None:
            return NotCreated()
        made = found.made
        if change.of_earlier_life:  # what it was made of is forgotten there: as it would be made today
            made = made.model_copy(update=self._values(change.incident, ["title", "description", "priority"]))
        return Receipt(ticket=found.shown, as_created=made)

    def _edit(self, change: WriteFields) -> Receipt:
        seen = self._visible(change.ticket.id)
        if self._is_finished(seen):
            return Receipt(ticket=seen.shown, untouched=True, note="It was done already.")
        if self.is_careful and self._differs(seen, change):
            raise TicketChanged(seen.shown)
        new = self._values(change.incident, [name.value for name in change.fields])
        was_cut = "title" in new and new["title"] != change.incident.title
        as_written = frozenset({FieldName.TITLE} if was_cut else ())
        ours = self._write(change.ticket, new)
        if self.interruptions:
            self.interruptions.pop(0)()
        now = self._visible(change.ticket.id).shown
        return Receipt(ticket=ours, since=None if now == ours else now, as_written=as_written)

    def _close(self, change: CloseTicket, status: str) -> Receipt:
        seen = self._visible(change.ticket.id)
        if self._is_finished(seen):
            return Receipt(ticket=seen.shown, note="It was done already.")
        if self.is_careful and self._differs(seen, change):
            raise TicketChanged(seen.shown)
        return Receipt(ticket=self._write(change.ticket, {"done": True, "status": status}))

    def _search(self, marker: str) -> MemoryTicket | None:
        fits = self.finds_everything
        return next((one for one in self.tickets.values() if (one.marker == marker or fits) and not one.hidden), None)

    def _list(self, since: datetime | None) -> list[TicketSnapshot]:
        visible = [ticket.shown for ticket in self.tickets.values() if not ticket.hidden]
        if since is None or self.finds_everything:
            return visible
        known_until = self.clock.now() - self.index_lag
        return [one for one in visible if one.updated is None or since <= one.updated <= known_until]

    def _write(self, known: TicketSnapshot, new: dict[str, object]) -> TicketSnapshot:
        return self._changed(self._visible(known.id), new)

    def _visible(self, ticket_id: str) -> MemoryTicket:
        ticket = self.tickets.get(ticket_id)
        if ticket is None or ticket.hidden:
            raise TicketGone("The ticket is not there, or may not be seen.")
        return ticket

    def _differs(self, seen: MemoryTicket, change: WriteFields | CloseTicket) -> bool:
        names = change.fields if isinstance(change, WriteFields) else {FieldName.STATUS}
        return any(getattr(seen.shown, name) != getattr(change.ticket, name) for name in names)

    def _is_finished(self, ticket: MemoryTicket) -> bool:
        return ticket.whole.done

    def _values(self, incident: Incident, names: Sequence[str]) -> dict[str, object]:
        """Return an incident's values as the desk takes them: titles have a longest length."""
        values: dict[str, object] = {name: getattr(incident, name) for name in names}
        if "title" in values:
            values["title"] = incident.title[: self.longest_title]
        return values

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


def _whose(ticket: MemoryTicket) -> FoundTicket:
    return FoundTicket(ticket=ticket.shown, marker=ticket.marker, incident_id=ticket.incident_id)


def without(whole: TicketSnapshot, unshown: frozenset[FieldName]) -> TicketSnapshot:
    """Return what is shown of a ticket where some fields are hidden: they are not told."""
    if not unshown:
        return whole
    blank = {name: TicketSnapshot.model_fields[name].default for one in unshown for name in SHOWN_AS[one]}
    return whole.model_copy(update={**blank, "unknown": unshown})


def _is_by(given: bytes, body: bytes, secret: SecretStr) -> bool:
    key = secret.get_secret_value()
    return bool(key) and hmac.compare_digest(_signature(key, body).encode(), given)


def _signature(secret: str, body: bytes) -> str:
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


def _read(body: bytes) -> Delivery:
    try:
        return Delivery.model_validate_json(body)
    except ValidationError as exc:
        raise WebhookRejected("authentic, but not readable", status=422, reply="not a delivery") from exc
