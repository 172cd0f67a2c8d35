"""Threads that must not stop: whatever is raised in them they go on, and they say how they are."""

from __future__ import annotations

import threading
from queue import SimpleQueue

import pytest
import structlog

from connector_core import loops
from connector_core.loops import Crew, Loop, busy_threads
from connector_core.testing import FrozenClock

SOON_S = 10.0
ANYTHING = [MemoryError, OSError, RecursionError, SystemExit, KeyboardInterrupt, ZeroDivisionError]


@pytest.fixture
def start():
    """Return a function that starts a loop on a step; loops are stopped afterwards."""
    started = []

    def start_one(step, **options):
        loop = Loop("some", step, **{"after_failure_s": 0.0, **options})
        started.append(loop)
        loop.start()
        return loop

    yield start_one
    for loop in started:
        loop.stop(SOON_S)


def steps_that(done, *outcomes):
    """Return a step that does what it is told, one after another, and then rests."""
    left = list(outcomes)

    def step():
        outcome = left.pop(0) if left else None
        done.release()
        if isinstance(outcome, type):
            raise outcome
        return outcome

    return step


@pytest.mark.parametrize("error", ANYTHING)
def test_a_loop_survives_whatever_is_raised_and_says_so(start, error):
    """The next step is done, and the error is counted and in the log."""
    done = threading.Semaphore(0)
    with structlog.testing.capture_logs() as said:
        loop = start(steps_that(done, error, 0.0))
        assert all(done.acquire(timeout=SOON_S) for _ in range(3))

    assert (loop.is_alive, loop.failures, loop.trouble()) == (True, 1, "")
    assert [(line["event"], line["loop"]) for line in said] == [("loop_failed", "some")]


def test_an_error_again_and_again_is_said_less_and_less_often(start):
    """The first of a row, the second, the fourth: a log is not filled by one fault."""
    done = threading.Semaphore(0)
    with structlog.testing.capture_logs() as said:
        loop = start(steps_that(done, *[ZeroDivisionError] * 9, 0.0, ZeroDivisionError))
        assert all(done.acquire(timeout=SOON_S) for _ in range(12))

    assert loop.failures == 10
    assert [line["in_a_row"] for line in said] == [1, 2, 4, 8, 1]


def test_a_step_that_waits_for_a_word_is_done_when_it_comes(start):
    """Words that came while it was done are one."""
    done = threading.Semaphore(0)
    loop = start(steps_that(done), first_s=None)
    assert not done.acquire(timeout=0.1)

    loop.wake()

    assert done.acquire(timeout=SOON_S)


def test_a_loop_that_waits_long_is_not_silent(start, monkeypatch):
    """It shows that it lives while it waits for a word that may never come."""
    monkeypatch.setattr(loops, "BEAT_S", 0.01)
    clock, looked = FrozenClock(), SimpleQueue()

    def monotonic():
        looked.put(None)
        return clock.monotonic()

    loop = start(lambda: None, first_s=None, monotonic=monotonic)
    clock.forward(1000)
    for _ in range(10):
        looked.get(timeout=SOON_S)

    assert loop.trouble() == ""


def test_a_step_that_takes_too_long_is_trouble(start):
    """A loop that hangs is not one that works, and all is well again when it goes on."""
    clock, begun, go_on = FrozenClock(), threading.Semaphore(0), threading.Event()

    def hang():
        begun.release()
        go_on.wait(SOON_S)

    loop = start(hang, monotonic=clock.monotonic)
    assert begun.acquire(timeout=SOON_S)
    clock.forward(120)
    assert loop.trouble() == ""
    clock.forward(10)
    assert loop.trouble() == "silent for 130 s"

    loop.beat()

    assert loop.trouble() == ""
    go_on.set()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_loop_that_has_ended_is_trouble(start, monkeypatch):
    """Should one end all the same, it says so, and what it leaves is put in order; one that was stopped is well."""
    ended = threading.Semaphore(0)

    def broken(*_):
        raise MemoryError

    monkeypatch.setattr(Loop, "note", broken)
    loop = start(steps_that(threading.Semaphore(0), ZeroDivisionError), at_end=ended.release)
    assert ended.acquire(timeout=SOON_S)
    loop.join(SOON_S)

    assert loop.trouble() == "ended"
    stopped = start(lambda: None)
    stopped.stop(SOON_S)
    assert stopped.trouble() == ""
    assert Loop("never started", lambda: None).trouble() == ""


