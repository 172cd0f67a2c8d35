"""Reads parts of a request's body and refuses those that are not of the kind that is documented."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector_jira_jsm_sandbox.answers import Refusal, jira_error

TEXT_LIMIT = 32_767
LINE_LIMIT = 255


def units(value: str) -> int:
    """Return the length of a text as Jira counts it, which is written in Java: in UTF-16 units."""
    return sum(2 if ord(character) > 0xFFFF else 1 for character in value)  # noqa: PLR2004 - the basic plane's last


def first_units(value: str, limit: int) -> str:
    """Return as much of the beginning of a text as fits into a limit of units."""
    while units(value) > limit:
        value = value[:-1]
    return value


class BadValue(ValueError):
    """A value that its field does not take; the text is for the caller of the API."""


def bad_payload() -> Refusal:
    """Refuse a body that does not follow its schema."""
    return jira_error(400, "Invalid request payload. Refer to the REST API documentation and try again.")


def strings(body: Mapping[str, Any], name: str, *, most: int | None = None) -> tuple[str, ...]:
    """Read a list of strings; nothing is an empty list."""
    given = body.get(name)
    if given is None:
        return ()
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise bad_payload()
    if most is not None and len(given) > most:
        raise bad_payload()
    return tuple(given)


def numbers(body: Mapping[str, Any], name: str, *, most: int) -> tuple[int, ...]:
    """Read a list of whole numbers; nothing is an empty list."""
    given = body.get(name)
    if given is None:
        return ()
    if not isinstance(given, list) or len(given) > most or not all(type(one) is int for one in given):
        raise bad_payload()
    return tuple(given)


def text(body: Mapping[str, Any], name: str) -> str:
    """Read a string; nothing is an empty one."""
    given = body.get(name)
    if given is not None and not isinstance(given, str):
        raise bad_payload()
    return given or ""


def mapping(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Read an object; nothing is an empty one."""
    given = body.get(name)
    if given is not None and not isinstance(given, dict):
        raise bad_payload()
    return given or {}
