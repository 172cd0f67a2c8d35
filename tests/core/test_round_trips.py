"""Test incidents: there and back, and what becomes of one that does not come all the way."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import structlog

from connector_core import AuthError, CreateTicket, FieldName, Receipt, RemoteError, RetryLater, WriteFields
from connector_core.contract.errors import ConfigError
from connector_core.contract.merge import Direction, FieldRule
from connector_core.engine.backoff import HORIZON_S
from connector_core.polling.daily_tests import DailyTests
from connector_core.polling.round_trips import RoundTrips
from connector_core.store import Actor, AuditFilter, IntegrationState, Leg, LegState, LinkFilter, Outcome, TripCode, Via
from connector_core.store.acting import acting
from connector_core.testing import MemoryDesk
from tests.support.sync_lab import LONGEST_TITLE, Lab, make_lab

pytestmark = pytest.mark.lengthy_on_postgresql

DONE, FAILED, SKIPPED = LegState.DONE, LegState.FAILED, LegState.SKIPPED


@dataclass
class Trips:
    """A lab, and test incidents in it; `hears` says whether its webhooks arrive."""

    lab: Lab
    trips: RoundTrips
    hears: bool = True
    heard: int = 0

    def run(self) -> None:
        """Run the lanes that are due, and let what the desk tells arrive."""
        lab = self.lab
        for claim in lab.store.lanes.claim("boot", lab.clock.now(), 8, HORIZON_S):
            lab.store.lanes.release(claim, lab.sync.run(claim), lab.clock.now())
        told, self.heard = lab.desk.told[self.heard :], len(lab.desk.told)
        for delivery in told if self.hears else ():
            lab.store.inbox.accept_delivery("desk", delivery, lab.clock.now()).result()

    def go(self, *, most=400, until=None):
        """Let the daemon look each second until the test has ended; return it."""
        for _ in range(most):
            self.lab.clock.forward(1)
            self.run()
            if until is not None and self.last.present is until:
                return self.last
            self.trips.step("desk")
            trip = self.last
            if not trip.is_running or (until is not None and trip.present is until):
                return trip
        return self.last

    @property
    def last(self):
        """The latest test."""
        return self.lab.store.round_trips.last("desk")

    @property
    def states(self):
        """Where each leg stands."""
        return [self.last.of(leg).state for leg in Leg]

    @property
    def tickets(self):
        """The tickets as the desk shows them."""
        return self.lab.desk.shown


def make(store, clock, **options):
    """Put it together."""
    lab = make_lab(store, clock, **options)
    return Trips(lab, restarted(lab))


def restarted(lab):
    """Return what another life of the daemon has: nothing but the store."""
    return RoundTrips(
        lab.store, lab.registry, lab.reconciler, lab.clock, structlog.get_logger("test"), after=lambda: None
    )


@pytest.fixture
def trips(store, clock):
    """A lab whose webhooks arrive."""
    return make(store, clock)


def without_webhook(trips):
    """Take the webhook away."""
    trips.lab.change_record(webhook_secrets=())
    trips.hears = False


def test_a_test_incident_goes_there_and_back(trips):
    """Created, changed on the far side, back by webhook, closed; each leg has its time, and the platform no call."""
    trips.trips.start("desk", "ada")

    trip = trips.go()

    assert (trip.outcome, trips.states) == (Outcome.PASSED, [DONE] * 4)
    assert trip.of(Leg.RETURNED).why == TripCode.BY_WEBHOOK
    assert all(trip.of(leg).took_s is not None for leg in Leg)
    assert (trip.ticket_key, trip.ticket_url, trip.field) == ("T-1", "https://desk.example.test/T-1", FieldName.TITLE)
    (ticket,) = trips.tickets
    assert (ticket.title, ticket.done) == ("Changed: Test of the connector (please ignore)"[:LONGEST_TITLE], True)
    assert not trips.lab.platform.called("apply_change")


def test_the_change_reaches_the_incident_as_it_is_known_here(trips):
    """The merge took it as anybody's change: nothing recognised it as ours."""
    trips.trips.start("desk")
    trips.go()

    link = trips.lab.store.links.get(trips.last.link_id)

    assert link.incident.title.startswith("Changed: Test")
    assert link.is_test


