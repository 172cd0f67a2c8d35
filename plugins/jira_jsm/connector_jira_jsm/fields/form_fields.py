"""Fields that people added to a form or a screen, as Jira describes them, and their values as Jira takes them.

Pure. The forms of values are those of Jira's field input formats.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime

from connector_core.kit import texts
from connector_core.kit.fields import Below, Filling, FormField, Kind, Option, Person, Value
from connector_core.kit.values import Json

TEXT_LIMIT = 32_767  # UTF-16 units, as Jira counts
RESOLUTION = "resolution"

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
        name=texts.clean(str(shown.get("name") or field_id)),
        kind=_kind(shown.get("jiraSchema")),
        required=shown.get("required") is True,
        has_value=bool(shown.get("defaultValues") or shown.get("presetValues")),
        options=tuple(_options(shown.get("validValues"))),
        help=texts.clean(str(shown.get("description") or "")),
    )


def of_screen(field_id: str, shown: Json) -> FormField:
    """Read a field of a transition's screen."""
    return FormField(
        id=field_id,
        name=texts.clean(str(shown.get("name") or field_id)),
        kind=_kind(shown.get("schema")) if "schema" in shown or field_id != RESOLUTION else Kind.CHOICE,
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
            yield Option(str(option_id), texts.clean(str(label)), tuple(_options(one.get("children"))))


def _shaped(value: Value) -> object:  # noqa: PLR0911 - a table
    match value:
        case datetime():
            return value.strftime("%Y-%m-%dT%H:%M:%S.000%z")
        case date():
            return value.isoformat()
        case Below(upper=upper, lower=Option() as lower):
            return {"id": upper.id, "child": {"id": lower.id}}
        case Below(upper=upper):
            return {"id": upper.id}
        case Option():
            return {"id": value.id}
        case Person():
            return {"accountId": value.id}
        case list():  # of labels, entries or people; no label has blanks
            return [re.sub(r"\s+", "_", one) if isinstance(one, str) else _shaped(one) for one in value]
        case _:
            return value


FILLING = Filling(_shaped, "is of a kind that only a preset value in Jira can fill", longest_text=TEXT_LIMIT)
value_of = FILLING.value_of
