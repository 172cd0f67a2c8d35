"""Fields that people added to a form or a screen: what kind each is, and a text turned into its value.

Pure. The forms of values are those of Jira's field input formats; an option may be named by its id or by its label.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Any, NamedTuple

from connector_core import truncate
from connector_jira_jsm.api.bodies import Json
from connector_jira_jsm.text import wiki

# In UTF-16 units, as Jira counts.
LINE_LIMIT = 255
TEXT_LIMIT = 32_767
UNDER = " > "  # between an option and the one below it


class Kind(StrEnum):
    """What a field holds; `OTHER` is what only a preset value in Jira can fill."""

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


@dataclass(frozen=True)
class FormField:
    """A field of a request type's form, or of a transition's screen."""

    id: str
    name: str
    kind: Kind = Kind.TEXT
    required: bool = False
    has_value: bool = False
    options: tuple[Option, ...] = ()
    help: str = ""

    @property
    def insists(self) -> bool:
        """Return whether somebody has to fill it in."""
        return self.required and not self.has_value


_SIMPLE = {
    "number": Kind.NUMBER,
    "date": Kind.DATE,
    "datetime": Kind.DATE_TIME,
    "option": Kind.CHOICE,
    "option-with-child": Kind.CASCADE,
    "resolution": Kind.CHOICE,
    "priority": Kind.CHOICE,
    "user": Kind.PERSON,
}
_LISTS = {
    "string": Kind.LABELS,
    "option": Kind.CHOICES,
    "user": Kind.PEOPLE,
    "version": Kind.CHOICES,
    "component": Kind.CHOICES,
}
_LONG = ("textarea", "description", "environment")


def of_form(shown: Json) -> FormField:
    """Read a field of a request type's form."""
    field_id = str(shown["fieldId"])
    return FormField(
        id=field_id,
        name=wiki.clean(str(shown.get("name") or field_id)),
        kind=_kind(shown.get("jiraSchema")),
        required=shown.get("required") is True,
        has_value=bool(shown.get("defaultValues") or shown.get("presetValues")),
        options=tuple(_options(shown.get("validValues"))),
        help=wiki.clean(str(shown.get("description") or "")),
    )


def of_screen(field_id: str, shown: Json) -> FormField:
    """Read a field of a transition's screen."""
    return FormField(
        id=field_id,
        name=wiki.clean(str(shown.get("name") or field_id)),
        kind=_kind(shown.get("schema")) if "schema" in shown or field_id != "resolution" else Kind.CHOICE,
        required=shown.get("required") is True,
        has_value=shown.get("hasDefaultValue") is True,
        options=tuple(_options(shown.get("allowedValues"))),
    )


def _kind(schema: object) -> Kind:
    shown = schema if isinstance(schema, dict) else {}
    kind = str(shown.get("type", "string"))
    if kind == "array":
        return _LISTS.get(str(shown.get("items", "")), Kind.OTHER)
    if kind == "string":
        source = str(shown.get("custom") or shown.get("system") or "")
        return Kind.LONG_TEXT if source.endswith(_LONG) else Kind.TEXT
    return _SIMPLE.get(kind, Kind.OTHER)


def _options(listed: object) -> Iterable[Option]:
    for one in listed if isinstance(listed, list) else ():
        if not isinstance(one, dict):
            continue
        # A form says value and label, a screen says id and value, and system fields say id and name.
        option_id = one.get("id") or one.get("value")
        label = one.get("label") or one.get("name") or one.get("value") or option_id
        if option_id:
            yield Option(str(option_id), wiki.clean(str(label)), tuple(_options(one.get("children"))))


def value_of(field: FormField, text: str, zone: tzinfo | None = None) -> Any:  # noqa: ANN401, C901, PLR0911, PLR0912 - JSON; a table
    """Turn a text into the value of a field; `zone` is where a moment becomes a day.

    Raises:
        Unfit: the text is none.
    """
    text = text.strip()
    if not text:
        raise Unfit("is left empty")
    match field.kind:
        case Kind.TEXT:
            return truncate(" ".join(text.split()), LINE_LIMIT)
        case Kind.LONG_TEXT:
            return truncate(text, TEXT_LIMIT)
        case Kind.NUMBER:
            return _number(text)
        case Kind.DATE:
            return _day(text, zone)
        case Kind.DATE_TIME:
            return _moment(text, "a time, like 2026-11-23T10:00:00Z").strftime("%Y-%m-%dT%H:%M:%S.000%z")
        case Kind.CHOICE:
            return {"id": _option(field.options, text).id}
        case Kind.CHOICES:
            return [{"id": _option(field.options, part).id} for part in _parts(field.options, text)]
        case Kind.CASCADE:
            return _cascade(field.options, text)
        case Kind.PERSON:
            return {"accountId": _account(text)}
        case Kind.PEOPLE:
            return [{"accountId": _account(part)} for part in _parts((), text)]
        case Kind.LABELS:
            return [truncate(re.sub(r"\s+", "_", part), LINE_LIMIT) for part in _parts((), text)]
        case Kind.OTHER:
            raise Unfit("is of a kind that only a preset value in Jira can fill")


def _number(text: str) -> float | int:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Unfit(f"needs a number, not {text[:40]!r}")
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _day(text: str, zone: tzinfo | None) -> str:
    """Return the day of a moment where the incident is: at 02:30 UTC it is still the day before in Los Angeles."""
    moment = _moment(text, "a date, like 2026-11-23")
    has_zone = datetime.fromisoformat(text).tzinfo is not None
    try:
        return (moment.astimezone(zone) if zone and has_zone else moment).date().isoformat()
    except OverflowError:  # at the ends of the calendar
        return moment.date().isoformat()


def _moment(text: str, wanted: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise Unfit(f"needs {wanted}, not {text[:40]!r}") from exc
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _option(options: Sequence[Option], text: str) -> Option:
    if not options:
        raise Unfit("has nothing in its list")
    folded = text.strip().casefold()
    found = next((one for one in options if one.id == text.strip()), None)
    found = found or next((one for one in options if one.label.strip().casefold() == folded), None)
    if found is None:
        raise Unfit(f"does not offer {text[:40]!r}")
    return found


def _cascade(options: Sequence[Option], text: str) -> dict[str, Any]:
    try:
        return {"id": _option(options, text).id}
    except Unfit:
        upper, under, lower = text.partition(UNDER.strip())
        if not under:
            raise
    parent = _option(options, upper)
    return {"id": parent.id, "child": {"id": _option(parent.children, lower).id}}


def _parts(options: Sequence[Option], text: str) -> list[str]:
    """Split a list at its commas; a label that holds a comma stays whole when it stands alone."""
    if any(text.casefold() == one.label.strip().casefold() for one in options):
        return [text]
    parts = [part.strip() for part in re.split(r"[,\n]", text)]
    listed = list(dict.fromkeys(part for part in parts if part))
    if not listed:
        raise Unfit("is left empty")
    return listed


def _account(text: str) -> str:
    if len(text) > LINE_LIMIT or not re.fullmatch(r"[\w:.@|-]+", text):
        raise Unfit(f"needs an account ID, not {text[:40]!r}")
    return text


def choices(field: FormField) -> list[tuple[str, str]]:
    """List what may be chosen, as value and label; both levels of a list in two."""
    listed = []
    for option in field.options:
        listed.append((option.id, option.label))
        listed += [
            (f"{option.label}{UNDER}{child.label}", f"{option.label}{UNDER}{child.label}") for child in option.children
        ]
    return listed
