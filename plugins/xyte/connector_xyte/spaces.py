"""The tree of spaces: where an incident is, the address of that place, and whether it matters. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from connector_core import Location
from connector_xyte.mapping import Seen, identifier, text
from connector_xyte.settings import SpaceChoice


@dataclass(frozen=True)
class Space:
    """A place; address and time zone are its own, None when they are inherited."""

    id: str
    name: str | None
    parent: str | None
    path: str | None
    address: str | None
    timezone: str | None


@dataclass(frozen=True)
class SpaceTree:
    """All spaces of an organization by id."""

    spaces: Mapping[str, Space] = field(default_factory=dict)

    def upwards(self, space_id: str | None) -> Iterator[Space]:
        """Yield a space and those above it; each once, even if somebody made a ring of them."""
        passed = set()
        while space_id is not None and space_id not in passed and space_id in self.spaces:
            passed.add(space_id)
            space = self.spaces[space_id]
            yield space
            space_id = space.parent

    def rings(self) -> int:
        """Count the spaces from which the way up never ends."""
        return sum(self._never_ends(name) for name in self.spaces)

    def path(self, space_id: str | None) -> str | None:
        """Return the names from the top down to a space."""
        way = list(self.upwards(space_id))
        if way and way[0].path:
            return way[0].path
        return "/".join(space.name or space.id for space in reversed(way)) or None

    def location(self, seen: Seen) -> Location:
        """Say where an incident is; what the tree does not know, the incident itself may."""
        way = list(self.upwards(seen.space_id))
        return Location(
            id=seen.space_id,
            name=text(seen.raw.get("space_name")) or (way[0].name if way else None),
            path=seen.space_path or self.path(seen.space_id),
            address=next((space.address for space in way if space.address), None),
            timezone=next((space.timezone for space in way if space.timezone), None),
        )

    def is_chosen(self, seen: Seen, choice: SpaceChoice) -> bool:
        """Return whether an incident is where it matters: what is said of the nearest space above it counts."""
        for names in self._names(seen):
            if names & set(choice.exclude):
                return False
            if names & set(choice.include):
                return True
        return not choice.include

    def _names(self, seen: Seen) -> Iterator[set[str]]:
        """Yield what the space and each above it may be called, the nearest first."""
        way = list(self.upwards(seen.space_id))
        if way:
            yield from ({space.id, self.path(space.id) or space.id} for space in way)
        elif seen.space_id is not None:
            yield {seen.space_id}
        parts = [part.strip() for part in (seen.space_path or "").split("/")]
        yield from ({"/".join(parts[:end])} for end in range(len(parts), 0, -1))

    def _never_ends(self, name: str) -> bool:
        way = list(self.upwards(name))
        return way[-1].parent in {space.id for space in way}


def needs_tree(choice: SpaceChoice) -> bool:
    """Return whether a choice names spaces by id, which only the tree can say of those below."""
    return any(name.isdecimal() for name in (*choice.include, *choice.exclude))


def read_tree(items: Iterable[object]) -> SpaceTree:
    """Read a list of spaces; one without an id is left out."""
    spaces = (_read(item) for item in items if isinstance(item, dict))
    return SpaceTree({space.id: space for space in spaces if space is not None})


def _read(item: Mapping[str, Any]) -> Space | None:
    name = identifier(item.get("id"))
    if name is None:
        return None
    config = _part(item, "config")
    place = _place(_part(config, "general").get("location")) or _place(config.get("location")) or {}
    return Space(
        id=name,
        name=text(item.get("name")),
        parent=identifier(item.get("parent_id")),
        path=text(item.get("full_path")) or text(item.get("path")),
        address=text(place.get("description")),
        timezone=text(place.get("region_name")),
    )


def _place(value: object) -> Mapping[str, Any]:
    """Return a location, which is written as an object or as its address alone."""
    if isinstance(value, dict):
        return value
    return {"description": value} if isinstance(value, str) else {}


def _part(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = record.get(name)
    return value if isinstance(value, dict) else {}
