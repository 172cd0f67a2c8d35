"""The engine runs due lanes soon, each by one worker at a time, and gives them back."""

from __future__ import annotations

import errno
import sqlite3
import threading
from dataclasses import replace
from datetime import timedelta
from random import Random
from types import SimpleNamespace

import pytest
import structlog

from connector_core import EventType, Incident, IncidentEvent, RetryLater
from connector_core.clock import SystemClock
from connector_core.demo.stage import until
from connector_core.engine import engine as engine_module
from connector_core.engine.backoff import HORIZON_S, LONGEST_S, delay_s
from connector_core.engine.engine import Engine
from connector_core.engine.nodes import LoneNode
from connector_core.metrics import Metrics
from connector_core.store import Rest, Target
from connector_core.testing import FrozenClock

SOON_S = 30.0


@pytest.fixture
def start(store):
    """Return a function that starts an engine on what a lane does; engines are stopped afterwards."""
    engines = []

    def start_one(run_lane, workers=4, per_integration=4):
        work = SimpleNamespace(
            run=lambda claim: run_lane(claim) or Rest(),
            crashed=lambda _: Rest(due=SystemClock().now() + timedelta(minutes=1)),
        )
        log = structlog.get_logger("test")
        engine = Engine(
            store.lanes, work, workers=workers, per_integration=per_integration, clock=SystemClock(), log=log
        )
        engines.append(engine)
        engine.start()
        return engine

    yield start_one
    for engine in engines:
        engine.stop(SOON_S)
    assert [engine._dispatcher.failures for engine in engines] == [0] * len(engines)


def happen(store, incident="inc-1", event="evt-1", integration="desk"):
    """Store an event, which makes or wakes a lane."""
    now = SystemClock().now()
    body = IncidentEvent(id=event, type=EventType.OPENED, occurred_at=now, incident=Incident(id=incident, title="x"))
    store.inbox.accept_events("acme", [body], [Target(integration, {}, now)], now).result()


def test_a_nudged_lane_runs_and_rests(store, start):
    """A due lane is run once and not again."""
    ran = threading.Semaphore(0)
    engine = start(lambda _: ran.release())

    happen(store)
    engine.nudge()

    assert ran.acquire(timeout=SOON_S)
    assert engine.stop(SOON_S)
    assert store.lanes.next_due() is None


def test_a_lane_that_asks_for_a_later_time_runs_again(store, start):
    """What `run_lane` returns is when the lane is due."""
    ran = threading.Semaphore(0)
    rests = [Rest(due=SystemClock().now()), Rest()]

    def run_lane(_):
        ran.release()
        return rests.pop(0)

    engine = start(run_lane)
    happen(store)
    engine.nudge()

    assert ran.acquire(timeout=SOON_S)
    assert ran.acquire(timeout=SOON_S)


def test_one_lane_never_runs_twice_at_once_and_others_do_not_wait(store, start):
    """While one lane is busy, another runs; its own wake-up comes after."""
    busy, go_on, others = threading.Semaphore(0), threading.Event(), threading.Semaphore(0)
    inside = []
    overlaps = []

    def run_lane(claim):
        if claim.link_id != 1:
            others.release()
            return
        if inside:
            overlaps.append(claim)
        inside.append(claim)
        busy.release()
        go_on.wait(SOON_S)
        inside.remove(claim)

    engine = start(run_lane)
    happen(store)
    engine.nudge()
    assert busy.acquire(timeout=SOON_S)
    happen(store, event="evt-2")
    happen(store, incident="inc-2", event="evt-3")
    engine.nudge()
    assert others.acquire(timeout=SOON_S)
    go_on.set()

    assert busy.acquire(timeout=SOON_S)
    assert overlaps == []


def test_a_crashing_lane_costs_no_worker(store, start):
    """A bug in one lane leaves the engine alive and the lane due later."""
    ran = threading.Semaphore(0)

    def run_lane(claim):
        ran.release()
        if claim.link_id == 1:
            raise ZeroDivisionError

    engine = start(run_lane, workers=1)
    happen(store)
    engine.nudge()
    assert ran.acquire(timeout=SOON_S)
    happen(store, incident="inc-2", event="evt-2")
    engine.nudge()

    assert ran.acquire(timeout=SOON_S)
    assert engine.is_alive
    engine.stop(SOON_S)
    assert store.lanes.next_due() > SystemClock().now().timestamp()


