"""How long to wait before trying again."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from connector_core.clock import Clock

FIRST_S = 2.0
LONGEST_S = 900.0
JITTER = (0.7, 1.3)

# Nothing is ever scheduled further ahead than this; a lane that is can only mean that the clock was set back.
HORIZON_S = 2 * 3600.0


def delay_s(
    attempts: int, asked_s: float | None, random: Random, *, first_s: float = FIRST_S, longest_s: float = LONGEST_S
) -> float:
    """Return seconds to wait after the given number of failed attempts, at least what the other side asked for.

    Doubles from the first to the longest wait with jitter, so that many that failed together do not return together.
    A wait of nothing, or one that does not help, is never taken at its word: our own is the least.
    """
    own = min(longest_s, first_s * 2.0 ** min(attempts, 20)) * random.uniform(*JITTER)
    if asked_s is None or not asked_s > own:
        return own
    return min(asked_s * random.uniform(1.0, 1.1), HORIZON_S / 2)


def is_enough(asked_s: float | None, attempts: int) -> bool:
    """Return whether a wait was asked for that is no shorter than our own would be: then that one need not grow."""
    return asked_s is not None and asked_s >= min(LONGEST_S, FIRST_S * 2.0 ** min(attempts, 20))


@dataclass(frozen=True)
class Waits:
    """When things of this process may be tried again that nobody stores a wait for, by name."""

    clock: Clock
    random: Random = field(default_factory=Random)
    _waits: dict[str, tuple[int, float]] = field(default_factory=dict)

    def is_over(self, name: str) -> bool:
        """Return whether a thing may be tried."""
        return name not in self._waits or self._waits[name][1] <= self.clock.monotonic()

    def failed(self, name: str, asked_s: float | None) -> None:
        """Note that a try failed, and which wait was asked for."""
        tries = self._waits.get(name, (0, 0.0))[0]
        self._waits[name] = (tries + 1, self.clock.monotonic() + delay_s(tries, asked_s, self.random))

    def worked(self, name: str) -> None:
        """Note that a try worked, or is not wanted any more."""
        self._waits.pop(name, None)
