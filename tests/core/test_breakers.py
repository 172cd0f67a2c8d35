"""Circuit breakers: when they trip, who may try, what resets them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
import structlog

from connector_core import AuthError, ConfigError, RemoteError, RetryLater, Scope, TicketGone
from connector_core.engine.backoff import HORIZON_S
from connector_core.engine.breakers import FAILURES_THAT_TRIP, LONGEST_S, REFUSALS_THAT_TRIP, Breakers, Tripped
from connector_core.engine.circuits import Circuit, Guarded, is_of_settings
from connector_core.metrics import Metrics
from connector_core.store import Rest
from tests.support.lanes_at_hand import open_links

SITE = "site:fake:1"
CIRCUIT = Circuit(SITE, "app:fake", "settings:desk:x", link_id=1)
DOWN = RetryLater("cannot answer", scope=Scope.SITE, code="unavailable")
LIMITED = RetryLater("slow down", scope=Scope.SITE, after_s=30, code="rate_limited")


@pytest.fixture
def breakers(store, clock):
    """Return the breakers of a process."""
    return Breakers(store.breakers, clock, structlog.get_logger("test"), Metrics(), Random(1))


def fail(breakers, error, circuit=CIRCUIT):
    """Make a call that fails; return what came out."""
    with pytest.raises(Exception) as caught, breakers.guard(circuit):  # noqa: PT011 - whatever it is, it is returned
        raise error
    return caught.value


def work(breakers, circuit=CIRCUIT):
    """Make a call that works; return what comes after it."""
    with breakers.guard(circuit):
        return "answer"


def test_a_few_failures_in_a_row_trip_and_one_does_not(breakers, store):
    """Bad luck is retried by each lane, an outage is everybody's."""
    errors = [fail(breakers, DOWN) for _ in range(FAILURES_THAT_TRIP)]

    assert [isinstance(error, Tripped) for error in errors] == [False, False, True]
    assert [breaker.key for breaker in store.breakers.every()] == [SITE]


def test_a_success_in_between_ends_the_count(breakers, store):
    """Only failures in a row count."""
    for _ in range(FAILURES_THAT_TRIP - 1):
        fail(breakers, DOWN)
    work(breakers)
    fail(breakers, DOWN)

    assert store.breakers.every() == []


def test_an_asked_wait_trips_at_once_and_is_kept(breakers, store, clock):
    """Nobody calls before the time that the other side named."""
    fail(breakers, LIMITED)
    clock.forward(29)
    untried = fail(breakers, AssertionError("called"))

    assert isinstance(untried, Tripped)
    assert untried.code == "rate_limited"
    assert store.breakers.every()[0].until - clock.now() >= timedelta(seconds=1)


def test_one_try_at_a_time_when_the_time_has_come(breakers, clock):
    """While one call tries, others are still refused; its success lets everybody through."""
    fail(breakers, LIMITED)
    clock.forward(60)
    with breakers.guard(CIRCUIT):
        assert isinstance(fail(breakers, AssertionError("called")), Tripped)

    assert work(breakers) == "answer"


def test_waits_grow_while_it_lasts_and_stay_bounded(breakers, store, clock):
    """Every failed try doubles the wait, up to the longest."""
    for _ in range(FAILURES_THAT_TRIP):
        fail(breakers, DOWN)
    waits = []
    for _ in range(12):
        waits.append((store.breakers.every()[0].until - clock.now()).total_seconds())
        clock.forward(waits[-1] + 1)
        fail(breakers, DOWN)

    assert waits[5] > waits[0] * 8
    assert max(waits) <= LONGEST_S * 1.3


def test_what_tripped_survives_a_restart(breakers, store, clock):
    """A new process does not hammer a site that asked for a pause."""
    fail(breakers, LIMITED)
    anew = Breakers(store.breakers, clock, structlog.get_logger("test"), Metrics(), Random(1))

    assert isinstance(fail(anew, AssertionError("called")), Tripped)


def test_a_clock_set_back_does_not_keep_it_tripped_for_ever(breakers, clock):
    """A try that is due further ahead than any wait is due now."""
    fail(breakers, LIMITED)
    clock.forward(-30 * 86400)

    assert work(breakers) == "answer"


def test_the_whole_app_pauses_when_its_quota_is_used_up(breakers):
    """A refusal about the app stops its calls to other sites too."""
    fail(breakers, RetryLater("quota", scope=Scope.APP, after_s=600, code="rate_limited"))

    assert isinstance(fail(breakers, AssertionError("called"), Circuit("site:fake:2", "app:fake")), Tripped)
    assert work(breakers, Circuit("site:other:1", "app:other")) == "answer"