def test_a_lane_left_by_a_killed_daemon_runs_at_the_next_start(store, start):
    """Claims of another boot are freed at once."""
    happen(store)
    assert store.lanes.claim("killed", SystemClock().now(), 8, HORIZON_S)
    ran = threading.Semaphore(0)

    start(lambda _: ran.release())

    assert ran.acquire(timeout=SOON_S)


def test_a_lane_that_seems_due_in_the_far_future_is_due_now(store):
    """A clock that was set back does not freeze a lane."""
    happen(store)
    now = SystemClock().now()

    assert store.lanes.claim("boot", now - timedelta(days=30), 8, HORIZON_S)


@pytest.mark.parametrize("attempts", [0, 1, 5, 50, 5000])
def test_waits_grow_stay_bounded_and_respect_what_was_asked(attempts):
    """Own waits stay within jitter of the longest; an asked wait is never undercut."""
    random = Random(attempts)

    assert 0 < delay_s(attempts, None, random) <= LONGEST_S * 1.3
    assert delay_s(attempts, 77, random) >= 77
    assert delay_s(attempts, 1e12, random) <= HORIZON_S


@pytest.fixture
def patient(monkeypatch):
    """Have the engine look by itself so seldom that only a nudge, or a lane's own time, can be why it looks."""
    monkeypatch.setattr(engine_module, "LOOK_AGAIN_S", 600.0)


def watched(store, monkeypatch, name):
    """Count the calls of one operation on lanes that have ended."""
    calls = threading.Semaphore(0)
    real = getattr(store.lanes, name)

    def call(*args, **kwargs):
        try:
            return real(*args, **kwargs)
        finally:
            calls.release()

    monkeypatch.setattr(store.lanes, name, call)
    return calls


def failing(store, monkeypatch, name, *, times, after=False):
    """Let the store be unavailable for some calls of a method, before or after it did what it was asked."""
    left = [None] * times
    real = getattr(store.lanes, name)

    def call(*args, **kwargs):
        done = real(*args, **kwargs) if after or not left else None
        if left:
            left.pop()
            raise RetryLater("The disk is full.", code="store_unavailable")
        return done

    monkeypatch.setattr(store.lanes, name, call)
    return left


@pytest.mark.usefixtures("patient")
def test_a_nudge_is_heard_at_once(store, start):
    """Whoever committed a wake-up need not wait until the engine looks by itself."""
    ran = threading.Semaphore(0)
    engine = start(lambda _: ran.release())
    happen(store)

    engine.nudge()

    assert ran.acquire(timeout=SOON_S)


def test_a_lane_that_another_process_woke_is_found_without_a_nudge(store, start):
    """The command line writes to the database only."""
    ran = threading.Semaphore(0)
    start(lambda _: ran.release())

    happen(store)

    assert ran.acquire(timeout=SOON_S)


@pytest.mark.usefixtures("patient")
def test_a_lane_runs_when_its_time_has_come_and_not_before(store, start):
    """The engine sleeps until the next lane is due, and no longer."""
    ran, dues = [], []
    both = threading.Semaphore(0)

    def run_lane(_):
        ran.append(SystemClock().now())
        both.release()
        if dues:
            return Rest()
        dues.append(SystemClock().now() + timedelta(seconds=0.4))
        return Rest(due=dues[0])

    engine = start(run_lane)
    happen(store)
    engine.nudge()

    assert both.acquire(timeout=SOON_S)
    assert both.acquire(timeout=SOON_S)
    assert dues[0] <= ran[1]


@pytest.mark.parametrize("due_in_s", [None, 3600])
def test_an_engine_without_due_lanes_is_at_rest(store, start, monkeypatch, due_in_s):
    """It looks now and then and after a nudge, and does not spin."""
    monkeypatch.setattr(engine_module, "LOOK_AGAIN_S", 600.0)
    happen(store)
    (claim,) = store.lanes.claim("test", SystemClock().now(), 8, HORIZON_S)
    due = None if due_in_s is None else SystemClock().now() + timedelta(seconds=due_in_s)
    store.lanes.release(claim, Rest(due=due), SystemClock().now())
    looks = watched(store, monkeypatch, "next_due")
    ran = []

    engine = start(ran.append)

    assert looks.acquire(timeout=SOON_S)
    assert not looks.acquire(timeout=0.2)
    engine.nudge()
    assert looks.acquire(timeout=SOON_S)
    assert not looks.acquire(timeout=0.2)
    assert ran == []


