"""A lane from event to agreement: a fake ticketing system and platform, and the real store and synchronizer between."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from types import SimpleNamespace

import structlog

from connector_core import (
    CommentOutcome,
    EventType,
    Incident,
    IncidentEvent,
    NotCreated,
    Priority,
    Receipt,
    RetryLater,
    TicketComment,
    TicketSnapshot,
    UpdateOutcome,
    WrittenComment,
)
from connector_core.backoff import HORIZON_S
from connector_core.breakers import Breakers
from connector_core.meters import Meters
from connector_core.operations import Operations
from connector_core.reconcile import Reconciler
from connector_core.shaping import Shaping
from connector_core.store import Target
from connector_core.sync import Synchronizer


class FakeDesk:
    """A ticketing system and a platform in one; `trouble` is raised by the next calls, one each."""

    name = "fake"

    def __init__(self, clock):
        self.clock = clock
        self.tickets = {}
        self.calls = []
        self.updates = []
        self.trouble = []
        self.unsupported = {}
        self.lose_answer = False
        self.written = []
        self.comments = []
        self.comment_outcome = CommentOutcome()

    def implements(self, hook):
        """Tell which hooks it plays."""
        return hasattr(self, hook)

    def call(self, hook, **arguments):
        """Play whatever hook is called."""
        self.calls.append((hook, arguments.get("change") or arguments.get("update") or arguments.get("draft")))
        if self.trouble and (error := self.trouble.pop(0)) is not None:
            raise error
        if hook == "fetch_comments":
            return self.fetch_comments(ticket=arguments["ticket"], since=arguments["since"])
        known = {"change", "update", "query", "draft"}
        return getattr(self, hook)(**{k: v for k, v in arguments.items() if k in known})

    def on_incident_event(self, change):
        """Create, find, change or close a ticket."""
        if change.attempted_at is not None:
            found = self.tickets.get(change.marker)
            return NotCreated() if found is None else Receipt(ticket=found)
        now = self.clock.now()
        if change.type is EventType.OPENED:
            ticket = TicketSnapshot(
                id=str(len(self.tickets) + 1),
                key=f"T-{len(self.tickets) + 1}",
                title=change.incident.title[:20],
                description=change.incident.description,
                priority=change.incident.priority,
                updated=now,
            )
        elif change.type is EventType.UPDATED:
            new = {name.value: getattr(change.incident, name.value) for name in change.fields}
            ticket = self.tickets[change.marker].model_copy(update={**new, "updated": now})
        else:
            ticket = self.tickets[change.marker].model_copy(update={"done": True, "updated": now})
        self.tickets[change.marker] = ticket
        if self.lose_answer:
            self.lose_answer = False
            raise RetryLater("lost", outcome_unknown=True)
        return Receipt(ticket=ticket)

    def fetch_tickets(self, query):
        """Show the tickets that there are."""
        return [ticket for ticket in self.tickets.values() if ticket.id in query.ids]

    def write_comment(self, draft):
        """Write a comment, or look for one."""
        if draft.attempted_at is not None:
            found = [number for number, one in enumerate(self.written) if one.marker == draft.marker]
            return WrittenComment(id=f"c{found[0] + 1}") if found else NotCreated()
        self.written.append(draft)
        if self.lose_answer:
            self.lose_answer = False
            raise RetryLater("lost", outcome_unknown=True)
        return WrittenComment(id=f"c{len(self.written)}")

    def fetch_comments(self, ticket, since):  # noqa: ARG002 - the hook's
        """Show the comments of people, and those that were written from here."""
        ours = [self._own(number) for number in range(len(self.written))]
        return [one for one in [*ours, *self.comments] if one.created_at >= since]

    def _own(self, number):
        now = self.clock.now()
        return TicketComment(id=f"c{number + 1}", author="us", text="ours", created_at=now, internal=True, own=True)

    def apply_change(self, update):
        """Note what reached the platform."""
        self.updates.append(update)
        if self.lose_answer:
            self.lose_answer = False
            raise RetryLater("lost", outcome_unknown=True)
        comment = None if update.comment is None else self.comment_outcome
        return UpdateOutcome(unsupported=self.unsupported, comment=comment)


def make_lab(store, clock, *, changes_per_minute=30):
    """Put a store, a fake desk and a synchronizer together."""
    desk = FakeDesk(clock)
    (record,) = store.integrations()
    handle = SimpleNamespace(id="desk", shaping=Shaping())
    entry = SimpleNamespace(record=record, plugin=desk, handle=handle)
    registry = SimpleNamespace(
        for_link=lambda _: (entry, handle),
        source=lambda _: (desk, None),
        source_plugin=lambda _: SimpleNamespace(info=SimpleNamespace(platform="", title="Fakes")),
        site_key=lambda _: "site:fake:1",
        entry=lambda _: entry,
        entries=lambda: [entry],
        usable=lambda _: True,
        present_settings=lambda _: {"request_type": "26"},
        with_settings=lambda *_: handle,
    )
    log, meters = structlog.get_logger("test"), Meters()
    breakers = Breakers(store, clock, log, meters, Random(1))
    sync = Synchronizer(store, registry, breakers, clock, log, meters, changes_per_minute=changes_per_minute)
    reconciler = Reconciler(store, registry, breakers, clock, log, after=lambda: None)
    operations = Operations(store, registry, reconciler, clock, log)
    return SimpleNamespace(
        clock=clock,
        desk=desk,
        store=store,
        sync=sync,
        entry=entry,
        breakers=breakers,
        operations=operations,
        number=0,
    )


def happen(lab, kind=EventType.OPENED, *, before_s=0.0, comment=None, **fields):
    """Let the platform tell of an event, and run what is due."""
    tell(lab, kind, before_s=before_s, comment=comment, **fields)
    return run(lab)


def tell(lab, kind=EventType.OPENED, *, before_s=0.0, comment=None, **fields):
    """Let the platform tell of an event; return what became of it."""
    lab.clock.forward(1)
    lab.number += 1
    incident = Incident(**{"id": "inc-1", "title": "Display offline", "priority": Priority.HIGH, **fields})
    at = lab.clock.now() - timedelta(seconds=before_s)
    event = IncidentEvent(id=f"evt-{lab.number}", type=kind, occurred_at=at, incident=incident, comment=comment)
    target = Target("desk", {}, lab.clock.now())
    return lab.store.accept_events("acme", [event], [target], lab.clock.now()).result()


def see(lab, **fields):
    """Let the ticketing system show a change that a person made, and run what is due."""
    lab.clock.forward(1)
    (marker,) = lab.desk.tickets
    ticket = lab.desk.tickets[marker].model_copy(update={**fields, "updated": lab.clock.now()})
    lab.desk.tickets[marker] = ticket
    lab.store.accept_tickets("desk", [ticket], lab.clock.now())
    return run(lab)


def run(lab):
    """Run what is due and return the link."""
    for claim in lab.store.claim_lanes("boot", lab.clock.now(), 8, HORIZON_S):
        lab.store.release_lane(claim, lab.sync.run(claim), lab.clock.now())
    return lab.store.link(1)


def kinds(lab):
    """Return the hooks and types of all calls so far."""
    return [(hook, change.type.name if hook == "on_incident_event" else "") for hook, change in lab.desk.calls]
