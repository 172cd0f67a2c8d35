"""Connections that wait and may give way, kept by who sent them: which one goes is found at once, however many wait.

It is one of whoever has the most of them, so that a crowd closes its own:

    waiting.add(connection, "192.0.2.7", was_answered=False)
    waiting.next_to_go()
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

One = TypeVar("One", bound=Hashable)


@dataclass(frozen=True)
class _Line(Generic[One]):
    """What waits of one sender, each part in the order in which it came."""

    unanswered: dict[One, None] = field(default_factory=dict)
    answered: dict[One, None] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.unanswered) + len(self.answered)


class Waiting(Generic[One]):
    """Those that wait. Every step takes the same time for one as for a hundred thousand."""

    def __init__(self) -> None:
        self._sender_of: dict[One, str] = {}
        self._lines: dict[str, _Line[One]] = {}
        #: By how many they have waiting: senders.
        self._senders: dict[int, dict[str, None]] = {}
        self._most = 0

    def __len__(self) -> int:
        return len(self._sender_of)

    def __contains__(self, one: One) -> bool:
        return one in self._sender_of

    def add(self, one: One, sender: str, *, was_answered: bool) -> None:
        """Put one at the end of its sender's line; one that waits already keeps its place."""
        if one in self._sender_of:
            return
        self._sender_of[one] = sender
        line = self._lines.setdefault(sender, _Line())
        (line.answered if was_answered else line.unanswered)[one] = None
        self._resort(sender, len(line) - 1, len(line))
        self._most = max(self._most, len(line))

    def discard(self, one: One) -> None:
        """Take one out, if it waits."""
        sender = self._sender_of.pop(one, None)
        if sender is None:
            return
        line = self._lines[sender]
        (line.unanswered if one in line.unanswered else line.answered).pop(one)
        if not line:
            del self._lines[sender]
        self._resort(sender, len(line) + 1, len(line))
        if self._most not in self._senders:
            self._most -= 1  # where the sender is now

    def move_back(self, one: One) -> None:
        """Have one that was answered before, and asks again, wait as long as if it had just come."""
        sender = self._sender_of.get(one)
        if sender is not None and one in (answered := self._lines[sender].answered):
            del answered[one]
            answered[one] = None

    def next_to_go(self) -> One | None:
        """Return which gives way: of whoever has the most, one that had no answer yet first, and the longest there."""
        if not self._most:
            return None
        line = self._lines[next(iter(self._senders[self._most]))]
        return next(iter(line.unanswered or line.answered))

    def _resort(self, sender: str, before: int, now: int) -> None:
        if before:
            alike = self._senders[before]
            del alike[sender]
            if not alike:
                del self._senders[before]
        if now:
            self._senders.setdefault(now, {})[sender] = None
