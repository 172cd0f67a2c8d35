"""What all answers that are being read and worked on may take of memory together.

An answer costs more than its bytes: read as JSON it takes several times as much, a hostile one thirty times. So what is
counted is its weight, which is not less than what it takes once it was read. Most answers are small and pass uncounted.
A session, which is one integration's or source's, may hold as much as the square of what is free: the less is free, the
smaller are the answers that still pass, and no crowd of large ones keeps out those of ordinary size.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable
from dataclasses import dataclass, field
from time import monotonic

MIB = 1024 * 1024
#: What all of them together may weigh beside the one that is there for longest, and what one may.
TOTAL, MOST = 160 * MIB, 96 * MIB
#: What weighs less is not counted: a ticket, a page of comments.
UNCOUNTED = 256 * 1024
#: How long one waits for room.
PATIENCE_S = 10.0

_LIST, _DICT, _KEY, _VALUE = 64, 100, 120, 60
_BEYOND_UTF16 = tuple(bytes((first,)) for first in range(0xF0, 0xF5))


def weight(body: bytes) -> int:
    """Return what a body takes at most: as it came, as text, and as values of JSON."""
    values = _LIST * body.count(b"[") + _DICT * body.count(b"{") + _KEY * body.count(b":") + _VALUE * body.count(b",")
    return len(body) * (1 + 2 * _width(body)) + values


def _width(body: bytes) -> int:
    """Return how many bytes a character of the text may take in memory: one that is rare makes all of them wide."""
    if b"\\u" in body or any(first in body for first in _BEYOND_UTF16):
        return 4
    return 1 if body.isascii() else 2


@dataclass(eq=False)
class AnswerBudget:
    """Counts what the answers of a process weigh, each by who asked for it."""

    total: int = TOTAL
    patience_s: float = PATIENCE_S
    _changed: threading.Condition = field(default_factory=threading.Condition, init=False)
    #: In the order in which each began to hold something.
    _held: dict[Holding, int] = field(default_factory=dict, init=False)

    @property
    def held(self) -> int:
        """What all of them weigh now."""
        with self._changed:
            return sum(self._held.values())

    def take(self, holding: Holding, to: int) -> bool:
        """Have somebody hold so much; False if there is no room for it in time."""
        until = monotonic() + self.patience_s
        with self._changed:
            while not self._has_room(holding, to):
                left = until - monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
            self._held[holding] = to
            return True

    def give_back(self, holding: Holding) -> None:
        """Have somebody hold nothing."""
        with self._changed:
            if self._held.pop(holding, 0):
                self._changed.notify_all()

    def _has_room(self, holding: Holding, to: int) -> bool:
        first = next(iter(self._held), holding)
        if first is holding:
            return True  # one always comes to its end: else many could wait for each other
        own = others = 0
        for one, held in self._held.items():
            if one is not holding and one.whose == holding.whose:
                own += held
            elif one is not holding and one is not first:
                others += held
        free = max(self.total - others, 0)
        return own + to <= free * free // self.total


@dataclass(eq=False)
class Holding:
    """What the answers weigh that a thread works on: of those that it asked for in a hook, the heaviest."""

    budget: AnswerBudget
    whose: Hashable
    _held: int = 0

    def grow(self, to: int) -> bool:
        """Hold so much, if that is more than what is held already and worth counting; False if there is no room."""
        if to <= max(self._held, UNCOUNTED):
            return True
        if not self.budget.take(self, to):
            return False
        self._held = to
        return True

    def let_go(self) -> None:
        """Hold nothing any more: what was asked for is worked off."""
        if self._held:
            self.budget.give_back(self)
            self._held = 0


class Holdings(threading.local):
    """What each thread holds for one session."""

    def __init__(self, budget: AnswerBudget, whose: Hashable) -> None:
        self.own = Holding(budget, whose)