@pytest.fixture
def crew():
    """Make two threads, and end them afterwards."""
    made = Crew("some", 2)
    yield made
    made.shutdown()


def threads_that_do_not_start(monkeypatch):
    """Have no thread start while the list that is returned has an entry."""
    trouble = [True]
    real = threading.Thread.start

    def start(thread):
        if trouble:
            raise RuntimeError("can't start new thread")
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    return trouble


@pytest.mark.parametrize("error", ANYTHING)
def test_a_crew_survives_whatever_a_call_raises(crew, error):
    """It belongs to whoever asks the future; the threads stay."""
    calls = [crew.submit(steps_that(threading.Semaphore(0), error)) for _ in range(5)]

    assert [type(call.exception(SOON_S)) for call in calls] == [error] * 5
    assert crew.submit(lambda word: word, "well").result(SOON_S) == "well"
    assert len([thread for thread in threading.enumerate() if thread.name.startswith("some_")]) <= 2


def test_no_more_calls_run_at_once_than_there_are_threads(crew):
    """And as many do."""
    inside, go_on = threading.Semaphore(0), threading.Event()

    def hang():
        inside.release()
        go_on.wait(SOON_S)

    calls = [crew.submit(hang) for _ in range(3)]

    assert inside.acquire(timeout=SOON_S)
    assert inside.acquire(timeout=SOON_S)
    assert not inside.acquire(timeout=0.1)
    assert sorted(busy_threads()) == ["some_0", "some_1"]
    go_on.set()
    assert [call.result(SOON_S) for call in calls] == [None] * 3


def test_what_is_submitted_while_no_thread_starts_is_run_when_one_does(crew, monkeypatch):
    """It is neither lost nor refused, and meanwhile the crew says what is wrong, once."""
    trouble = threads_that_do_not_start(monkeypatch)
    with structlog.testing.capture_logs() as said:
        call = crew.submit(lambda: "done")
        assert crew.grow() == 0
        assert crew.trouble() == "no thread can be started"
        assert crew.failures == 2

        trouble.clear()
        assert crew.grow() == 2

    assert call.result(SOON_S) == "done"
    assert crew.trouble() == ""
    assert [line["event"] for line in said] == ["thread_not_started"]


def test_a_crew_that_is_closed_refuses_and_cancels(crew):
    """What waits is cancelled on demand; what runs may end."""
    inside, go_on = threading.Semaphore(0), threading.Event()

    def hang():
        inside.release()
        return go_on.wait(SOON_S)

    running = [crew.submit(hang) for _ in range(2)]
    assert inside.acquire(timeout=SOON_S)
    assert inside.acquire(timeout=SOON_S)
    waiting = crew.submit(hang)

    crew.shutdown(wait=False, cancel_futures=True)

    assert waiting.cancelled()
    with pytest.raises(RuntimeError):
        crew.submit(hang)
    go_on.set()
    assert [call.result(SOON_S) for call in running] == [True, True]


def test_every_thread_of_a_crew_hears_of_its_end(crew):
    """Also one that an error kept off the list between its start and its entry."""
    inside, go_on = threading.Barrier(3), threading.Event()
    calls = [crew.submit(lambda: inside.wait(SOON_S) and go_on.wait(SOON_S)) for _ in range(2)]
    inside.wait(SOON_S)
    threads = list(crew._threads)
    del crew._threads[0]

    crew.shutdown(wait=False)
    go_on.set()
    for thread in threads:
        thread.join(SOON_S)

    assert not any(thread.is_alive() for thread in threads)
    assert all(call.done() for call in calls)


def test_threads_that_are_idle_for_long_end_but_for_one():
    """They are started as they are needed, and are there again when they are needed again."""
    crew = Crew("seldom", 8, idle_s=0.02)
    inside = threading.Barrier(8)
    for call in [crew.submit(inside.wait, SOON_S) for _ in range(8)]:
        call.result(SOON_S)

    while len(crew._threads) > 1:
        threading.Event().wait(0.01)

    for call in [crew.submit(inside.wait, SOON_S) for _ in range(8)]:
        call.result(SOON_S)
    crew.shutdown()
