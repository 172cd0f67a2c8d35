"""What comes round for each of many names, such as polls: on one node at a time, when the duty of the name is due.

    polls = Recurring("poll", poller.intervals, poll, duties=duties, crew=crew, clock=clock, log=log)
    polls.follow()  # whenever what is wanted may have changed
    polls.start()

On a node whose turn it is not, the next look is when the duty is due, as its row says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.engine.duties import Duties, Turn
from connector_core.loops import Watched
from connector_core.polling.job import telling
from connector_core.polling.rounds import APART_S, Rounds, until_own_moment
from connector_core.shares import SharedCrew
from connector_core.store import Duty


def always_alike(_: str) -> str:
    """Do it for nothing that changes."""
    return ""


class Recurring:
    """Calls `act` for each name that is wanted whenever its turn has come, every so many seconds, on one node.

    `act` is handed the turn: it says whether it was done before for what it is done for now, as `mark` tells, and may
    be asked for another time at which it is done again. A name whose mark has changed is done at once.
    """

    def __init__(  # noqa: PLR0913 - its parts, by keyword
        self,
        kind: str,
        wanted: Callable[[], Mapping[str, float]],
        act: Callable[[str, Turn], object],
        *,
        duties: Duties,
        crew: SharedCrew,
        clock: Clock,
        log: FilteringBoundLogger,
        mark: Callable[[str], str] = always_alike,
        organization_of: Callable[[str], str] = str,
        site_of: Callable[[str], str] = str,
        apart_s: float = APART_S,
        is_writing: bool = False,
    ) -> None:
        self.kind = kind
        self._wanted = wanted
        self._act = act
        self._duties = duties
        self._clock = clock
        self._log = log
        self._mark = mark
        self._organization_of = organization_of
        self._is_writing = is_writing
        self._every_s: Mapping[str, float] = {}
        self._marks: dict[str, str] = {}
        self.rounds = Rounds(f"{kind}s", crew, self.turn, monotonic=clock.monotonic, site_of=site_of, apart_s=apart_s)

    @property
    def loops(self) -> Sequence[Watched]:
        """The thread that hands out turns."""
        return self.rounds.loops

    def follow(self, changed: Iterable[str] = ()) -> None:
        """Go round those that are wanted now; of those that have changed, whose mark is another one are done at once.

        The others of them are done again after no more than their time, whatever was asked for.
        """
        self._every_s = self._wanted()
        self._marks = {name: mark for name, mark in self._marks.items() if name in self._every_s}
        self.rounds.follow(self._every_s)
        changed = [name for name in changed if name in self._marks]
        anew = [name for name in changed if self._marks[name] != self._mark(name)]
        self.rounds.hurry(anew)
        self._within([name for name in changed if name not in anew])

    def take_over(self, left: Iterable[str]) -> None:
        """Look at once at those of some duties whose node has ended in the middle of them."""
        kind = f"{self.kind}:"
        self.rounds.hurry([duty.removeprefix(kind) for duty in left if duty.startswith(kind)])

    def turn(self, name: str) -> float | None:
        """Do it for a name if it is due, and not another node's; return in how many seconds to look again."""
        every_s = self._every_s.get(name)
        if every_s is None:
            return None
        with telling(self._log, self.kind, name):
            duty = self._duty(name)
            self._marks[name] = duty.mark
            with self._duties.turn(duty, every_s=every_s, is_writing=self._is_writing) as turn:
                if turn.is_ours:
                    self._act(name, turn)
                    turn.again_s = until_own_moment(name, turn.again_s, self._clock.now())
            return turn.wait_s
        return None

    # Private

    def _within(self, names: Collection[str]) -> None:
        for name in names:
            with telling(self._log, self.kind, name):
                self._duties.within(self._duty(name), self._every_s[name])
        self.rounds.within(names)

    def _duty(self, name: str) -> Duty:
        return Duty(f"{self.kind}:{name}", self._organization_of(name), self._mark(name))
