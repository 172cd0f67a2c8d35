"""The plugin of a helpdesk in memory: what a correct ticketing plugin does, without a vendor.

Whoever writes a plugin finds each hook here with what the core relies on; what stands in for the vendor is in
`memory_tickets.py`.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TypeAlias

from pydantic import Field, SecretStr, ValidationError

from connector_core import (
    WEBHOOK_SECRET,
    AuthorizationRenewal,
    AuthorizationRequest,
    AuthorizationStart,
    Choice,
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
    WriteFields,
    WrittenComment,
    hookimpl,
    make_secret,
)
from connector_core.testing.in_memory import recorded
from connector_core.testing.memory_tickets import SIGNATURE, MemoryTicket, MemoryTickets, signature


class MemoryDeskSettings(Settings):
    """Settings of an integration with a desk in memory."""

    desk: str = Field(description="ID of the desk that gets the tickets.")
    token: SecretStr | None = Field(None, description="Token of the desk; it lets everybody in.")
    close_status: str = Field("Done", description="Status of a ticket whose incident is over.")


DeskIntegration: TypeAlias = Integration[MemoryDeskSettings]
#: One whose set-up may be unfinished.
AnyDeskIntegration: TypeAlias = Integration[MemoryDeskSettings | None]


class MemoryDesk(MemoryTickets):
    """A helpdesk whose tickets are plain attributes.

    desk = MemoryDesk(clock)
    plugins = load_plugins(entry_points=[desk.entry_point()])
    ...
    desk.edit("1", title="Seen to")               # as an agent
    desk.comment("1", "On our way")
    request = desk.signed(desk.told[-1], secret)  # the webhook that tells of it
    """

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


def _whose(ticket: MemoryTicket) -> FoundTicket:
    return FoundTicket(ticket=ticket.shown, marker=ticket.marker, incident_id=ticket.incident_id)


def _is_by(given: bytes, body: bytes, secret: SecretStr) -> bool:
    key = secret.get_secret_value()
    return bool(key) and hmac.compare_digest(signature(key, body).encode(), given)


def _read(body: bytes) -> Delivery:
    try:
        return Delivery.model_validate_json(body)
    except ValidationError as exc:
        raise WebhookRejected("authentic, but not readable", status=422, reply="not a delivery") from exc
