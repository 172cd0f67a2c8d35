"""APScheduler on threads that do not stop quietly: its own loop ends with the first error, and its pool shrinks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from queue import SimpleQueue
from typing import Any

from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.executors.pool import BasePoolExecutor
from apscheduler.job import Job
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.base import BaseScheduler

from connector_core.loops import Crew, Loop, Watched

ONCE_AGAIN_S = 300.0


class _Executor(BasePoolExecutor):  # type: ignore[misc]  # the library has no types
    """Runs jobs on a crew."""

    def __init__(self, crew: Crew) -> None:
        super().__init__(crew)


class Jobs(BaseScheduler):  # type: ignore[misc]  # as above
    """Starts jobs when they are due, on a loop; they run on a crew for each of the names in `crews`.

    A job that is to run once, and fails by something that nobody expected, is run again after a while.
    """

    def __init__(self, crews: Mapping[str, int], *, monotonic: Callable[[], float]) -> None:
        self._crews = [Crew(f"jobs-{name}", size) for name, size in crews.items()]
        self._loop = Loop("scheduler", self._step, first_s=None, monotonic=monotonic)
        self._once: dict[str, tuple[Callable[..., object], list[Any]]] = {}
        self._to_repeat: SimpleQueue[str] = SimpleQueue()
        super().__init__(
            executors={name: _Executor(crew) for name, crew in zip(crews, self._crews, strict=True)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone="UTC",
        )
        self.add_listener(self._failed, EVENT_JOB_ERROR)

    @property
    def loops(self) -> Sequence[Watched]:
        """The thread that starts jobs, and those that run them."""
        return (self._loop, *self._crews)

    def start(self, paused: bool = False) -> None:  # noqa: FBT001, FBT002 - as the library's
        """Begin."""
        super().start(paused)
        self._loop.start()

    def shutdown(self, wait: bool = True) -> None:  # noqa: FBT001, FBT002 - as the library's
        """Start no further job."""
        super().shutdown(wait)
        self._loop.stop()

    def wakeup(self) -> None:
        """Look at once what is due."""
        self._loop.wake()

    def run_once(self, name: str, act: Callable[..., object], *args: object) -> None:
        """Run something soon, in place of an earlier one of that name that has not begun."""
        self._once[name] = (act, list(args))
        self.add_job(act, args=args, id=name, replace_existing=True)

    def run_all_now(self) -> None:
        """Run every job now, and count intervals from here: they were planned by a clock that was set since."""
        for job in self.get_jobs():
            self._run_now(job)

    def _run_now(self, job: Job) -> None:
        try:
            job.modify(next_run_time=datetime.now(UTC))
        except JobLookupError:  # it ran for the only time, or was removed, since it was listed
            return

    def _step(self) -> float | None:
        for crew in self._crews:
            crew.grow()
        while not self._to_repeat.empty():
            self._plan_again(self._to_repeat.get())
        wait_s: float | None = self._process_jobs()
        return wait_s

    def _failed(self, event: JobExecutionEvent) -> None:
        """Count it, for the library has logged it; what was to run once is planned again by the next step."""
        self._loop.note()
        if event.job_id in self._once:
            self._to_repeat.put(event.job_id)
            self.wakeup()

    def _plan_again(self, name: str) -> None:
        """Plan what was to run once, unless it has been planned anew meanwhile."""
        if self.get_job(name) is None:
            act, args = self._once[name]
            later = datetime.now(UTC) + timedelta(seconds=ONCE_AGAIN_S)
            self.add_job(act, "date", args=args, id=name, run_date=later, replace_existing=True)
