"""What all records have in common."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class Record(BaseModel):
    """A stored or transmitted value: immutable, and nothing unknown in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def utc(moment: datetime) -> datetime:
    """Return the same moment in UTC."""
    return moment.astimezone(UTC)
