"""Who does what once for all nodes: `turn` gives this node its turn of a duty, or says when to look again.

    with duties.turn(Duty("poll:acme", "acme"), every_s=30) as turn:
        if turn.is_ours:
            poll("acme")
    turn.wait_s  # in so many seconds it is due again, whoever does it

`OwnDuties` are those of a node that is alone: all are its own, and nothing is stored. `SharedDuties` are rows that all
nodes see: whoever comes first when one is due takes it. Each node prefers a share of them, as its name and theirs say,
and comes `GRACE_S` late to the others: so the load is spread, and what a plugin remembers of a place is on one node
while that lives. What a thread calls and stores in a turn that is no longer its own is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.contract.errors import RetryLater
from connector_core.engine.cluster_node import GONE_FOR
from connector_core.engine.nodes import ThisNode
from connector_core.http.outbound import CALL_DEADLINE_S
from connector_core.remembered import Remembered
from connector_core.store import LEASE_S, Duty, HeldDuty
from connector_core.store import duties as stored
from connector_core.store.fences import holding

#: So much later than the node that prefers a duty the others come; less to what is done more often.
GRACE_S = 2.0
#: No duty is put off for more than so many of its intervals: one that seems to be was planned by a wrong clock.
MOST_INTERVALS = 20
#: A node that may not work looks again after so long.
CUT_OFF_S = 1.0
#: For so long after the last beat of a node that has ended a call of it may arrive.
QUIET_AFTER = timedelta(seconds=LEASE_S + CALL_DEADLINE_S)


@dataclass
class Turn:
    """One turn of a duty. Who does it may set `again_s`, in how many seconds it is due again."""

    again_s: float
    is_ours: bool = False
    is_new: bool = False
    """Whether it was not done yet for what it is done for now, as its mark says."""
    wait_s: float = 0.0


class Duties(Protocol):
    """Whose turn it is."""

    @contextmanager
    def turn(self, duty: Duty, *, every_s: float, is_writing: bool = False) -> Iterator[Turn]:
        """Run a block that does a duty if that is ours, and is due; it is due again `every_s` later.

        What is raised in it leaves the duty undone until then. One that `is_writing` to a vendor is taken over from
        a node that ended in the middle of it only when its last call has surely ended.
        """
        ...

    def within(self, duty: Duty, seconds: float) -> None:
        """Let a duty be due after no more than so many seconds."""
        ...

    def begin(self, kind: str) -> None:
        """Let duties of a kind be done at once if nobody was at work until now."""
        ...

    def left_behind(self) -> list[str]:
        """Return the duties that somebody else was doing who has ended."""
        ...


class OwnDuties:
    """The duties of a node that is alone: what each was last done for is kept in memory, and when, by who does it."""

    def __init__(self, clock: Clock) -> None:
        self._marks: Remembered[str, str] = Remembered(clock.monotonic)

    @contextmanager
    def turn(self, duty: Duty, *, every_s: float, is_writing: bool = False) -> Iterator[Turn]:  # noqa: ARG002 - nobody else writes
        """Run a block: it is ours."""
        turn = Turn(every_s, is_ours=True, is_new=self._marks.get(duty.name, "") != duty.mark)
        yield turn
        turn.wait_s = turn.again_s
        if duty.mark:
            self._marks[duty.name] = duty.mark

    def within(self, duty: Duty, seconds: float) -> None:
        """Do nothing: who does it knows when."""

    def begin(self, kind: str) -> None:
        """Do nothing: nothing was done yet in this life."""

    def left_behind(self) -> list[str]:
        """Return nothing: there is nobody else."""
        return []


class SharedDuties:
    """The duties of all nodes of a database."""

    def __init__(self, rows: stored.Duties, node: ThisNode, clock: Clock, log: FilteringBoundLogger) -> None:
        self._rows = rows
        self._node = node
        self._clock = clock
        self._log = log

    @contextmanager
    def turn(self, duty: Duty, *, every_s: float, is_writing: bool = False) -> Iterator[Turn]:
        """Run a block, in which the duty is ours if it is due and nobody else does it."""
        turn = Turn(every_s)
        held = self._take(duty, turn, is_writing=is_writing)
        if held is None:
            yield turn
            return
        mark = None
        try:
            with self._node.working(held.node), holding(held):
                yield turn
            mark = duty.mark
        finally:
            turn.wait_s = turn.again_s
            self._give_back(held, turn, mark)

    def within(self, duty: Duty, seconds: float) -> None:
        """Let a duty be due after no more than so many seconds, for all nodes."""
        self._rows.bring_forward(duty, self._clock.now() + timedelta(seconds=seconds))

    def begin(self, kind: str) -> None:
        """Let duties of a kind be done at once if no other node was at work until now: nobody was told of news."""
        if self._node.is_first(self._clock.now() - GONE_FOR):
            self._rows.forget_marks(kind)

    def left_behind(self) -> list[str]:
        """Return the duties that another node was doing when it ended."""
        return self._rows.left_behind()

    # Private

    def _take(self, duty: Duty, turn: Turn, *, is_writing: bool) -> HeldDuty | None:
        """Take a duty if it is due, and not another node's; else `turn` says when to look again."""
        if not self._node.may_work:
            turn.wait_s = CUT_OFF_S
            return None
        now = self._clock.now()
        quiet_since = now - QUIET_AFTER if is_writing else None
        longest = min(stored.LONGEST, timedelta(seconds=turn.again_s * MOST_INTERVALS + GRACE_S))
        row = self._rows.find(duty, quiet_since)
        grace_s = 0.0 if self._node.prefers(duty.name) else min(GRACE_S, turn.again_s / 2)
        if row is not None:
            turn.is_new = row.mark != duty.mark
            wait_s = (row.due_at - now).total_seconds() + grace_s
            if not turn.is_new and 0 < wait_s <= longest.total_seconds():
                turn.wait_s = wait_s
                return None
            if row.node not in {None, self._node.id}:
                turn.wait_s = turn.again_s
                return None
        else:
            turn.is_new = bool(duty.mark)
        held = self._rows.take(duty, self._node.id, now, quiet_since, longest)
        turn.is_ours = held is not None
        turn.wait_s = turn.again_s
        return held

    def _give_back(self, held: HeldDuty, turn: Turn, mark: str | None) -> None:
        """Give it back; where that fails it is ours until we take it again."""
        try:
            due_at = self._clock.now() + timedelta(seconds=turn.again_s)
            if not self._rows.give_back(held, due_at, mark):
                self._log.warning("duty_lost", duty=held.name)
        except RetryLater as exc:
            self._log.warning("duty_not_given_back", duty=held.name, code=exc.code, reason=exc.message)
