"""Circuit breakers: when they trip, who may try, what resets them."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest
import structlog

from connector_core import AuthError, ConfigError, RemoteError, RetryLater, Scope, TicketGone
from connector_core.breakers import FAILURES_THAT_TRIP, LONGEST_S, Breakers, Circuit, Tripped
from connector_core.meters import Meters
from connector_core.store import Rest
from tests.support.lanes_at_hand import open_links

SITE = "site:fake:1"
CIRCUIT = Circuit(SITE, "app:fake", "settings:desk:x", link_id=1)
DOWN = RetryLater("cannot answer", scope=Scope.SITE, code="unavailable")
LIMITED = RetryLater("slow down", scope=Scope.SITE, after_s=30, code="rate_limited")


@pytest.fixture
def breakers(store, clock):
    """Return the breakers of a process."""
    return Breakers(store, clock, structlog.get_logger("test"), Meters(), Random(1))


def fail(breakers, error, circuit=CIRCUIT):
    """Make a call that fails; return what came out."""

    def work():
        raise error

    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is, it is returned
        breakers.call(circuit, work)
    return caught.value


def test_a_few_failures_in_a_row_trip_and_one_does_not(breakers, store):
    """Bad luck is retried by each lane, an outage is everybody's."""
    errors = [fail(breakers, DOWN) for _ in range(FAILURES_THAT_TRIP)]

    assert [isinstance(error, Tripped) for error in errors] == [False, False, True]
    assert [breaker.key for breaker in store.breakers()] == [SITE]


def test_a_success_in_between_ends_the_count(breakers, store):
    """Only failures in a row count."""
    for _ in range(FAILURES_THAT_TRIP - 1):
        fail(breakers, DOWN)
    breakers.call(CIRCUIT, lambda: "well")
    fail(breakers, DOWN)

    assert store.breakers() == []


def test_an_asked_wait_trips_at_once_and_is_kept(breakers, store, clock):
    """Nobody calls before the time that the other side named."""
    fail(breakers, LIMITED)
    clock.forward(29)
    untried = fail(breakers, AssertionError("called"))

    assert isinstance(untried, Tripped)
    assert untried.code == "rate_limited"
    assert store.breakers()[0].until - clock.now() >= timedelta(seconds=1)


def test_one_try_at_a_time_when_the_time_has_come(breakers, clock):
    """While one call tries, others are still refused; its success lets everybody through."""
    fail(breakers, LIMITED)
    clock.forward(60)

    def try_and_let_another_come():
        assert isinstance(fail(breakers, AssertionError("called")), Tripped)
        return "back"

    assert breakers.call(CIRCUIT, try_and_let_another_come) == "back"
    assert breakers.call(CIRCUIT, lambda: "free") == "free"


def test_waits_grow_while_it_lasts_and_stay_bounded(breakers, store, clock):
    """Every failed try doubles the wait, up to the longest."""
    for _ in range(FAILURES_THAT_TRIP):
        fail(breakers, DOWN)
    waits = []
    for _ in range(12):
        waits.append((store.breakers()[0].until - clock.now()).total_seconds())
        clock.forward(waits[-1] + 1)
        fail(breakers, DOWN)

    assert waits[5] > waits[0] * 8
    assert max(waits) <= LONGEST_S * 1.3


def test_what_tripped_survives_a_restart(breakers, store, clock):
    """A new process does not hammer a site that asked for a pause."""
    fail(breakers, LIMITED)
    anew = Breakers(store, clock, structlog.get_logger("test"), Meters(), Random(1))

    assert isinstance(fail(anew, AssertionError("called")), Tripped)


def test_a_clock_set_back_does_not_keep_it_tripped_for_ever(breakers, clock):
    """A try that is due further ahead than any wait is due now."""
    fail(breakers, LIMITED)
    clock.forward(-30 * 86400)

    assert breakers.call(CIRCUIT, lambda: "through") == "through"