def test_a_test_incident_is_in_no_list_and_no_total(trips):
    """Neither while it is under way nor afterwards."""
    store = trips.lab.store
    trips.trips.start("desk")
    trips.lab.desk.refuse_with(RemoteError("No."))
    seen = []
    for _ in range(6):
        trips.lab.clock.forward(1)
        trips.run()
        seen.append(
            (
                store.overview.search(LinkFilter()),
                store.overview.found(LinkFilter()),
                store.overview.backlogs()["desk"].links,
                store.overview.backlog("desk").links,
                store.overview.backlogs()["desk"].oldest_undelivered,
                store.overview.count(["blocked", "waiting", "in_sync"]),
                store.overview.first("desk", ["blocked", "waiting", "in_sync"]),
                store.overview.open_links("desk"),
                store.links.find(integration_id="desk"),
            )
        )
        trips.trips.step("desk")

    assert seen == [([], 0, {}, {}, None, 0, None, [], [])] * len(seen)


def test_without_a_webhook_the_change_is_found_by_reading(trips):
    """That is said, and enough."""
    without_webhook(trips)
    trips.trips.start("desk")

    trip = trips.go()

    assert (trip.outcome, trip.of(Leg.RETURNED).why) == (Outcome.PASSED, TripCode.BY_POLLING)


def test_a_lost_webhook_is_told_from_a_change_that_is_not_there(trips):
    """It is found by reading, which is not what was to be proved; the ticket is closed all the same."""
    trips.hears = False
    trips.trips.start("desk")

    trip = trips.go()

    assert (trip.outcome, trips.states) == (Outcome.FAILED, [DONE, DONE, FAILED, DONE])
    assert trip.of(Leg.RETURNED).why == TripCode.WEBHOOK_MISSING
    assert [ticket.done for ticket in trips.tickets] == [True]


def test_a_change_that_nobody_sees_fails_that_leg(trips):
    """A search that does not know of it for long."""
    without_webhook(trips)
    trips.trips.start("desk")
    trips.go(until=Leg.RETURNED)
    trips.lab.desk.tickets["1"].hidden = True
    trips.lab.reconciler.reconcile("desk")

    trip = trips.go()

    assert trip.of(Leg.RETURNED).why == TripCode.NOT_SEEN


def test_while_the_vendor_is_down_nothing_is_made_and_nothing_stays(trips):
    """The first leg says why; what is not made by then never is."""
    trips.lab.desk.down = RetryLater("Desk does not answer.", code="down")
    trips.trips.start("desk")

    trip = trips.go()
    trips.lab.desk.down = None
    trips.lab.clock.forward(3600)
    trips.run()
    trips.run()

    assert (trip.outcome, trips.states) == (Outcome.FAILED, [FAILED, SKIPPED, SKIPPED, SKIPPED])
    assert (trip.of(Leg.CREATED).why, trip.of(Leg.CREATED).reason) == (TripCode.TOO_SLOW, "Desk does not answer.")
    assert trips.tickets == []


def test_a_ticket_whose_answer_was_lost_is_looked_for_and_closed(trips):
    """Nobody knows that it was made; it must not stay."""
    trips.trips.start("desk")
    trips.lab.desk.lose_answer = True

    trip = trips.go(most=2)
    assert trip.of(Leg.CREATED).state is LegState.UNDER_WAY
    trips.lab.store.round_trips.give_up(trip.link_id, trips.lab.clock.now())
    trips.go()

    assert [ticket.done for ticket in trips.tickets] == [True]