@pytest.mark.usefixtures("patient")
def test_no_more_lanes_are_claimed_than_there_are_workers(store, start):
    """What waits for a worker waits in the store, where another node can take it; it runs when the worker is free."""
    busy, go_on = threading.Semaphore(0), threading.Event()

    def run_lane(_):
        busy.release()
        go_on.wait(SOON_S)

    engine = start(run_lane, workers=1, per_integration=1)
    happen(store)
    happen(store, incident="inc-2", event="evt-2")
    engine.nudge()
    assert busy.acquire(timeout=SOON_S)
    engine.nudge()

    assert not busy.acquire(timeout=0.2)
    assert engine.running == 1
    assert [claim.link_id for claim in store.lanes.claim("other", SystemClock().now(), 8, HORIZON_S)] == [2]
    happen(store, incident="inc-3", event="evt-3")
    go_on.set()
    assert busy.acquire(timeout=SOON_S)


@pytest.mark.usefixtures("patient")
def test_workers_that_are_busy_are_not_counted_as_idle(store, start):
    """While one of two workers is busy one more lane is claimed, however many are due."""
    busy, go_on = threading.Semaphore(0), threading.Event()

    def run_lane(_):
        busy.release()
        go_on.wait(SOON_S)

    engine = start(run_lane, workers=2)
    happen(store)
    engine.nudge()
    assert busy.acquire(timeout=SOON_S)
    for number in range(2, 6):
        happen(store, incident=f"inc-{number}", event=f"evt-{number}")
    engine.nudge()
    assert busy.acquire(timeout=SOON_S)

    assert not busy.acquire(timeout=0.2)
    assert engine.running == 2
    assert len(store.lanes.claim("other", SystemClock().now(), 8, HORIZON_S)) == 3
    go_on.set()


@pytest.mark.usefixtures("patient")
def test_a_lane_that_is_due_when_the_engine_stops_is_left_to_others(store, start, monkeypatch):
    """To be woken by the stop is no reason to begin with it."""
    ran = []
    looks = watched(store, monkeypatch, "next_due")
    engine = start(ran.append)
    assert looks.acquire(timeout=SOON_S)  # it found nothing, and sleeps until it is woken
    happen(store)

    assert engine.stop(SOON_S)
    assert ran == []
    assert len(store.lanes.claim("other", SystemClock().now(), 8, HORIZON_S)) == 1


def test_all_workers_are_used(store, start):
    """As many lanes run at once as there are workers."""
    inside = threading.Barrier(4 + 1)

    def run_lane(_):
        inside.wait(SOON_S)

    for number in range(4):
        happen(store, incident=f"inc-{number}", event=f"evt-{number}")
    engine = start(run_lane, workers=4)
    engine.nudge()
    inside.wait(SOON_S)  # with all four; it raises if one is missing

    assert engine.stop(SOON_S)
    assert not inside.broken
    assert store.lanes.next_due() is None


def test_a_node_of_several_claims_for_some_workers_at_once_while_more_is_due(store, start, monkeypatch):
    """Claims of nodes wait for each other: one for a quarter of the workers is made in place of one for each."""
    monkeypatch.setattr(LoneNode, "is_alone", False)
    monkeypatch.setattr("connector_core.engine.engine.GATHER_S", SOON_S)
    begun, may_end = threading.Semaphore(0), threading.Semaphore(0)
    limits, claim = [], store.lanes.claim

    def noted(boot, now, limit, *args, **more):
        limits.append(limit)
        return claim(boot, now, limit, *args, **more)

    def run_lane(_):
        begun.release()
        may_end.acquire(timeout=SOON_S)

    for number in range(12):
        happen(store, incident=f"inc-{number}", event=f"evt-{number}")
    monkeypatch.setattr(store.lanes, "claim", noted)
    engine = start(run_lane, workers=8, per_integration=8)
    for _ in range(8):
        assert begun.acquire(timeout=SOON_S)

    may_end.release()
    assert not begun.acquire(timeout=0.2)
    may_end.release()
    for _ in range(2):
        assert begun.acquire(timeout=SOON_S)

    assert limits == [8, 2]
    may_end.release(12)
    assert engine.stop(SOON_S)


