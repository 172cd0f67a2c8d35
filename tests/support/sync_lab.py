"""A lane from event to agreement: both sides in memory, and the real store, registry and synchronizer between."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from connector_core import EventType, Incident, IncidentEvent, Priority
from connector_core.engine.backoff import HORIZON_S
from connector_core.engine.breakers import Breakers
from connector_core.metrics import Metrics
from connector_core.operations import Operations
from connector_core.polling.reconcile import Reconciler
from connector_core.registry.entry import Entry
from connector_core.registry.integrations import Registry
from connector_core.store import Store
from connector_core.sync.advance import Synchronizer
from connector_core.testing import Call, FrozenClock, MemoryDesk, MemoryPlatform
from tests.support.configured import registry_of

LONGEST_TITLE = 20


@dataclass
class Lab:
    """Both sides and what stands between; the calls of both are in one list, in order."""

    clock: FrozenClock
    desk: MemoryDesk
    platform: MemoryPlatform
    store: Store
    registry: Registry
    sync: Synchronizer
    breakers: Breakers
    reconciler: Reconciler
    operations: Operations
    number: int = 0

    @property
    def calls(self) -> list[Call]:
        """All calls so far."""
        return self.desk.calls

    @property
    def entry(self) -> Entry:
        """The one integration as it is now."""
        return self.registry.entry("desk")

    def change_record(self, **fields):
        """Store the integration with other settings."""
        self.store.integrations.put(replace(self.entry.record, **fields))


def make_lab(store, clock, *, changes_per_minute=30, desk=None, platform=None, without=(), is_alone=True):
    """Put a store, a synchronizer and both sides together; hooks that are left out are abilities of neither side."""
    desk = desk or MemoryDesk(clock, longest_title=LONGEST_TITLE)
    platform = platform or MemoryPlatform(clock)
    platform.calls = desk.calls
    points = [desk.entry_point(without=without), platform.entry_point(without=without)]
    registry, breakers = registry_of(store, clock, points)
    log = structlog.get_logger("test")
    sync = Synchronizer(
        store, registry, breakers, clock, log, Metrics(), changes_per_minute=changes_per_minute, is_alone=is_alone
    )
    reconciler = Reconciler(store, registry, breakers, clock, log, after=lambda: None)
    operations = Operations(store, registry, reconciler, clock, log)
    return Lab(clock, desk, platform, store, registry, sync, breakers, reconciler, operations)


def happen(lab, kind=EventType.OPENED, *, before_s=0.0, comment=None, **fields):
    """Let the platform tell of an event, and run what is due."""
    tell(lab, kind, before_s=before_s, comment=comment, **fields)
    return run(lab)


def tell(lab, kind=EventType.OPENED, *, before_s=0.0, comment=None, **fields):
    """Let the platform tell of an event; return what became of it."""
    lab.clock.forward(1)
    lab.number += 1
    incident = Incident(**{"id": "inc-1", "title": "Display offline", "priority": Priority.HIGH, **fields})
    lab.platform.incidents[incident.id] = incident
    at = lab.clock.now() - timedelta(seconds=before_s)
    event = IncidentEvent(id=f"evt-{lab.number}", type=kind, occurred_at=at, incident=incident, comment=comment)
    return lab.store.inbox.accept_events("acme", [event], lab.registry.targets("acme"), lab.clock.now()).result()


def see(lab, **fields):
    """Let the ticketing system show a change that a person made, and run what is due."""
    lab.clock.forward(1)
    lab.store.inbox.see_tickets("desk", [edited(lab, **fields)], lab.clock.now())
    return run(lab)


def edited(lab, **fields):
    """Let a person change the one ticket without anybody hearing of it; return it as it is then."""
    (number,) = lab.desk.tickets
    return lab.desk.edit(number, **fields)


def run(lab):
    """Run what is due and return the link."""
    for claim in lab.store.lanes.claim("boot", lab.clock.now(), 8, HORIZON_S):
        lab.store.lanes.release(claim, lab.sync.run(claim), lab.clock.now())
    return lab.store.links.get(1)


def kinds(lab):
    """Return the hooks and kinds of all calls so far."""
    return [(call.hook, type(call.about).__name__ if call.hook == "on_incident_event" else "") for call in lab.calls]


def titles(lab):
    """Return the titles of all tickets."""
    return [ticket.title for ticket in lab.desk.shown]
