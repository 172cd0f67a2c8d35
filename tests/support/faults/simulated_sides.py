"""Both sides of the connector as small models: a helpdesk and a platform with people, lag, and clocks of their own.

Each is also the plugin that reaches it. Whatever it does for the connector, `world.inside` decides what goes wrong
around it and what else happens meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from connector_core import (
    Comment,
    CommentOutcome,
    Delivery,
    EventType,
    FieldName,
    Incident,
    IncidentEvent,
    IncidentStatus,
    NotCreated,
    Priority,
    Receipt,
    RetryLater,
    TicketComment,
    TicketGone,
    TicketSnapshot,
    UpdateOutcome,
    WrittenComment,
)
from connector_core.models import SHOWN_AS

HIDEABLE = (FieldName.PRIORITY, FieldName.DESCRIPTION)
LONGEST_TITLE = 12
SETTLE_S = 120.0
MILLISECOND = timedelta(milliseconds=1)


@dataclass
class Ticket:
    """A ticket as the helpdesk has it."""

    number: int
    marker: str
    title: str
    description: str | None
    priority: Priority | None
    done: bool
    made: datetime
    updated: datetime
    reopened: bool = False
    hidden: bool = False
    unshown: frozenset[FieldName] = frozenset()
    ended_by: str = ""

    def shown(self):
        """Return what the helpdesk shows of it; fields that it hides are not told."""
        whole = self.whole()
        blank = {name: TicketSnapshot.model_fields[name].default for one in self.unshown for name in SHOWN_AS[one]}
        return whole.model_copy(update={**blank, "unknown": self.unshown}) if self.unshown else whole

    def whole(self):
        """Return all that there is of it."""
        return TicketSnapshot(
            id=str(self.number),
            key=f"T-{self.number}",
            title=self.title,
            description=self.description,
            priority=self.priority,
            status="Done" if self.done else "Open",
            done=self.done,
            updated=self.updated,
        )


@dataclass(frozen=True)
class Said:
    """A comment on a ticket; one that the connector wrote has its marker, and the platform's name for it."""

    id: str
    created: datetime
    internal: bool = False
    marker: str = ""
    origin: str = ""


