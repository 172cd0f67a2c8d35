"""What is remembered from one look to the next, as one text: which incidents are known, and how each stands."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

_VERSION = 1


class Standing(StrEnum):
    """How an open incident stands with us.

    Told: the connector knows it. Left: it was open at the first look. Out: it does not matter by the settings. Held: it
    has not been open for long enough.
    """

    TOLD = "t"
    LEFT = "l"
    OUT = "o"
    HELD = "h"


@dataclass(frozen=True, slots=True)
class Entry:
    """One incident that was open when last seen.

    `at` is the hub's time of what was last told of it. `missing` counts the looks in vain since it left the list of
    open ones; `look_at` is when it is looked for again.
    """

    standing: Standing
    digest: str
    created: float | None
    at: float
    missing: int = 0
    look_at: float = 0.0


@dataclass(frozen=True)
class Cursor:
    """All that is remembered; `line` and `number` make the names of events unique, `over` are the lately closed.

    `tenant` and `key` tell whose incidents these are and by which key they were read (a digest of it). `looked` is the
    hub's time of the last whole look, 0 before the first, `before` that of the one before it.
    """

    line: str
    number: int = 0
    tenant: str = ""
    key: str = ""
    looked: float = 0.0
    before: float = 0.0
    entries: Mapping[str, Entry] = field(default_factory=dict)
    over: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_first(self) -> bool:
        """Tell whether nothing was seen yet."""
        return not self.looked

    def write(self) -> str:
        """Write it as text."""
        entries = {name: _written(entry) for name, entry in self.entries.items()}
        tree = {
            "version": _VERSION,
            "line": self.line,
            "number": self.number,
            "tenant": self.tenant,
            "key": self.key,
            "looked": self.looked,
            "before": self.before,
            "entries": entries,
            "over": dict(self.over),
        }
        return json.dumps(tree, separators=(",", ":"))


def new_cursor() -> Cursor:
    """Return the beginning; its events are named unlike those of any other."""
    return Cursor(line=secrets.token_hex(4))


def read_cursor(text: str | None) -> Cursor:
    """Read what `write` wrote; the beginning when there is none."""
    if text is None:
        return new_cursor()
    tree: dict[str, Any] = json.loads(text)
    return Cursor(
        line=tree["line"],
        number=tree["number"],
        tenant=tree["tenant"],
        key=tree["key"],
        looked=tree["looked"],
        before=tree["before"],
        entries={name: Entry(Standing(standing), *values) for name, (standing, *values) in tree["entries"].items()},
        over=tree["over"],
    )


def _written(entry: Entry) -> list[Any]:
    values = [entry.standing.value, entry.digest, entry.created, entry.at]
    return [*values, entry.missing, entry.look_at] if entry.missing else values
