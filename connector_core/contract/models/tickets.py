"""Tickets, what is written to them, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator, Field, field_serializer

from connector_core.contract.addresses import WebLink
from connector_core.contract.models.incidents import Comment, EventType, FieldName, Incident, Priority
from connector_core.contract.models.record import Identifier, Record


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
    url: WebLink = None
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
        """Return whether the snapshot shows a field; every ticket has a title, so that an empty one tells none."""
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
    for the marker, create nothing; `incident` is then what that attempt sent. `attempt_age_s` is how many seconds
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
    which `ticket` shows: what somebody finished stays as it is. `as_created` is set when the ticket was found after a
    lost answer: how it looked when it was made, so that what people changed since is seen.
    """

    ticket: TicketSnapshot
    as_created: TicketSnapshot | None = None
    refused: Mapping[FieldName, str] = Field(default_factory=dict)
    unkept: Mapping[FieldName, str] = Field(default_factory=dict)
    untouched: bool = False
    note: str = ""


class NotCreated(Record):
    """The answer to a look for an earlier attempt: it certainly created nothing."""


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