def test_an_integration_keeps_to_its_share_and_the_engine_to_its_rest(store, start, monkeypatch):
    """A site that hangs holds up no other, and what it holds up does not make the engine spin."""
    monkeypatch.setattr(engine_module, "LOOK_AGAIN_S", 600.0)
    busy, go_on, other = threading.Semaphore(0), threading.Event(), threading.Semaphore(0)
    store.integrations.put(replace(store.integrations.every()[0], id="other"))

    def run_lane(claim):
        if claim.integration_id == "other":
            other.release()
            return
        busy.release()
        go_on.wait(SOON_S)

    engine = start(run_lane, workers=4, per_integration=1)
    for number in range(3):
        happen(store, incident=f"inc-{number}", event=f"evt-{number}")
    engine.nudge()
    assert busy.acquire(timeout=SOON_S)
    happen(store, incident="inc-9", event="evt-9", integration="other")
    engine.nudge()
    assert other.acquire(timeout=SOON_S)
    settle(engine, 1)

    assert not busy.acquire(timeout=0.2)
    claims = watched(store, monkeypatch, "claim")
    assert not all(claims.acquire(timeout=0.2) for _ in range(10))  # the end of a lane is one reason more to look
    go_on.set()
    assert busy.acquire(timeout=SOON_S)
    assert busy.acquire(timeout=SOON_S)


def settle(engine, running):
    """Wait until so many lanes are running."""
    with engine._changed:
        assert engine._changed.wait_for(lambda: engine.running == running, timeout=SOON_S)


def test_an_engine_is_alive_from_its_start_to_its_end(store, start):
    """What is stopped, or was never started, is not alive."""
    log = structlog.get_logger("test")
    unused = Engine(store.lanes, SimpleNamespace(), workers=1, per_integration=1, clock=SystemClock(), log=log)
    assert not unused.is_alive
    assert unused.stop(SOON_S)

    engine = start(lambda _: None)
    assert engine.is_alive
    assert engine.stop(SOON_S)
    assert not engine.is_alive


@pytest.mark.usefixtures("patient")
def test_stopping_waits_for_what_runs_and_takes_nothing_new(store, start):
    """A lane that runs may end, another that is due stays in the store."""
    busy, go_on, stopped = threading.Semaphore(0), threading.Event(), []

    def run_lane(_):
        busy.release()
        go_on.wait(SOON_S)

    engine = start(run_lane, workers=1)
    happen(store)
    happen(store, incident="inc-2", event="evt-2")
    engine.nudge()
    assert busy.acquire(timeout=SOON_S)

    stopping = threading.Thread(target=lambda: stopped.append(engine.stop(SOON_S)))
    stopping.start()
    until(lambda: not engine.is_alive)
    assert stopped == []
    go_on.set()
    stopping.join(SOON_S)

    assert stopped == [True]
    assert not busy.acquire(blocking=False)
    assert [claim.link_id for claim in store.lanes.claim("next", SystemClock().now(), 8, HORIZON_S)] == [2]


@pytest.mark.usefixtures("patient")
def test_a_lane_that_does_not_end_in_time_is_left_to_the_next_boot(store, start):
    """Stopping says that it did not end; the claim is kept, so that nobody works on it beside us."""
    busy, go_on = threading.Semaphore(0), threading.Event()

    def run_lane(_):
        busy.release()
        go_on.wait(SOON_S)

    engine = start(run_lane)
    happen(store)
    engine.nudge()
    assert busy.acquire(timeout=SOON_S)

    assert not engine.stop(0.05)
    assert engine.running == 1
    assert store.lanes.claim("other", SystemClock().now(), 8, HORIZON_S) == []
    assert store.lanes.recover("next") == 1
    go_on.set()
    settle(engine, 0)