def test_a_create_that_is_refused_says_so_at_once(trips):
    """What needs somebody is not waited for."""
    trips.lab.desk.refuse_with(RemoteError("The field Site is required.", code="field_missing"))
    trips.trips.start("desk")

    trip = trips.go(most=5)

    assert trips.states == [FAILED, SKIPPED, SKIPPED, SKIPPED]
    assert (trip.of(Leg.CREATED).why, trip.of(Leg.CREATED).reason) == ("field_missing", "The field Site is required.")


def test_a_change_that_is_refused_fails_its_leg_and_the_ticket_is_closed(trips):
    """The way back cannot be shown then."""
    trips.trips.start("desk")
    trips.go(until=Leg.CHANGED)
    trips.lab.desk.refuse_with(RemoteError("You may not edit.", code="forbidden"))

    trip = trips.go()

    assert trips.states == [DONE, FAILED, SKIPPED, DONE]
    assert trip.of(Leg.CHANGED).reason == "You may not edit."
    assert [ticket.done for ticket in trips.tickets] == [True]


def test_a_close_that_is_refused_leaves_the_ticket_open_and_listed(trips):
    """With its key and address."""
    trips.trips.start("desk")
    trips.go(until=Leg.CLOSED)
    trips.lab.desk.refuse_with(RemoteError("No way to Done.", code="no_transition"))

    trip = trips.go()

    assert (trip.outcome, trips.states) == (Outcome.FAILED, [DONE, DONE, DONE, FAILED])
    assert trip.of(Leg.CLOSED).reason == "No way to Done."
    assert trip.is_left_open
    (left,) = trips.lab.store.round_trips.left_open("desk")
    assert (left.key, left.url) == ("T-1", "https://desk.example.test/T-1")


def test_a_ticket_that_is_not_to_be_closed_is_left_open_and_the_test_passes(trips, monkeypatch):
    """By the settings; it is listed until somebody has closed it."""
    monkeypatch.setattr(MemoryDesk, "_close", lambda _, change, __: Receipt(ticket=change.ticket, note="By settings."))
    trips.trips.start("desk")

    trip = trips.go()
    left = trips.lab.store.round_trips.left_open("desk")
    trips.lab.desk.edit("1", done=True)
    trips.run()
    trips.run()

    assert (trip.outcome, trip.of(Leg.CLOSED).why, trip.is_left_open) == (Outcome.PASSED, TripCode.LEFT_OPEN, True)
    assert [one.key for one in left] == ["T-1"]
    assert trips.lab.store.round_trips.left_open("desk") == []


@pytest.mark.parametrize("leg", [Leg.CREATED, Leg.CHANGED, Leg.RETURNED, Leg.CLOSED])
def test_an_integration_that_is_disabled_in_the_middle_ends_the_test(trips, leg):
    """What is open by then is closed when it is active again; what was not made never is."""
    trips.trips.start("desk")
    if leg is not Leg.CREATED:
        trips.go(until=leg)
    trips.lab.change_record(state=IntegrationState.DISABLED)

    trip = trips.go(most=3)
    trips.lab.change_record(state=IntegrationState.ACTIVE)
    trips.lab.store.lanes.wake_all("desk", trips.lab.clock.now())
    trips.run()
    trips.run()

    assert (trip.outcome, trip.of(leg).why) == (Outcome.FAILED, TripCode.NOT_ACTIVE)
    assert [ticket.done for ticket in trips.tickets] in ([], [True])


@pytest.mark.parametrize("leg", [Leg.CHANGED, Leg.RETURNED, Leg.CLOSED])
def test_a_test_goes_on_after_a_restart(trips, leg):
    """All that is known of it is in the database."""
    trips.trips.start("desk")
    trips.go(until=leg)
    trips.trips = restarted(trips.lab)

    assert trips.go().outcome is Outcome.PASSED


def test_one_that_was_killed_before_it_told_of_the_end_tells_it_later(trips, monkeypatch):
    """The close is under way, and the lane does not know."""
    trips.trips.start("desk")
    with monkeypatch.context() as patched:
        patched.setattr(RoundTrips, "_resolve", lambda *_: None)
        trips.go(until=Leg.CLOSED)

    assert trips.go().outcome is Outcome.PASSED


