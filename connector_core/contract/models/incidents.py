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
    """The device that an incident is about, as far as the platform tells."""

    #: The platform's own id of it.
    id: str | None = None
    #: What people call it.
    name: str | None = None
    #: Its model, in its vendor's words.
    model: str | None = None
    #: Its vendor's number of this one.
    serial_number: str | None = None
    #: Address of its network interface, as the platform writes it.
    mac: str | None = None
    #: Version that runs on it.
    firmware: str | None = None
    #: Who made it.
    vendor: str | None = None
    #: What else a source was told to show of it, by name.
    other: Mapping[str, str] | None = None


class Location(Record):
    """The place where the device stands, as far as the platform tells."""

    #: The platform's own id of it.
    id: str | None = None
    #: What people call it.
    name: str | None = None
    #: The places around it, from the outermost, as the platform writes them.
    path: str | None = None
    #: Its postal address.
    address: str | None = None
    #: Its time zone, such as `Europe/Berlin`.
    timezone: str | None = None


class Incident(Record):
    """An incident as the platform shows it."""

    #: The platform's own id of it.
    id: Identifier
    #: One line; an incident without one is not taken.
    title: Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
    #: Plain text; None when there is none.
    description: str | None = None
    #: None when there is none, or one that is not known here.
    priority: Annotated[Priority | None, BeforeValidator(_known_priority)] = None
    #: Whether it is open.
    status: IncidentStatus = IncidentStatus.ACTIVE
    #: What the platform calls this kind of incident.
    issue: str | None = None
    #: Where people see it; None when it is no http or https address.
    url: WebLink = None
    #: When it was opened, by the platform's clock.
    opened_at: AwareDatetime | None = None
    #: When it was last changed, by the platform's clock.
    updated_at: AwareDatetime | None = None
    #: What it is about.
    device: Device | None = None
    #: Where that stands.
    location: Location | None = None


class Comment(Record):
    """What somebody wrote about an incident on the platform."""

    #: The platform's own id of it.
    id: Identifier
    #: Who wrote it, as people call them.
    author: Annotated[str, StringConstraints(min_length=1, max_length=255, strip_whitespace=True)]
    #: Plain text.
    text: Annotated[str, StringConstraints(min_length=1, max_length=100_000, strip_whitespace=True)]
    #: When it was written, by the platform's clock.
    created_at: AwareDatetime


class IncidentEvent(Record):
    """Something that happened to an incident."""

    #: The platform's own id of it: what comes twice is taken once.
    id: Identifier
    #: What happened.
    type: EventType
    #: When it happened, by the platform's clock.
    occurred_at: AwareDatetime
    #: The incident as it was then, as a whole.
    incident: Incident
    #: What was written, in an event that is a comment and in no other.
    comment: Comment | None = None

    @model_validator(mode="after")
    def _comment_where_it_belongs(self) -> Self:
        if (self.type is EventType.COMMENTED) != (self.comment is not None):
            raise ValueError(f"an event {EventType.COMMENTED} has a comment, and no other has")
        return self


class Poll(Record):
    """What a look at the platform showed: the events since a cursor."""

    #: Where the next look begins, in the plugin's own words. It is stored in one transaction with the last of the
    #: events, and the same look from the same cursor must name its events alike.
    cursor: str
    #: What happened, in order.
    events: tuple[IncidentEvent, ...] = ()
    #: How many are open, if that is known.
    open_incidents: int | None = None
    #: Whose they are, as people call them; empty when that is not known.
    account_name: str = ""
    #: What a person should know although the look worked.
    findings: tuple[Finding, ...] = ()


class RefusedEvent(Record):
    """An event of a list that cannot be taken."""

    #: Its place in the list, from 0.
    position: int
    #: Its id as far as it has one.
    id: str = ""
    #: Why, in one line.
    reason: str


@dataclass(frozen=True)
class Push(Sequence[IncidentEvent]):
    """What a pushed request brought: the events that can be taken, as a sequence, and what cannot be."""

    #: Those that can be taken, in order.
    events: tuple[IncidentEvent, ...]
    #: Events of a list that cannot be taken; the others are.
    refused: tuple[RefusedEvent, ...] = ()
    #: How many fields of events were left out because nobody here knows them.
    unknown_fields: int = 0
    #: A list was sent; otherwise one event alone.
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
