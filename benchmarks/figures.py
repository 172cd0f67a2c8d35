"""How a figure is printed."""

from __future__ import annotations


def line(name: str, value: float, unit: str, goal: float | None = None, *, at_least: bool = False) -> str:
    """Return one line: the figure, its unit, the goal and whether it was reached."""
    text = f"{name:<58} {value:9.1f} {unit:<6}"
    if goal is None:
        return text
    reached = value >= goal if at_least else value <= goal
    return f"{text} goal {'≥' if at_least else '≤'} {goal:g}: {'reached' if reached else 'MISSED'}"


def quantile(values: list[float], share: float) -> float:
    """Return the value that a share of all values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
