"""APScheduler on threads that do not stop quietly: its own loop ends with the first error, and its pool shrinks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.executors.pool import BasePoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.base import BaseScheduler
from structlog.typing import FilteringBoundLogger

from connector_core.loops import Crew, Loop, Watched
from connector_core.polling.job import Job, telling


class _Executor(BasePoolExecutor):  # type: ignore[misc]  # the library has no types
    """Runs jobs on a crew."""

    def __init__(self, crew: Crew) -> None:
        super().__init__(crew)


class Jobs(BaseScheduler):  # type: ignore[misc]  # as above
    """Starts jobs when they are due, on a loop; they run on a crew for each of the names in `crews`."""

    def __init__(self, crews: Mapping[str, int], *, monotonic: Callable[[], float], log: FilteringBoundLogger) -> None:
        self._log_of_jobs = log
        self._crews = [Crew(f"jobs-{name}", size) for name, size in crews.items()]
        self._loop = Loop("scheduler", self._step, first_s=None, monotonic=monotonic)
        super().__init__(
            executors={name: _Executor(crew) for name, crew in zip(crews, self._crews, strict=True)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone="UTC",
        )
        self.add_listener(self._crashed, EVENT_JOB_ERROR)

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

    def add(self, job: Job) -> None:
        """Do a job by the clock from now on."""
        first_s = job.every_s if job.first_s is None else job.first_s
        first = datetime.now(UTC) + timedelta(seconds=first_s)
        every = {"seconds": job.every_s, "next_run_time": first}
        self.add_job(self._do, "interval", args=[job], id=job.name, executor=job.crew, replace_existing=True, **every)

    def run_all_now(self) -> None:
        """Run every job now, and count intervals from here: they were planned by a clock that was set since."""
        for job in self.get_jobs():
            self.run_in(job.id)

    def run_in(self, name: str, seconds: float = 0.0) -> None:
        """Run a job in so many seconds, and count its intervals from there."""
        try:
            self.modify_job(name, next_run_time=datetime.now(UTC) + timedelta(seconds=seconds))
        except JobLookupError:  # it ran for the only time, or was removed, since it was listed
            return

    def _do(self, job: Job) -> None:
        with telling(self._log_of_jobs, job.name):
            again_s = job.run()
            if again_s is not None:
                self.run_in(job.name, again_s)

    def _step(self) -> float | None:
        for crew in self._crews:
            crew.grow()
        wait_s: float | None = self._process_jobs()
        return wait_s

    def _crashed(self, _event: JobExecutionEvent) -> None:
        """Count it, for the library has logged it; its interval brings it again."""
        self._loop.note()
