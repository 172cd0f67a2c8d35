"""Threads that must not stop: whatever is raised in them they go on, and they say how they are."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import Future
from queue import Empty, SimpleQueue

import pytest
import structlog

from connector_core import loops
from connector_core.demo.stage import until
from connector_core.loops import Crew, Loop, busy_threads
from connector_core.testing import FrozenClock
from tests.support.hanging import Hanging

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
def time_passes(monkeypatch):
    """Have whoever waits for a word have waited at once; return the clock and the loops that end when none comes."""
    clock, waiting = FrozenClock(), []

    class Words(SimpleQueue):
        """Words on that clock."""

        def get(self, block=True, timeout=None):  # noqa: FBT002 - as the queue's
            assert block
            try:
                return super().get(block=False)
            except Empty:
                clock.forward(timeout or 0.0)
                if clock.monotonic() > 60:
                    for loop in waiting:
                        loop.end()
                raise

    monkeypatch.setattr(loops, "SimpleQueue", Words)
    return clock, waiting


def moments(time_passes, *outcomes, **options):
    """Run a loop whose step returns, or calls, one thing after another; return it and when steps were done."""
    clock, waiting = time_passes
    left, done = list(outcomes), []

    def step():
        done.append(clock.monotonic())
        if not left:
            loop.end()
            return None
        outcome = left.pop(0)
        return outcome() if callable(outcome) else outcome

    loop = Loop("some", step, monotonic=clock.monotonic, **options)
    waiting.append(loop)
    loop.start()
    loop.join(SOON_S)
    assert not loop.is_alive
    return loop, done


def test_a_step_is_done_again_after_as_many_seconds_as_it_says(time_passes):
    """What is due in 2.5 s is done then, what is due in half a second no later: nobody waits longer than was said."""
    loop, done = moments(time_passes, 2.5, 0.5, 0.0, first_s=0.25)

    assert done == [0.25, 2.75, 3.25, 3.25]
    assert loop.failures == 0


def test_a_loop_that_nobody_wakes_does_nothing_and_nothing_is_wrong(time_passes):
    """A minute without a word is no failure, neither in the log nor in the metrics."""
    loop, done = moments(time_passes, first_s=None)

    assert (done, loop.failures) == ([], 0)


def test_words_that_come_during_a_step_are_one(time_passes):
    """A burst of requests has the work done once more, not once for each."""

    def say_more():
        for _ in range(3):
            time_passes[1][0].wake()

    _, done = moments(time_passes, say_more, None, None, None)

    assert done == [0, 0]


def test_a_loop_with_much_to_do_is_not_silent():
    """Steps that follow each other without a rest, each within its time, leave health green."""
    clock, said = FrozenClock(), []

    def step():
        said.append(loop.trouble())
        clock.forward(100)
        if len(said) == 4:
            loop.end()
        return 0.0

    loop = Loop("some", step, first_s=None, monotonic=clock.monotonic)
    loop.start()
    loop.wake()
    loop.join(SOON_S)

    assert said == [""] * 4


def test_a_loop_whose_thread_had_no_turn_yet_is_not_silent():
    """Health stays green after a start on a machine that has been up for long and is busy."""
    go_on = threading.Event()

    def monotonic():
        if threading.current_thread().name == "some":
            go_on.wait(SOON_S)
        return 1_000_000.0

    loop = Loop("some", lambda: None, monotonic=monotonic)
    loop.start()

    assert loop.trouble() == ""
    go_on.set()
    loop.stop(SOON_S)


def test_a_loop_that_is_stopped_while_it_rests_does_nothing_more(start):
    """At the end of the process no poll and no look begins, which would find the database closed."""
    rests, done = threading.Semaphore(0), []

    def monotonic():
        rests.release()
        return 0.0

    loop = start(lambda: done.append("step"), first_s=None, monotonic=monotonic)
    assert rests.acquire(timeout=SOON_S)  # it was started
    assert rests.acquire(timeout=SOON_S)  # it rests
    loop.stop(SOON_S)

    assert not loop.is_alive
    assert done == []


def test_a_loop_that_was_never_started_can_be_stopped():
    """A start that failed half-way ends with its own reason, not with that of a thread that never ran."""
    Loop("some", lambda: None).stop(SOON_S)


@pytest.fixture
def let_go_when_waited_for(monkeypatch):
    """Return an event that is set when somebody waits for the end of a thread: no clock decides who is first."""
    event, real = threading.Event(), threading.Thread.join

    def join(thread, timeout=None):
        event.set()
        real(thread, timeout)

    monkeypatch.setattr(threading.Thread, "join", join)
    return event


def test_stopping_waits_for_the_step_under_way(start, let_go_when_waited_for):
    """What a loop has begun is stored before the database is closed."""
    begun = threading.Semaphore(0)

    def hang():
        begun.release()
        let_go_when_waited_for.wait(SOON_S)

    loop = start(hang)
    assert begun.acquire(timeout=SOON_S)

    loop.stop(SOON_S)

    assert let_go_when_waited_for.is_set()
    assert not loop.is_alive


def test_threads_that_hang_keep_no_process_from_its_end(start, crew):
    """Ctrl-C ends the connector although a site does not answer."""
    begun, go_on = threading.Semaphore(0), threading.Event()

    def hang():
        begun.release()
        go_on.wait(SOON_S)

    start(hang)
    call = crew.submit(hang)
    assert all(begun.acquire(timeout=SOON_S) for _ in range(2))

    names = {thread.name: thread.daemon for thread in threading.enumerate()}
    assert (names["some"], names["some_0"]) == (True, True)
    go_on.set()
    assert call.result(SOON_S) is None


def test_a_log_that_cannot_be_written_ends_no_loop(start):
    """A full disk or no memory for the line: the work goes on, and the failure is counted all the same."""
    done = threading.Semaphore(0)

    def full(*_):
        raise OSError("No space left on device")

    with structlog.testing.capture_logs():
        structlog.get_config()["processors"].insert(0, full)
        loop = start(steps_that(done, ZeroDivisionError, 0.0))
        assert all(done.acquire(timeout=SOON_S) for _ in range(3))

    assert (loop.is_alive, loop.failures, loop.trouble()) == (True, 1, "")


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


def test_a_crew_may_be_ended_twice(crew):
    """A second Ctrl-C hurries the end, and does not fail instead."""
    crew.shutdown(wait=False)
    crew.shutdown(wait=False, cancel_futures=True)

    with pytest.raises(RuntimeError):
        crew.submit(lambda: "too late")


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


@pytest.fixture
def one_thread():
    """Make a crew of one thread, on which one call comes after another, and end it afterwards."""
    made = Crew("single", 1)
    yield made
    made.shutdown()


def threads_of(crew):
    """Return how many threads of a crew there are."""
    return Counter(thread.name.rpartition("_")[0] for thread in threading.enumerate())[crew.name]


def test_what_nobody_waits_for_any_more_is_not_called(one_thread):
    """A call to a site that was given up before its turn is not made, and no failure is counted."""
    hang, called = Hanging(), []
    running = one_thread.submit(hang)
    assert hang.is_called()
    given_up = one_thread.submit(called.append, "given up")
    assert given_up.cancel()
    hang.let_go.set()

    assert one_thread.submit(lambda: "next").result(SOON_S) == "next"
    assert running.result(SOON_S) == "let go"
    assert (called, one_thread.failures) == ([], 0)


@pytest.mark.parametrize("error", ANYTHING)
def test_what_a_call_raises_is_no_failure_of_the_thread(one_thread, error):
    """A site that answers with an error is not counted as a fault of the connector."""
    call = one_thread.submit(steps_that(threading.Semaphore(0), error))

    assert one_thread.submit(lambda: "next").result(SOON_S) == "next"
    assert isinstance(call.exception(SOON_S), error)
    assert one_thread.failures == 0


def test_no_memory_to_begin_a_call_is_told_to_whoever_asked(one_thread, monkeypatch):
    """They do not wait for ever; it is counted and in the log, and the next call is made."""
    with structlog.testing.capture_logs() as said:
        with monkeypatch.context() as patch:
            patch.setattr(Future, "set_running_or_notify_cancel", without_memory)
            call = one_thread.submit(lambda: "never")
            assert isinstance(call.exception(SOON_S), MemoryError)
        assert one_thread.submit(lambda: "next").result(SOON_S) == "next"

    assert one_thread.failures == 1
    assert [(line["event"], line["loop"]) for line in said] == [("loop_failed", "single")]


def test_no_memory_while_a_thread_waits_is_named_in_the_log(monkeypatch):
    """Whoever reads why a thread stumbled sees the reason itself, and the next call is made."""
    trouble = [MemoryError()]

    class Jobs(SimpleQueue):
        """Jobs, of which the first cannot be taken at once."""

        def get(self, block=True, timeout=None):  # noqa: FBT002 - as the queue's
            if trouble:
                raise trouble.pop()
            return super().get(block, timeout)

    monkeypatch.setattr(loops, "SimpleQueue", Jobs)
    crew = Crew("single", 1)
    with structlog.testing.capture_logs() as said:
        assert crew.submit(lambda: "done").result(SOON_S) == "done"

    assert [type(line["exc_info"]) for line in said] == [MemoryError]
    assert crew.failures == 1
    crew.shutdown()


def test_a_log_that_cannot_be_written_ends_no_thread_of_a_crew(one_thread, monkeypatch):
    """A full disk takes no thread from those that call sites."""
    with structlog.testing.capture_logs():
        structlog.get_config()["processors"].insert(0, without_memory)
        with monkeypatch.context() as patch:
            patch.setattr(Future, "set_running_or_notify_cancel", without_memory)
            assert isinstance(one_thread.submit(lambda: "never").exception(SOON_S), MemoryError)
        assert one_thread.submit(threading.current_thread).result(SOON_S).name == "single_0"


def without_memory(*_given):
    """Have none left."""
    raise MemoryError


def test_threads_are_started_as_they_are_needed(crew):
    """A connector with little to do has few threads, and the memory of few."""
    hang = Hanging()
    assert threads_of(crew) == 0
    crew.submit(hang)
    assert threads_of(crew) == 1
    crew.submit(hang)
    assert threads_of(crew) == 2
    hang.let_go.set()


def test_calls_that_have_ended_need_no_threads(monkeypatch):
    """After a day of calls one by one there are not more threads than after the first."""
    crew = Crew("seldom", 8)
    first = crew.submit(lambda: "first")
    trouble = threads_that_do_not_start(monkeypatch)
    for _ in range(5):
        crew.submit(lambda: "next")

    def grow():
        trouble.clear()
        crew.grow()
        return threads_of(crew)

    assert crew.submit(grow).result(SOON_S) == 1
    assert first.result(SOON_S) == "first"
    crew.shutdown()


def test_a_crew_that_needed_no_thread_is_well(crew):
    """Health is green before the first call, and after a look whether threads are missing."""
    assert crew.trouble() == ""
    crew.grow()

    assert crew.trouble() == ""


def test_a_crew_that_is_one_thread_short_still_works(crew, monkeypatch):
    """Health stays green while what is submitted is worked on, if more slowly."""
    hang = Hanging()
    calls = [crew.submit(hang)]
    threads_that_do_not_start(monkeypatch)
    calls.append(crew.submit(hang))

    assert crew.trouble() == ""
    hang.let_go.set()
    assert [call.result(SOON_S) for call in calls] == ["let go"] * 2


def test_a_thread_that_ended_before_its_work_is_replaced(crew, monkeypatch):
    """Whatever ended it, what waits is called by the next one."""
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "run", lambda _: None)
        call = crew.submit(lambda: "done")
        for thread in crew._threads:
            thread.join(SOON_S)
    crew.grow()

    assert call.result(SOON_S) == "done"


def test_a_crew_that_ends_waits_for_what_was_submitted(let_go_when_waited_for):
    """What was taken is done before the database is closed: also what had not begun."""
    crew, begun, done = Crew("ending", 1), threading.Semaphore(0), []

    def hang():
        begun.release()
        let_go_when_waited_for.wait(SOON_S)

    crew.submit(hang)
    crew.submit(done.append, "the last")
    assert begun.acquire(timeout=SOON_S)

    crew.shutdown()

    assert let_go_when_waited_for.is_set()
    assert done == ["the last"]


def test_a_crew_is_not_busy_once_its_calls_have_ended(one_thread):
    """Whoever looks what a connector that hangs is doing sees only what it is doing now."""
    hang = Hanging()
    call = one_thread.submit(hang)
    assert hang.is_called()
    assert "single_0" in busy_threads()
    hang.let_go.set()
    assert call.result(SOON_S) == "let go"

    until(lambda: "single_0" not in busy_threads(), within_s=SOON_S)


def test_what_is_submitted_as_the_idle_thread_leaves_does_not_wait_behind_one_that_hangs(monkeypatch):
    """A call to a healthy site is made at once, in whatever moment it comes."""
    hang, idle, taken = Hanging(), [], SimpleQueue()

    class Jobs(SimpleQueue):
        """Jobs, of which one comes in just after a thread was told that there is none."""

        def get(self, *arguments, **options):
            try:
                return super().get(*arguments, **options)
            except Empty:
                if idle:
                    idle.pop()()
                raise

    monkeypatch.setattr(loops, "SimpleQueue", Jobs)
    crew, both = Crew("seldom", 2, idle_s=0.01), threading.Barrier(2)
    calls = [crew.submit(both.wait, SOON_S) for _ in range(2)]
    hanging = crew.submit(hang)
    assert hang.is_called()
    for call in calls:
        call.result(SOON_S)

    idle.append(lambda: taken.put(crew.submit(lambda: "at once")))

    assert taken.get(timeout=SOON_S).result(SOON_S) == "at once"
    hang.let_go.set()
    assert hanging.result(SOON_S) == "let go"
    crew.shutdown()


def test_after_one_was_idle_there_are_still_no_more_threads_than_may_be():
    """Those that hang are counted: a slow site does not cost a thread more with each pause."""
    crew, hang, both = Crew("seldom", 2, idle_s=0.01), Hanging(), threading.Barrier(2)
    for call in [crew.submit(both.wait, SOON_S) for _ in range(2)]:
        call.result(SOON_S)
    calls = [crew.submit(hang)]
    assert hang.is_called()
    until(lambda: threads_of(crew) == 1, within_s=SOON_S)

    calls += [crew.submit(hang) for _ in range(3)]

    assert threads_of(crew) == 2
    hang.let_go.set()
    assert [call.result(SOON_S) for call in calls] == ["let go"] * 4
    crew.shutdown()
