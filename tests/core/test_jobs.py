"""Jobs by the clock: no error ends the thread that starts them, and none is lost by it."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from apscheduler.events import EVENT_JOB_MAX_INSTANCES
from structlog.testing import capture_logs

from connector_core.contract.errors import RetryLater
from connector_core.demo.stage import until
from connector_core.health.clock_watch import ClockWatch
from connector_core.polling.job import Job, telling
from connector_core.polling.jobs import Jobs
from connector_core.testing import FrozenClock

SOON_S = 10.0


@pytest.fixture
def jobs():
    """Make a scheduler that runs one job at a time, and stop it afterwards."""
    made = Jobs({"default": 1}, monotonic=time.monotonic, log=structlog.get_logger("test"))
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
    jobs.add_job(ran.release, id="some")

    assert ran.acquire(timeout=SOON_S)
    loop, _ = jobs.loops
    assert (loop.failures, loop.trouble()) == (2, "")


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


def test_a_job_that_is_added_again_takes_the_place_of_the_first(jobs):
    """A configuration that is read again says how often, and there is never a second one."""
    jobs.start()
    for every_s in (600.0, 60.0):
        jobs.add(Job("poll", every_s, lambda: None))

    (job,) = jobs.get_jobs()
    assert (job.id, job.trigger.interval.total_seconds()) == ("poll", 60.0)
    assert job.next_run_time > datetime.now(UTC) + timedelta(seconds=30)


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
    jobs.add_job(ran.release, id="some")
    assert refused.acquire(timeout=SOON_S)
    _, crew = jobs.loops
    until(crew.trouble)
    trouble.clear()
    jobs.wakeup()

    assert ran.acquire(timeout=SOON_S)


def test_the_scheduler_looks_again_when_the_library_says_so(jobs, monkeypatch):
    """A poll that is due in a while is done then, although nobody wakes the scheduler."""
    looked = threading.Semaphore(0)

    def process():
        looked.release()
        return 0.0

    monkeypatch.setattr(jobs, "_process_jobs", process)
    jobs.start()

    assert all(looked.acquire(timeout=SOON_S) for _ in range(3))


def test_what_was_missed_many_times_is_done_once(jobs):
    """After a night in which the computer slept sites are polled once, not once for each hour."""
    missed, last = [], threading.Semaphore(0)
    since = datetime.now(UTC) - timedelta(hours=5)
    jobs.add_job(lambda: missed.append("run"), "interval", hours=1, next_run_time=since)
    jobs.start()
    until(lambda: missed)
    jobs.add_job(last.release, id="last")

    assert last.acquire(timeout=SOON_S)
    assert missed == ["run"]


def test_a_job_that_hangs_is_not_begun_a_second_time():
    """A slow poll takes one thread, however often it is due meanwhile, and leaves the others to other jobs."""
    jobs, refused = (
        Jobs({"default": 2}, monotonic=time.monotonic, log=structlog.get_logger("test")),
        threading.Semaphore(0),
    )
    begun, go_on = threading.Semaphore(0), threading.Event()

    def hang():
        begun.release()
        go_on.wait(SOON_S)

    jobs.add_listener(lambda _: refused.release(), EVENT_JOB_MAX_INSTANCES)
    jobs.add_job(hang, "interval", hours=1, next_run_time=datetime.now(UTC))
    jobs.start()
    assert begun.acquire(timeout=SOON_S)

    jobs.run_all_now()

    assert refused.acquire(timeout=SOON_S)
    assert not begun.acquire(blocking=False)
    go_on.set()
    jobs.shutdown()


def test_no_job_is_started_after_the_end(jobs):
    """The thread that starts them has ended, too: the database is closed next."""
    jobs.start()
    loop, _ = jobs.loops
    assert loop.is_alive

    jobs.shutdown(wait=False)

    assert not loop.is_alive


@pytest.mark.parametrize("error", [MemoryError, SystemExit, ZeroDivisionError])
def test_a_job_that_fails_is_counted_once_and_comes_again(jobs, error):
    """A look that met an error is one failure in the metrics, and is made again at its next time."""
    failed, ran = threading.Semaphore(0), threading.Semaphore(0)

    def fail():
        failed.release()
        raise error

    jobs.start()
    jobs.add_job(fail, "interval", hours=1, id="look", next_run_time=datetime.now(UTC))
    assert failed.acquire(timeout=SOON_S)
    jobs.add_job(ran.release)
    assert ran.acquire(timeout=SOON_S)
    loop, _ = jobs.loops
    until(lambda: loop.failures == 1)

    jobs.run_all_now()

    assert failed.acquire(timeout=SOON_S)
    until(lambda: loop.failures == 2)


def test_whoever_could_not_be_told_of_the_clock_is_told_by_the_next_look():
    """The others are told at once, and what is planned is moved once."""
    clock, moved, told, trouble = FrozenClock(), [], [], [KeyError("a job"), MemoryError()]
    life = type("Life", (), {"clock_was_set": lambda _, by_s, *__: moved.append(by_s)})()

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


def test_what_goes_wrong_in_a_job_is_told_and_it_comes_again(jobs):
    """As things do go wrong: in one place for all jobs, and without a failure of the scheduler."""
    ran = threading.Semaphore(0)

    def fail():
        ran.release()
        raise RetryLater("The database is away.", code="store_away")

    with capture_logs() as said:
        jobs.add(Job("some", 0.01, fail, first_s=0.0))
        jobs.start()
        assert ran.acquire(timeout=SOON_S)
        assert ran.acquire(timeout=SOON_S)
        until(lambda: said)

    assert (said[0]["event"], said[0]["job"], said[0]["code"]) == ("job_failed", "some", "store_away")
    assert jobs.loops[0].failures == 0


def test_a_job_may_say_when_it_wants_to_be_done_again(jobs):
    """Instead of after its interval, as where another node has done it."""
    asked = [0.0, 3600.0]
    jobs.add(Job("some", 60.0, lambda: asked.pop(0), first_s=0.0))
    jobs.start()

    until(lambda: not asked)
    until(lambda: jobs.get_job("some").next_run_time - datetime.now(UTC) > timedelta(seconds=3000))


@pytest.mark.parametrize(("name", "about"), [("", {}), ("desk", {"name": "desk"})])
def test_what_goes_wrong_in_a_job_is_logged_and_a_mistake_goes_on(name, about):
    """With whose job it is, where it is somebody's; nothing is said of one that went well."""
    log = structlog.get_logger("test")
    with capture_logs() as said:
        with telling(log, "reconcile", name):
            pass
        with telling(log, "reconcile", name):
            raise RetryLater("Nobody answers.", code="unreachable")
        with pytest.raises(KeyError), telling(log, "reconcile", name):
            raise KeyError("a mistake")

    told = {"event": "job_failed", "log_level": "warning", "job": "reconcile"}
    assert said == [{**told, "code": "unreachable", "reason": "Nobody answers.", **about}]