def test_a_change_whose_answer_was_lost_is_not_made_twice(trips):
    """Killed between the change and its answer: the change has come back by the time that it is looked at again."""
    trips.trips.start("desk")
    trips.go(until=Leg.CHANGED)
    trips.lab.desk.lose_answer = True

    trip = trips.go()

    assert trip.outcome is Outcome.PASSED
    assert sum(isinstance(call.about, WriteFields) for call in trips.lab.calls) == 1


def test_there_is_one_test_at_a_time(trips):
    """The second is refused; there may be one after the first has ended."""
    trips.trips.start("desk")

    with pytest.raises(ConfigError) as refused:
        trips.trips.start("desk")
    trips.go()
    trips.trips.start("desk")

    assert refused.value.code == "test_under_way"


@pytest.mark.parametrize("state", [IntegrationState.DRAFT, IntegrationState.DISABLED])
def test_an_integration_that_is_not_active_is_not_tested(trips, state):
    """It says what is needed."""
    trips.lab.change_record(state=state)

    with pytest.raises(ConfigError) as refused:
        trips.trips.start("desk")

    assert refused.value.code == "integration_not_active"


def test_an_integration_without_access_is_not_tested(trips):
    """Its problem is the answer."""
    trips.lab.change_record(problem_code="authorization_needed", problem="Access is not authorized yet.")

    with pytest.raises(ConfigError, match="not authorized"):
        trips.trips.start("desk")


def test_access_that_is_lost_in_the_middle_fails_the_leg(trips):
    """And the ticket is closed once there is access again."""
    trips.trips.start("desk")
    trips.go(until=Leg.CHANGED)
    trips.lab.desk.refuse_with(AuthError("Access was revoked."))

    trip = trips.go()

    assert trip.outcome is Outcome.FAILED
    assert trip.is_left_open


def test_what_never_changes_on_a_ticket_is_not_what_is_changed(store, clock):
    """Another field is."""

    class Fixed(MemoryDesk):
        unchangeable = frozenset({FieldName.TITLE})

    trips = make(store, clock, desk=Fixed(clock))
    trips.trips.start("desk")

    trip = trips.go()

    assert (trip.outcome, trip.field) == (Outcome.PASSED, FieldName.PRIORITY)


def test_what_comes_back_is_changed_first(trips):
    """A title that is synced to the ticket only would not show that changes reach the incident."""
    trips.lab.change_record(rules={FieldName.TITLE: FieldRule(direction=Direction.TO_TICKET)})
    trips.trips.start("desk")

    assert trips.go().field is FieldName.PRIORITY


def test_a_desk_on_which_nothing_can_be_changed_says_so(store, clock):
    """The ticket is closed."""

    class Fixed(MemoryDesk):
        unchangeable = frozenset({FieldName.TITLE, FieldName.PRIORITY, FieldName.DESCRIPTION})

    trips = make(store, clock, desk=Fixed(clock))
    trips.trips.start("desk")

    trip = trips.go()

    assert (trips.states, trip.of(Leg.CHANGED).why) == ([DONE, FAILED, SKIPPED, DONE], TripCode.NOT_CHANGED)


def test_a_real_change_in_the_middle_is_taken_in_first(store, clock):
    """Somebody's rule changes the ticket as soon as it is made; the plugin looks before it writes."""
    desk = MemoryDesk(clock)
    desk.is_careful = True
    trips = make(store, clock, desk=desk)
    trips.hears = False
    trips.trips.start("desk")
    trips.go(until=Leg.CHANGED)
    desk.edit("1", title="Seen by a rule")
    trips.hears = True

    assert trips.go().outcome is Outcome.PASSED


