"""Runs that give open links other settings than those they were made with, and what becomes of each link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class ChangeState(StrEnum):
    """What became of one link of a run."""

    WAITING = "waiting"
    DONE = "done"
    LEFT = "left"  # as it was, for a reason
    UNDONE = "undone"  # it was done, and another run took it back


class Left(StrEnum):
    """Why a link keeps its settings; any other reason is a sentence of the plugin's."""

    CHANGED = "changed"  # it has other settings by now
    CLOSED = "closed"  # incident and ticket are over by now


@dataclass(frozen=True)
class SameSettings:
    """Open links with the same settings; `is_unmade` are those without a ticket, not even one under way."""

    settings: Mapping[str, Any]
    is_unmade: bool
    count: int


@dataclass(frozen=True)
class SettingsRun:
    """One run over the open links of an integration; `undoes` is the run that it takes back."""

    id: int
    integration_id: str
    #: The link settings of the integration as they were when it began.
    settings: Mapping[str, Any]
    undoes: int | None
    made_by: str
    made_at: datetime
    ended_at: datetime | None
    #: How many links are in each state.
    counts: Mapping[ChangeState, int]

    @property
    def total(self) -> int:
        """How many links it is about."""
        return sum(self.counts.values())

    @property
    def waiting(self) -> int:
        """How many links it has not come to yet."""
        return self.counts.get(ChangeState.WAITING, 0)

    @property
    def done(self) -> int:
        """How many links have the new settings, also those that lost them again."""
        return self.counts.get(ChangeState.DONE, 0) + self.counts.get(ChangeState.UNDONE, 0)

    @property
    def can_be_undone(self) -> bool:
        """Whether it has ended, took nothing back itself, and links still have what it gave them."""
        return self.ended_at is not None and self.undoes is None and self.counts.get(ChangeState.DONE, 0) > 0


@dataclass(frozen=True)
class SettingsChange:
    """One link of a run, with all its link settings before and after."""

    run_id: int
    link_id: int
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    state: ChangeState
    #: Why it was left as it was.
    reason: str = ""

    @property
    def changed(self) -> dict[str, tuple[Any, Any]]:
        """What changes, by setting: before and after, None where there is none."""
        names = sorted({*self.before, *self.after})
        pairs = {name: (self.before.get(name), self.after.get(name)) for name in names}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
