"""Tickets, what is written to them, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, TypeAlias

from pydantic import AwareDatetime, BeforeValidator, Field, field_serializer

from connector_core.contract.addresses import WebLink
from connector_core.contract.models.incidents import Comment, FieldName, Incident, Priority
from connector_core.contract.models.record import Identifier, Record


class TicketSnapshot(Record):
    """A ticket as the ticketing system showed it at one moment; only its id is needed."""

    #: The ticketing system's own stable id of it.
    id: Identifier
    #: What people call it, empty when that was not told.
    key: str = ""
    #: Where people see it; None when it is no http or https address.
    url: WebLink = None
    #: Empty when it was not told: every ticket has one.
    title: str = ""
    #: The part that belongs to the incident's description, as plain text; None or "" when there is none.
    description: str | None = None
    #: None when the ticket's priority has no partner among ours.
    priority: Priority | None = None
    #: What a person sees as its priority.
    priority_name: str | None = None
    #: What a person sees as its status.
    status: str = ""
    #: Its status is one in which nothing is left to be done.
    done: bool = False
    #: The ticketing system's own time of the last change, None when the answer did not say.
    updated: AwareDatetime | None = None
    #: Where it lives (a project, a queue), empty when that is not known: another one means that it was moved.
    place: str = ""
    #: The fields that were not told: absent is not empty, keeps what was known, and is no change. What stands in such
    #: a field means nothing.
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
    """A ticket that is there and cannot be read: it is neither gone nor changed."""

    #: Empty when it is not even known which one it is: then none of those asked for may be called missing.
    id: str = ""
    #: Why, in a sentence for people.
    reason: str = ""


class TicketComment(Record):
    """A comment on a ticket."""

    #: The ticketing system's own id of it.
    id: Identifier
    #: Who wrote it, as people call them.
    author: str
    #: Plain text.
    text: str
    #: When it was written, by the ticketing system's clock.
    created_at: AwareDatetime
    #: Customers do not see it, or that is not certain.
    internal: bool
    #: A connector wrote it.
    own: bool = False


class WriteComment(Record):
    """Write a comment on a ticket."""

    #: The ticket as it was last seen.
    ticket: TicketSnapshot
    #: The comment of the incident, as somebody wrote it on the platform.
    comment: Comment
    #: What people call the place where it was written.
    platform: str
    #: Names this comment and has to be found again on the one that is written.
    marker: str
    #: Customers may see it; otherwise they must not.
    public: bool = False


class FindComment(Record):
    """Look for a comment that an earlier attempt may have written although its answer was lost; write nothing.

    A `NotCreated` in answer means that it is safe to write the comment.
    """

    #: The ticket as it was last seen.
    ticket: TicketSnapshot
    #: The comment of the incident, as somebody wrote it on the platform.
    comment: Comment
    #: What people call the place where it was written.
    platform: str
    #: Names this comment; the only thing to go by, since texts repeat.
    marker: str
    #: Customers may see it; otherwise they must not.
    public: bool = False
    #: When that attempt began.
    attempted_at: AwareDatetime
    #: How many seconds have surely passed since it ended, by a clock that nobody can set.
    attempt_age_s: float = 0.0


#: What a link wants done about a comment on its ticket.
CommentDraft: TypeAlias = WriteComment | FindComment


class WrittenComment(Record):
    """A comment that is on the ticket now."""

    #: The ticketing system's own id of it.
    id: Identifier
    #: What a person should know about it.
    note: str = ""


class CreateTicket(Record):
    """Create a ticket for an incident."""

    #: What to make it of.
    incident: Incident
    #: Names the link and goes with the ticket, so that it can be found again.
    marker: str


class FindTicket(Record):
    """Look for a ticket that an earlier attempt may have created although its answer was lost; create nothing.

    A `NotCreated` in answer means that it is safe to create the ticket.
    """

    #: What that attempt sent; where it is `of_earlier_life` the incident of today, since nobody knows what was sent.
    incident: Incident
    #: Names the link; the only thing to go by, since titles repeat.
    marker: str
    #: When that attempt began.
    attempted_at: AwareDatetime
    #: How many seconds have surely passed since it ended, by a clock that nobody can set; how far a search may lag is
    #: measured by it.
    attempt_age_s: float = 0.0
    #: The database is younger than what it meets: a daemon of which nothing is known may have made the ticket, at any
    #: time since `attempted_at`. `Receipt.as_created` is then how a ticket would look if it were made now. A plugin may
    #: ignore it.
    of_earlier_life: bool = False


class WriteFields(Record):
    """Write fields of an incident to its ticket, unless that is done by now."""

    #: The incident as it is now.
    incident: Incident
    #: Names the link.
    marker: str
    #: The ticket as it was last seen.
    ticket: TicketSnapshot
    #: Which fields of the incident to write; never `STATUS`.
    fields: frozenset[FieldName]


class CloseTicket(Record):
    """Move a ticket to the close status of the settings, unless it is done by now."""

    #: The incident as it is now.
    incident: Incident
    #: Names the link.
    marker: str
    #: The ticket as it was last seen.
    ticket: TicketSnapshot


#: What a link wants done about its ticket.
IncidentChange: TypeAlias = CreateTicket | FindTicket | WriteFields | CloseTicket


class Receipt(Record):
    """What became of a change."""

    #: The ticket as it now shows.
    ticket: TicketSnapshot
    #: The ticket as it shows by now, where somebody changed it right behind a write of fields: `ticket` is then as that
    #: write left it, so that theirs is a change still to be seen.
    since: TicketSnapshot | None = None
    #: Set when the ticket was found after a lost answer: how it looked when it was made, so that what people changed
    #: since is seen.
    as_created: TicketSnapshot | None = None
    #: A sentence for each field that the ticketing system would not take.
    refused: Mapping[FieldName, str] = Field(default_factory=dict)
    #: A sentence for each field that it took and shows otherwise.
    unkept: Mapping[FieldName, str] = Field(default_factory=dict)
    #: The written fields that the ticket shows in its own form: cut, tidied up, or with the nearest priority. Of an
    #: edit, a field that `ticket` shows otherwise than asked for, blanks apart, and that is neither here nor in
    #: `refused` counts as `unkept`: the difference is never agreed on in silence. A template's words around a text and
    #: the plugin's `cut_marks` are no difference. A new ticket is right as it is; what it lacks is told by `note`.
    as_written: frozenset[FieldName] = frozenset()
    #: Nothing was written since the ticket was found to be done, which `ticket` shows: what somebody finished stays as
    #: it is.
    untouched: bool = False
    #: What a person should know about it, such as what was left out and why.
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
    """The last change of a field of a ticket."""

    #: When, by the ticketing system's clock.
    at: AwareDatetime
    #: Who did it, as people call them; empty when that is unknown.
    by: PersonName = ""


class AbsenceKind(StrEnum):
    """Why a ticket cannot be found. None of them closes an incident."""

    DELETED = "ticket_deleted"
    ARCHIVED = "ticket_archived"
    HIDDEN = "ticket_hidden"
    #: It went into another ticket, `Absence.into`. Such a ticket is missing for us: a plugin shows it neither as done
    #: nor as the other one, even where its number leads there.
    MERGED = "ticket_merged"
    #: Hidden or deleted: the ticketing system answers both alike (`Absence.untold`).
    GONE = "ticket_gone"


class Absence(Record):
    """Why a ticket is not there."""

    #: Why, in a word.
    kind: AbsenceKind
    #: Why, in a sentence for people.
    reason: str
    #: What brings it back, if anything does.
    fix: str = ""
    #: The id of the ticket that a `MERGED` one went into. The link follows it if no other link has it, and takes both
    #: sides as they are then.
    into: Identifier | None = None

    @classmethod
    def untold(cls) -> Absence:
        """Return what is to be said where nobody can tell a hidden ticket from one that was deleted."""
        return cls(
            kind=AbsenceKind.GONE,
            reason="It cannot be told whether the ticket was deleted or is hidden from our account.",
            fix="Look for it in the ticketing system; give our account access if it is there, then retry.",
        )


class TicketQuery(Record):
    """Which linked tickets the core wants to see again."""

    #: All that it knows and is interested in; what is given back beside is passed over.
    ids: frozenset[str]
    #: Only those that may have changed since then need to be given back: it lies `PluginInfo.read_lag` before our last
    #: look, so that a plugin subtracts nothing; what is given back once more is no news. None: every one, so that a
    #: missing one means gone; one that is there and cannot be read is given back as an `UnreadableTicket`.
    changed_since: AwareDatetime | None = None
    #: Where the tickets were last seen, as far as snapshots told.
    places: frozenset[str] = frozenset()
