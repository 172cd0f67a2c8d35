"""Rounds: each name has its turn again and again, never twice at once, and no site holds more than its share."""

from __future__ import annotations

import threading
from datetime import timedelta
from functools import partial
from itertools import pairwise

import pytest

from connector_core.demo.stage import until
from connector_core.polling.rounds import Rounds, until_own_moment
from connector_core.shares import SharedCrew
from connector_core.testing import FrozenClock


class Acting:
    """What is called; it waits for `go` before it ends, and notes who was called for."""

    def __init__(self):
        self.go = threading.Semaphore(0)
        self.called = []
        self.answer = None

    def __call__(self, name):
        """Note, wait, answer or raise."""
        self.called.append(name)
        assert self.go.acquire(timeout=20)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def acting():
    """Make what is called."""
    return Acting()


@pytest.fixture
def clock():
    """Make a clock that stands still."""
    return FrozenClock()


@pytest.fixture
def rounds(acting, clock):
    """Make rounds on a hundred threads, two of them for each site; the site is the first letter of a name."""
    crew = SharedCrew("some", 100, most=2)
    made = Rounds("some", crew, acting, monotonic=clock.monotonic, site_of=lambda name: name[0])
    yield made
    acting.go.release(1000)
    made.stop()
    crew.shutdown()


def is_under_way(rounds):
    """Return whether anybody is being called for."""
    return any(turn.is_running for turn in rounds._turns.values())


def is_called(acting, times):
    """Return whether it was called for so often."""
    return len(acting.called) >= times


def run(rounds, acting, turns=1):
    """Hand out turns and see them end."""
    for _ in range(turns):
        wanted = len(acting.called) + 1
        rounds.step()
        until(partial(is_called, acting, wanted))
        acting.go.release()
        until(lambda: not is_under_way(rounds))


def test_a_turn_comes_at_once_and_again_at_its_own_moment(rounds, acting, clock):
    """The first look is not waited for; the next is where the name has its place in the interval."""
    rounds.follow({"acme": 30.0})
    run(rounds, acting)

    wait = rounds.waits()["acme"]
    clock.forward(wait)
    run(rounds, acting)

    assert 0 < wait <= 30
    assert acting.called == ["acme", "acme"]
    assert rounds.waits()["acme"] == pytest.approx(30)


def test_many_are_spread_over_their_interval(rounds, acting, clock):
    """They do not come together again and again."""
    rounds.follow({f"org-{number}": 30.0 for number in range(40)})
    clock.forward(10)
    acting.go.release(40)
    until(lambda: rounds.step() is not None and len(acting.called) == 40 and not is_under_way(rounds))

    waits = sorted(rounds.waits().values())

    assert max(later - earlier for earlier, later in pairwise([0, *waits, 30])) < 10


def test_a_site_that_hangs_holds_its_share_and_others_have_their_turns(rounds, acting, clock):
    """Five names of one site hold two threads; that of another is called for meanwhile, and then the rest."""
    rounds.follow(dict.fromkeys(["a1", "a2", "a3", "a4", "a5"], 30.0))
    clock.forward(30)
    rounds.step()
    until(lambda: len(acting.called) == 2)

    rounds.follow(dict.fromkeys(["a1", "a2", "a3", "a4", "a5", "b1"], 30.0))
    rounds.step()
    until(lambda: len(acting.called) == 3)

    assert acting.called[2] == "b1"
    acting.go.release(6)
    until(lambda: len(acting.called) == 6)


def test_one_that_is_called_for_is_called_for_once_more_when_it_was_hurried_meanwhile(rounds, acting):
    """Never twice at once, and what changed meanwhile is not missed."""
    rounds.follow({"acme": 30.0})
    rounds.step()
    until(lambda: acting.called == ["acme"])

    rounds.hurry(["acme"])
    rounds.step()
    assert acting.called == ["acme"]
    acting.go.release()
    until(lambda: not is_under_way(rounds))

    assert rounds.waits()["acme"] == 0


def test_what_is_called_says_when_it_wants_to_be_called_again(rounds, acting, clock):
    """Seldom where nothing is to be seen; `within` brings it back to what was asked for at first."""
    rounds.follow({"acme": 60.0})
    acting.answer = 600.0
    run(rounds, acting, turns=1)
    clock.forward(rounds.waits()["acme"])
    run(rounds, acting)
    seldom = rounds.waits()["acme"]

    rounds.within(["acme"])

    assert seldom == pytest.approx(600)
    assert rounds.waits()["acme"] == pytest.approx(60)


def test_one_that_fails_comes_again(rounds, acting):
    """What nobody expected is counted, and the name keeps its turns."""
    rounds.follow({"acme": 30.0})
    acting.answer = ZeroDivisionError("nobody expected it")
    run(rounds, acting)

    (loop,) = rounds.loops
    assert loop.failures == 1
    assert 0 < rounds.waits()["acme"] <= 30


def test_a_shorter_interval_counts_from_now(rounds, acting):
    """Nobody waits for the end of the former one."""
    rounds.follow({"acme": 3600.0})
    run(rounds, acting)

    rounds.follow({"acme": 5.0})

    assert rounds.waits()["acme"] <= 5


def test_one_that_is_not_wanted_any_more_is_left_out(rounds, acting):
    """Also while it is being called for."""
    rounds.follow({"acme": 30.0})
    rounds.step()
    until(lambda: acting.called == ["acme"])

    rounds.follow({})
    acting.go.release()
    until(lambda: not is_under_way(rounds))

    assert rounds.waits() == {}
    assert rounds.step() is None


def test_the_own_moment_of_a_name_is_the_same_on_all_nodes(clock):
    """Within an interval, later for one and earlier for another, and again an interval after."""
    names = [f"org-{number}" for number in range(50)]
    waits = {name: until_own_moment(name, 60.0, clock.now()) for name in names}

    assert all(0 < wait_s <= 61.0 for wait_s in waits.values())
    assert max(waits.values()) - min(waits.values()) > 45
    later = clock.now() + timedelta(seconds=waits["org-7"])
    assert until_own_moment("org-7", 60.0, later) == pytest.approx(60.0, abs=0.01)
    assert until_own_moment("org-7", 0.0, clock.now()) == 0.0
