"""In which of the ways that were seen the stand-in spells things."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Quirks:
    """Spellings and habits; the defaults are those of the documentation.

    `flap_s` makes the device that is offline open an incident and close it again by turns, so many seconds each.
    `leaves_out` are the names of what items of lists do not tell.
    """

    id_spelling: Literal["id", "uuid", "both"] = "both"
    paging: Literal["has_next_page", "next_page", "both", "none"] = "has_next_page"
    envelope: str | None = "items"
    size_parameter: Literal["per_page", "page_size"] = "per_page"
    default_size: int = 25
    newest_first: bool = True
    keeps_closed: bool = True
    flap_s: float = 0.0
    leaves_out: frozenset[str] = frozenset()