def test_a_wait_for_one_link_is_nobody_elses(breakers, store):
    """What is about one ticket trips nothing."""
    for _ in range(10):
        fail(breakers, RetryLater("busy ticket", after_s=60))

    assert store.breakers.every() == []


def test_a_wrong_setting_is_remembered_after_three_links(breakers, store):
    """One mistake makes three calls, not hundreds; it needs a person."""
    wrong = ConfigError("The request type is gone.", code="setup_object_missing")
    errors = [fail(breakers, wrong, Circuit(SITE, "app:fake", "settings:desk:x", link_id=link)) for link in (1, 2, 3)]

    assert [isinstance(error, Tripped) for error in errors] == [False, False, True]
    assert store.breakers.every()[0].needs_person


def test_one_poisoned_link_never_trips_for_the_others(breakers, store):
    """The same link refused again and again counts once."""
    strict = Circuit(SITE, "app:fake", "settings:desk:x", link_id=1, strict=True)
    for _ in range(10):
        fail(breakers, RemoteError("This title is not allowed."), strict)

    assert store.breakers.every() == []


def test_refusals_in_different_words_are_not_one_mistake(breakers, store):
    """Three incidents with three problems of their own do not stop a fourth."""
    for link in range(6):
        strict = Circuit(SITE, "app:fake", "settings:desk:x", link_id=link, strict=True)
        fail(breakers, RemoteError(f"Problem {link}."), strict)

    assert store.breakers.every() == []


def test_a_gone_ticket_and_lost_access_trip_nothing_of_a_site(breakers, store):
    """These are the link's and the integration's own matter."""
    for link in range(6):
        fail(breakers, TicketGone("gone"), Circuit(SITE, "app:fake", "settings:desk:x", link_id=link))
        fail(breakers, AuthError("log in"), Circuit(SITE, "app:fake", "settings:desk:x", link_id=link))

    assert store.breakers.every() == []


def test_a_source_that_does_not_accept_us_is_paused(breakers, store):
    """Nobody else would pause it."""
    fail(breakers, AuthError("wrong signature"), Circuit("source:acme", pauses_on_auth=True))

    assert [(breaker.key, breaker.needs_person) for breaker in store.breakers.every()] == [("source:acme", True)]


def test_near_the_limit_what_can_wait_does(breakers, clock):
    """Cosmetic updates give way until the limit starts anew."""
    breakers.near_limit(CIRCUIT, clock.now() + timedelta(seconds=50))

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
    assert len(store.lanes.claim("boot", clock.now(), 10, 7200)) == 1
    work(breakers)

    assert len(store.lanes.claim("boot", clock.now(), 10, 7200)) == 4


def test_a_lane_that_parks_on_a_breaker_just_reset_is_due(store, clock, parked):
    """A reset between the refusal and the parking is not missed."""
    parked("site:that:works", 1)

    assert len(store.lanes.claim("boot", clock.now(), 10, 7200)) == 1


@pytest.fixture
def parked(store, clock):
    """Return a function that makes links and parks their lanes on a breaker."""

    def park(key, count):
        open_links(store, clock, count)
        for claim in store.lanes.claim("boot", clock.now(), count, 7200):
            store.lanes.release(claim, Rest(breaker=key), clock.now())

    return park


def refuse(breakers, error=None, links=(1, 2, 3)):
    """Let the settings be refused for some links."""
    error = error or ConfigError("The request type is gone.", code="setup_object_missing")
    return [fail(breakers, error, Circuit(SITE, "app:fake", SETTINGS, link_id=link)) for link in links]


SETTINGS = "settings:desk:x"


def test_a_circuit_is_what_it_names():
    """What a call does not depend on has no key."""
    assert Circuit(SITE).keys == (SITE,)
    assert CIRCUIT.keys == (SITE, "app:fake", SETTINGS)


def test_keys_of_breakers_are_made_at_one_place():
    """What is stored under a key by one release is found by the next."""
    site = Circuit.of_site("fake", "1")
    written = site.with_settings("desk", "x", link_id=7, strict=True)

    assert site == Circuit(SITE, "app:fake")
    assert written == Circuit(SITE, "app:fake", "settings:desk:x", link_id=7, strict=True)
    assert not site.with_settings("desk", "x", link_id=7).strict
    assert Circuit.of_source("acme") == Circuit("source:acme", pauses_on_auth=True)
    assert Circuit.of_poll("acme") == Circuit("poll:acme", pauses_on_auth=True, pauses_on_any_wait=True)


