"""How long to wait before trying again."""

from __future__ import annotations

from random import Random

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
    """
    own = min(longest_s, first_s * 2.0 ** min(attempts, 20)) * random.uniform(*JITTER)
    if asked_s is None:
        return own
    return min(max(asked_s * random.uniform(1.0, 1.1), 0.0), HORIZON_S / 2)