def test_the_whole_app_pauses_when_its_quota_is_used_up(breakers):
    """A refusal about the app stops its calls to other sites too."""
    fail(breakers, RetryLater("quota", scope=Scope.APP, after_s=600, code="rate_limited"))

    assert isinstance(fail(breakers, AssertionError("called"), Circuit("site:fake:2", "app:fake")), Tripped)
    assert breakers.call(Circuit("site:other:1", "app:other"), lambda: "free") == "free"


def test_a_wait_for_one_link_is_nobody_elses(breakers, store):
    """What is about one ticket trips nothing."""
    for _ in range(10):
        fail(breakers, RetryLater("busy ticket", after_s=60))

    assert store.breakers() == []


def test_a_wrong_setting_is_remembered_after_three_links(breakers, store):
    """One mistake makes three calls, not hundreds; it needs a person."""
    wrong = ConfigError("The request type is gone.", code="setup_object_missing")
    errors = [fail(breakers, wrong, Circuit(SITE, "app:fake", "settings:desk:x", link_id=link)) for link in (1, 2, 3)]

    assert [isinstance(error, Tripped) for error in errors] == [False, False, True]
    assert store.breakers()[0].needs_person


def test_one_poisoned_link_never_trips_for_the_others(breakers, store):
    """The same link refused again and again counts once."""
    strict = Circuit(SITE, "app:fake", "settings:desk:x", link_id=1, strict=True)
    for _ in range(10):
        fail(breakers, RemoteError("This title is not allowed."), strict)

    assert store.breakers() == []


def test_refusals_in_different_words_are_not_one_mistake(breakers, store):
    """Three incidents with three problems of their own do not stop a fourth."""
    for link in range(6):
        strict = Circuit(SITE, "app:fake", "settings:desk:x", link_id=link, strict=True)
        fail(breakers, RemoteError(f"Problem {link}."), strict)

    assert store.breakers() == []


def test_a_gone_ticket_and_lost_access_trip_nothing_of_a_site(breakers, store):
    """These are the link's and the integration's own matter."""
    for link in range(6):
        fail(breakers, TicketGone("gone"), Circuit(SITE, "app:fake", "settings:desk:x", link_id=link))
        fail(breakers, AuthError("log in"), Circuit(SITE, "app:fake", "settings:desk:x", link_id=link))

    assert store.breakers() == []


def test_a_source_that_does_not_accept_us_is_paused(breakers, store):
    """Nobody else would pause it."""
    fail(breakers, AuthError("wrong signature"), Circuit("source:acme", pauses_on_auth=True))

    assert [(breaker.key, breaker.needs_person) for breaker in store.breakers()] == [("source:acme", True)]


def test_near_the_limit_what_can_wait_does(breakers, clock):
    """Cosmetic updates give way until the limit starts anew."""
    breakers.near_limit(SITE, clock.now() + timedelta(seconds=50))

    with pytest.raises(RetryLater) as caught:
        breakers.spare(CIRCUIT)
    assert caught.value.after_s == 50
    clock.forward(51)
    breakers.spare(CIRCUIT)


def test_parked_lanes_are_woken_one_to_try_and_all_when_it_works(breakers, store, clock, parked):
    """A site that was down costs one try at a time, and then everything goes on."""
    fail(breakers, LIMITED)
    parked(SITE, 5)
    clock.forward(60)

    assert breakers.wake_probes()
    assert not breakers.wake_probes()  # the one that was woken is given a moment
    assert len(store.claim_lanes("boot", clock.now(), 10, 7200)) == 1
    breakers.call(CIRCUIT, lambda: "works")

    assert len(store.claim_lanes("boot", clock.now(), 10, 7200)) == 4


def test_a_lane_that_parks_on_a_breaker_just_reset_is_due(store, clock, parked):
    """A reset between the refusal and the parking is not missed."""
    parked("site:that:works", 1)

    assert len(store.claim_lanes("boot", clock.now(), 10, 7200)) == 1


@pytest.fixture
def parked(store, clock):
    """Return a function that makes links and parks their lanes on a breaker."""

    def park(key, count):
        open_links(store, clock, count)
        for claim in store.claim_lanes("boot", clock.now(), count, 7200):
            store.release_lane(claim, Rest(breaker=key), clock.now())

    return park
