"""APScheduler on threads that do not stop quietly: its own loop ends with the first error, and its pool shrinks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.executors.pool import BasePoolExecutor
from apscheduler.job import Job
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.base import BaseScheduler

from connector_core.loops import Crew, Loop, Watched


class _Executor(BasePoolExecutor):  # type: ignore[misc]  # the library has no types
    """Runs jobs on a crew."""

    def __init__(self, crew: Crew) -> None:
        super().__init__(crew)


class Jobs(BaseScheduler):  # type: ignore[misc]  # as above
    """Starts jobs when they are due, on a loop; they run on a crew for each of the names in `crews`."""

    def __init__(self, crews: Mapping[str, int], *, monotonic: Callable[[], float]) -> None:
        self._crews = [Crew(f"jobs-{name}", size) for name, size in crews.items()]
        self._loop = Loop("scheduler", self._step, first_s=None, monotonic=monotonic)
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
        wait_s: float | None = self._process_jobs()
        return wait_s

    def _failed(self, _event: JobExecutionEvent) -> None:
        """Count it, for the library has logged it; its interval brings it again."""
        self._loop.note()