@pytest.mark.parametrize("after", [False, True])
def test_a_store_that_is_unavailable_delays_a_lane_and_stops_nothing(store, start, monkeypatch, after):
    """Whether or not a claim was stored before its answer was lost, the lane runs once the store is back."""
    monkeypatch.setattr(engine_module, "STORE_RETRY_WAIT_S", 0.05)
    left = failing(store, monkeypatch, "claim", times=2, after=after)
    ran = threading.Semaphore(0)
    happen(store)

    engine = start(lambda _: ran.release())

    assert ran.acquire(timeout=SOON_S)
    assert left == []
    assert engine.stop(SOON_S)
    assert not ran.acquire(blocking=False)
    assert store.lanes.next_due() is None


def test_a_lane_that_runs_is_not_freed_by_the_look_for_lost_claims(store, start, monkeypatch):
    """Trouble while others are claimed does not give a running lane to a second worker."""
    monkeypatch.setattr(engine_module, "STORE_RETRY_WAIT_S", 0.01)
    busy, go_on, ran = threading.Semaphore(0), threading.Event(), []

    def run_lane(claim):
        ran.append(claim.link_id)
        busy.release()
        if claim.link_id == 1:
            go_on.wait(SOON_S)

    engine = start(run_lane)
    happen(store)
    engine.nudge()
    assert busy.acquire(timeout=SOON_S)
    left = failing(store, monkeypatch, "claim", times=1, after=True)
    happen(store, event="evt-2")  # the first lane has more to do
    happen(store, incident="inc-2", event="evt-3")
    engine.nudge()
    assert busy.acquire(timeout=SOON_S)

    assert left == []
    assert ran == [1, 2]
    go_on.set()
    assert busy.acquire(timeout=SOON_S)
    assert ran == [1, 2, 1]


@pytest.mark.usefixtures("patient")
def test_what_another_process_claims_meanwhile_is_left_to_it(store, start, monkeypatch):
    """Lanes of others are freed at a start only, not each time that one is claimed."""
    ran, done = [], threading.Semaphore(0)
    looks = watched(store, monkeypatch, "next_due")

    def run(claim):
        ran.append(claim.link_id)
        done.release()

    engine = start(run)
    assert looks.acquire(timeout=SOON_S)  # it found nothing, and sleeps until it is woken
    happen(store)
    assert store.lanes.claim("other", SystemClock().now(), 8, HORIZON_S)
    happen(store, incident="inc-2", event="evt-2")
    engine.nudge()
    assert done.acquire(timeout=SOON_S)

    assert engine.stop(SOON_S)
    assert ran == [2]
    assert store.lanes.recover("next") == 1


def test_a_store_in_trouble_is_not_asked_in_a_loop(store, start, monkeypatch):
    """After a failure the engine waits; a stop is heard all the same."""
    monkeypatch.setattr(engine_module, "STORE_RETRY_WAIT_S", 600.0)
    failing(store, monkeypatch, "next_due", times=1000)
    looks = watched(store, monkeypatch, "next_due")

    engine = start(lambda _: None)

    assert looks.acquire(timeout=SOON_S)
    assert not looks.acquire(timeout=0.2)
    assert engine.is_alive
    assert engine.stop(SOON_S)


@pytest.mark.parametrize("times", [1, 3])
def test_a_lane_that_could_not_be_given_back_is_given_back_later(store, start, monkeypatch, times):
    """It keeps its claim until the store takes it, and then runs again soon: what it did may not be stored."""
    monkeypatch.setattr(engine_module, "STORE_RETRY_WAIT_S", 0.01)
    left = failing(store, monkeypatch, "release", times=times)
    before = SystemClock().now()
    engine = start(lambda _: None)
    happen(store)
    engine.nudge()

    until(lambda: not left and engine.running == 0)
    due = store.lanes.next_due() - before.timestamp()
    assert 0 < due - engine_module.STORE_RETRY_DUE_S < SOON_S
    assert engine.is_alive


def test_giving_back_waits_between_two_tries(store, start, monkeypatch):
    """A store that is full is not hammered by every lane that ends; when the engine stops the lane keeps its claim."""
    monkeypatch.setattr(engine_module, "STORE_RETRY_WAIT_S", 600.0)
    failing(store, monkeypatch, "release", times=1000)
    tries = watched(store, monkeypatch, "release")
    engine = start(lambda _: None, workers=1)
    happen(store)
    engine.nudge()

    assert tries.acquire(timeout=SOON_S)
    assert tries.acquire(timeout=SOON_S)
    engine.nudge()
    assert not tries.acquire(timeout=0.2)
    assert engine.stop(SOON_S)
    assert store.lanes.recover("next") == 1


