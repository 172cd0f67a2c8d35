"""Incidents, and what platforms tell of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Self, overload

from pydantic import AwareDatetime, BeforeValidator, StringConstraints, model_validator

from connector_core.contract.addresses import WebLink
from connector_core.contract.models.findings import Finding
from connector_core.contract.models.record import Identifier, Record


class Priority(StrEnum):
    """How urgent an incident is, most urgent first."""

    CRITICAL = "critical"
    HIGH = "high"
    MODERATE = "moderate"
    LOW = "low"
    PLANNING = "planning"


class IncidentStatus(StrEnum):
    """An incident is open or it is not."""

    ACTIVE = "active"
    CLOSED = "closed"


class FieldName(StrEnum):
    """What incident and ticket have in common and keep in sync."""

    TITLE = "title"
    DESCRIPTION = "description"
    PRIORITY = "priority"
    STATUS = "status"


class EventType(StrEnum):
    """What happened to an incident."""

    OPENED = "incident.opened"
    UPDATED = "incident.updated"
    RESOLVED = "incident.resolved"
    COMMENTED = "incident.commented"


def _known_priority(value: object) -> object:
    """Read a priority that this connector does not know as none: the incident matters more than its label."""
    if isinstance(value, str) and value not in set(Priority):
        return None
    return value


class Device(Record):
    """The device that an incident is about; `other` is what else a source was told to show of it, by name."""

    id: str | None = None
    name: str | None = None
    model: str | None = None
    serial_number: str | None = None
    mac: str | None = None
    firmware: str | None = None
    vendor: str | None = None
    other: Mapping[str, str] | None = None


class Location(Record):
    """The place where the device stands."""

    id: str | None = None
    name: str | None = None
    path: str | None = None
    address: str | None = None
    timezone: str | None = None


class Incident(Record):
    """An incident as the platform shows it."""

    id: Identifier
    title: Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
    description: str | None = None
    priority: Annotated[Priority | None, BeforeValidator(_known_priority)] = None
    status: IncidentStatus = IncidentStatus.ACTIVE
    issue: str | None = None
    url: WebLink = None
    opened_at: AwareDatetime | None = None
    updated_at: AwareDatetime | None = None
    device: Device | None = None
    location: Location | None = None


class Comment(Record):
    """What somebody wrote about an incident on the platform, as plain text."""

    id: Identifier
    author: Annotated[str, StringConstraints(min_length=1, max_length=255, strip_whitespace=True)]
    text: Annotated[str, StringConstraints(min_length=1, max_length=100_000, strip_whitespace=True)]
    created_at: AwareDatetime


class IncidentEvent(Record):
    """Something that happened to an incident, with the incident as it was then; `comment` is what was written."""

    id: Identifier
    type: EventType
    occurred_at: AwareDatetime
    incident: Incident
    comment: Comment | None = None

    @model_validator(mode="after")
    def _comment_where_it_belongs(self) -> Self:
        if (self.type is EventType.COMMENTED) != (self.comment is not None):
            raise ValueError(f"an event {EventType.COMMENTED} has a comment, and no other has")
        return self


class Poll(Record):
    """What a look at the platform showed: the events since a cursor, and the cursor of the next look.

    `cursor` is the plugin's own text; it is stored in one transaction with the last of the events, and the same look
    from the same cursor must name its events alike. `open_incidents` is how many are open, if that is known,
    `account_name` whose they are. `findings` tell what a person should know although the look worked.
    """

    cursor: str
    events: tuple[IncidentEvent, ...] = ()
    open_incidents: int | None = None
    account_name: str = ""
    findings: tuple[Finding, ...] = ()


class RefusedEvent(Record):
    """An event of a list that cannot be taken: its place there, its id as far as it has one, and why, in one line."""

    position: int
    id: str = ""
    reason: str


@dataclass(frozen=True)
class Push(Sequence[IncidentEvent]):
    """What a pushed request brought: the events that can be taken, as a sequence, and what cannot be.

    `refused` are events of a list that cannot be taken; the others are. `unknown_fields` counts the fields of events
    that were left out because nobody here knows them.
    """

    events: tuple[IncidentEvent, ...]
    refused: tuple[RefusedEvent, ...] = ()
    unknown_fields: int = 0
    is_list: bool = True

    @classmethod
    def of(cls, read: Iterable[tuple[IncidentEvent, int] | RefusedEvent], *, is_list: bool) -> Self:
        """Put together what was read, in its order."""
        known = list(read)
        return cls(
            events=tuple(one[0] for one in known if not isinstance(one, RefusedEvent)),
            refused=tuple(one for one in known if isinstance(one, RefusedEvent)),
            unknown_fields=sum(one[1] for one in known if not isinstance(one, RefusedEvent)),
            is_list=is_list,
        )

    @overload
    def __getitem__(self, index: int) -> IncidentEvent: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[IncidentEvent, ...]: ...

    def __getitem__(self, index: int | slice) -> IncidentEvent | tuple[IncidentEvent, ...]:
        """Return an event that can be taken."""
        return self.events[index]

    def __len__(self) -> int:
        """Count the events that can be taken."""
        return len(self.events)
