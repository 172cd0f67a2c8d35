"""Priorities of Jira against ours.

The five default names have fixed partners (product documentation). Any other list, shorter, longer, renamed or
translated, is spread over ours by its order, most urgent first: of three, the first takes critical and high, the second
moderate, the third low and planning; read back, they are critical, moderate and planning. Settings can pair them
otherwise, each way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

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
    """A priority that a request type offers.

    `chosen_for` are those of ours that settings map to it, `read_as` is what settings read it as; with `is_ignored`
    it is read as none.
    """

    id: str
    name: str
    chosen_for: frozenset[Priority] = frozenset()
    read_as: Priority | None = None
    is_ignored: bool = False


def paired(
    offered: Sequence[JiraPriority], to_ticket: Mapping[Priority, str], to_incident: Mapping[str, Priority | None]
) -> tuple[JiraPriority, ...]:
    """Return priorities with the partners that settings give them, by id or name; the others keep their default."""
    chosen = {ours: found.id for ours, named in to_ticket.items() if (found := named_by(offered, named)) is not None}
    read = {found.id: ours for named, ours in to_incident.items() if (found := named_by(offered, named)) is not None}
    return tuple(
        replace(
            one,
            chosen_for=frozenset(ours for ours, its in chosen.items() if its == one.id),
            read_as=read.get(one.id),
            is_ignored=one.id in read and read[one.id] is None,
        )
        for one in offered
    )


def named_by(offered: Sequence[JiraPriority], named: str) -> JiraPriority | None:
    """Find a priority by its id or its name."""
    folded = named.strip().casefold()
    by_id = next((one for one in offered if one.id == named.strip()), None)
    return by_id or next((one for one in offered if one.name.strip().casefold() == folded), None)


def to_jira(priority: Priority | None, offered: Sequence[JiraPriority]) -> JiraPriority | None:
    """Choose the partner of one of ours: by its default name, else by order."""
    if priority is None or not offered:
        return None
    if (chosen := next((one for one in offered if priority in one.chosen_for), None)) is not None:
        return chosen
    by_name = {candidate.name.strip().casefold(): candidate for candidate in offered}
    if NAMES[priority] in by_name:
        return by_name[NAMES[priority]]
    return offered[round(OURS.index(priority) * (len(offered) - 1) / (len(OURS) - 1))]


def is_default(name: object) -> bool:
    """Return whether a priority has one of Jira's own names, whose partners are fixed."""
    return isinstance(name, str) and name.strip().casefold() in _BY_NAME


def from_jira(name: str | None, priority_id: str | None, offered: Sequence[JiraPriority]) -> Priority | None:
    """Find our partner of a ticket's priority; None when it has none, or is not among those offered."""
    if name is None:
        return None
    found = next((one for one in offered if one.id == priority_id or one.name == name), None)
    if found is not None and (found.is_ignored or found.read_as is not None or found.chosen_for):
        # What is written to it is what it is read as, unless settings say otherwise.
        written = next((ours for ours in OURS if ours in found.chosen_for), None)
        return None if found.is_ignored else found.read_as or written
    if (known := _BY_NAME.get(name.strip().casefold())) is not None:
        return known
    if found is None or len(offered) == 1:
        return None
    position = offered.index(found)
    return OURS[round(position * (len(OURS) - 1) / (len(offered) - 1))]
