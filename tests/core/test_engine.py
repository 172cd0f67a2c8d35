"""The engine runs due lanes soon, each by one worker at a time, and gives them back."""

from __future__ import annotations

import threading
from datetime import timedelta
from random import Random
from types import SimpleNamespace

import pytest
import structlog

from connector_core import EventType, Incident, IncidentEvent
from connector_core.backoff import HORIZON_S, LONGEST_S, delay_s
from connector_core.clock import SystemClock
from connector_core.engine import Engine
from connector_core.store import Rest, Target

SOON_S = 10.0


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
        engine = Engine(store, work, workers=workers, per_integration=per_integration, clock=SystemClock(), log=log)
        engines.append(engine)
        engine.start()
        return engine

    yield start_one
    for engine in engines:
        engine.stop(SOON_S)


def happen(store, incident="inc-1", event="evt-1", integration="desk"):
    """Store an event, which makes or wakes a lane."""
    now = SystemClock().now()
    body = IncidentEvent(id=event, type=EventType.OPENED, occurred_at=now, incident=Incident(id=incident, title="x"))
    store.accept_events("acme", [body], [Target(integration, {}, now)], now).result()


def test_a_nudged_lane_runs_and_rests(store, start):
    """A due lane is run once and not again."""
    ran = threading.Semaphore(0)
    engine = start(lambda _: ran.release())

    happen(store)
    engine.nudge()

    assert ran.acquire(timeout=SOON_S)
    assert engine.stop(SOON_S)
    assert store.next_due() is None


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
    assert store.next_due() > SystemClock().now().timestamp()


def test_a_lane_left_by_a_killed_daemon_runs_at_the_next_start(store, start):
    """Claims of another boot are freed at once."""
    happen(store)
    assert store.claim_lanes("killed", SystemClock().now(), 8, HORIZON_S)
    ran = threading.Semaphore(0)

    start(lambda _: ran.release())

    assert ran.acquire(timeout=SOON_S)


def test_a_lane_that_seems_due_in_the_far_future_is_due_now(store):
    """A clock that was set back does not freeze a lane."""
    happen(store)
    now = SystemClock().now()

    assert store.claim_lanes("boot", now - timedelta(days=30), 8, HORIZON_S)


@pytest.mark.parametrize("attempts", [0, 1, 5, 50, 5000])
def test_waits_grow_stay_bounded_and_respect_what_was_asked(attempts):
    """Own waits stay within jitter of the longest; an asked wait is never undercut."""
    random = Random(attempts)

    assert 0 < delay_s(attempts, None, random) <= LONGEST_S * 1.3
    assert delay_s(attempts, 77, random) >= 77
    assert delay_s(attempts, 1e12, random) <= HORIZON_S
