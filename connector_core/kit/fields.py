"""Fields that people added to a ticketing system: what kind each is, and texts turned into values for one incident.

A text is a constant, a choice by id or label, or a template over the incident. How fields are read from the other side
is the plugin's, and so is the form of values there: both are given to a `Filling`. Questions about fields are in
`field_rows.py`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from enum import StrEnum
from typing import Any, NamedTuple

from connector_core.contract.errors import ConfigError
from connector_core.contract.lengths import truncate
from connector_core.contract.models import Incident
from connector_core.contract.templates import render
from connector_core.kit.details import zone_of

UNDER = " > "  #: what stands between an option and the one below it

_LONGEST_ID = 255
_SHOWN = 40  # of a text that does not fit, in a message


class Kind(StrEnum):
    """What a field holds; `OTHER` is what cannot be filled in from here."""

    TEXT = "text"
    LONG_TEXT = "long text"
    NUMBER = "number"
    DATE = "date"
    DATE_TIME = "date and time"
    CHOICE = "one of a list"
    CHOICES = "some of a list"
    CASCADE = "one of a list in two levels"
    PERSON = "person"
    PEOPLE = "people"
    LABELS = "labels"
    OTHER = "another kind"


class Unfit(ValueError):
    """A text that is no value of its field; what it says goes on after the field's name."""


class Option(NamedTuple):
    """An entry of a field's list: a tuple, since long lists are remembered, and names of parts would double them."""

    id: str
    label: str
    children: tuple[Option, ...] = ()


class Below(NamedTuple):
    """The value of a list in two levels: an option, and the one below it if one was chosen."""

    upper: Option
    lower: Option | None


class Person(NamedTuple):
    """The value of a field of people: whoever has this id on the other side."""

    id: str


@dataclass(frozen=True)
class FormField:
    """A field of the form that a ticket is made with, or of a screen on the way to closing it."""

    id: str  #: what values and settings name it by
    name: str  #: what people call it
    kind: Kind = Kind.TEXT  #: what it holds
    required: bool = False  #: whether the other side takes no ticket without it
    has_value: bool = False  #: whether the other side has a value for it already
    options: tuple[Option, ...] = ()  #: what there is to choose from
    help: str = ""  #: what the other side says about it

    @property
    def insists(self) -> bool:
        """Return whether somebody has to fill it in.

        >>> FormField("room", "Room", required=True, has_value=True).insists
        False
        """
        return self.required and not self.has_value


#: A value before it has the form of the other side; of the kinds that hold several, a list of them.
Value = str | float | date | datetime | Option | Below | Person | list[str] | list[Option] | list[Person]


@dataclass(frozen=True)
class Gap:
    """A field that cannot be filled in, and why; the reason goes on after the field's name."""

    field: FormField
    reason: str

    def __str__(self) -> str:
        return f"{self.field.name} {self.reason}"


@dataclass(frozen=True)
class Filled:
    """The values of a form by field, and the fields that got none although they should.

    `words` are the values as people read them.
    """

    values: Mapping[str, Any]
    gaps: tuple[Gap, ...] = ()
    words: Mapping[str, str] | None = None

    @property
    def fatal(self) -> tuple[Gap, ...]:
        """The gaps in fields that must be filled in.

        >>> Filled({}, (Gap(FormField("room", "Room"), "is left empty"),)).fatal
        ()
        """
        return tuple(gap for gap in self.gaps if gap.field.insists)


def plainly(value: Value) -> object:
    """Return a value as JSON that many systems take: days and moments as ISO 8601, entries and people by id.

    >>> plainly([Option("1", "Berlin"), Option("2", "Bern")])
    ['1', '2']
    """
    match value:
        case datetime():
            return value.isoformat()
        case date():
            return value.isoformat()
        case Below(upper=upper, lower=lower):
            return (lower or upper).id
        case Option() | Person():
            return value.id
        case list():
            return [plainly(one) for one in value]
        case _:
            return value