def test_a_comment_on_the_ticket_of_a_test_reaches_nobody(trips):
    """The platform knows nothing of the incident."""
    trips.trips.start("desk")
    trips.go(until=Leg.RETURNED)
    trips.lab.desk.comment("1", "What is this?")

    trips.go()

    assert not trips.lab.platform.called("apply_change")


def test_who_sent_it_is_in_the_audit_log(trips):
    """With the incident's name."""
    with acting(Actor("ada", Via.CONSOLE, trips.lab.clock.now())):
        trip = trips.trips.start("desk", "ada")

    (entry,) = trips.lab.store.audit.find(AuditFilter(), 10)

    assert (entry.by.name, entry.act, entry.about.name) == ("ada", "tested", "desk")
    assert entry.changes == {"incident": (None, trip.incident_id)}


def test_a_daily_test_is_sent_once_a_day(trips):
    """At its time; one that was missed for long is left out, and so is one more where the last is open."""
    lab = trips.lab
    daily = DailyTests(lab.store, lab.registry, trips.trips, lab.clock, structlog.get_logger("test"))
    lab.change_record(test_at="03:30", active_since=lab.clock.now())
    lab.clock.forward(_seconds_to(lab.clock.now(), 3, 29))
    daily.send()
    before = trips.last
    lab.clock.forward(120)
    daily.send()
    first = trips.go()
    daily.send()
    second = trips.last
    lab.clock.forward(24 * 3600)
    daily.send()
    third = trips.last

    assert before is None
    assert (first.outcome, first.started_by, second.id) == (Outcome.PASSED, "", first.id)
    assert third.id != first.id


def _seconds_to(now, hour, minute):
    there = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return (there - now).total_seconds() % (24 * 3600)


def test_a_removed_integration_takes_its_tests_along(trips):
    """Nothing goes on, and nothing is left."""
    trips.trips.start("desk")
    trips.lab.store.integrations.remove("desk")

    trips.trips.step("desk")

    assert trips.lab.store.round_trips.all_running() == []


def test_only_so_many_tests_are_kept(trips, monkeypatch):
    """The oldest go."""
    monkeypatch.setattr("connector_core.store.round_trips.KEPT_TRIPS", 1)
    first = trips.trips.start("desk")
    trips.go()
    second = trips.trips.start("desk")

    assert trips.lab.store.round_trips.get(first.id) is None
    assert trips.lab.store.round_trips.get(second.id) is not None


def test_the_links_of_tests_are_forgotten_in_a_week(trips):
    """With their incidents."""
    trips.trips.start("desk")
    link_id = trips.go().link_id
    kept = next(one for one in _kept() if one.table == "round_trip")
    store, clock = trips.lab.store, trips.lab.clock
    trips.run()

    store.forgetting.forget(kept, clock.now(), 10)
    there = store.links.get(link_id)
    clock.forward(8 * 24 * 3600)
    store.forgetting.forget(kept, clock.now(), 10)

    assert there is not None
    assert store.links.get(link_id) is None


def _kept():
    from connector_core.store.forgetting import KEPT  # noqa: PLC0415

    return KEPT


def test_the_first_ticket_is_made_by_the_call_that_real_ones_are_made_by(trips):
    """It says what it is, in title and description."""
    trips.trips.start("desk", "ada")
    trips.go()

    (created,) = [call.about for call in trips.lab.calls if isinstance(call.about, CreateTicket)]

    assert created.incident.title == "Test of the connector (please ignore)"
    assert "sent by ada" in created.incident.description


def test_another_test_does_not_disturb_a_ticket_that_was_left_open(trips):
    """Each has its own."""
    trips.trips.start("desk")
    trips.go(until=Leg.CLOSED)
    trips.lab.desk.refuse_with(RemoteError("No."))
    trips.go()
    trips.trips.start("desk")

    trip = trips.go()

    assert trip.outcome is Outcome.PASSED
    assert len(trips.lab.store.round_trips.left_open("desk")) == 1
    assert replace(trip, legs={}).ticket_key == "T-2"