def test_a_key_tells_what_it_guards():
    """Names may begin alike, and may be named as a kind is."""
    assert [kind for kind in Guarded if kind.guards("poll:acme")] == [Guarded.POLL]
    assert not Guarded.SITE.guards("sites:x")
    assert is_of_settings("settings:desk:x", "desk")
    assert not is_of_settings("settings:desk2:x", "desk")
    assert not is_of_settings("source:desk:x", "desk")


def test_the_block_of_a_refused_call_is_not_run(breakers):
    """So nothing is written down of a call that is not made."""
    fail(breakers, LIMITED)
    ran = []

    with pytest.raises(Tripped), breakers.guard(CIRCUIT):
        ran.append("ran")

    assert ran == []


def test_a_poll_is_about_no_link(breakers, store):
    """Whoever is asked to wait by it, the source has to."""
    error = RetryLater("busy", after_s=60)

    found = fail(breakers, error, Circuit.of_poll("acme"))

    assert isinstance(found, Tripped)
    assert [breaker.key for breaker in store.breakers.every()] == ["poll:acme"]


@pytest.mark.parametrize("unknown", [True, False])
def test_a_trip_keeps_whether_the_call_may_have_worked(breakers, unknown):
    """The lane parks, and looks for what it wrote when it comes back."""
    lost = RetryLater("lost", scope=Scope.SITE, after_s=30, outcome_unknown=unknown)

    found = fail(breakers, lost)

    assert (found.outcome_unknown, found.__cause__) == (unknown, lost)


def test_what_trips_nothing_comes_out_as_it_was(breakers):
    """The error of a call is handed on, as is its result."""
    errors = [DOWN, TicketGone("gone"), AuthError("log in"), RemoteError("no"), ConfigError("wrong")]

    assert [fail(breakers, error) for error in errors] == errors
    assert work(breakers) == "answer"


def test_waits_are_drawn_by_whoever_is_given(store, clock):
    """With the same draws the waits are the same."""
    untils = []
    for _ in range(2):
        made = Breakers(store.breakers, clock, structlog.get_logger("test"), Metrics(), Random(7))
        for _ in range(FAILURES_THAT_TRIP):
            fail(made, DOWN)
        untils.append(store.breakers.every()[0].until)
        store.breakers.reset(SITE, clock.now())

    assert untils[0] == untils[1]


@pytest.mark.parametrize(("circuit", "error"), [(Circuit(SITE), DOWN), (CIRCUIT, ConfigError("gone"))])
def test_failed_tries_are_counted_and_the_first_trip_is_remembered(breakers, store, clock, circuit, error):
    """Each try that fails makes the next wait longer; since when it does not work stays the same."""
    for link in range(max(FAILURES_THAT_TRIP, REFUSALS_THAT_TRIP)):
        fail(breakers, error, replace(circuit, link_id=link))
    first = store.breakers.every()[0]
    found = []
    for _ in range(3):
        clock.forward(1000)
        fail(breakers, error, circuit)
        (breaker,) = store.breakers.every()
        found.append((breaker.key, breaker.failures, breaker.since, breaker.until > clock.now()))

    assert first.failures == 0
    assert found == [(first.key, number, first.since, True) for number in (1, 2, 3)]


def test_waits_for_a_wrong_setting_grow(breakers, store, clock):
    """From a minute to a quarter of an hour: a person has to act, and may have."""
    refuse(breakers)
    waits = []
    for _ in range(6):
        waits.append((store.breakers.every()[0].until - clock.now()).total_seconds())
        clock.forward(1200)
        refuse(breakers, links=[1])

    assert 60 * 0.7 <= waits[0] <= 60 * 1.3
    assert 120 * 0.7 <= waits[1] <= 120 * 1.3
    assert 900 * 0.7 <= waits[-1] <= 900 * 1.3


def test_first_wait_for_a_site_that_is_down_is_short(breakers, store, clock):
    """About a second, then about two."""
    for _ in range(FAILURES_THAT_TRIP):
        fail(breakers, DOWN)
    first = (store.breakers.every()[0].until - clock.now()).total_seconds()
    clock.forward(2)
    fail(breakers, DOWN)
    second = (store.breakers.every()[0].until - clock.now()).total_seconds()

    assert 0.7 <= first <= 1.3
    assert 1.4 <= second <= 2.6


class Steady(Random):
    """Draws the same each time: waits are what they would be on the average."""

    def uniform(self, _a, _b):
        """Return no more and no less."""
        return 1.0