@pytest.mark.usefixtures("patient")
def test_a_lane_whose_work_the_store_did_not_take_is_no_crash(store):
    """Trouble of the store while a lane runs gives the lane back in a few seconds, and counts as nobody's bug."""
    crashed = []

    def run_lane(_):
        raise RetryLater("The disk is full.", code="store_unavailable")

    work = SimpleNamespace(run=run_lane, crashed=crashed.append)
    happen(store)
    now = SystemClock().now()
    engine = Engine(
        store.lanes, work, workers=1, per_integration=1, clock=SystemClock(), log=structlog.get_logger("test")
    )
    (claim,) = engine.claim(8)

    engine.work(claim)

    assert crashed == []
    assert engine.running == 0
    assert (
        engine_module.STORE_RETRY_DUE_S
        <= store.lanes.next_due() - now.timestamp()
        < engine_module.STORE_RETRY_DUE_S + SOON_S
    )


def test_a_store_that_is_back_after_some_tries_takes_the_lane_and_nothing_is_said_of_a_crash(store, monkeypatch):
    """A disk that was full for a minute: the lane goes on by itself, and the log has one line about it, not a trace."""
    monkeypatch.setattr(engine_module, "STORE_RETRY_WAIT_S", 0.0)
    work = SimpleNamespace(run=lambda _: Rest(), crashed=None)
    log, metrics = structlog.get_logger("test"), Metrics()
    engine = Engine(store.lanes, work, workers=1, per_integration=1, clock=SystemClock(), log=log, metrics=metrics)
    happen(store)
    (claim,) = engine.claim(8)
    left = failing(store, monkeypatch, "release", times=3)

    with structlog.testing.capture_logs() as said:
        engine.work(claim)

    assert [line["event"] for line in said] == ["lane_not_stored"]
    assert (left, store.lanes.claimed(engine.boot), engine.running) == ([], [], 0)
    labels = {"integration": "desk", "code": "store_unavailable"}
    assert metrics.registry.get_sample_value("connector_retries_total", labels) == 1


def test_a_crash_is_dealt_with_by_whoever_knows_lanes(store, start):
    """What `crashed` says is how the lane is given back, with the claim that failed."""
    crashed = []

    def run_lane(_):
        raise ZeroDivisionError

    def dealt_with(claim):
        crashed.append(claim)
        return Rest(due=due)

    due = SystemClock().now() + timedelta(hours=1)
    work = SimpleNamespace(run=run_lane, crashed=dealt_with)
    happen(store)
    engine = Engine(
        store.lanes, work, workers=1, per_integration=1, clock=SystemClock(), log=structlog.get_logger("test")
    )
    (claim,) = engine.claim(8)
    assert engine.running == 1

    engine.work(claim)

    assert crashed == [claim]
    assert engine.running == 0
    assert store.lanes.next_due() == due.timestamp()


@pytest.mark.usefixtures("patient")
def test_a_lane_due_after_a_clock_was_set_back_runs_now(store, start):
    """A lane due further ahead than any wait was planned by another clock."""
    happen(store)
    (claim,) = store.lanes.claim("test", SystemClock().now(), 8, HORIZON_S)
    store.lanes.release(claim, Rest(due=SystemClock().now() + timedelta(days=30)), SystemClock().now())
    ran = threading.Semaphore(0)

    start(lambda _: ran.release())

    assert ran.acquire(timeout=SOON_S)


def test_an_engine_that_was_stopped_leaves_no_thread_behind(store, start):
    """Neither the one that looks for lanes nor those that run them."""
    before = set(threading.enumerate())
    ran = threading.Semaphore(0)
    engine = start(lambda _: ran.release())
    (dispatcher,) = set(threading.enumerate()) - before
    happen(store)
    engine.nudge()
    assert ran.acquire(timeout=SOON_S)

    assert dispatcher.daemon  # a process that ends without a stop ends
    assert engine.stop(SOON_S)

    until(lambda: set(threading.enumerate()) <= before)


