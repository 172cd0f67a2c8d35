"""The words of the domain as values: incidents, tickets, what happened to them and what should.

Pydantic models hold whatever crosses a process boundary or is stored; everything here is immutable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Self, overload

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    field_serializer,
    model_validator,
)

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class Record(BaseModel):
    """A stored or transmitted value: immutable, and nothing unknown in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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
    """What incident and ticket have in common and keep in step."""

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
    url: str | None = None
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


class TicketSnapshot(Record):
    """A ticket as the ticketing system showed it at one moment; only its id is needed.

    `unknown` are the fields that were not told: absent is not empty, keeps what was known, and is no change. What
    stands in such a field means nothing.
    `key` is what people call it, empty when that was not told.
    `priority` is None when the ticket's priority has no partner among ours; `priority_name` is what a person sees.
    `description` is the part that belongs to the incident's description, as plain text.
    `updated` is the ticketing system's own time of the last change, None when the answer did not say.
    `place` is where it lives (a project, a queue), empty when that is not known: another one means that it was moved.
    """

    id: Identifier
    key: str = ""
    url: str | None = None
    title: str = ""
    description: str | None = None
    priority: Priority | None = None
    priority_name: str | None = None
    status: str = ""
    done: bool = False
    updated: AwareDatetime | None = None
    place: str = ""
    unknown: frozenset[FieldName] = frozenset()

    @field_serializer("unknown")
    def _in_order(self, unknown: frozenset[FieldName]) -> list[FieldName]:
        return sorted(unknown)

    def tells(self, field: FieldName) -> bool:
        """Tell whether the snapshot shows a field; every ticket has a title, so that an empty one tells none."""
        return field not in self.unknown and (field is not FieldName.TITLE or bool(self.title.strip()))

    def over(self, known: TicketSnapshot) -> TicketSnapshot:
        """Return this snapshot with what it does not tell as it was known before."""
        kept: dict[str, object] = {
            name: getattr(known, name) for name in ("key", "url", "updated", "place") if not getattr(self, name)
        }
        untold = frozenset(field for field in FieldName if not self.tells(field))
        for field in untold:
            kept |= {name: getattr(known, name) for name in SHOWN_AS[field]}
        if untold:
            kept["unknown"] = untold & known.unknown
        return self.model_copy(update=kept) if kept else self

    def is_newer_than(self, other: TicketSnapshot) -> bool:
        """Tell whether this shows a later moment; a snapshot without a time is taken as it comes, never as later."""
        return self.updated is not None and other.updated is not None and self.updated > other.updated


SHOWN_AS: Mapping[FieldName, tuple[str, ...]] = {
    FieldName.TITLE: ("title",),
    FieldName.DESCRIPTION: ("description",),
    FieldName.PRIORITY: ("priority", "priority_name"),
    FieldName.STATUS: ("status", "done"),
}


class UnreadableTicket(Record):
    """A ticket that is there and cannot be read: it is neither gone nor changed.

    `id` is empty when it is not even known which one it is: then none of those asked for may be called missing.
    """

    id: str = ""
    reason: str = ""


class TicketComment(Record):
    """A comment on a ticket, as plain text.

    `internal` says that customers do not see it, `own` that a connector wrote it.
    """

    id: Identifier
    author: str
    text: str
    created_at: AwareDatetime
    internal: bool
    own: bool = False


class CommentDraft(Record):
    """A comment to be written on a ticket, for customers to see only if it is `public`.

    `platform` is what people call the place where `comment` was written. `marker` names this comment and has to be
    found again on the one that is written. `attempted_at` is set when an earlier attempt, begun then, may have worked
    although its answer was lost: only look for the marker, write nothing. `attempt_age_s` is as in `IncidentChange`.
    """

    ticket: TicketSnapshot
    comment: Comment
    platform: str
    marker: str
    public: bool = False
    attempted_at: AwareDatetime | None = None
    attempt_age_s: float = 0.0


class WrittenComment(Record):
    """A comment that is on the ticket now: its id there, and what a person should know about it."""

    id: Identifier
    note: str = ""


