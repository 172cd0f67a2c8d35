"""Quiet hours: a part of the day, by the clock on somebody's wall, in which messages are held back."""

from __future__ import annotations

from datetime import datetime, time
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

_CLOCK = r"^([01]\d|2[0-3]):[0-5]\d$"


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:  # OSError: a folder of zones
        raise ValueError("expected the name of a time zone, like Europe/Berlin") from exc
    return name


TimeOfDay = Annotated[str, StringConstraints(pattern=_CLOCK)]
ZoneName = Annotated[str, AfterValidator(_zone)]


class QuietHours(BaseModel):
    """When messages are held back."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    start: TimeOfDay = Field(description='When quiet hours begin, like "22:00".')
    end: TimeOfDay = Field(description='When they end, like "07:00"; before start: the next morning.')
    zone: ZoneName = Field("UTC", description="Time zone of both, like Europe/Berlin.")
    let_urgent_through: bool = Field(
        False,
        description="true sends at once all the same when nothing is synced until someone acts: authorization lost, "
        "integration blocked, source not read.",
    )

    @model_validator(mode="after")
    def _some_time(self) -> Self:
        if self.start == self.end:
            raise ValueError("quiet hours that begin and end at the same time have no end")
        return self

    def are_now(self, now: datetime) -> bool:
        """Return whether it is quiet: local wall time counts, so a clock change moves nothing."""
        local = now.astimezone(ZoneInfo(self.zone)).time().replace(tzinfo=None)
        start, end = time.fromisoformat(self.start), time.fromisoformat(self.end)
        if start < end:
            return start <= local < end
        return local >= start or local < end