@dataclass(frozen=True)
class Filling:
    """How the fields of one ticketing system are filled in.

    >>> Filling().fill([room], {"room": "{{ incident.location.name }}"}, incident).values
    {'room': 'Lobby'}
    """

    shape: Callable[[Value], object] = plainly  #: a value in the form of the other side
    unfillable: str = "is of a kind that cannot be filled in from here"  #: after the name of a field of kind `OTHER`
    longest_line: int = 255  #: the most of a `TEXT` or of a label, in UTF-16 units
    longest_text: int = 32_000  #: the most of a `LONG_TEXT`, in UTF-16 units

    def fill(self, form: Iterable[FormField], texts: Mapping[str, str], incident: Incident) -> Filled:
        """Fill in the fields that there are texts for, and find those that must not stay empty.

        >>> Filling().fill([room], {}, incident).gaps[0].reason
        'has no value (text)'
        """
        values: dict[str, Any] = {}
        words: dict[str, str] = {}
        gaps = []
        zone = zone_of(incident.location)
        for field in form:
            text = texts.get(field.id, "")
            if not text:
                if field.insists:
                    gaps.append(Gap(field, self.nothing_for(field)))
                continue
            try:
                value = self.read(field, render(text, incident), zone)
            except Unfit as exc:
                gaps.append(Gap(field, str(exc)))
            except ConfigError as exc:
                gaps.append(Gap(field, f"has a template with a mistake. {exc.message}"))
            else:
                values[field.id], words[field.id] = self.shape(value), in_words(value)
        return Filled(values, tuple(gaps), words)

    def value_of(self, field: FormField, text: str, zone: tzinfo | None = None) -> Any:  # noqa: ANN401 - JSON
        """Turn a text into the value of a field in the form of the other side; see `read`.

        >>> Filling().value_of(FormField("due", "Due", Kind.DATE), "2026-11-23T10:00:00Z")
        '2026-11-23'
        """
        return self.shape(self.read(field, text, zone))

    def nothing_for(self, field: FormField) -> str:
        """Return what a field without a value needs, as it goes on after the field's name.

        >>> Filling().nothing_for(FormField("n", "N", Kind.NUMBER))
        'has no value (number)'
        """
        return self.unfillable if field.kind is Kind.OTHER else f"has no value ({field.kind.value})"

    def read(self, field: FormField, text: str, zone: tzinfo | None = None) -> Value:  # noqa: C901, PLR0911, PLR0912 - a table
        """Turn a text into a value of the field's kind; `zone` is where a moment becomes a day.

        An option may be named by its id or by its label; of several, and of people and labels, with commas.

        >>> Filling().read(FormField("n", "N", Kind.NUMBER), "12.0")
        12

        Raises:
            Unfit: the text is none.
        """
        text = text.strip()
        if not text:
            raise Unfit("is left empty")
        match field.kind:
            case Kind.TEXT:
                return truncate(" ".join(text.split()), self.longest_line)
            case Kind.LONG_TEXT:
                return truncate(text, self.longest_text)
            case Kind.NUMBER:
                return _number(text)
            case Kind.DATE:
                return _day(text, zone)
            case Kind.DATE_TIME:
                return _moment(text, "a time, like 2026-11-23T10:00:00Z")
            case Kind.CHOICE:
                return _option(field.options, text)
            case Kind.CHOICES:
                return [_option(field.options, part) for part in _parts(field.options, text)]
            case Kind.CASCADE:
                return _cascade(field.options, text)
            case Kind.PERSON:
                return _person(text)
            case Kind.PEOPLE:
                return [_person(part) for part in _parts((), text)]
            case Kind.LABELS:
                return [truncate(part, self.longest_line) for part in _parts((), text)]
            case Kind.OTHER:
                raise Unfit(self.unfillable)


def choices(field: FormField) -> list[tuple[str, str]]:
    """List what may be chosen, as value and label; both levels of a list in two.

    >>> choices(FormField("city", "City", Kind.CHOICE, options=(Option("1", "Berlin"),)))
    [('1', 'Berlin')]
    """
    listed = []
    for option in field.options:
        listed.append((option.id, option.label))
        listed += [
            (f"{option.label}{UNDER}{child.label}", f"{option.label}{UNDER}{child.label}") for child in option.children
        ]
    return listed


def in_words(value: Value) -> str:
    """Return a value as a person would read it.

    >>> in_words(Below(Option("1", "Device"), Option("2", "Screen")))
    'Device > Screen'
    """
    match value:
        case Below(upper=upper, lower=lower):
            return UNDER.join(one.label for one in (upper, lower) if one is not None)
        case Option():
            return value.label
        case Person():
            return value.id
        case list():
            return ", ".join(in_words(one) for one in value)
        case date():
            return value.isoformat()
        case _:
            return str(value)


def _number(text: str) -> float | int:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Unfit(f"needs a number, not {text[:_SHOWN]!r}")
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _day(text: str, zone: tzinfo | None) -> date:
    """Return the day of a moment where the incident is: at 02:30 UTC it is still the day before in Los Angeles."""
    moment = _moment(text, "a date, like 2026-11-23")
    has_zone = datetime.fromisoformat(text).tzinfo is not None
    try:
        return (moment.astimezone(zone) if zone and has_zone else moment).date()
    except OverflowError:  # at the ends of the calendar
        return moment.date()


def _moment(text: str, wanted: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise Unfit(f"needs {wanted}, not {text[:_SHOWN]!r}") from exc
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _option(options: Sequence[Option], text: str) -> Option:
    if not options:
        raise Unfit("has nothing in its list")
    folded = text.strip().casefold()
    found = next((one for one in options if one.id == text.strip()), None)
    found = found or next((one for one in options if one.label.strip().casefold() == folded), None)
    if found is None:
        raise Unfit(f"does not offer {text[:_SHOWN]!r}")
    return found


def _cascade(options: Sequence[Option], text: str) -> Below:
    try:
        return Below(_option(options, text), None)
    except Unfit:
        upper, under, lower = text.partition(UNDER.strip())
        if not under:
            raise
    parent = _option(options, upper)
    return Below(parent, _option(parent.children, lower))


def _parts(options: Sequence[Option], text: str) -> list[str]:
    """Split a list at its commas; a label that holds a comma stays whole when it stands alone."""
    if any(text.casefold() == one.label.strip().casefold() for one in options):
        return [text]
    parts = [part.strip() for part in re.split(r"[,\n]", text)]
    listed = list(dict.fromkeys(part for part in parts if part))
    if not listed:
        raise Unfit("is left empty")
    return listed


def _person(text: str) -> Person:
    if len(text) > _LONGEST_ID or not re.fullmatch(r"[\w:.@|+-]+", text):
        raise Unfit(f"needs an account ID, not {text[:_SHOWN]!r}")
    return Person(text)