class IncidentChange(Record):
    """What a link wants done on its ticket.

    `type` opened: create a ticket for `incident`. Updated: write `fields` of `incident` to `ticket`, unless it is done
    by now. Resolved: move `ticket` to the close status of the settings, unless it is done by now.
    `marker` names the link and goes with everything that is created, so that it can be found again.
    `attempted_at` is set when an earlier create, begun then, may have worked although its answer was lost: only look
    for the marker, create nothing; `incident` is then what that attempt carried. `attempt_age_s` is how many seconds
    have surely passed since, by a clock that nobody can set; how far a search may lag is measured by it.
    `of_earlier_life` goes with `attempted_at`: the database is younger than what it meets, so that the ticket may have
    been made by a daemon of which nothing is known, at any time since `attempted_at`; `incident` is the incident of
    today, and `Receipt.as_created` how a ticket would look that was made of it now. A plugin may ignore it.
    """

    type: EventType
    incident: Incident
    marker: str
    fields: frozenset[FieldName] = frozenset()
    ticket: TicketSnapshot | None = None
    attempted_at: AwareDatetime | None = None
    attempt_age_s: float = 0.0
    of_earlier_life: bool = False


class Receipt(Record):
    """What became of a change: the ticket as it now shows, and what was left out and why.

    `refused` holds a sentence for each field that the ticketing system would not take, `unkept` one for each that it
    took, twice, and shows otherwise. `untouched` says that nothing was written since the ticket was found to be done,
    which `ticket` shows: what somebody finished stays as it is. `as_created` is set when the
    ticket was found after a lost answer: how it looked when it was made, so that what people changed since is seen.
    """

    ticket: TicketSnapshot
    as_created: TicketSnapshot | None = None
    refused: Mapping[FieldName, str] = Field(default_factory=dict)
    unkept: Mapping[FieldName, str] = Field(default_factory=dict)
    untouched: bool = False
    note: str = ""


class NotCreated(Record):
    """The answer to a look for an earlier attempt: it certainly created nothing."""


class IncidentUpdate(Record):
    """What a link wants done on the incident: new values by field, and whether to close it; or a comment alone.

    `incident` is the incident as it is known, before the change. With a `comment`, whose id is ours and the same each
    time, `fields` is empty.
    """

    incident_id: Identifier
    incident: Incident | None = None
    title: str | None = None
    description: str | None = None
    priority: Priority | None = None
    close: bool = False
    comment: TicketComment | None = None
    fields: frozenset[FieldName]
    idempotency_key: str


class CommentOutcome(Record):
    """What became of a comment for the platform: its id there if that is another one, or why it cannot be taken."""

    id: str = ""
    unsupported: str = ""


class UpdateOutcome(Record):
    """What became of an incident update: a sentence for each field that the platform cannot take.

    `applied_at` is the platform's own time of the change, None when its answer did not say. `comment` tells of the
    update's comment; None says that comments are not known here.
    """

    unsupported: Mapping[FieldName, str] = Field(default_factory=dict)
    applied_at: AwareDatetime | None = None
    comment: CommentOutcome | None = None


class HookRegistration(Record):
    """A webhook that a plugin registered by itself: its names there, when it ends, and the id of its site."""

    ids: tuple[str, ...]
    site: str
    expires_at: AwareDatetime | None = None


BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class InboundRequest(Record):
    """An HTTP request as it came in: header names in lower case, the body's exact bytes.

    Of a body that came compressed, `body` is what it unpacks to and `packed` what was sent; a signature may be of
    either, so plugins try each of `signable`. `token` is the one in the address, if any; `is_addressed` says that it is
    the one which only the ticketing system was told. Whoever sent it is not proven by that.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    headers: Mapping[str, str]
    body: bytes
    received_at: AwareDatetime
    packed: bytes | None = None
    token: SecretStr | None = None
    is_addressed: bool = False

    @property
    def signable(self) -> tuple[bytes, ...]:
        """The forms of the body that its sender may have signed: as it is, compressed, without a byte order mark."""
        bare = self.body.removeprefix(BYTE_ORDER_MARK)
        return tuple(dict.fromkeys([self.body, *([] if self.packed is None else [self.packed]), bare]))


def _shown_name(value: object) -> object:
    """Return a stranger's name for a person, short and printable; an e-mail address is none that is kept."""
    if not isinstance(value, str):
        return value
    name = " ".join("".join(c if c.isprintable() else " " for c in value[:LONGEST_NAME]).split())
    return "" if "@" in name else name


LONGEST_NAME = 80
PersonName = Annotated[str, BeforeValidator(_shown_name)]


class FieldChange(Record):
    """When a field of a ticket was last changed, and who did it, as people call them; no name when that is unknown."""

    at: AwareDatetime
    by: PersonName = ""


