"""Tickets: creating and finding them, and writing an incident's changes to them, never over a person's unseen."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import connector_core as core
from connector_core.kit.answers import Conflict, FieldsRefused, Subject
from connector_core.kit.closing import close_once
from connector_core.kit.creating import AnyCreate, as_sent, certain, create_once
from connector_core.kit.details import Details
from connector_core.kit.editing import Refused, Written, write_fields
from connector_core.kit.rest import segment
from connector_core.kit.signing import name_of
from connector_core.kit.texts import one_line
from connector_core.kit.values import Json, sentence, unreadable, value_at, whole
from connector_request_tracker.api import PAGES, is_number, quoted, rest_of, search
from connector_request_tracker.settings import DO_NOT_CLOSE, Tracker
from connector_request_tracker.tickets import DELETED, following, is_marked, snapshot

LONGEST_SUBJECT = 200
# A call that we gave up may still arrive; nothing lags in a search.
SETTLE_S = 60.0
DETAILS = Details()
_NAMES = {core.FieldName.TITLE: "Subject", core.FieldName.PRIORITY: "Priority"}
_NEVER = "Request Tracker lets nobody change the first message of a ticket."
_ALWAYS = "Tickets in Request Tracker always have a priority."


@core.implements(core.hookspecs.on_incident_event)
def write_change(integration: Tracker, change: core.IncidentChange) -> core.Receipt | core.NotCreated:
    """Create a ticket, look for one, change or close it."""
    if isinstance(change, AnyCreate):
        return create_once(
            change,
            make=lambda: _create(integration, change.incident, change.marker),
            find=lambda: _marked(integration, change.marker),
            settle_s=SETTLE_S,
            as_created=lambda found: _as_sent(integration, found, change.incident),
        )
    ticket = Ticket(integration, change.ticket)
    if isinstance(change, core.WriteFields):
        every = _values(integration, change.incident)
        return write_fields(change, read=ticket.read, write=ticket.write, values=every)
    status = integration.settings.close_status
    return close_once(
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
    shown: Json = field(default_factory=dict)
    etag: str = ""
    path = property(lambda self: f"/ticket/{segment(self.known.id)}")

    def read(self) -> core.TicketSnapshot:
        """Read it anew.

        Raises:
            core.TicketGone: it is hidden, deleted, or merged into another one, which its number leads to.
        """
        reply = rest_of(self.integration).call("GET", self.path, about=Subject.TICKET)
        self.shown, self.etag = whole(reply.body), reply.etag
        read = certain(snapshot(self.integration, self.shown))
        if read.id != self.known.id or read.status == DELETED:
            raise core.TicketGone("The ticket was deleted, or merged into another one.")
        return read.over(self.known)

    def write(self, values: Mapping[core.FieldName, object]) -> Written:
        """Write fields; return the ticket as it is then, and what somebody made of them behind that.

        Raises:
            FieldsRefused: some are as they were.
        """
        after, refused, behind = self._put({_NAMES[name]: value for name, value in values.items()})
        if refused:
            of = {name.value: refused[_NAMES[name]] for name in values if _NAMES[name] in refused}
            raise FieldsRefused(f"Request Tracker refused it: {' '.join(set(refused.values()))}", of)
        return Written(after, behind=frozenset(name for name in values if _NAMES[name] in behind))

    def close(self, status: str) -> core.TicketSnapshot:
        """Give it a status that its lifecycle lets follow; return the ticket as it is then."""
        if status not in (may_follow := following(self.shown)):
            offered = ", ".join(may_follow) or "no other status"
            raise core.RemoteError(
                f"A ticket that is {self.shown.get('Status')} cannot become {status}; what may follow: {offered}.",
                code="status_unreachable",
                fix=f"Move the ticket on in Request Tracker until {status} may follow, or finish it there; then retry.",
            )
        after, refused, behind = self._put({"Status": status})
        if refused:
            said = refused["Status"]
            raise core.RemoteError(f"Request Tracker did not close the ticket. It says: {said}", code="close_refused")
        # What somebody made of it by then is left to the next look: theirs would be taken for what became of ours.
        return certain(snapshot(self.integration, {**self.shown, "Status": status})).over(after) if behind else after

    def _put(self, values: Mapping[str, object]) -> tuple[core.TicketSnapshot, Mapping[str, str], set[str]]:
        """Write values to the version that was read; return the ticket, why some were not taken, what others changed.

        The status of the answer says nothing, so it is read back.

        Raises:
            core.TicketChanged: somebody was faster, if only with a comment.
        """
        before, version = self.shown, self.etag
        try:
            answer = rest_of(self.integration).put(self.path, values, headers={"If-Match": version} if version else {})
        except Conflict as exc:
            raise core.TicketChanged(self.read()) from exc
        after = self.read()
        others = {name for name, value in values.items() if str(self.shown.get(name)) != str(value)}
        if not others:
            return after, {}, set()
        said = " ".join(filter(None, map(sentence, answer if isinstance(answer, list) else [])))
        changes = Counter(self._changed_since(version, before))
        refused = {name: said or "Request Tracker gives no reason." for name in others if not changes[name]}
        return after, refused, {name for name in others if changes[name] > 1}

    def _changed_since(self, version: str, before: Json) -> Iterator[str]:
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
    links = [mark_of(marker), *([incident.url] if incident.url else [])]
    body: dict[str, object] = {"Queue": integration.settings.queue, "RefersTo": links}
    body |= {"Content": DETAILS.write(incident, marker), "ContentType": "text/plain"}
    values = _values(integration, incident)
    body |= {its: values[name] for name, its in _NAMES.items() if not isinstance(values[name], Refused)}
    number = name_of(value_at(rest_of(integration).post("/ticket", body), "id"))
    if not is_number(number):
        raise unreadable(outcome_unknown=True)
    made = _as_sent(integration, core.TicketSnapshot(id=number, key=f"#{number}"), incident)
    ticket = Ticket(integration, made)
    try:
        read = ticket.read()
    except core.ConnectorError as exc:
        integration.log.info("new_ticket_unread", ticket=number, code=exc.code)
        return core.Receipt(ticket=made, note=f"It could not be read: {exc.message}")
    lack = "" if is_marked(ticket.shown, links[0]) else "Request Tracker did not take the links of the ticket."
    return core.Receipt(ticket=read, note=lack)


def _marked(integration: Tracker, marker: str) -> Iterator[core.TicketSnapshot | core.UnreadableTicket]:
    """Find the tickets that carry a marker; each is read, since a search may find what it was not asked for."""
    mark = mark_of(marker)
    for found in search(integration, f"RefersTo = {quoted(mark)}"):
        read = snapshot(integration, found)
        is_there = isinstance(read, core.UnreadableTicket)
        if is_there or is_marked(rest_of(integration).get(f"/ticket/{segment(read.id)}", about=Subject.TICKET), mark):
            yield read


def _as_sent(integration: Tracker, ticket: core.TicketSnapshot, incident: core.Incident) -> core.TicketSnapshot:
    """Return a ticket with what was sent to create it."""
    sent = as_sent(ticket, incident, title=one_line(incident.title, LONGEST_SUBJECT), details=DETAILS)
    number = integration.settings.priorities.theirs(incident.priority)
    shown = {} if number is None else {"priority_name": str(number)}
    return sent.model_copy(update={**shown, "status": "" if ticket.done else ticket.status, "unknown": frozenset()})


def _values(integration: Tracker, incident: core.Incident) -> dict[core.FieldName, object | Refused]:
    """Return the fields as Request Tracker takes them; a priority is a number, for it would store any word."""
    number = integration.settings.priorities.theirs(incident.priority)
    return {
        core.FieldName.TITLE: one_line(incident.title, LONGEST_SUBJECT),
        core.FieldName.DESCRIPTION: Refused(_NEVER),
        core.FieldName.PRIORITY: Refused(_ALWAYS) if number is None else number,
    }


def mark_of(marker: str) -> str:
    """Return what a ticket refers to, to be found again by: always the same, wherever incident and connector move."""
    return f"urn:connector:{marker}"
