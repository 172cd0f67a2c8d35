"""The schedule: what this node does by the clock, as jobs and as rounds that the parts contribute.

What is there for all nodes to do once is a duty, which `Recurring` and `Errands` take before they act. What each node
does for itself calls nobody, or is harmless twice: it beats, follows what there is, and looks what is due.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.engine.duties import Duties
from connector_core.loops import Watched
from connector_core.polling.job import HOUSE, WISHES, Job, telling
from connector_core.polling.recurring import Recurring
from connector_core.registry.entry import Entry
from connector_core.registry.integrations import Registry
from connector_core.shares import SharedCrew

if TYPE_CHECKING:  # only the daemon starts it; every other command would wait for its import
    from connector_core.polling.jobs import Jobs

LOOK_FOR_CHANGES_S = 2.0
LOOK_FOR_THE_LEFT_S = 10.0
#: Threads for each kind of jobs.
CREWS = {HOUSE: 4, WISHES: 1}
_FOLLOW, _TAKE_OVER = "follow", "take_over"


class Schedule:
    """Runs jobs, and rounds over the integrations and sources that there are; those that come and go are followed."""

    def __init__(  # noqa: PLR0913 - its parts, by keyword
        self,
        *,
        jobs: Sequence[Job],
        rounds: Sequence[Recurring],
        crews: Sequence[SharedCrew],
        registry: Registry,
        duties: Duties,
        clock: Clock,
        log: FilteringBoundLogger,
    ) -> None:
        self.rounds: Mapping[str, Recurring] = {one.kind: one for one in rounds}
        self.jobs: Mapping[str, Job] = {
            job.name: job
            for job in (
                Job(_FOLLOW, LOOK_FOR_CHANGES_S, self.follow),
                Job(_TAKE_OVER, LOOK_FOR_THE_LEFT_S, self.take_over),
                *jobs,
            )
        }
        self._crews = crews
        self._registry = registry
        self._duties = duties
        self._clock = clock
        self._log = log
        self._followed: tuple[int, int] | None = None
        self._known: Mapping[str, Entry] = {}

    @cached_property
    def _scheduler(self) -> Jobs:
        from connector_core.polling.jobs import Jobs  # noqa: PLC0415 - as said at the top

        return Jobs(CREWS, monotonic=self._clock.monotonic, log=self._log)

    @property
    def loops(self) -> Sequence[Watched]:
        """The threads that start jobs, and those that run them."""
        return (
            *self._scheduler.loops,
            *(loop for one in self.rounds.values() for loop in one.loops),
            *(loop for crew in self._crews for loop in crew.loops),
        )

    def start(self) -> None:
        """Begin."""
        with telling(self._log, _FOLLOW):
            self.follow()
        for job in self.jobs.values():
            self._scheduler.add(job)
        self._scheduler.start()
        for one in self.rounds.values():
            one.rounds.start()

    def stop(self) -> None:
        """Start no further job; those that run end by themselves."""
        for one in self.rounds.values():
            one.rounds.stop()
        for crew in self._crews:
            crew.shutdown()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def clock_was_set(self) -> None:
        """Do everything now, and count the intervals from here: APScheduler plans by the clock."""
        self._scheduler.run_all_now()
        for one in self.rounds.values():
            one.rounds.hurry()

    def follow(self) -> None:
        """Go round those integrations and sources that there are now; nothing is done while none has changed."""
        read = self._registry.times_read()
        if read == self._followed:
            return
        entries = {entry.record.id: entry for entry in self._registry.entries()}
        changed = [name for name, entry in entries.items() if self._known.get(name, entry) is not entry]
        for one in self.rounds.values():
            one.follow(changed)
        self._known, self._followed = entries, read

    def one_ended(self) -> None:
        """Look at once what another node has left."""
        if self._scheduler.running:
            self._scheduler.run_in(_TAKE_OVER)

    def take_over(self) -> None:
        """Look at the duties that another node was doing when it ended."""
        left = self._duties.left_behind()
        if not left:
            return
        for one in self.rounds.values():
            one.take_over(left)
        for kind in {name.partition(":")[0] for name in left} & self.jobs.keys():
            self._scheduler.run_in(kind)