@dataclass
class Desk:
    """The helpdesk and its plugin; `outbox` holds the webhooks that are on their way."""

    world: object
    name: str
    skew: timedelta
    lag_s: float
    tickets: dict[int, Ticket] = field(default_factory=dict)
    outbox: list[Delivery] = field(default_factory=list)
    comments: dict[int, list[Said]] = field(default_factory=dict)
    had: dict[int, list[Ticket]] = field(default_factory=dict)
    writes: int = 0
    idle_writes: int = 0
    overwritten: int = 0
    reopened_by_us: int = 0
    unshown: frozenset[FieldName] = frozenset()

    def implements(self, hook):
        """Have every ability but to tell of moved and missing tickets, and of histories."""
        return hook not in {"explain_absence", "check_ticket", "when_changed"}

    def call(self, hook, **arguments):
        """Be called as a plugin."""
        if hook == "on_incident_event":
            return self._carry(arguments["change"])
        if hook == "write_comment":
            return self._write_comment(arguments["draft"])
        if hook == "fetch_comments":
            return self._fetch_comments(int(arguments["ticket"].id), arguments["since"])
        return self._fetch(arguments["query"])

    # What people do

    def edit(self, number, **fields):
        """Change fields as an agent."""
        ticket = self.tickets[number]
        if fields.get("done") is False and ticket.done:
            fields["reopened"] = True
        if "done" in fields:
            fields["ended_by"] = "an agent" if fields["done"] else ""
        self.tickets[number] = replace(ticket, **fields)
        self._touch(number)

    def comment(self, number, *, internal=False, marker="", origin=""):
        """Write a comment, as an agent if it has no marker."""
        said = Said(self.world.new_id("c"), self._now(), internal, marker, origin)
        self.comments.setdefault(number, []).append(said)
        self._touch(number, said)
        return said

    def hide(self, unshown):
        """Hide these fields of all tickets, as an administrator; nobody is told."""
        self.unshown = unshown
        for ticket in self.tickets.values():
            ticket.unshown = unshown

    # What the connector asks for

    def _write_comment(self, draft):
        with self.world.inside(self.name) as call:
            number = int(draft.ticket.id)
            if self.tickets[number].hidden:
                raise TicketGone("It is not there.")
            known = next((one for one in self.comments.get(number, ()) if one.marker == draft.marker), None)
            if draft.attempted_at is None:
                known = self.comment(number, marker=draft.marker, origin=draft.comment.id)
                self.world.say(f"  {self.name} T-{number} commented by the connector: {draft.comment.id}")
            elif known is None:
                return NotCreated()
            return call.answered(WrittenComment(id=known.id))

    def _fetch_comments(self, number, since):
        with self.world.inside(self.name) as call:
            if self.tickets[number].hidden:
                raise TicketGone("It is not there.")
            return call.answered(
                [
                    TicketComment(
                        id=one.id,
                        author="Ben",
                        text="words",
                        created_at=one.created,
                        internal=one.internal,
                        own=bool(one.marker),
                    )
                    for one in self.comments.get(number, ())
                    if one.created >= since
                ]
            )

    def _carry(self, change):
        with self.world.inside(self.name) as call:
            if change.type is EventType.OPENED:
                return self._find(change) if change.attempted_at else call.answered(self._create(change))
            number = int(change.ticket.id)
            if change.type is EventType.RESOLVED:
                return call.answered(self._close(number, change.ticket))
            new = {name.value: getattr(change.incident, name.value) for name in change.fields}
            if "title" in new:
                new["title"] = new["title"][:LONGEST_TITLE]
            return call.answered(self._write(number, new, change.ticket))

    def _close(self, number, known):
        """Look where the ticket is; what somebody finished is not touched."""
        if self.tickets[number].done and not self.tickets[number].hidden:
            return Receipt(ticket=self.tickets[number].shown(), note="It was done already.")
        return self._write(number, {"done": True, "ended_by": "the connector"}, known)

    def _create(self, change):
        now, number = self._now(), len(self.tickets) + 1
        incident = change.incident
        self.tickets[number] = Ticket(
            number,
            change.marker,
            incident.title[:LONGEST_TITLE],
            incident.description,
            incident.priority,
            done=False,
            made=self.world.clock.true_time(),
            updated=now,
            unshown=self.unshown,
        )
        self._tell(number)
        self.world.say(f"  {self.name} T-{number} made for {incident.id}: {incident.title!r}")
        # What was sent and taken is known, although it may not be shown.
        return Receipt(ticket=self.tickets[number].whole())

    def _find(self, change):
        for ticket in self.tickets.values():
            age_s = (self.world.clock.true_time() - ticket.made).total_seconds()
            if ticket.marker == change.marker and age_s >= self.lag_s and not ticket.hidden:
                sent = {
                    "title": change.incident.title[:LONGEST_TITLE],
                    "description": change.incident.description,
                    "priority": change.incident.priority,
                    "done": False,
                }
                shown = ticket.shown()
                return Receipt(ticket=shown, as_created=ticket.whole().model_copy(update=sent))
        remaining_s = SETTLE_S - change.attempt_age_s
        if remaining_s > 0:
            raise RetryLater("It is being looked for.", after_s=min(15.0, remaining_s), code="looking")
        return NotCreated()

    def _write(self, number, new, known):
        ticket = self.tickets[number]
        if ticket.hidden:
            raise TicketGone("It is not there.")
        self.writes += 1
        changed = {name: value for name, value in new.items() if getattr(ticket, name) != value}
        self.idle_writes += not changed and known == ticket.shown()
        self.overwritten += ticket.done and "done" in new
        self.reopened_by_us += changed.get("done") is False
        self.tickets[number] = replace(ticket, **changed)
        self._touch(number)
        self.world.say(f"  {self.name} T-{number} written by the connector: {new}")
        return Receipt(ticket=self.tickets[number].shown())

    def _fetch(self, query):
        with self.world.inside(self.name) as call:
            found = [t for t in self.tickets.values() if str(t.number) in query.ids and not t.hidden]
            if query.changed_since is not None:
                horizon = self._now() - timedelta(seconds=self.lag_s)
                found = [ticket for ticket in found if ticket.updated <= horizon]
            return call.answered([ticket.shown() for ticket in found])

    def _now(self):
        return self.world.clock.true_time() + self.skew

    def _touch(self, number, said=None):
        ticket = self.tickets[number]
        self.tickets[number] = replace(ticket, updated=max(self._now(), ticket.updated + MILLISECOND))
        self._tell(number, said)

    def _tell(self, number, said=None):
        self.had.setdefault(number, []).append(self.tickets[number])
        commented = {} if said is None else {str(number): frozenset({said.id})}
        shown = (self.tickets[number].shown(),)
        self.outbox.append(
            Delivery(id=self.world.new_id("d"), event="issue_updated", tickets=shown, commented=commented)
        )


