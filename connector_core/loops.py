"""Threads that do not stop quietly: whatever is raised in them is logged and counted, and they go on.

A `Loop` does one step again and again. The step returns after how many seconds it is to be done again, None when only
`wake` is to do that:

    watch = Loop("clock-watch", look)
    watch.start()
    watch.trouble()  # "" while all is well, "ended" or "silent for 130 s" when it is not

A `Crew` runs what it is handed on several threads. Neither is ended by what runs on it, not even by `SystemExit`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from itertools import count
from queue import Empty, SimpleQueue
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from connector_core.logs import get_logger

P = ParamSpec("P")
T = TypeVar("T")

BEAT_S = 1.0
SILENT_AFTER_S = 120.0
IDLE_S = 30.0
AFTER_FAILURE_S = 1.0

log = get_logger(__name__)


class Watched(Protocol):
    """What can say how it is."""

    name: str
    failures: int
    """How often something was raised in it that nobody expected."""

    def trouble(self) -> str:
        """Return what is wrong with it in a few words, nothing while all is well."""
        ...


def _nothing() -> None:
    """Do nothing at the end."""


class Loop:
    """One step, done again and again on a thread of its own, until `stop` or `end`.

    `silent_after_s` is how long a step may take before the loop counts as silent, by `monotonic`.
    """

    def __init__(  # noqa: PLR0913 - its parts, by keyword
        self,
        name: str,
        step: Callable[[], float | None],
        *,
        first_s: float | None = 0.0,
        after_failure_s: float = AFTER_FAILURE_S,
        silent_after_s: float = SILENT_AFTER_S,
        monotonic: Callable[[], float] = time.monotonic,
        at_end: Callable[[], None] = _nothing,
    ) -> None:
        self.name = name
        self.failures = 0
        self._step = step
        self._first_s = first_s
        self._after_failure_s = after_failure_s
        self._silent_after_s = silent_after_s
        self._monotonic = monotonic
        self._at_end = at_end
        self._wakes: SimpleQueue[None] = SimpleQueue()  # that a signal handler may put into
        self._in_a_row = 0
        self._is_started = False
        self._ending = False
        self._beat_at = 0.0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self.beat()
        self._thread.start()
        self._is_started = True

    def wake(self) -> None:
        """Have the next step done at once; may be called from a signal handler."""
        self._wakes.put(None)

    def beat(self) -> None:
        """Show that the loop lives; a step that rightly takes long calls it now and then."""
        self._beat_at = self._monotonic()

    def end(self) -> None:
        """Do no further step; the one under way calls it, too."""
        self._ending = True
        self.wake()

    def stop(self, timeout_s: float | None = None) -> None:
        """End, and wait for the step under way."""
        self.end()
        self.join(timeout_s)

    def join(self, timeout_s: float | None = None) -> None:
        """Wait until it has ended."""
        if self._is_started:
            self._thread.join(timeout_s)

    @property
    def is_alive(self) -> bool:
        """Return whether its thread runs."""
        return self._thread.is_alive()

    def trouble(self) -> str:
        """Return what is wrong with it in a few words, nothing while all is well."""
        if not self._is_started:
            return ""
        if not self._thread.is_alive():
            return "" if self._ending else "ended"
        silent_s = self._monotonic() - self._beat_at
        return f"silent for {silent_s:.0f} s" if silent_s > self._silent_after_s else ""

    def note(self, error: BaseException | None = None) -> None:
        """Count something unexpected, and log it: the first of a row, and then less and less often."""
        try:
            self.failures += 1
            self._in_a_row += 1
            if error is not None and self._in_a_row & (self._in_a_row - 1) == 0:
                log.error("loop_failed", loop=self.name, in_a_row=self._in_a_row, exc_info=error)
        except BaseException:  # noqa: BLE001 - there is nothing left to say it with, and the loop goes on
            return

    def _run(self) -> None:
        wait_s = self._first_s
        try:
            while not self._ending:
                try:
                    self._rest(wait_s)
                    if not self._ending:
                        wait_s = self._step()
                        self._in_a_row = 0
                except BaseException as exc:  # noqa: BLE001 - that is what this is for
                    self.note(exc)
                    wait_s = self._after_failure_s
        finally:
            self._at_end()

    def _rest(self, wait_s: float | None) -> None:
        """Wait until it is time or somebody wakes us, showing all the while that we live."""
        self.beat()
        while wait_s is None or wait_s > 0:
            piece_s = BEAT_S if wait_s is None else min(wait_s, BEAT_S)
            try:
                self._wakes.get(timeout=piece_s)
            except Empty:
                wait_s = None if wait_s is None else wait_s - piece_s
                self.beat()
            else:
                self._drop_wakes()
                return

    def _drop_wakes(self) -> None:
        while not self._wakes.empty():
            self._wakes.get()


class _CrewThread(threading.Thread):
    """A thread of a crew."""

    is_busy = False


def busy_threads() -> list[str]:
    """Return the names of the threads of all crews that are in the middle of a call."""
    return [thread.name for thread in threading.enumerate() if isinstance(thread, _CrewThread) and thread.is_busy]


def finish(future: Future[T], call: Callable[[], T]) -> None:
    """Call, and end the future with what came of it; nothing is called when nobody waits any more."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call()
    except BaseException as exc:  # noqa: BLE001 - it belongs to whoever asks the future
        future.set_exception(exc)
    else:
        future.set_result(result)


