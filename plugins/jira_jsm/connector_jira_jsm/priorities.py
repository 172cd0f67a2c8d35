"""Priorities of Jira against ours.

The five default names have fixed partners (product documentation). Any other list, shorter, longer, renamed or
translated, is spread over ours by its order, most urgent first: of three, the first takes critical and high, the second
moderate, the third low and planning; read back, they are critical, moderate and planning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connector_core import Priority

OURS: tuple[Priority, ...] = tuple(Priority)
NAMES: dict[Priority, str] = {
    Priority.CRITICAL: "highest",
    Priority.HIGH: "high",
    Priority.MODERATE: "medium",
    Priority.LOW: "low",
    Priority.PLANNING: "lowest",
}
_BY_NAME = {name: priority for priority, name in NAMES.items()}


@dataclass(frozen=True)
class JiraPriority:
    """A priority that a request type offers."""

    id: str
    name: str


def to_jira(priority: Priority | None, offered: Sequence[JiraPriority]) -> JiraPriority | None:
    """Choose the partner of one of ours: by its default name, else by order."""
    if priority is None or not offered:
        return None
    by_name = {candidate.name.strip().casefold(): candidate for candidate in offered}
    if NAMES[priority] in by_name:
        return by_name[NAMES[priority]]
    return offered[round(OURS.index(priority) * (len(offered) - 1) / (len(OURS) - 1))]


def is_default(name: object) -> bool:
    """Tell whether a priority has one of Jira's own names, whose partners are fixed."""
    return isinstance(name, str) and name.strip().casefold() in _BY_NAME


def from_jira(name: str | None, priority_id: str | None, offered: Sequence[JiraPriority]) -> Priority | None:
    """Find our partner of a ticket's priority; None when it has none, or is not among those offered."""
    if name is None:
        return None
    if (known := _BY_NAME.get(name.strip().casefold())) is not None:
        return known
    position = next((i for i, p in enumerate(offered) if p.id == priority_id or p.name == name), None)
    if position is None or len(offered) == 1:
        return None
    return OURS[round(position * (len(OURS) - 1) / (len(offered) - 1))]
