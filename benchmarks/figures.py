"""What a benchmark measures, what it must reach, and how it says that a part of it did not do its work."""

from __future__ import annotations

from dataclasses import dataclass


class PartFailed(Exception):
    """A part of a benchmark did not do its work; what was measured with it means nothing."""


def require(holds: object, said: str) -> None:
    """Go on only if a part did its work.

    Raises:
        PartFailed: it did not; the text says what was seen.
    """
    if not holds:
        raise PartFailed(said)


@dataclass(frozen=True)
class Figure:
    """One thing that is measured: its name is the same from run to run, by it a former value is found."""

    name: str
    unit: str
    goal: float | None = None
    at_least: bool = False

    def is_missed(self, value: float) -> bool:
        """Return whether there is a goal that a value does not reach."""
        if self.goal is None:
            return False
        return value < self.goal if self.at_least else value > self.goal

    def goal_as_text(self) -> str:
        """Return the goal as people read it; nothing when there is none."""
        return "" if self.goal is None else f"{'≥' if self.at_least else '≤'} {self.goal:,g} {self.unit}"

    def shown(self, value: float) -> str:
        """Return a value with its unit, with as many digits as mean something."""
        digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
        return f"{value:,.{digits}f} {self.unit}"


Reading = tuple[Figure, float]


def quantile(values: list[float], share: float) -> float:
    """Return the value that a share of all values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
