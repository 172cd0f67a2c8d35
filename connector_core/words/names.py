"""What the two systems of a link are called in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any


@dataclass(frozen=True)
class Names:
    """What people call both systems: by the vendors' names where they are known."""

    source: str = "the incident source"
    desk: str = "the helpdesk"

    def of(self, side: str) -> str:
        """Return what a sentence calls a side of a link, or the connector."""
        return {"incident": self.source, "ticket": self.desk, "connector": "Connector"}.get(side, side)

    def label(self, side: str) -> str:
        """Return the same as a label."""
        name = self.of(side).removeprefix("the ")
        return name[:1].upper() + name[1:]


def filled(templates: str | tuple[str, ...], values: Mapping[str, Any], names: Names) -> tuple[str, frozenset[str]]:
    """Return the first of some templates whose every value is there, with its values, and which those are.

    An earlier version stored fewer values: the last template has none but the names of the systems.

    >>> filled(("{ticket} created in {desk}.", "Ticket created."), {"ticket": "SUP-1"}, Names(desk="Desk"))[0]
    'SUP-1 created in Desk.'
    """
    known = {**_derived(values, names), "source": names.source, "desk": names.desk}
    chosen = (templates,) if isinstance(templates, str) else templates
    for template in chosen:
        used = frozenset(_places(template))
        if all(known.get(name) not in (None, "") for name in used):
            return _sentence(template.format_map(known)), used
    return _sentence(chosen[-1].format_map({**dict.fromkeys(used, "?"), **known})), used


def _derived(values: Mapping[str, Any], names: Names) -> dict[str, Any]:
    derived = dict(values)
    if "winner" in values:
        derived["winner"] = names.of(str(values["winner"]))
    return derived


def _places(template: str) -> list[str]:
    """Return what a template has places for; `key[1]` is one for `key`."""
    return [name.partition("[")[0] for _, name, _, _ in Formatter().parse(template) if name]


def _sentence(text: str) -> str:
    """Begin with a capital letter: a field or a system may be what comes first."""
    return text[:1].upper() + text[1:]
