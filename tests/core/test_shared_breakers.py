"""Circuit breakers of several nodes: one tries for all of them, and all of them spare a site near its limit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random
from threading import Barrier
from types import SimpleNamespace

import pytest
import structlog

from connector_core import RetryLater, Scope
from connector_core.engine.breakers import (
    FAILURES_THAT_TRIP,
    PACE_READ_S,
    PACE_STEP,
    PROBE_WITHIN_S,
    TRY_FOR_S,
    Breakers,
    NearLimit,
    Tripped,
)
from connector_core.engine.circuits import Circuit
from connector_core.metrics import Metrics
from connector_core.secrets import SecretBox
from connector_core.store import Node, NodeEnd, Rest
from connector_core.store.opening import open_store
from tests.core.conftest import PASSPHRASE
from tests.support.lanes_at_hand import open_links
from tests.support.rows import count

SITE = "site:fake:1"
CIRCUIT = Circuit(SITE, "app:fake", link_id=1)
LIMITED = RetryLater("slow down", scope=Scope.SITE, after_s=30, code="rate_limited")
DOWN = RetryLater("cannot answer", scope=Scope.SITE, code="unavailable")


def breakers_of(store, clock, name):
    """Return the breakers of a node that is registered."""
    store.nodes.register(Node(name, "host", "1", "digest", clock.now()), beats=True)
    node = SimpleNamespace(id=name, is_alone=False)
    return Breakers(store.breakers, clock, structlog.get_logger("test"), Metrics(), Random(1), node=node)


@pytest.fixture
def pair(store, clock):
    """Return the breakers of two nodes, after one of them was told to wait and the time has come."""
    first, second = (breakers_of(store, clock, name) for name in ("first", "second"))
    with pytest.raises(Tripped), first.guard(CIRCUIT):
        raise LIMITED
    clock.forward(60)
    return first, second


def may_call(breakers):
    """Return whether a call is let through."""
    try:
        with breakers.guard(CIRCUIT):
            return True
    except Tripped:
        return False


def test_one_node_tries_for_all(pair):
    """While it does nobody else is let through; when it works everybody is."""
    first, second = pair
    with first.guard(CIRCUIT):
        assert not may_call(second)
        assert not may_call(first)

    assert may_call(second)


def test_a_try_that_fails_is_everybodys(pair, store, clock):
    """The next one is due when the first says so, whoever makes it; each makes the wait longer."""
    first, second = pair
    with pytest.raises(Tripped), first.guard(CIRCUIT):
        raise DOWN
    assert not may_call(second)

    clock.forward((store.breakers.every()[0].until - clock.now()).total_seconds())
    with pytest.raises(Tripped), second.guard(CIRCUIT):
        raise DOWN

    assert store.breakers.every()[0].failures == 2


def test_what_goes_wrong_in_a_call_leaves_nobody_trying(pair):
    """A bug is no reason to wait until the try counts no more."""
    first, second = pair
    with pytest.raises(ZeroDivisionError), first.guard(CIRCUIT):
        raise ZeroDivisionError

    assert may_call(second)


@pytest.mark.parametrize("end", list(NodeEnd))
def test_a_node_that_ends_while_it_tries_leaves_it_to_others(pair, store, clock, end):
    """However it ended, at once when that is known."""
    first, second = pair
    with pytest.raises(KeyboardInterrupt), first.guard(CIRCUIT):
        raise KeyboardInterrupt
    assert not may_call(second)

    if end is NodeEnd.GOODBYE:
        store.nodes.say_goodbye("first", clock.now())
    else:
        assert store.nodes.bury("first", clock.now() - timedelta(seconds=60), end, clock.now())

    assert may_call(second)


def test_a_try_of_which_nothing_is_heard_counts_for_a_while(pair, clock):
    """Whoever began it may be frozen, and nobody know of it."""
    first, second = pair
    with pytest.raises(KeyboardInterrupt), first.guard(CIRCUIT):
        raise KeyboardInterrupt
    clock.forward(TRY_FOR_S - 1)
    assert not may_call(second)

    clock.forward(1)

    assert may_call(second)


def test_a_daemon_that_starts_alone_ends_the_tries_of_those_before(pair, store, clock):
    """There is nobody else who could make them."""
    first, second = pair
    with pytest.raises(KeyboardInterrupt), first.guard(CIRCUIT):
        raise KeyboardInterrupt

    store.lanes.recover("second")

    assert may_call(second)


def test_one_lane_is_woken_over_all_nodes(pair, store, clock):
    """Both look each second; the lane has a moment to be claimed, by whichever of them."""
    first, second = pair
    open_links(store, clock, 5)
    for claim in store.lanes.claim("boot", clock.now(), 5, 7200):
        store.lanes.release(claim, Rest(breaker=SITE), clock.now())

    assert [one.wake_probes() for one in (first, second, first, second)] == [True, False, False, False]
    assert len(store.lanes.claim("boot", clock.now(), 10, 7200)) == 1
    with second.guard(CIRCUIT):
        clock.forward(PROBE_WITHIN_S + 1)
        assert not first.wake_probes()  # somebody is at it

    assert len(store.lanes.claim("boot", clock.now(), 10, 7200)) == 4


def test_a_woken_lane_that_nobody_runs_is_followed_by_another(pair, store, clock):
    """Its node may have died over it."""
    first, second = pair
    open_links(store, clock, 2)
    for claim in store.lanes.claim("boot", clock.now(), 2, 7200):
        store.lanes.release(claim, Rest(breaker=SITE), clock.now())
    assert first.wake_probes()

    clock.forward(PROBE_WITHIN_S)

    assert second.wake_probes()


@pytest.mark.postgresql_only("there can be several nodes there only")
def test_of_many_that_come_at_once_one_tries(pair, store, database_place, clock):
    """Two nodes with stores of their own, eight calls each at the same moment: one of them is let through."""
    other = open_store(database_place, SecretBox([PASSPHRASE]))
    nodes = [pair[0], breakers_of(other, clock, "second")]
    begun, ended = Barrier(16), Barrier(16)

    def call(breakers):
        begun.wait(30)
        try:
            with breakers.guard(CIRCUIT):
                ended.wait(30)  # until the others were refused
                return True
        except Tripped:
            ended.wait(30)
            return False

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(call, nodes * 8))
    other.close()

    assert sum(found) == 1


@pytest.mark.parametrize("nodes", [1, 2, 3])
def test_what_is_about_to_trip_is_counted_by_each_node(store, clock, nodes):
    """So a site that is down gets at most so many calls before nobody calls it: two more for each further node."""
    every = [breakers_of(store, clock, str(number)) for number in range(nodes)]
    calls = 0
    for turn in range(100):
        try:
            with every[turn % nodes].guard(CIRCUIT):
                calls += 1
                raise DOWN
        except RetryLater:
            pass

    assert calls == (FAILURES_THAT_TRIP - 1) * nodes + 1


# Near a rate limit


def spared_for(breakers):
    """Return how long what can wait is put off."""
    try:
        breakers.spare(CIRCUIT)
    except NearLimit as exc:
        return exc.after_s
    return 0


def test_a_limit_is_everybodys(store, clock):
    """What one node is told of a site all of them heed, within a second; that of another site is no business of it."""
    first, second = (breakers_of(store, clock, name) for name in ("first", "second"))
    assert spared_for(second) == 0

    first.near_limit(CIRCUIT, clock.now() + timedelta(seconds=50))
    first.near_limit(Circuit("site:fake:2"), clock.now() + timedelta(seconds=500))
    clock.forward(PACE_READ_S)

    assert [spared_for(first), spared_for(second)] == [50 - PACE_READ_S] * 2
    clock.forward(50)
    assert [spared_for(first), spared_for(second)] == [0, 0]


def test_the_later_limit_counts(store, clock):
    """Whoever was told first."""
    first, second = (breakers_of(store, clock, name) for name in ("first", "second"))
    first.near_limit(CIRCUIT, clock.now() + timedelta(seconds=50))
    second.near_limit(CIRCUIT, clock.now() + timedelta(seconds=20))

    assert [spared_for(first), spared_for(second)] == [50, 50]


def test_a_clock_that_was_set_ends_what_was_told_by_it(store, clock):
    """On all nodes."""
    first, second = (breakers_of(store, clock, name) for name in ("first", "second"))
    first.near_limit(CIRCUIT, clock.now() + timedelta(seconds=50))
    store.life.clock_was_set(-1000, clock.now())
    for one in (first, second):
        one.clock_was_set()

    assert [spared_for(first), spared_for(second)] == [0, 0]


class Counting:
    """A store's breakers, counting what is asked of them."""

    def __init__(self, stored) -> None:
        self._stored = stored
        self.asked = []

    def __getattr__(self, name):
        """Count, and hand on."""
        self.asked.append(name)
        return getattr(self._stored, name)