@pytest.mark.parametrize(("share", "waits"), [(0.75, [1, 2, 4]), (1.0, [1, 1, 1])])
def test_a_place_that_worked_no_longer_than_it_paused_pauses_longer(store, clock, share, waits):
    """Its reads may work where its writes do not; one that worked for as long as it had paused begins anew."""
    made = Breakers(store.breakers, clock, structlog.get_logger("test"), Metrics(), Steady())
    found = []
    for _ in waits:
        for _ in range(FAILURES_THAT_TRIP):
            fail(made, DOWN)
        found.append((store.breakers.every()[0].until - clock.now()).total_seconds())
        clock.forward(found[-1])
        work(made)
        clock.forward(found[-1] * share)

    assert found == waits


def test_a_success_ends_the_count_of_refusals(breakers, store):
    """What works for one link is no wrong setting: only refusals in a row count."""
    refuse(breakers, links=(1, 2))
    work(breakers)
    refuse(breakers, links=(3, 4))

    assert store.breakers.every() == []


def test_a_refusal_is_an_answer_of_the_site(breakers, store):
    """Failures before and after it are not in a row."""
    fail(breakers, DOWN)
    fail(breakers, DOWN)
    refuse(breakers, links=[1])
    fail(breakers, DOWN)

    assert store.breakers.every() == []


def test_a_wrong_setting_pauses_nothing_else(breakers):
    """Other settings of the same site go on, and these are tried again when their time has come."""
    refuse(breakers)

    assert isinstance(fail(breakers, AssertionError("called")), Tripped)
    assert work(breakers, Circuit(SITE, "app:fake", "settings:desk:y", link_id=9)) == "answer"


def test_a_try_that_fails_elsewhere_leaves_the_settings_tripped(breakers, store, clock):
    """One lost answer of the site says nothing of the settings, and is one lost answer only."""
    refuse(breakers)
    clock.forward(1000)

    assert fail(breakers, DOWN) is DOWN
    assert [breaker.key for breaker in store.breakers.every()] == [SETTINGS]


def test_a_refused_try_resets_the_site_and_not_the_settings(breakers, store, clock):
    """The site answered; what it said is that the settings are wrong still."""
    refuse(breakers)
    for _ in range(FAILURES_THAT_TRIP):
        fail(breakers, DOWN, Circuit(SITE))
    clock.forward(1000)

    refuse(breakers, links=[1])

    assert [breaker.key for breaker in store.breakers.every()] == [SETTINGS]


NO, WRONG, GONE = RemoteError("No."), ConfigError("Wrong."), TicketGone("gone")


@pytest.mark.parametrize(
    ("error", "settings", "strict", "trips"),
    [
        (NO, SETTINGS, False, False),
        (NO, SETTINGS, True, True),
        (WRONG, SETTINGS, False, True),
        (WRONG, None, False, False),
        (NO, None, True, False),
        (GONE, SETTINGS, True, False),
        (RetryLater("busy ticket"), SETTINGS, True, False),
    ],
)
def test_what_is_refused_is_a_setting_where_it_may_be(breakers, store, error, settings, strict, trips):  # noqa: PLR0917
    """A refusal counts against settings when it says so, or where a call is strict; without settings nowhere."""
    for link in range(6):
        found = fail(breakers, error, Circuit(SITE, "app:fake", settings, link_id=link, strict=strict))

    assert isinstance(found, Tripped) if trips else found is error
    assert [breaker.key for breaker in store.breakers.every()] == ([SETTINGS] if trips else [])


def test_a_refused_try_wakes_nobody_who_waits_for_the_settings(breakers, store, clock, parked):
    """They would all be refused alike."""
    refuse(breakers)
    parked(SETTINGS, 3)
    clock.forward(1000)

    refuse(breakers, links=[1])

    assert store.lanes.claim("boot", clock.now(), 10, 7200) == []


def test_a_first_refusal_after_an_outage_is_the_first(breakers, store, clock):
    """The site is tried again and answers: what it refuses counts from one."""
    fail(breakers, LIMITED)
    clock.forward(60)

    refuse(breakers, links=[1])

    assert store.breakers.every() == []


def test_whoever_is_told_of_a_trip_is_told_which(breakers, store, clock):
    """The lane parks on it, and says since when it does not work."""
    first = fail(breakers, LIMITED)
    refused = fail(breakers, AssertionError("called"))
    clock.forward(60)
    again = fail(breakers, LIMITED)

    assert [error.breaker.key for error in (first, refused, again)] == [SITE] * 3
    assert {error.breaker.since for error in (first, refused, again)} == {store.breakers.every()[0].since}


