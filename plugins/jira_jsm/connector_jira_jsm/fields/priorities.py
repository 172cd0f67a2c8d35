"""Priorities of Jira against ours.

The five default names have fixed partners (product documentation); any other list goes by its order, and settings can
pair them otherwise, each way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connector_core import Priority
from connector_core.kit.priorities import Level, Priorities

NAMES: dict[Priority, str] = {
    Priority.CRITICAL: "highest",
    Priority.HIGH: "high",
    Priority.MODERATE: "medium",
    Priority.LOW: "low",
    Priority.PLANNING: "lowest",
}
JiraPriority = Level


def paired(
    offered: Sequence[JiraPriority], to_ticket: Mapping[Priority, str], to_incident: Mapping[str, Priority | None]
) -> tuple[JiraPriority, ...]:
    """Return priorities with the partners that settings give them, by id or name; the others keep their default."""
    return Priorities.spread(offered, NAMES, to_ticket, to_incident).levels


def named_by(offered: Sequence[JiraPriority], named: str) -> JiraPriority | None:
    """Find a priority by its id or its name."""
    return _of(offered).named(named)


def to_jira(priority: Priority | None, offered: Sequence[JiraPriority]) -> JiraPriority | None:
    """Choose the partner of one of ours: by its default name, else by order."""
    return _of(offered).theirs(priority)


def is_default(name: object) -> bool:
    """Return whether a priority has one of Jira's own names, whose partners are fixed."""
    return _of(()).is_fixed(name)


def from_jira(name: str | None, priority_id: str | None, offered: Sequence[JiraPriority]) -> Priority | None:
    """Find our partner of a ticket's priority; None when it has none, or is not among those offered."""
    return None if name is None else _of(offered).ours(priority_id, name)


def _of(offered: Sequence[JiraPriority]) -> Priorities:
    return Priorities(tuple(offered), NAMES)
