"""What all records have in common."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class Record(BaseModel):
    """A stored or transmitted value: immutable, and nothing unknown in it.

    How it is checked is built when the first one is made: a command that only looks makes few kinds of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @model_validator(mode="after")
    def _without_nul(self) -> Self:
        """Leave U+0000 out of all texts: JSON can say it, and not every database, header or vendor can hold it."""
        values = self.__dict__
        found = [name for name, value in values.items() if type(value) in _MAY_HAVE_NUL and _has_nul(value)]
        if found:
            cleaned = {**values, **{name: without_nul(values[name]) for name in found}}
            self.__dict__.update(type(self).model_validate(cleaned).__dict__)  # a text may be too short now
        return self


_MAY_HAVE_NUL = frozenset({str, dict, list, tuple, frozenset})


def _has_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, Mapping):
        return any(_has_nul(key) or _has_nul(one) for key, one in value.items())
    return isinstance(value, Collection) and any(_has_nul(one) for one in value)


def without_nul(value: Any) -> Any:  # noqa: ANN401 - whatever a record holds
    """Return a value without U+0000 in its texts, however deep they are in it."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, dict):
        return {without_nul(key): without_nul(one) for key, one in value.items()}
    return type(value)(map(without_nul, value)) if isinstance(value, list | tuple | frozenset) else value


def build_all(kind: type[Record] = Record) -> None:
    """Build how each kind of record is checked, before there are threads: pydantic does it in one at a time only."""
    for one in kind.__subclasses__():
        one.model_rebuild()
        build_all(one)


def utc(moment: datetime) -> datetime:
    """Return the same moment in UTC."""
    return moment.astimezone(UTC)