class Delivery(Record):
    """An authenticated webhook request.

    `id` is the sender's own name for it, the same over its retries; `event` is the sender's word for what happened.
    `deleted` are the ids of tickets that it says are no longer there. `signed_by` is the position of the secret that
    signed it, and `ignored` says in one word why it shows no ticket; both are counted. `hints` are the ids of tickets
    that are to be read, since what an unsigned delivery shows of them is not believed. `commented` are the ids of
    comments that it tells of, by ticket: what they say is read. `changed_by` says who changed which field of the
    ticket, as people call them. `site` is the address of the site that it names, empty when it names none: what is of
    another site than the integration's, or of one that only looks like it, is not believed.
    """

    id: str
    event: str
    tickets: tuple[TicketSnapshot, ...] = ()
    deleted: frozenset[str] = frozenset()
    hints: frozenset[str] = frozenset()
    commented: Mapping[str, frozenset[str]] = Field(default_factory=dict)
    changed_by: Mapping[FieldName, PersonName] = Field(default_factory=dict)
    signed_by: int | None = None
    site: str = ""
    ignored: Annotated[str, StringConstraints(pattern=r"^[a-z_]{0,40}$")] = ""


class AbsenceKind(StrEnum):
    """Why a ticket cannot be found; `GONE` when the ticketing system does not tell."""

    DELETED = "ticket_deleted"
    ARCHIVED = "ticket_archived"
    HIDDEN = "ticket_hidden"
    GONE = "ticket_gone"


class Absence(Record):
    """Why a ticket is not there: a sentence for people, and what brings it back, if anything does."""

    kind: AbsenceKind
    reason: str
    fix: str = ""


class TicketQuery(Record):
    """Which linked tickets the core wants to see again.

    `ids` are all that it knows and is interested in. With `changed_since` only those that may have changed since then
    need to be given back; without it every one that still exists, so that a missing one means gone: one that is there
    and cannot be read is given back as an `UnreadableTicket`. `places` are those where the tickets were last seen, as
    far as snapshots told.
    """

    ids: frozenset[str]
    changed_since: AwareDatetime | None = None
    places: frozenset[str] = frozenset()


class Site(Record):
    """One installation of the ticketing system that an authorization reaches."""

    id: str
    name: str
    url: str


class Grant(Record):
    """An authorization: what to send along, until when, and for whom.

    `secrets` is the plugin's own (tokens); `headers` go with every request. `site` and `account_id` are the other
    side's own stable names, so that a later authorization of somebody else, or somewhere else, is noticed.
    `expires_at` is when it has to be renewed, `renewable_until` when a person has to authorize again at the latest.
    `consented_at` is when a person last did. `base_url` is where it is good, for one that is good at one address only:
    a request that went elsewhere is not repeated with it.
    """

    headers: Mapping[str, SecretStr]
    secrets: Mapping[str, SecretStr] = Field(default_factory=dict)
    expires_at: AwareDatetime | None = None
    renewable_until: AwareDatetime | None = None
    consented_at: AwareDatetime | None = None
    account_id: str = ""
    account_name: str = ""
    site: Site | None = None
    sites: tuple[Site, ...] = ()
    scopes: tuple[str, ...] = ()
    base_url: str = ""

    def needs_renewal(self, now: datetime, margin_s: float = 60.0) -> bool:
        """Tell whether the grant ends within the margin."""
        return self.expires_at is not None and (self.expires_at - now).total_seconds() < margin_s

    def at_site(self, site: Site) -> Self:
        """Return the same grant for one chosen site."""
        return self.model_copy(update={"site": site})

    def sent_headers(self) -> dict[str, str]:
        """Return the headers in clear, as they are sent."""
        return {name: secret.get_secret_value() for name, secret in self.headers.items()}


class AuthorizationStart(Record):
    """A person wants to authorize: give back a `Redirect`, or a `Grant` when none is needed."""

    state: str
    callback_url: str


class AuthorizationReturn(Record):
    """The person came back with the parameters of the callback address; `site` is the id of a chosen site, if any."""

    callback_url: str
    parameters: Mapping[str, str]
    site: str | None = None


class AuthorizationRenewal(Record):
    """The grant has ended or soon will: give back a new one without a person."""

    grant: Grant


AuthorizationRequest = AuthorizationStart | AuthorizationReturn | AuthorizationRenewal


class Redirect(Record):
    """Where to send the person's browser."""

    url: str


class Severity(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


class Finding(Record):
    """One thing that was checked: what was tried, what it showed, what to do."""

    code: str
    severity: Severity
    title: str
    detail: str = ""
    fix: str = ""


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


def utc(moment: datetime) -> datetime:
    """Return the same moment in UTC."""
    return moment.astimezone(UTC)
