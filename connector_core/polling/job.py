"""A job: what is done by the clock. `jobs.py` runs it; each part contributes its own, in `app.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from structlog.typing import FilteringBoundLogger

from connector_core.contract.errors import ConnectorError

#: Threads that call nobody.
HOUSE = "default"
#: A thread for what waits for vendors at times, such as applying the file.
WISHES = "wishes"


@dataclass(frozen=True)
class Job:
    """Something that is done every so many seconds, or in as many as it returned last.

    The first time is `first_s` after the start, or as all others.
    """

    name: str
    every_s: float
    run: Callable[[], float | None]
    first_s: float | None = None
    crew: str = HOUSE


@dataclass(frozen=True)
class telling:  # noqa: N801 - it stands before a block
    """Runs a block that does a job; what goes wrong there, as things do, is logged, and the job comes again."""

    log: FilteringBoundLogger
    job: str
    name: str = ""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        """Log what was raised, if it is one of our errors; a mistake goes on."""
        if not isinstance(error, ConnectorError):
            return False
        about = {"name": self.name} if self.name else {}
        self.log.warning("job_failed", job=self.job, code=error.code, reason=error.message, **about)
        return True
