"""What all records have in common."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class Record(BaseModel):
    """A stored or transmitted value: immutable, and nothing unknown in it.

    How it is checked is built when the first one is made: a command that only looks makes few kinds of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


def build_all(kind: type[Record] = Record) -> None:
    """Build how each kind of record is checked, before there are threads: pydantic does it in one at a time only."""
    for one in kind.__subclasses__():
        one.model_rebuild()
        build_all(one)


def utc(moment: datetime) -> datetime:
    """Return the same moment in UTC."""
    return moment.astimezone(UTC)