class _Job:
    """A call, and the future that ends with it."""

    def __init__(self, future: Future[Any], call: Callable[[], Any]) -> None:
        self.future = future
        self.call = call

    def run(self) -> None:
        """Call, and end the future with what came of it."""
        finish(self.future, self.call)


class Crew(Executor):
    """Up to `size` threads that run what is submitted; they are started as they are needed, and end when idle for long.

    A thread that cannot be started is tried again with the next call of `grow`, and what was submitted waits for it: it
    is neither lost nor refused.
    """

    def __init__(self, name: str, size: int, *, idle_s: float = IDLE_S) -> None:
        self.name = name
        self.size = size
        self.failures = 0
        self._idle_s = idle_s
        self._numbers = count()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads: list[_CrewThread] = []
        self._open = 0
        self._is_short = False
        self._is_closed = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a function called by the next thread that is free."""
        future: Future[T] = Future()
        job = _Job(future, lambda: fn(*args, **kwargs))
        with self._lock:
            if self._is_closed:
                raise RuntimeError(f"The threads {self.name} have ended.")
            self._open += 1
            self._jobs.put(job)
        self.grow()
        return future

    def grow(self, at_least: int = 0) -> int:
        """Start threads for what waits, one at a time; return how many calls can run at once at present."""
        with self._lock:
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            was_short, self._is_short = self._is_short, False
            while len(self._threads) < min(self.size, max(self._open, at_least)) and not self._is_closed:
                thread = _CrewThread(target=self._work, name=f"{self.name}_{next(self._numbers)}", daemon=True)
                self._threads.append(thread)
                try:
                    thread.start()
                except Exception as exc:  # noqa: BLE001 - RuntimeError, MemoryError: there is none to be had now
                    self._threads.remove(thread)
                    self._is_short = True
                    self.failures += 1
                    if not was_short:
                        log.warning(
                            "thread_not_started", threads=self.name, running=len(self._threads), reason=str(exc)
                        )
                    return len(self._threads)
            return self.size

    def trouble(self) -> str:
        """Return what is wrong in a few words: nothing while there is a thread, or none was needed."""
        return "no thread can be started" if self._is_short and not self._threads else ""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - an Executor's
        """Take nothing more; what was submitted is still run unless it is cancelled."""
        with self._lock:
            self._is_closed = True
            if cancel_futures:
                self._cancel()
            self._jobs.put(None)
        if wait:
            for thread in self._threads:
                thread.join()

    def _cancel(self) -> None:
        while not self._jobs.empty():
            job = self._jobs.get()
            if job is not None:
                job.future.cancel()
                self._open -= 1

    def _work(self) -> None:
        me = cast("_CrewThread", threading.current_thread())
        while True:
            try:
                if not self._run_next(me):
                    return
            except BaseException as exc:  # noqa: BLE001 - a thread less would be one for good
                self._note(exc)

    def _run_next(self, me: _CrewThread) -> bool:
        """Run what is submitted next; return False when there is nothing to come."""
        job = None
        try:
            try:
                job = self._jobs.get(timeout=self._idle_s)
            except Empty:
                return not self._leaves(me)
            if job is None:
                self._jobs.put(None)  # for the next thread: each that there is, known or not, hears of the end
                return False
            me.is_busy = True
            job.run()
        except BaseException as exc:
            if job is not None and not job.future.done():
                job.future.set_exception(exc)
            raise
        finally:
            me.is_busy = False
            with self._lock:
                self._open -= job is not None
        return True

    def _leaves(self, me: _CrewThread) -> bool:
        """Take an idle thread off the list, unless something was submitted since: the last one that is there stays."""
        with self._lock:
            if not self._jobs.empty() or self._threads == [me]:
                return False
            self._threads = [thread for thread in self._threads if thread is not me]
            return True

    def _note(self, error: BaseException) -> None:
        try:
            self.failures += 1
            log.error("loop_failed", loop=self.name, exc_info=error)
        except BaseException:  # noqa: BLE001 - as above: there is nothing left to say it with
            return
