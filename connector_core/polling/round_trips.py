"""Test incidents: the proof that both directions work, with what is real but for the incident.

    trip = round_trips.start("acme-desk", by="ada")   # stored; the daemon does the rest
    round_trips.step("acme-desk")                     # each second, on one node, until it has ended

Its link goes the way that all links go: its lane creates the ticket, changes it (`sync/far_side.py`), and closes it.
What is here only looks how far it has come, says what comes next, and gives up what takes too long. All of that is in
the database: whoever goes on after a restart sees the same. However it ends, its ticket is closed: that is told to the
lane before anything else, and a lane does not forget.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from connector_core.clock import Clock
from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.errors import ConfigError
from connector_core.contract.models import (
    SHOWN_AS,
    Device,
    EventType,
    FieldName,
    Incident,
    IncidentEvent,
    IncidentStatus,
    Location,
    Priority,
)
from connector_core.health.webhook_health import arrived, health
from connector_core.polling.reconcile import Reconciler
from connector_core.registry.integrations import Registry
from connector_core.store import (
    IntegrationRecord,
    IntegrationState,
    Leg,
    Link,
    LinkState,
    Nuance,
    RoundTrip,
    Store,
    StoredEntry,
    Target,
    TimelineKind,
    TripCode,
)

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

#: So long each leg may take; the way back is first waited for by webhook, then looked for by polling.
WITHIN: Mapping[Leg, timedelta] = {
    Leg.CREATED: timedelta(seconds=90),
    Leg.CHANGED: timedelta(seconds=90),
    Leg.RETURNED: timedelta(seconds=180),
    Leg.CLOSED: timedelta(seconds=90),
}
WEBHOOK_WITHIN = timedelta(seconds=60)
READ_EVERY = timedelta(seconds=10)
TITLE = "Test of the connector (please ignore)"
DESCRIPTION = (
    "This is a test of the connector, sent by {who}. No device is affected. The connector creates this ticket, changes"
    " it once, waits until that change has come back, and closes it again."
)
BY_THE_CLOCK = "the daily test"
_STUCK = frozenset({LinkState.BLOCKED, LinkState.CONFLICT, LinkState.GONE, LinkState.PAUSED})
_MADE = frozenset({TimelineKind.TICKET_CREATED, TimelineKind.TICKET_FOUND})
_POLLED = frozenset({"", "reconcile"})


@dataclass(frozen=True)
class RoundTrips:
    """Starts test incidents and takes them from leg to leg; `after` is called when lanes may have been woken."""

    store: Store
    registry: Registry
    reconciler: Reconciler
    clock: Clock
    log: FilteringBoundLogger
    after: Callable[[], None]

    def start(self, integration_id: str, by: str = "") -> RoundTrip:
        """Send a test incident; nobody sends those of the clock.

        Raises:
            ConfigError: the integration is not active or cannot work at present, or one is under way.
        """
        record = self.registry.entry(integration_id).record
        if record.state is not IntegrationState.ACTIVE:
            raise ConfigError(
                f"{integration_id} is not active: a test incident needs everything that real ones need.",
                code="integration_not_active",
                advice=Advice(Remedy.ACTIVATE, integration_id),
            )
        if record.problem_code:
            raise ConfigError(record.problem, code=record.problem_code, advice=Advice(Remedy.CHECK, integration_id))
        now, name = self.clock.now(), f"connector-test-{secrets.token_hex(6)}"
        trip = RoundTrip(name, record.organization, integration_id, 0, name, now, by).begun(Leg.CREATED, now)
        target = Target(integration_id, self.registry.present_settings(integration_id), record.activated_at or now)
        begun = self.store.round_trips.begin(record.organization, trip, _incident(trip), target)
        if begun is None:
            raise ConfigError(
                f"A test incident of {integration_id} is under way.",
                code="test_under_way",
                fix="Wait until it has ended.",
            )
        self.log.info("test_incident_sent", integration=integration_id, incident=name, by=by or BY_THE_CLOCK)
        self.after()
        return begun

    def step(self, integration_id: str) -> None:
        """Look how far the test incident of an integration has come, and let it go on."""
        trip = self.store.round_trips.running(integration_id)
        if trip is None:
            return
        link = self.store.links.get(trip.link_id)
        leg = trip.present
        if link is None:
            self._keep(trip.failing(leg or Leg.CLOSED, self.clock.now(), TripCode.LINK_GONE), trip, ends=True)
            return
        known, trip = trip, _with_ticket(trip, link)
        record = self.registry.records().get(integration_id)
        if record is None or record.state is not IntegrationState.ACTIVE:
            failed = trip.failing(leg or Leg.CLOSED, self.clock.now(), TripCode.NOT_ACTIVE)
            self._give_up(failed, known, link, ends=True)
            return
        match leg:
            case Leg.CREATED:
                self._created(trip, known, link)
            case Leg.CHANGED:  # the lane makes the change, and keeps what became of it
                self._unless_it_goes_on(trip, known, link, Leg.CHANGED)
            case Leg.RETURNED:
                self._returned(trip, known, link, record)
            case Leg.CLOSED:
                self._closed(trip, known, link)
            case None:  # the ticket could not be changed
                self._close(trip, known, link)

    # Leg by leg

    def _created(self, trip: RoundTrip, known: RoundTrip, link: Link) -> None:
        made = _first(self._timeline(link), _MADE)
        if link.ticket is not None:
            now = self.clock.now()
            done = trip.done(Leg.CREATED, made.at if made is not None else now)
            self._keep(done.begun(Leg.CHANGED, now), known, wakes=link)
        else:
            self._unless_it_goes_on(trip, known, link, Leg.CREATED)

    def _returned(self, trip: RoundTrip, known: RoundTrip, link: Link, record: IntegrationRecord) -> None:
        """Look whether the change has come back; read tickets when no webhook tells of it."""
        facts, now = trip.of(Leg.RETURNED), self.clock.now()
        since = facts.began_at or now
        is_told = health(self.store, record).state != "off"
        seen = self._seen(trip, link, record, since)
        if seen is not None:
            at, is_by_webhook = seen
            if is_by_webhook or not is_told:
                why = TripCode.BY_WEBHOOK if is_by_webhook else TripCode.BY_POLLING
                self._close(trip.done(Leg.RETURNED, at, why), known, link)
            elif now - since > WEBHOOK_WITHIN:
                self._close(trip.failing(Leg.RETURNED, at, TripCode.WEBHOOK_MISSING), known, link)
            return
        if now - since > WITHIN[Leg.RETURNED]:
            reason = self.registry.worded(link).status.reason if link.status.state in _STUCK else ""
            self._close(trip.failing(Leg.RETURNED, now, TripCode.NOT_SEEN, reason), known, link)
        elif not is_told or now - since > WEBHOOK_WITHIN:
            begun = since if not is_told else since + WEBHOOK_WITHIN
            if now >= begun + trip.reads * READ_EVERY and self._keep(replace(trip, reads=trip.reads + 1), known):
                self.reconciler.reconcile(trip.integration_id)

    def _closed(self, trip: RoundTrip, known: RoundTrip, link: Link) -> None:
        since = trip.of(Leg.CLOSED).began_at or self.clock.now()
        if link.incident.status is not IncidentStatus.CLOSED:  # it ended before that was told
            self._resolve(trip, link)
            return
        entries = [
            one for one in self._timeline(link) if one.at >= since and one.values.get("field") == FieldName.STATUS
        ]
        left_open = _first(entries, {TimelineKind.TICKET_LEFT_OPEN})
        written = _first(entries, {TimelineKind.TICKET_WRITTEN, TimelineKind.AGREED})
        if link.ticket is not None and link.ticket.done:
            self._keep(trip.done(Leg.CLOSED, written.at if written else self.clock.now()), known, ends=True)
        elif left_open is not None:
            done = trip.done(Leg.CLOSED, left_open.at, TripCode.LEFT_OPEN)
            note = str(left_open.values.get("note", ""))
            self._keep(done.with_leg(Leg.CLOSED, reason=note), known, ends=True, is_left_open=True)
        else:
            self._unless_it_goes_on(trip, known, link, Leg.CLOSED)

    # What they have in common

    def _unless_it_goes_on(self, trip: RoundTrip, known: RoundTrip, link: Link, leg: Leg) -> None:
        """Give a leg up that needs somebody or has taken too long; else wait."""
        now = self.clock.now()
        since = trip.of(leg).began_at or now
        is_stuck = link.status.state in _STUCK and (link.status.since or now) >= since
        if not is_stuck and now - since <= WITHIN[leg]:
            return
        reason = self.registry.worded(link).status.reason
        why = link.status.code if is_stuck else TripCode.TOO_SLOW
        self._give_up(trip.failing(leg, now, why, reason), known, link, ends=leg is Leg.CLOSED)

    def _give_up(self, trip: RoundTrip, known: RoundTrip, link: Link, *, ends: bool) -> None:
        """Leave nothing behind: have the ticket closed, or none made any more."""
        if link.ticket is not None and not ends:
            self._close(trip, known, link)
            return
        self._resolve(trip, link)
        if link.ticket is None:
            self.store.round_trips.give_up(link.id, self.clock.now())
        self._keep(trip, known, ends=True, is_left_open=link.ticket is not None and not link.ticket.done)

    def _close(self, trip: RoundTrip, known: RoundTrip, link: Link) -> None:
        if self._keep(trip.begun(Leg.CLOSED, self.clock.now()), known):
            self._resolve(trip, link)

    def _resolve(self, trip: RoundTrip, link: Link) -> None:
        """Tell of the end of the incident, as its platform would: the lane closes the ticket, now or when it can."""
        incident = link.incident.model_copy(update={"status": IncidentStatus.CLOSED})
        now = self.clock.now()
        event = IncidentEvent(id=f"{trip.id}-over", type=EventType.RESOLVED, occurred_at=now, incident=incident)
        self.store.inbox.accept_events(trip.organization, [event], (), now).result()
        self.after()

    def _keep(
        self,
        trip: RoundTrip,
        known: RoundTrip,
        *,
        ends: bool = False,
        is_left_open: bool = False,
        wakes: Link | None = None,
    ) -> bool:
        """Store what is known by now; False where more became known meanwhile, and the next look goes on from that."""
        if ends:
            trip = trip.ended(self.clock.now(), is_left_open=is_left_open)
        if trip == known or not self.store.round_trips.keep(trip.organization, trip, known):
            return False
        if ends:
            tell = self.log.info if trip.failed is None else self.log.warning
            failed = {} if trip.failed is None else {"leg": trip.failed, "why": trip.of(trip.failed).why}
            tell("test_incident_over", integration=trip.integration_id, outcome=trip.outcome, **failed)
        if wakes is not None:
            self.store.lanes.wake(wakes.id, self.clock.now())
            self.after()
        return True

    def _seen(
        self, trip: RoundTrip, link: Link, record: IntegrationRecord, since: datetime
    ) -> tuple[datetime, bool] | None:
        """Return when the change on the ticket was seen here, and whether a webhook told of it."""
        if trip.field is None:
            return None
        names = SHOWN_AS[trip.field]
        found = next(
            (
                one
                for one in self._timeline(link)
                if one.kind == TimelineKind.TICKET_CHANGED
                and one.at >= since
                and one.values.get("why") != Nuance.BEFORE_A_WRITE  # the lane looked itself: nobody told of it
                and any(name in one.values for name in names)
            ),
            None,
        )
        if found is None:
            return None
        if found.values.get("via", "") not in _POLLED:
            return found.at, True
        told = arrived(self.store, record, since)  # a delivery that came a moment after the read
        return (told.at, True) if told is not None and told.is_ours else (found.at, False)

    def _timeline(self, link: Link) -> list[StoredEntry]:
        return self.store.timelines.read(link.id)


def _first(entries: Iterable[StoredEntry], kinds: Iterable[TimelineKind]) -> StoredEntry | None:
    wanted = frozenset(kind.value for kind in kinds)
    return next((one for one in entries if one.kind in wanted), None)


def _with_ticket(trip: RoundTrip, link: Link) -> RoundTrip:
    if link.ticket is None:
        return trip
    return replace(trip, ticket_key=link.ticket.key or link.ticket.id, ticket_url=link.ticket.url)


def _incident(trip: RoundTrip) -> Incident:
    """Return the incident of a test; it has what request fields may ask for, and says everywhere what it is."""
    return Incident(
        id=trip.incident_id,
        title=TITLE,
        description=DESCRIPTION.format(who=trip.started_by or BY_THE_CLOCK),
        priority=Priority.MODERATE,
        issue="connector_test",
        opened_at=trip.started_at,
        updated_at=trip.started_at,
        device=Device(id="connector-test", name="Test device", model="Test", serial_number="TEST", vendor="Test"),
        location=Location(id="connector-test", name="Test location", path="Test location"),
    )
