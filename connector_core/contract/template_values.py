"""What may be done with a value in a text: operators, tests and filters, each as long as its value at most."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment
from jinja2.filters import do_title, do_truncate

LONGEST_TEXT = 32_000
LONGEST_RESULT = 40_000  # more than any ticket shows: then it is seen that a text was cut
LARGEST_NUMBER = 1_000_000_000
MOST_DIGITS = 15  # as many as a float has
LONGEST_NUMBER = 100  # characters that are read as one
MOST_TRIMMED = 100  # each character is looked up among them

_FOR_TRUNCATE = Environment(autoescape=False)  # noqa: S701 - it is asked for a number only


class NotAllowedError(Exception):
    """Something in a text is not allowed, or makes no sense; the message says what, for a sentence."""


@dataclass(frozen=True)
class Missing:
    """What stands in place of a value that no incident has."""

    name: str

    def __bool__(self) -> bool:
        return False


def is_nothing(value: object) -> bool:
    """Return whether an incident lacks a value, or none has it."""
    return value is None or isinstance(value, Missing)


def text_of(value: object) -> str:
    """Return a value as it is shown; what an incident lacks leaves its place empty."""
    return "" if is_nothing(value) else str(value)


def size_of(value: object) -> int:
    """Return what it costs to look at a value."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(size_of(name) + size_of(part) for name, part in value.items())
    return 1


# Operators


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compared(left: Any, right: Any) -> bool:  # noqa: ANN401 - what templates hold
        return not is_nothing(left) and not is_nothing(right) and compare(left, right)

    return compared


def _is_in(part: Any, whole: Any) -> bool:  # noqa: ANN401 - as above
    return not is_nothing(part) and not is_nothing(whole) and part in whole


OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": _ordered(operator.gt),
    "gteq": _ordered(operator.ge),
    "lt": _ordered(operator.lt),
    "lteq": _ordered(operator.le),
    "in": _is_in,
    "notin": lambda part, whole: not _is_in(part, whole),
}


# Tests

TESTS: Mapping[str, Callable[..., object]] = {
    "defined": lambda value: not isinstance(value, Missing),
    "undefined": lambda value: isinstance(value, Missing),
    "none": lambda value: value is None,
    "true": lambda value: value is True,
    "false": lambda value: value is False,
    "boolean": lambda value: isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "mapping": lambda value: isinstance(value, Mapping),
    "number": lambda value: isinstance(value, int | float),
    "lower": lambda value: text_of(value).islower(),
    "upper": lambda value: text_of(value).isupper(),
    "in": _is_in,
    **dict.fromkeys(("eq", "equalto", "=="), OPERATORS["eq"]),
    **dict.fromkeys(("ne", "!="), OPERATORS["ne"]),
    **dict.fromkeys(("gt", "greaterthan", ">"), OPERATORS["gt"]),
    **dict.fromkeys(("ge", ">="), OPERATORS["gteq"]),
    **dict.fromkeys(("lt", "lessthan", "<"), OPERATORS["lt"]),
    **dict.fromkeys(("le", "<="), OPERATORS["lteq"]),
}


# Filters


def _default(value: Any, default_value: Any = "", boolean: bool = False) -> Any:  # noqa: ANN401, FBT001, FBT002 - as Jinja has it
    return default_value if isinstance(value, Missing) or (boolean and not value) else value


def _end(value: Any, place: int) -> Any:  # noqa: ANN401 - as above
    if isinstance(value, Mapping):
        value = list(value)
    elif not isinstance(value, str):
        value = text_of(value)
    return value[place] if value else Missing("that")


def _int(value: Any, default: int = 0, base: int = 10) -> int:  # noqa: ANN401 - as above
    """Read a number; what is none, or longer than any that makes sense, is the default."""
    if isinstance(value, int | float):
        return int(value)
    text = text_of(value).strip()
    if len(text) > LONGEST_NUMBER:
        return default
    try:
        return int(text, _between(base, 2, 36, "base"))
    except ValueError:
        pass
    try:
        return int(float(text))
    except (ValueError, OverflowError):
        return default


def _round(value: Any, precision: int = 0, method: str = "common") -> float:  # noqa: ANN401 - as above
    if not isinstance(value, int | float):
        raise NotAllowedError("the filter round takes a number, such as one that the filter int gives")
    digits = _between(precision, -MOST_DIGITS, MOST_DIGITS, "precision")
    if method not in _ROUNDED:
        raise NotAllowedError("the method of the filter round is common, ceil or floor")
    return float(_ROUNDED[method](value, digits))


def _up(value: float, digits: int) -> float:
    return math.ceil(value * 10.0**digits) / 10.0**digits


def _down(value: float, digits: int) -> float:
    return math.floor(value * 10.0**digits) / 10.0**digits


_ROUNDED: Mapping[str, Callable[[float, int], float]] = {"common": round, "ceil": _up, "floor": _down}


def _truncate(
    value: Any,  # noqa: ANN401 - as above
    length: int = 255,
    killwords: bool = False,  # noqa: FBT001, FBT002 - as Jinja has it
    end: str = "...",
    leeway: int | None = None,
) -> str:
    shown = text_of(end)
    least = _between(length, 0, LONGEST_TEXT, "length")
    if least < len(shown):
        raise NotAllowedError(f"the length of the filter truncate is {len(shown)} at least")
    spare = None if leeway is None else _between(leeway, 0, LONGEST_TEXT, "leeway")
    return do_truncate(_FOR_TRUNCATE, text_of(value), least, bool(killwords), shown, spare)


def _between(number: Any, least: int, most: int, name: str) -> int:  # noqa: ANN401 - as above
    if not isinstance(number, int) or not least <= number <= most:
        raise NotAllowedError(f"the {name} of a filter is a number from {least} to {most}")
    return number


def _length(value: Any) -> int:  # noqa: ANN401 - as above
    return len(value) if isinstance(value, str | Mapping) else len(text_of(value))


FILTERS: Mapping[str, Callable[..., Any]] = {
    "capitalize": lambda value: text_of(value).capitalize(),
    "d": _default,
    "default": _default,
    "first": lambda value: _end(value, 0),
    "int": _int,
    "last": lambda value: _end(value, -1),
    "length": _length,
    "lower": lambda value: text_of(value).lower(),
    "round": _round,
    "title": lambda value: do_title(text_of(value)),
    "trim": lambda value, chars=None: text_of(value).strip(None if chars is None else text_of(chars)[:MOST_TRIMMED]),
    "truncate": _truncate,
    "upper": lambda value: text_of(value).upper(),
}
