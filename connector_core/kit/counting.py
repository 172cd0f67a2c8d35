"""Writes to a system that takes no condition with them: a count of changes tells whether others wrote, never what.

What a person set between look and write is not kept, only told; what they set behind it stays, and is a change like any
other. Such systems also drop, or cut, what they do not take without a word: what shows afterwards is held against what
was sent.

    outcome = Outcome.of(("4", "6"), sent={"title": "Fan failed"}, shown={"title": "Fan"})
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from connector_core.contract.models import FieldName, TicketSnapshot
from connector_core.kit.editing import Written
from connector_core.kit.texts import clean

AT_THE_SAME_MOMENT = "Someone, or a rule, changed the ticket at the same moment: its history shows what."


@dataclass(frozen=True)
class Outcome:
    """What became of one write.

    >>> Outcome.of(("4", "6"), sent={"title": "Fan"}, shown={"title": "Fan"}).others
    True
    """

    #: Whether anybody wrote since the look before it; None where the count is not shown.
    others: bool | None = None
    #: What shows otherwise than it was sent, by the vendor's names.
    lost: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, counts: tuple[str | None, str | None], *, sent: Mapping[str, str], shown: Mapping[str, str | None]
    ) -> Self:
        """Compare the count before with the one after a write, and what was sent with what shows then.

        What `shown` does not have, or has None for, tells nothing: our account may not see it. Blanks at the edges and
        the kind of line ends do not matter.
        """
        known = [int(count) for count in counts if count and count.isdecimal()]
        others = known[1] - known[0] > 1 if len(known) == len(counts) else None
        held = {name: value for name, value in shown.items() if value is not None and name in sent}
        lost = (name for name, value in held.items() if clean(value).strip() != clean(sent[name]).strip())
        return cls(others, frozenset(lost))

    def notes(self, *, is_edit: bool = False) -> list[str]:
        """Say it in sentences for the receipt; what shows otherwise after an edit is theirs, where others wrote.

        >>> Outcome(lost=frozenset({"u_room"})).notes()
        ['Not taken as sent: u_room.']
        """
        lost = "" if is_edit and self.others else ", ".join(sorted(self.lost))
        return [*([AT_THE_SAME_MOMENT] if self.others else []), *([f"Not taken as sent: {lost}."] if lost else [])]

    def written(self, ticket: TicketSnapshot, columns: Mapping[FieldName, Iterable[str]]) -> Written:
        """Return an edit: what shows otherwise is somebody's if anybody else wrote: which field, the count tells not.

        `columns` are the vendor's names of the fields that were written.

        >>> Outcome(others=True, lost=frozenset({"title"})).written(ticket, {FieldName.TITLE: ["title"]}).behind
        frozenset({<FieldName.TITLE: 'title'>})
        """
        behind = (name for name, its in columns.items() if self.others and not self.lost.isdisjoint(its))
        return Written(ticket, frozenset(behind), is_alone=self.others is False)


def in_order(at: datetime | None, count: str | None) -> datetime | None:
    """Return when a ticket was changed, where times are whole seconds and a count tells the order of those in one.

    >>> in_order(moment, "7").microsecond
    7
    """
    return at.replace(microsecond=min(int(count[:9]), 999_999)) if at and count and count.isdecimal() else at
