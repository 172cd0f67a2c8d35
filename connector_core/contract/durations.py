"""Durations as settings write them: a number with its unit."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION_PATTERN = r"^(\d{1,7})(ms|s|m|h|d)$"


def read_duration(value: object) -> timedelta:
    """Read a text like "30s"; a number without a unit is refused. What is a duration already stays as it is.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, timedelta):
        return value
    if isinstance(value, int | float):
        raise ValueError('a duration needs a unit — write it like "30s", "5m" or "1h"')  # noqa: TRY004 - for pydantic
    match = re.fullmatch(_DURATION_PATTERN, value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('expected a duration like "30s", "5m" or "1h"')
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def duration_field(default: str, description: str) -> Any:  # noqa: ANN401 - as pydantic's own Field
    """Describe a field whose default is written as in the file, in the schema too."""
    return Field(read_duration(default), description=description, json_schema_extra={"default": default})


def _positive(value: timedelta) -> timedelta:
    if not value:
        raise ValueError("a duration of nothing makes no sense here")
    return value


DurationOrNothing = Annotated[
    timedelta, BeforeValidator(read_duration), WithJsonSchema({"type": "string", "pattern": _DURATION_PATTERN})
]
Duration = Annotated[DurationOrNothing, AfterValidator(_positive)]