@dataclass
class Platform:
    """The incident platform and its plugin; `outbox` holds the events that were not acknowledged yet."""

    world: object
    skew: timedelta
    tells_own_changes: bool
    tells_times: bool
    name: str = "platform"
    incidents: dict[str, Incident] = field(default_factory=dict)
    outbox: list[IncidentEvent] = field(default_factory=list)
    answers: dict[str, datetime] = field(default_factory=dict)
    comments: dict[str, list[str]] = field(default_factory=dict)
    described: set[str] = field(default_factory=set)
    taken: list[tuple[str, str, object]] = field(default_factory=list)
    reopened: set[str] = field(default_factory=set)
    writes: int = 0
    idle_writes: int = 0
    reopened_by_us: int = 0

    def implements(self, hook):
        """Have every ability but to tell of moved and missing tickets."""
        return hook not in {"explain_absence", "check_ticket"}

    def call(self, _, **arguments):
        """Be called as a plugin."""
        return self._apply(arguments["update"])

    # What people and devices do

    def open(self, title, priority):
        """Open an incident."""
        name = f"inc-{len(self.incidents) + 1}"
        now = self._now()
        self.incidents[name] = Incident(
            id=name, title=title, description="as opened", priority=priority, opened_at=now, updated_at=now
        )
        self._tell(name, EventType.OPENED)
        return name

    def change(self, name, **fields):
        """Change an incident as a person."""
        before = self.incidents[name]
        if "description" in fields:
            self.described.add(name)
        if fields.get("status") is IncidentStatus.ACTIVE and before.status is IncidentStatus.CLOSED:
            self.reopened.add(name)
        self._change(name, fields)
        self._tell(name, self._kind(name))

    def comment(self, name):
        """Comment on an incident as a person; return the comment's id."""
        comment = self.world.new_id("p")
        self._keep(name, comment)
        return comment

    def _keep(self, name, comment, *, told=True):
        self.comments.setdefault(name, []).append(comment)
        if told:
            self._tell(name, EventType.COMMENTED, comment)

    # What the connector asks for

    def _apply(self, update):
        with self.world.inside("platform") as call:
            if update.comment is not None:
                if update.idempotency_key not in self.answers:
                    self._keep(update.incident_id, update.comment.id, told=self.tells_own_changes)
                    self.world.say(f"  {update.incident_id} commented by the connector: {update.comment.id}")
                    self.answers[update.idempotency_key] = self._now()
                return call.answered(UpdateOutcome(comment=CommentOutcome()))
            if update.idempotency_key not in self.answers:
                new = {name.value: getattr(update, name.value) for name in update.fields - {FieldName.STATUS}}
                if update.close:
                    new["status"] = IncidentStatus.CLOSED
                before = self.incidents[update.incident_id]
                changed = {name: value for name, value in new.items() if getattr(before, name) != value}
                self.writes += 1
                self.taken += [(update.incident_id, name, value) for name, value in changed.items() if name != "status"]
                self.idle_writes += not changed and self.world.known_incident(update.incident_id) == before
                self._change(update.incident_id, new)
                self.world.say(f"  {update.incident_id} written by the connector: {new}")
                self.answers[update.idempotency_key] = self.incidents[update.incident_id].updated_at
                if self.tells_own_changes:
                    self._tell(update.incident_id, self._kind(update.incident_id))
            applied_at = self.answers[update.idempotency_key] if self.tells_times else None
            return call.answered(UpdateOutcome(applied_at=applied_at))

    def _kind(self, name):
        return EventType.RESOLVED if self.incidents[name].status is IncidentStatus.CLOSED else EventType.UPDATED

    def _change(self, name, fields):
        before = self.incidents[name]
        at = max(self._now(), before.updated_at + MILLISECOND)
        self.incidents[name] = before.model_copy(update={**fields, "updated_at": at})

    def _tell(self, name, kind, comment=None):
        incident = self.incidents[name]
        words = None
        if comment is not None:
            words = Comment(id=comment, author="Ada", text="words", created_at=incident.updated_at)
        self.outbox.append(
            IncidentEvent(
                id=self.world.new_id("e"),
                type=kind,
                occurred_at=incident.updated_at,
                incident=incident,
                comment=words,
            )
        )

    def _now(self):
        return self.world.clock.true_time() + self.skew
