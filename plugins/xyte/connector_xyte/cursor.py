"""What is remembered from one look to the next, as one text: which incidents are known, and how each stands."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError


class Status(StrEnum):
    """How an open incident stands with us.

    Told: the connector knows it. Left: it was open at the first look. Out: it does not matter by the settings. Held: it
    has not been open for long enough.
    """

    TOLD = "t"
    LEFT = "l"
    OUT = "o"
    HELD = "h"


class Entry(NamedTuple):
    """One incident that was open when last seen; a tuple, since thousands are stored, without names of their parts.

    `at` is the hub's time of what was last told of it. `missing` counts the looks in vain since it left the list of
    open ones; `look_at` is when it is looked for again.
    """

    status: Status
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
        """Return whether nothing was seen yet."""
        return not self.looked

    def write(self) -> str:
        """Return it as text."""
        return _STORED.dump_json(self).decode()


_STORED = TypeAdapter(Cursor)


def new_cursor() -> Cursor:
    """Return the beginning; its events are named unlike those of any other."""
    return Cursor(line=secrets.token_hex(4))


def read_cursor(text: str) -> Cursor | None:
    """Return what `write` wrote; None for a form that does not fit any more."""
    try:
        return _STORED.validate_json(text)
    except ValidationError:
        return None