def test_trips_are_counted_by_what_tripped(store, clock):
    """For whoever watches: the kind of breaker and the reason."""
    metrics = Metrics()
    made = Breakers(store.breakers, clock, structlog.get_logger("test"), metrics, Random(1))
    for _ in range(2):
        fail(made, LIMITED)
        clock.forward(60)

    counted = metrics.registry.get_sample_value(
        "connector_breaker_trips_total", {"kind": "site", "code": "rate_limited"}
    )
    assert counted == 2


def test_a_place_that_does_not_accept_us_waits_ten_minutes(breakers, store, clock):
    """It is tried again without a person, and looks like a first trip each time."""
    refused = AuthError("wrong signature")
    fail(breakers, refused, Circuit("source:acme", pauses_on_auth=True))

    (breaker,) = store.breakers.every()
    assert breaker.until - clock.now() == timedelta(minutes=10)
    assert (breaker.failures, breaker.since) == (0, clock.now())


@pytest.mark.parametrize(
    ("ahead_s", "passes"), [(-1, True), (0, True), (0.5, False), (HORIZON_S - 1, False), (HORIZON_S, True)]
)
def test_calls_pass_from_the_moment_that_was_named(breakers, clock, store, ahead_s, passes):
    """Up to that moment none does; a moment beyond every wait was named by another clock."""
    fail(breakers, LIMITED)
    clock.forward((store.breakers.every()[0].until - clock.now()).total_seconds() - ahead_s)
    store.breakers.trip(replace(store.breakers.every()[0], until=clock.now() + timedelta(seconds=ahead_s)))

    if passes:
        assert work(breakers) == "answer"
    else:
        assert isinstance(fail(breakers, AssertionError("called")), Tripped)


@pytest.mark.parametrize(
    ("ahead_s", "spared"), [(None, False), (0, False), (0.5, True), (HORIZON_S - 1, True), (HORIZON_S, False)]
)
def test_only_what_can_wait_a_while_is_spared(breakers, clock, ahead_s, spared):
    """Without a limit ahead nothing is put off, and a limit beyond every wait was told by another clock."""
    if ahead_s is not None:
        breakers.near_limit(CIRCUIT, clock.now() + timedelta(seconds=ahead_s))

    if spared:
        with pytest.raises(RetryLater):
            breakers.spare(CIRCUIT)
    else:
        breakers.spare(CIRCUIT)
    breakers.spare(Circuit("site:other:1"))


def test_the_latest_limit_counts_until_the_clock_is_set(breakers, clock):
    """An earlier end that is told later shortens nothing; another clock knows nothing of either."""
    for seconds in (50, 10):
        breakers.near_limit(CIRCUIT, clock.now() + timedelta(seconds=seconds))

    with pytest.raises(RetryLater) as caught:
        breakers.spare(CIRCUIT)
    assert caught.value.after_s == 50
    breakers.clock_was_set()
    breakers.spare(CIRCUIT)


def test_a_probe_that_never_called_is_followed_by_another(breakers, clock, parked):
    """The lane that was woken may have had nothing to do: after five seconds the next one may try."""
    fail(breakers, LIMITED)
    parked(SITE, 2)
    clock.forward(60)

    assert breakers.wake_probes()
    clock.forward(4.9)
    assert not breakers.wake_probes()
    clock.forward(0.1)
    assert breakers.wake_probes()


@pytest.mark.parametrize("answer", ["well", DOWN])
def test_a_store_in_trouble_hides_no_answer(breakers, store, clock, monkeypatch, answer):
    """How the call itself ended is what its lane is told."""
    fail(breakers, LIMITED)
    clock.forward(60)

    def unavailable(*_):
        raise RetryLater("The disk is full.", code="store_unavailable")

    monkeypatch.setattr(store.breakers, "reset", unavailable)
    monkeypatch.setattr(store.breakers, "trip", unavailable)

    if answer == "well":
        assert work(breakers) == "answer"
    else:
        assert fail(breakers, answer) is answer


def test_a_trip_is_said_once_for_each_reason(breakers, clock):
    """The log says what tripped and when the reason is another one, not each try."""
    with structlog.testing.capture_logs() as said:
        for error in (LIMITED, LIMITED, RetryLater("closed", scope=Scope.SITE, after_s=30, code="maintenance")):
            fail(breakers, error)
            clock.forward(60)

    assert [(line["event"], line["code"]) for line in said] == [
        ("breaker_tripped", "rate_limited"),
        ("breaker_tripped", "maintenance"),
    ]
