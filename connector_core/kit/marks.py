"""Tickets that are there already: which one a name is of, and whose it is by the mark on it.

`find_tickets` of a plugin goes by a `TicketNames`: what its `wanted` gives is read; `found_by` has it by name again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from connector_core.contract.models import FoundTicket, TicketSnapshot

_MARKER = re.compile(r"\bcnx-[0-9a-f]{20}(?:-\d{1,9})?\b")


@dataclass(frozen=True)
class TicketNames:
    """What people call the tickets of a system; the first group of each pattern is what one is asked for by."""

    #: A key or id by itself; in any case of letters.
    alone: str
    #: What stands somewhere below the address of the site where a page of a ticket is, behind a `/`.
    below: str

    def wanted(self, names: Iterable[str], site: str | None) -> dict[str, str]:
        r"""Return what a ticket is asked for by, by each name that can be of one; those of another site are left out.

        >>> TicketNames(alone=r"#?(\d+)", below=r"ticket/(\d+)").wanted(["#7", "https://a.test/ticket/7"], None)
        {'#7': '7'}
        """
        return {name: wanted for name in names if (wanted := self._of(name, site))}

    def _of(self, name: str, site: str | None) -> str:
        if name.startswith(("http://", "https://")):
            start = f"{site.rstrip('/')}/" if site else ""
            found = self._below.search(name, len(start) - 1) if start and name.startswith(start) else None
        else:
            found = self._alone.fullmatch(name)
        return found[1] if found else ""

    @cached_property
    def _alone(self) -> re.Pattern[str]:
        return re.compile(self.alone, re.ASCII | re.IGNORECASE)

    @cached_property
    def _below(self) -> re.Pattern[str]:
        return re.compile(f"/{self.below}", re.ASCII)


def found_by(wanted: Mapping[str, str], tickets: Iterable[FoundTicket]) -> dict[str, FoundTicket]:
    """Return tickets by the names that they were asked for by, as `TicketNames.wanted` gives them; no other one.

    >>> found_by({"#7": "7"}, [])
    {}
    """
    known: dict[str, FoundTicket] = {}
    for one in tickets:
        key = one.ticket.key if isinstance(one.ticket, TicketSnapshot) else ""
        known |= {name.casefold(): one for name in (one.ticket.id, key) if name}
    return {name: known[its.casefold()] for name, its in wanted.items() if its.casefold() in known}


def marker_in(text: str | None) -> str:
    """Return the first marker of ours in a text, nothing where there is none.

    >>> marker_in("Reference: cnx-0123456789abcdef0123")
    'cnx-0123456789abcdef0123'
    """
    found = _MARKER.search(text or "")
    return found[0] if found else ""