@pytest.mark.parametrize(("is_alone", "asked"), [(True, []), (False, ["near_limit", "near_limit_until"])])
def test_a_daemon_that_is_alone_asks_the_database_for_no_limit(store, clock, is_alone, asked):
    """And one of several does so once a second, however many calls are made, and tells once of the same limit."""
    stored, node = Counting(store.breakers), SimpleNamespace(id="it", is_alone=is_alone)
    breakers = Breakers(stored, clock, structlog.get_logger("test"), Metrics(), Random(1), node=node)
    for number in range(10):
        breakers.near_limit(CIRCUIT, clock.now() + timedelta(seconds=50) + number * PACE_STEP / 10)
        assert spared_for(breakers) > 0

    assert stored.asked == asked
    assert count(store, "pace") == len(asked) / 2


def test_a_call_that_nothing_stands_against_asks_once(store, clock):
    """Whether one of its breakers is tripped: no more than a daemon that is alone has always asked."""
    for is_alone in (True, False):
        stored, node = Counting(store.breakers), SimpleNamespace(id="it", is_alone=is_alone)
        breakers = Breakers(stored, clock, structlog.get_logger("test"), Metrics(), Random(1), node=node)
        with breakers.guard(CIRCUIT):
            pass

        assert stored.asked == ["tripped"]
