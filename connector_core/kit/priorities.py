"""Our five priorities against those of a ticketing system: names in any number, numbers, or several fields at once.

Where several of ours share one of theirs, what is read back keeps the one that was known before, as `known`: a ticket
that shows "low" does not turn an incident for planning into one of low priority.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Protocol, Self

from connector_core.contract.models import Priority

OURS: tuple[Priority, ...] = tuple(Priority)  #: most urgent first


class Paired(Protocol):
    """What ours are written as, whatever form that has: any of the classes below."""

    def written_as(self, ours: Priority) -> object:
        """Return a priority as it is written; nothing of it is written where that is None or empty."""
        ...

    def called(self, ours: Priority) -> str | None:
        """Return what people call it there; None where only the ticket tells."""
        ...


@dataclass(frozen=True)
class Level:
    """A priority that a ticketing system offers, with the partners that settings give it."""

    id: str  #: what it is written as
    name: str  #: what people call it
    chosen_for: frozenset[Priority] = frozenset()  #: those of ours that settings map to it
    read_as: Priority | None = None  #: what settings read it as
    is_ignored: bool = False  #: whether settings read it as none


@dataclass(frozen=True)
class Priorities:
    """The priorities that are offered, most urgent first, paired with ours: by settings, else by name, else by order.

    `names` are names with fixed partners, in lower case. Any other list, shorter, longer, renamed or translated, is
    spread over ours by its order: of three, the first takes critical and high, the second moderate, the third low and
    planning; read back, they are critical, moderate and planning.

    >>> four = Priorities.spread([Level(name, name.title()) for name in ("urgent", "high", "normal", "low")])
    >>> four.theirs(Priority.PLANNING).id, four.ours("low", known=Priority.PLANNING)
    ('low', <Priority.PLANNING: 'planning'>)
    """

    levels: tuple[Level, ...] = ()  #: those offered, most urgent first
    names: Mapping[Priority, str] = field(default_factory=lambda: MappingProxyType({}))  #: fixed partners by name

    @classmethod
    def spread(
        cls,
        offered: Iterable[Level],
        names: Mapping[Priority, str] | None = None,
        to_ticket: Mapping[Priority, str] | None = None,
        to_incident: Mapping[str, Priority | None] | None = None,
    ) -> Self:
        """Pair priorities as settings say, by id or name; what settings do not name keeps its default partner.

        `to_ticket` says what ours are written as, `to_incident` what theirs are read as; None is read as no priority.

        >>> Priorities.spread(three, to_ticket={Priority.CRITICAL: "Red"}).theirs(Priority.CRITICAL).name
        'Red'
        """
        plain = cls(tuple(offered), names or MappingProxyType({}))
        asked, read_as = (to_ticket or {}).items(), (to_incident or {}).items()
        chosen = {ours: found.id for ours, named in asked if (found := plain.named(named)) is not None}
        read = {found.id: ours for named, ours in read_as if (found := plain.named(named)) is not None}
        paired = (
            replace(
                one,
                chosen_for=frozenset(ours for ours, its in chosen.items() if its == one.id),
                read_as=read.get(one.id),
                is_ignored=one.id in read and read[one.id] is None,
            )
            for one in plain.levels
        )
        return replace(plain, levels=tuple(paired))

    def named(self, text: str) -> Level | None:
        """Find a priority by its id or its name.

        >>> Priorities((Level("2", "High"),)).named("high").id
        '2'
        """
        folded = text.strip().casefold()
        by_id = next((one for one in self.levels if one.id == text.strip()), None)
        return by_id or next((one for one in self.levels if one.name.strip().casefold() == folded), None)

    def theirs(self, ours: Priority | None) -> Level | None:
        """Return what one of ours is written as; None where nothing is to be written.

        >>> Priorities((Level("1", "Urgent"), Level("2", "Low"))).theirs(Priority.HIGH).name
        'Urgent'
        """
        if ours is None or not self.levels:
            return None
        if (chosen := next((one for one in self.levels if ours in one.chosen_for), None)) is not None:
            return chosen
        by_name = {one.name.strip().casefold(): one for one in self.levels}
        if self.names.get(ours) in by_name:
            return by_name[self.names[ours]]
        return self.levels[round(OURS.index(ours) * (len(self.levels) - 1) / (len(OURS) - 1))]

    def ours(self, level_id: str | None, name: str | None = None, known: Priority | None = None) -> Priority | None:
        """Return our partner of what a ticket shows; None when it has none, or is not among those offered.

        `name` is what the ticket shows beside the id, if it does. `known` is the incident's priority as it was last
        written or read, which stays if it would be written as this one.

        >>> Priorities((Level("1", "Urgent"), Level("2", "Low"))).ours("2")
        <Priority.PLANNING: 'planning'>
        """
        # A priority may be told without its name, but an id is not taken for a name: ids mean what they are called.
        shown = [one for one in self.levels if one.id == level_id or (name is not None and one.name == name)]
        found = shown[0] if shown else None
        is_open = found is not None and not found.is_ignored and found.read_as is None
        if is_open and known is not None and self.theirs(known) == found:
            return known
        if found is not None and (found.is_ignored or found.read_as is not None or found.chosen_for):
            # What is written to it is what it is read as, unless settings say otherwise.
            first = next((ours for ours in OURS if ours in found.chosen_for), None)
            return None if found.is_ignored else found.read_as or first
        return self._by_default(found, name if name is not None else found.name if found else "")

    def written_as(self, ours: Priority) -> str | None:
        """Return the id that one of ours is written as; None where nothing is to be written.

        >>> Priorities((Level("1", "Urgent"), Level("2", "Low"))).written_as(Priority.HIGH)
        '1'
        """
        level = self.theirs(ours)
        return level.id if level else None

    def called(self, ours: Priority) -> str | None:
        """Return what people call the partner of one of ours.

        >>> Priorities((Level("1", "Urgent"), Level("2", "Low"))).called(Priority.HIGH)
        'Urgent'
        """
        level = self.theirs(ours)
        return level.name if level else None

    def is_fixed(self, name: object) -> bool:
        """Return whether a name has a fixed partner, whatever is offered.

        >>> Priorities(names={Priority.HIGH: "high"}).is_fixed(" High")
        True
        """
        return isinstance(name, str) and name.strip().casefold() in self.names.values()

    def _by_default(self, found: Level | None, name: str) -> Priority | None:
        by_name = {called: ours for ours, called in self.names.items()}
        if (ours := by_name.get(name.strip().casefold())) is not None:
            return ours
        if found is None or len(self.levels) == 1:
            return None
        return OURS[round(self.levels.index(found) * (len(OURS) - 1) / (len(self.levels) - 1))]


def both_ways(paired: Priorities) -> dict[Priority, str]:
    """Say of each of our priorities what it is written as, and what is read as it.

    >>> both_ways(Priorities((Level("1", "Urgent"), Level("2", "Low"))))[Priority.HIGH]
    '→ Urgent'
    """
    read = [(one.name, paired.ours(one.id, one.name)) for one in paired.levels]
    found = {}
    for ours in OURS:
        there, back = paired.theirs(ours), [name for name, known in read if known is ours]
        if there is not None and back == [there.name]:
            found[ours] = f"↔ {there.name}"
            continue
        parts = ([f"→ {there.name}"] if there is not None else []) + ([f"← {', '.join(back)}"] if back else [])
        found[ours] = "; ".join(parts) or "not synced"
    return found


@dataclass(frozen=True)
class NumberPriorities:
    """Priorities that are numbers: each of ours is written as one; any number is read as the nearest.

    >>> NumberPriorities.between(0, 100).ours(70)
    <Priority.HIGH: 'high'>
    """

    numbers: Mapping[Priority, int]  #: what each of ours is written as; those left out are not written

    @classmethod
    def between(cls, least: int, most: int) -> Self:
        """Spread ours evenly: `most` is the number of the most urgent, be it the larger one or not.

        >>> NumberPriorities.between(5, 1).numbers[Priority.CRITICAL]
        1
        """
        steps = len(OURS) - 1
        return cls({ours: round(most + (least - most) * at / steps) for at, ours in enumerate(OURS)})

    def over(self, given: Mapping[Priority, int]) -> Self:
        """Return these numbers with others in place of some.

        >>> NumberPriorities.between(0, 100).over({Priority.HIGH: 80}).numbers[Priority.HIGH]
        80
        """
        return type(self)({**self.numbers, **given})

    def told_apart(self, given: Mapping[Priority, int]) -> Mapping[Priority, int]:
        """Return numbers that are given in place of some of these, for an `AfterValidator` of the setting.

        >>> NumberPriorities.between(0, 100).told_apart({Priority.HIGH: 80})
        {<Priority.HIGH: 'high'>: 80}

        Raises:
            ValueError: two would be the same: one would be read back as the other.
        """
        numbers = self.over(given).numbers
        if len(set(numbers.values())) < len(numbers):
            raise ValueError("each priority needs a number of its own")
        return given

    def theirs(self, ours: Priority | None) -> int | None:
        """Return the number that one of ours is written as; None where nothing is to be written.

        >>> NumberPriorities.between(0, 100).theirs(Priority.MODERATE)
        50
        """
        return None if ours is None else self.numbers.get(ours)

    def written_as(self, ours: Priority) -> int | None:
        """Return the same.

        >>> NumberPriorities.between(0, 100).written_as(Priority.MODERATE)
        50
        """
        return self.theirs(ours)

    def called(self, ours: Priority) -> str | None:
        """Return the number as it is shown.

        >>> NumberPriorities.between(0, 100).called(Priority.MODERATE)
        '50'
        """
        number = self.theirs(ours)
        return None if number is None else str(number)

    def ours(self, number: float | None, known: Priority | None = None) -> Priority | None:
        """Return the nearest of ours, of two equally near the more urgent one; None for no number.

        `known` stays if it is as near as any: two of ours may be written as the same number.

        >>> NumberPriorities({Priority.LOW: 10, Priority.PLANNING: 10}).ours(10, known=Priority.PLANNING)
        <Priority.PLANNING: 'planning'>
        """
        if number is None or not self.numbers or number != number:  # noqa: PLR0124 - not a number is never itself
            return None
        away = {ours: abs(its - number) for ours, its in self.numbers.items()}
        nearest = [ours for ours in OURS if ours in away and away[ours] == min(away.values())]
        return known if known in nearest else nearest[0]


@dataclass(frozen=True)
class FieldPriorities:
    """Priorities that several fields make together, such as impact and urgency.

    `written` says what each of ours is written as, `also` which other values are read as which of ours. Read is what
    was written, and what `also` says; anything else has no partner.

    >>> pairs = FieldPriorities({HIGH: {"impact": "1", "urgency": "2"}}, also=[({"impact": "2"}, LOW)])
    >>> pairs.ours({"impact": "1", "urgency": "2", "state": "6"})
    <Priority.HIGH: 'high'>
    """

    written: Mapping[Priority, Mapping[str, str]]  #: the values of the fields, by ours
    also: Sequence[tuple[Mapping[str, str], Priority]] = ()  #: more values, and what they are read as

    @property
    def fields(self) -> frozenset[str]:
        """The names of the fields that are written.

        >>> sorted(FieldPriorities({Priority.LOW: {"impact": "3", "urgency": "2"}}).fields)
        ['impact', 'urgency']
        """
        return frozenset(name for values in self.written.values() for name in values)

    def theirs(self, ours: Priority | None) -> Mapping[str, str]:
        """Return the values that one of ours is written as; empty where nothing is to be written.

        >>> FieldPriorities({Priority.LOW: {"impact": "3"}}).theirs(Priority.LOW)
        {'impact': '3'}
        """
        return {} if ours is None else self.written.get(ours, {})

    def written_as(self, ours: Priority) -> Mapping[str, str]:
        """Return the same.

        >>> FieldPriorities({Priority.LOW: {"impact": "3"}}).written_as(Priority.LOW)
        {'impact': '3'}
        """
        return self.theirs(ours)

    def called(self, ours: Priority) -> None:
        """Return nothing: what people call what several fields make together, only a ticket tells.

        >>> FieldPriorities({Priority.LOW: {"impact": "3"}}).called(Priority.LOW)
        """

    def ours(self, shown: Mapping[str, object], known: Priority | None = None) -> Priority | None:
        """Return what the fields of a ticket are read as; numbers are compared as texts, other fields do not matter.

        `known` stays if it would be written as just these values.

        >>> FieldPriorities({Priority.LOW: {"impact": "3"}}).ours({"impact": 3})
        <Priority.LOW: 'low'>
        """
        if known is not None and known in self.written and _shows(shown, self.written[known]):
            return known
        first = next((ours for ours in OURS if ours in self.written and _shows(shown, self.written[ours])), None)
        return first or next((ours for values, ours in self.also if _shows(shown, values)), None)


def _shows(shown: Mapping[str, object], values: Mapping[str, str]) -> bool:
    return bool(values) and all(name in shown and str(shown[name]) == value for name, value in values.items())
