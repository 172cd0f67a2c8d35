"""Checks what callers put into custom fields, kind by kind, and turns it into what the site shows afterwards."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from connector_jira_jsm_sandbox.payload import LINE_LIMIT, TEXT_LIMIT, BadValue, units
from connector_jira_jsm_sandbox.profile import FieldKind, Option, RequestField, SiteProfile

_ZONED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}")


def custom_value(  # noqa: C901, PLR0911 - a table
    field: RequestField, value: object, profile: SiteProfile
) -> Any:  # noqa: ANN401 - JSON
    """Check the value of a custom field, in the form that the field's kind takes."""
    match field.kind:
        case FieldKind.TEXT | FieldKind.LONG_TEXT:
            return _text(value, is_line=field.kind is FieldKind.TEXT)
        case FieldKind.NUMBER:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise BadValue("Operation value must be a number")
            return value
        case FieldKind.DATE | FieldKind.DATE_TIME:
            return _moment(value, with_time=field.kind is FieldKind.DATE_TIME)
        case FieldKind.SELECT:
            return _chosen(field.options, value)
        case FieldKind.MULTI_SELECT:
            return [_chosen(field.options, one) for one in _listed(value)]
        case FieldKind.CASCADING:
            return _cascade(field.options, value)
        case FieldKind.USER:
            return _person(value, profile)
        case FieldKind.LABELS:
            return labels(value)
        case FieldKind.ASSET:
            raise BadValue("Specify valid object keys of the schema")


def labels(value: object) -> list[str]:
    """Check a list of labels, which hold no spaces."""
    listed = _listed(value)
    for one in listed:
        if not isinstance(one, str) or not one:
            raise BadValue("data was not an array of strings")
        if any(letter.isspace() for letter in one):
            raise BadValue(f"The label '{one}' contains spaces which is invalid.")
        if units(one) > LINE_LIMIT:
            raise BadValue(f"The label '{one}' exceeds the maximum length of {LINE_LIMIT} characters.")
    return [str(one) for one in listed]


def _listed(value: object) -> Sequence[Any]:
    if not isinstance(value, list):
        raise BadValue("data was not an array")
    return value


def _text(value: object, *, is_line: bool) -> str:
    if not isinstance(value, str):
        raise BadValue("Operation value must be a string")
    limit = LINE_LIMIT if is_line else TEXT_LIMIT
    if units(value) > limit:
        raise BadValue(f"The entered text is too long. It exceeds the allowed limit of {limit:,} characters.")
    return value


def _moment(value: object, *, with_time: bool) -> str:
    form = "YYYY-MM-DDThh:mm:ss.sTZD" if with_time else "YYYY-MM-DD"
    bad = BadValue(f"Error parsing date string: expected {form}")
    if not isinstance(value, str) or (with_time and not _ZONED.fullmatch(value)):
        raise bad
    try:
        (datetime if with_time else date).fromisoformat(value)
    except ValueError as error:
        raise bad from error
    return value


def _chosen(options: Sequence[Option], value: object) -> dict[str, Any]:
    found = _option(options, value)
    return {"id": found.id, "value": found.name}


def _option(options: Sequence[Option], value: object) -> Option:
    wanted = (value.get("id"), value.get("value")) if isinstance(value, dict) else (None, None)
    found = next((one for one in options if one.id == wanted[0] or one.name == wanted[1]), None)
    if found is None:
        raise BadValue(f"Option id '{wanted[0]}' is not valid")
    return found


def _cascade(options: Sequence[Option], value: object) -> dict[str, Any]:
    found = _option(options, value)
    child = value.get("child") if isinstance(value, dict) else None
    shown: dict[str, Any] = {"id": found.id, "value": found.name}
    return {**shown, "child": _chosen(found.children, child)} if child is not None else shown


def _person(value: object, profile: SiteProfile) -> dict[str, Any]:
    wanted = value.get("accountId") or value.get("id") if isinstance(value, dict) else None
    found = next((one for one in (profile.account, profile.person) if one.account_id == wanted), None)
    if found is None:
        raise BadValue(f"The user '{wanted}' does not exist.")
    return {"accountId": found.account_id, "displayName": found.display_name, "active": True}
