"""Tickets: creating and finding them, and writing an incident's changes to them, never over a person's unseen."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import connector_core as core
from connector_core.kit import answers, closing, creating, details, editing, values
from connector_core.kit.editing import Refused
from connector_core.kit.rest import segment
from connector_core.kit.signing import name_of
from connector_core.kit.texts import one_line
from connector_request_tracker.api import PAGES, is_number, quoted, rest_of, search
from connector_request_tracker.settings import DO_NOT_CLOSE, Tracker
from connector_request_tracker.tickets import DELETED, MARK, following, references, snapshot

LONGEST_SUBJECT = 200
# A call that we gave up may still arrive; nothing lags in a search.
SETTLE_S = 60.0
DETAILS = details.Details()
_NAMES = {core.FieldName.TITLE: "Subject", core.FieldName.PRIORITY: "Priority", core.FieldName.STATUS: "Status"}
_NEVER = Refused("Request Tracker lets nobody change the first message of a ticket.")
_ALWAYS = Refused("Tickets in Request Tracker always have a priority.")


@core.implements(core.hookspecs.on_incident_event)
def write_change(integration: Tracker, change: core.IncidentChange) -> core.Receipt | core.NotCreated:
    """Create a ticket, look for one, change or close it."""
    if isinstance(change, creating.AnyCreate):
        return creating.create_once(
            change,
            make=lambda: _create(integration, change.incident, change.marker),
            find=lambda: _marked(integration, change.marker),
            settle_s=SETTLE_S,
            as_created=lambda found: _as_sent(integration, found, change.incident),
        )
    ticket, status = Ticket(integration, change.ticket), integration.settings.close_status
    if isinstance(change, core.WriteFields):
        every = _values(integration, change.incident)
        return editing.write_fields(change, read=ticket.read, write=ticket.write, values=every)
    return closing.close_once(
        change,
        read=ticket.read,
        write=lambda _: ticket.close(status),
        is_over=lambda shown: shown.done or shown.status == status,
        keeps_open=status == DO_NOT_CLOSE,
    )


@dataclass
class Ticket:
    """A ticket at the version that was last read: what is written then is written to that one only."""

    integration: Tracker
    known: core.TicketSnapshot
    shown: values.Json = field(default_factory=dict)
    etag: str = ""
    path = property(lambda self: f"/ticket/{segment(self.known.id)}")

    def read(self) -> core.TicketSnapshot:
        """Read it anew.

        Raises:
            core.TicketGone: it is hidden, deleted, or merged into another one, which its number leads to.
        """
        reply = rest_of(self.integration).call("GET", self.path, about=answers.Subject.TICKET)
        self.shown, self.etag = values.whole(reply.body), reply.etag
        read = creating.certain(snapshot(self.integration, self.shown))
        if read.id != self.known.id or read.status == DELETED:
            raise core.TicketGone("The ticket was deleted, or merged into another one.")
        return read.over(self.known)

    def write(self, fields: Mapping[core.FieldName, object]) -> editing.Written:
        """Write fields to the version that was read; return the ticket, and what somebody made of them behind that.

        The status of the answer says nothing, so it is read back.

        Raises:
            core.TicketChanged: somebody was faster, if only with a comment.
            FieldsRefused: some are as they were.
        """
        before, version, sent = self.shown, self.etag, {_NAMES[name]: value for name, value in fields.items()}
        try:
            answer = rest_of(self.integration).put(self.path, sent, headers={"If-Match": version} if version else {})
        except answers.Conflict as exc:
            raise core.TicketChanged(self.read()) from exc
        after = self.read()
        others = [name for name, value in fields.items() if str(self.shown.get(_NAMES[name])) != str(value)]
        changes = Counter(self._changed_since(version, before) if others else ())
        if refused := [name.value for name in others if not changes[_NAMES[name]]]:
            told = " ".join(filter(None, map(values.sentence, answer if isinstance(answer, list) else [])))
            said = told or "Request Tracker gives no reason."
            raise answers.FieldsRefused(f"Request Tracker refused it: {said}", dict.fromkeys(refused, said))
        return editing.Written(after, behind=frozenset(name for name in others if changes[_NAMES[name]] > 1))

    def close(self, status: str) -> core.TicketSnapshot:
        """Give it a status that its lifecycle lets follow; return the ticket as it is then."""
        if status not in (may_follow := following(self.shown)):
            offered = ", ".join(may_follow) or "no other status"
            raise core.RemoteError(
                f"A ticket that is {self.shown.get('Status')} cannot become {status}; what may follow: {offered}.",
                code="status_unreachable",
                fix=f"Move the ticket on in Request Tracker until {status} may follow, or finish it there; then retry.",
            )
        try:
            written = self.write({core.FieldName.STATUS: status})
        except answers.FieldsRefused as exc:
            said = f"Request Tracker did not close the ticket. It says: {exc.fields[core.FieldName.STATUS]}"
            raise core.RemoteError(said, code="close_refused") from exc
        # What somebody made of it by then is left to the next look: theirs would be taken for what became of ours.
        ours = {**self.shown, "Status": status} if written.behind else self.shown
        return creating.certain(snapshot(self.integration, ours)).over(written.ticket)

    def _changed_since(self, version: str, before: values.Json) -> Iterator[str]:
        """Yield the name of a field for each time it was changed since a version, which is its last transaction."""
        last = re.search(r"\d+", version)
        if last is None:  # something between us takes it away
            yield from (name for name in self.shown if self.shown[name] != before.get(name))
            return
        query = f"ObjectType = 'RT::Ticket' AND ObjectId = {self.known.id} AND id > {last[0]}"
        params = {"query": query, "fields": "Field"}
        for change in rest_of(self.integration).pages("/transactions", "items", PAGES, params=params):
            yield name_of(change.get("Field"))


def _create(integration: Tracker, incident: core.Incident, marker: str) -> core.Receipt:
    """Create a ticket; what it shows is read once, and is what was sent where that fails: it is there, after all."""
    links, fields = [MARK + marker, *filter(None, [incident.url])], _values(integration, incident)
    body: dict[str, object] = {
        "Queue": integration.settings.queue,
        "RefersTo": links,
        "Content": DETAILS.write(incident, marker),
    }
    body |= {"ContentType": "text/plain"}
    body |= {_NAMES[name]: value for name, value in fields.items() if not isinstance(value, Refused)}
    number = name_of(values.value_at(rest_of(integration).post("/ticket", body), "id"))
    if not is_number(number):
        raise values.unreadable(outcome_unknown=True)
    ticket = Ticket(integration, _as_sent(integration, core.TicketSnapshot(id=number, key=f"#{number}"), incident))
    try:
        read = ticket.read()
    except core.ConnectorError as exc:
        integration.log.info("new_ticket_unread", ticket=number, code=exc.code)
        return core.Receipt(ticket=ticket.known, note=f"It could not be read: {exc.message}")
    lack = "" if links[0] in references(ticket.shown) else "Request Tracker did not take the links of the ticket."
    return core.Receipt(ticket=read, note=lack)


def _marked(integration: Tracker, marker: str) -> Iterator[core.TicketSnapshot | core.UnreadableTicket]:
    """Find the tickets that carry a marker; each is read, since a search may find what it was not asked for."""
    for found in search(integration, f"RefersTo = {quoted(MARK + marker)}"):
        read = snapshot(integration, found)
        is_ours = isinstance(read, core.UnreadableTicket) or MARK + marker in references(
            rest_of(integration).get(f"/ticket/{segment(read.id)}", about=answers.Subject.TICKET)
        )
        if is_ours:
            yield read


def _as_sent(integration: Tracker, ticket: core.TicketSnapshot, incident: core.Incident) -> core.TicketSnapshot:
    """Return a ticket with what was sent to create it."""
    sent = creating.as_sent(ticket, incident, title=one_line(incident.title, LONGEST_SUBJECT), details=DETAILS)
    number = integration.settings.priorities.theirs(incident.priority)
    shown = {} if number is None else {"priority_name": str(number)}
    return sent.model_copy(update={**shown, "status": "" if ticket.done else ticket.status, "unknown": frozenset()})


def _values(integration: Tracker, incident: core.Incident) -> dict[core.FieldName, object | Refused]:
    """Return the fields as Request Tracker takes them; a priority is a number, for it would store any word."""
    number = integration.settings.priorities.theirs(incident.priority)
    title, priority = one_line(incident.title, LONGEST_SUBJECT), _ALWAYS if number is None else number
    return {core.FieldName.TITLE: title, core.FieldName.DESCRIPTION: _NEVER, core.FieldName.PRIORITY: priority}