def test_a_start_says_how_many_lanes_it_freed(store, start):
    """Lanes of a killed daemon are named in the log; a clean start says nothing."""
    with structlog.testing.capture_logs() as said:
        start(lambda _: None).stop(SOON_S)
    assert said == []
    happen(store)
    assert store.lanes.claim("killed", SystemClock().now(), 8, HORIZON_S)

    with structlog.testing.capture_logs() as said:
        start(lambda _: None)

    assert [(line["event"], line["lanes"]) for line in said if line["event"] == "lanes_recovered"] == [
        ("lanes_recovered", 1)
    ]


ANYTHING = [
    MemoryError(),
    OSError(errno.EMFILE, "Too many open files"),
    sqlite3.OperationalError("unable to open database file"),
    RuntimeError("can't start new thread"),
    RecursionError(),
    SystemExit(),
    ZeroDivisionError(),
]


@pytest.mark.cases_in_test(4)
@pytest.mark.parametrize("error", ANYTHING, ids=repr)
@pytest.mark.parametrize("is_told", [True, False])
def test_a_lane_comes_back_whatever_happens_to_its_worker(store, start, error, is_told):
    """It is due again soon and counted, also when not even the crash could be dealt with."""

    def run_lane(_):
        raise error

    engine = start(run_lane)
    if not is_told:
        engine._lane_work.crashed = run_lane
    happen(store)
    engine.nudge()

    def is_put_off():
        due = store.lanes.next_due()
        return due is not None and due > SystemClock().now().timestamp()

    until(is_put_off)
    assert store.lanes.claimed(engine.boot) == []
    assert engine.is_alive
    assert [loop.trouble() for loop in engine.loops] == ["", ""]


@pytest.mark.parametrize(
    ("error", "code"), [(MemoryError(), "out_of_memory"), (OSError(errno.EMFILE, "x"), "no_descriptors")]
)
def test_a_lane_that_lacked_something_is_no_bug_and_is_counted(store, error, code):
    """Memory and descriptors come back: the lane is put off for seconds, and nobody is told of a bug."""
    crashed = []

    def run_lane(_):
        raise error

    metrics = Metrics()
    work = SimpleNamespace(run=run_lane, crashed=crashed.append)
    log = structlog.get_logger("test")
    engine = Engine(store.lanes, work, workers=1, per_integration=1, clock=SystemClock(), log=log, metrics=metrics)
    happen(store)
    (claim,) = engine.claim(8)
    with structlog.testing.capture_logs() as said:
        engine.work(claim)

    assert crashed == []
    assert [(line["event"], line["code"]) for line in said] == [("lane_not_stored", code)]
    counted = metrics.registry.get_sample_value("connector_retries_total", {"integration": "desk", "code": code})
    assert counted == 1


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("error", [MemoryError, SystemExit])
def test_a_lane_whose_release_breaks_is_found_while_the_engine_runs(store, start, monkeypatch, times, error):
    """Not only trouble that the store names: a claim that nobody holds is found, without a restart."""
    monkeypatch.setattr(engine_module, "STORE_RETRY_DUE_S", 0.0)
    left = [None] * times
    real = store.lanes.release

    def release(*args):
        if left:
            left.pop()
            raise error
        real(*args)

    monkeypatch.setattr(store.lanes, "release", release)
    engine = start(lambda _: None)
    happen(store)
    engine.nudge()

    until(lambda: not left and store.lanes.claimed(engine.boot) == [] and store.lanes.next_due() is None)


def test_a_claim_that_nobody_runs_is_found_while_the_engine_runs(store, start, monkeypatch):
    """However it came about; one of another node is left to it."""
    monkeypatch.setattr(engine_module, "SWEEP_EVERY_S", 0.0)
    busy, go_on, ran = threading.Semaphore(0), threading.Event(), []

    def run_lane(claim):
        ran.append(claim.link_id)
        busy.release()
        if claim.link_id == 1:
            go_on.wait(SOON_S)

    engine = start(run_lane)
    happen(store)
    engine.nudge()
    assert busy.acquire(timeout=SOON_S)
    happen(store, incident="inc-2", event="evt-2")
    with structlog.testing.capture_logs() as said:
        store.lanes.claim(engine.boot, SystemClock().now(), 8, HORIZON_S)
        happen(store, incident="inc-3", event="evt-3")
        store.lanes.claim("other", SystemClock().now(), 8, HORIZON_S)
        assert busy.acquire(timeout=SOON_S)

    found = [line["links"] for line in said if line["event"] == "lanes_found_unattended"]
    assert found[:1] == [[2]]
    assert ran[:2] == [1, 2]
    assert store.lanes.claimed("other") in ([3], [])
    assert 1 in store.lanes.claimed(engine.boot)
    go_on.set()


