"""What is sealed, and can or cannot be opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Unreadable:
    """Something that none of the keys opens: what it is, and whose."""

    what: str
    name: str

    def __str__(self) -> str:
        """Return it as people read it."""
        return f"{self.name}: {self.what}"


@dataclass(frozen=True)
class TakenUp:
    """What became of everything sealed when the keys were taken up."""

    resealed: int = 0
    unreadable: Sequence[Unreadable] = ()
