"""Jobs by the clock: no error ends the thread that starts them, and none is lost by it."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

import pytest
import structlog

from connector_core.demo.stage import until
from connector_core.health.clock_watch import ClockWatch
from connector_core.polling.jobs import ONCE_AGAIN_S, Jobs
from connector_core.testing import FrozenClock

SOON_S = 10.0


@pytest.fixture
def jobs():
    """Make a scheduler that runs one job at a time, and stop it afterwards."""
    made = Jobs({"default": 1}, monotonic=time.monotonic)
    yield made
    if made.running:
        made.shutdown(wait=False)


@pytest.mark.parametrize("error", [MemoryError, SystemExit, RuntimeError])
def test_an_error_in_the_scheduler_itself_is_survived(jobs, monkeypatch, error):
    """The library's own loop would have ended; this one counts it, and starts the next job."""
    monkeypatch.setattr("connector_core.loops.AFTER_FAILURE_S", 0.0)
    real, left, ran = jobs._process_jobs, [None, None], threading.Semaphore(0)

    def process():
        if left:
            left.pop()
            jobs.wakeup()
            raise error
        return real()

    monkeypatch.setattr(jobs, "_process_jobs", process)
    jobs.start()
    jobs.run_once("some", ran.release)

    assert ran.acquire(timeout=SOON_S)
    loop, _ = jobs.loops
    assert (loop.failures, loop.trouble()) == (2, "")


@pytest.mark.parametrize("error", [MemoryError, SystemExit, ZeroDivisionError])
def test_a_job_that_fails_is_counted_and_run_again(jobs, error):
    """One with an interval comes again by itself, one that was to run once is planned anew."""
    ran = threading.Semaphore(0)

    def fail(word):
        ran.release()
        raise error(word)

    jobs.start()
    jobs.run_once("once", fail, "word")
    assert ran.acquire(timeout=SOON_S)
    loop, _ = jobs.loops
    until(lambda: loop.failures == 1)

    until(lambda: jobs.get_job("once"))
    planned = jobs.get_job("once")
    assert 0 < (planned.next_run_time - datetime.now(UTC)).total_seconds() <= ONCE_AGAIN_S
    jobs.run_all_now()
    assert ran.acquire(timeout=SOON_S)


def test_a_job_that_ended_meanwhile_keeps_no_other_from_running_now(jobs, monkeypatch):
    """After the clock was set every job runs; one that is gone since they were listed is passed over."""
    ran = threading.Semaphore(0)
    jobs.start()
    jobs.add_job(ran.release, "interval", hours=1, id="gone")
    jobs.add_job(ran.release, "interval", hours=1, id="there")
    listed = jobs.get_jobs()
    monkeypatch.setattr(jobs, "get_jobs", lambda: sorted(listed, key=lambda job: job.id))
    jobs.remove_job("gone")

    jobs.run_all_now()

    assert ran.acquire(timeout=SOON_S)
    assert not ran.acquire(blocking=False)


def test_a_job_is_run_when_a_thread_can_be_started_again(jobs, monkeypatch):
    """What was to run once is not lost while there is none."""
    monkeypatch.setattr("connector_core.loops.BEAT_S", 0.01)
    trouble, refused, ran = [True], threading.Semaphore(0), threading.Semaphore(0)
    real = threading.Thread.start

    def start(thread):
        if trouble and thread.name.startswith("jobs-"):
            refused.release()
            raise RuntimeError("can't start new thread")
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    jobs.start()
    jobs.run_once("some", ran.release)
    assert refused.acquire(timeout=SOON_S)
    _, crew = jobs.loops
    until(crew.trouble)
    trouble.clear()
    jobs.wakeup()

    assert ran.acquire(timeout=SOON_S)


def test_whoever_could_not_be_told_of_the_clock_is_told_by_the_next_look():
    """The others are told at once, and what is planned is moved once."""
    clock, moved, told, trouble = FrozenClock(), [], [], [KeyError("a job"), MemoryError()]
    life = type("Life", (), {"clock_was_set": lambda _, by_s, __: moved.append(by_s)})()

    def stumble():
        if trouble:
            raise trouble.pop(0)
        told.append("first")

    watch = ClockWatch(life, clock, structlog.get_logger("test"), after=(stumble, lambda: told.append("second")))
    clock.set_by(3600)
    for error in (KeyError, MemoryError):
        with pytest.raises(error):
            watch.look()
    watch.look()
    watch.look()

    assert moved == [3600]
    assert told == ["second", "first"]