def test_an_engine_that_gets_no_threads_is_not_alive_and_goes_on_when_it_does(store, start, monkeypatch):
    """The dispatcher survives it, claims nothing meanwhile, and readiness is red."""
    monkeypatch.setattr(engine_module, "LOOK_AGAIN_S", 0.01)
    trouble, refused, ran = [True], threading.Semaphore(0), threading.Semaphore(0)
    real = threading.Thread.start

    def start_thread(thread):
        if trouble and thread.name.startswith("lane"):
            refused.release()
            raise RuntimeError("can't start new thread")
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", start_thread)
    engine = start(lambda _: ran.release())
    happen(store)
    engine.nudge()
    assert refused.acquire(timeout=SOON_S)
    assert refused.acquire(timeout=SOON_S)
    assert not engine.is_alive
    assert store.lanes.claimed(engine.boot) == []

    trouble.clear()

    assert ran.acquire(timeout=SOON_S)
    assert engine.is_alive


def test_the_look_for_lost_claims_is_seldom_and_finds_nothing(store, monkeypatch):
    """It costs a query now and then, once after each trouble, and says nothing while all is well."""
    monkeypatch.setattr(engine_module, "LOOK_AGAIN_S", 0.01)
    clock, looks, rounds = (
        FrozenClock(),
        watched(store, monkeypatch, "claimed"),
        watched(store, monkeypatch, "next_due"),
    )

    def some_rounds():
        while rounds.acquire(blocking=False):
            pass
        return all(rounds.acquire(timeout=SOON_S) for _ in range(4))

    with structlog.testing.capture_logs() as said:
        work = SimpleNamespace(run=lambda _: Rest())
        log = structlog.get_logger("test")
        engine = Engine(store.lanes, work, workers=1, per_integration=1, clock=clock, log=log)
        engine.start()
        clock.forward(engine_module.SWEEP_EVERY_S - 1)
        assert some_rounds()
        assert not looks.acquire(blocking=False)
        clock.forward(1)
        assert looks.acquire(timeout=SOON_S)
        assert some_rounds()
        assert not looks.acquire(blocking=False)
        engine._may_be_lost = True
        assert looks.acquire(timeout=SOON_S)
        assert some_rounds()
        assert not looks.acquire(blocking=False)
        engine.stop(SOON_S)

    assert said == []


def test_a_worker_that_cannot_even_let_go_of_its_claim_costs_neither_lane_nor_worker(store, start, monkeypatch):
    """What it held is found by its call having ended, and is not counted as running for ever; what runs stays."""
    monkeypatch.setattr(engine_module, "SWEEP_EVERY_S", 0.0)
    monkeypatch.setattr(engine_module, "LOOK_AGAIN_S", 0.01)
    busy, go_on, ran = threading.Semaphore(0), threading.Event(), threading.Semaphore(0)

    def run_lane(claim):
        if claim.link_id == 1:
            busy.release()
            go_on.wait(SOON_S)
            return
        ran.release()

    engine = start(run_lane, workers=2, per_integration=2)
    happen(store)
    engine.nudge()
    assert busy.acquire(timeout=SOON_S)
    real, left = engine._forget, [None]

    def forget(claim):
        if left:
            left.pop()
            raise MemoryError
        real(claim)

    monkeypatch.setattr(engine, "_forget", forget)
    for number in (2, 3):
        happen(store, incident="inc-2", event=f"evt-{number}")
        engine.nudge()
        assert ran.acquire(timeout=SOON_S)

    until(lambda: engine.running == 1)
    assert store.lanes.claimed(engine.boot) == [1]
    assert set(engine._handed) <= {1, 2}
    until(lambda: set(engine._handed) == {1})
    go_on.set()
