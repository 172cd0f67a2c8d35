"""Links: an incident and its ticket, where the two stand, and what one step of their lane achieved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from connector_core.contract.merge import Agreed
from connector_core.contract.models import Absence, AbsenceKind, FieldName, Incident, TicketSnapshot
from connector_core.store.records.comments import CommentsSeen, CommentStep

DISCARDED = "discarded"
DISCARDED_REASON = "A person gave this one up; it is not tried any more."
UNLINKED_REASON = "A person unlinked the two; nothing is carried between them any more."
RECREATED_REASON = "A person asked for a new ticket in place of the one that is not there."
RESUMED = "resumed"
NO_TICKET = "no_ticket"  # it was looked for, nothing was found, and none is made
LOOKING_REASON = "A daemon that this database does not know may have created a ticket; it is being looked for."
DAMAGE_FIX = "Stop the daemon and restore a backup; see docs/operations.md."
GONE_REASON = "The ticket was deleted, archived, or is hidden from our account."
GONE_FIX = "Restore it or give our account access to it, then retry."
UNREADABLE_FIX = "See what is wrong with: connector doctor. It is read again by itself."
MOVED = "ticket_moved"
REPLACEABLE = frozenset({*AbsenceKind, "moved_unfit"})  # codes of tickets in whose place a new one may be made
UNEXPLAINED = Absence(kind=AbsenceKind.GONE, reason=GONE_REASON, fix=GONE_FIX)


def choices(link_id: int) -> str:
    """Say what a person can do about a ticket that is not there, or not where it was."""
    return (
        f"Choose: connector recreate {link_id} (a new ticket), connector unlink {link_id},"
        f" or connector discard {link_id} --yes (stop)."
    )


class LinkState(StrEnum):
    """Where a link stands.

    Waiting: it will be tried again by itself. Blocked: a person has to mend something. Conflict: a person has to choose
    a value. Paused: a person or a guard stopped it. Gone: the ticket is no longer there.
    """

    IN_SYNC = "in_sync"
    WAITING = "waiting"
    BLOCKED = "blocked"
    CONFLICT = "conflict"
    PAUSED = "paused"
    GONE = "gone"


@dataclass(frozen=True)
class LinkStatus:
    """Where a link stands, why, since when, what happens next and what a person can do."""

    state: LinkState
    code: str = ""
    reason: str = ""
    fix: str = ""
    since: datetime | None = None
    next_try: datetime | None = None
    attempts: int = 0


@dataclass(frozen=True)
class Link:
    """Incident and ticket under one integration.

    `settings` are the plugin's link settings as they were when the link was made. `attempted_at` is set while a create
    may have worked without our knowing, `attempted_incident` is what it sent. `to_ticket_since` and
    `to_incident_since` tell since when a change waits to be synced, None when none does. `breaker` is what the link is
    parked on: its status is then the breaker's. `hints` counts deliveries whose word is not enough: the ticket is to be
    read. `comment_looks` counts what told of new comments on the ticket: they are to be read. `comments_at` is the
    ticket's time of change when they last were. `incident_heard_at` and `ticket_heard_at` are when we heard how each
    side is now, None for what an earlier version stored. `looks_since` is set on a link whose ticket is looked for and
    never made: since when it may have been.
    """

    id: int
    organization: str
    integration_id: str
    incident_id: str
    marker: str
    settings: Mapping[str, Any]
    status: LinkStatus
    created_at: datetime
    incident: Incident
    incident_at: datetime
    ticket: TicketSnapshot | None = None
    base: Mapping[FieldName, Agreed] = field(default_factory=dict)
    attempted_at: datetime | None = None
    attempted_incident: Incident | None = None
    to_ticket_since: datetime | None = None
    to_incident_since: datetime | None = None
    breaker: str | None = None
    hints: int = 0
    comment_looks: int = 0
    comments_at: datetime | None = None
    incident_heard_at: datetime | None = None
    ticket_heard_at: datetime | None = None
    looks_since: datetime | None = None

    @property
    def ticket_only(self) -> dict[FieldName, str]:
        """Return the fields whose value the platform could not take, and why: it is on the ticket only."""
        return {name: agreed.ticket_only for name, agreed in self.base.items() if agreed.ticket_only}

    @property
    def unkept(self) -> dict[FieldName, str]:
        """Return the fields that the ticket took from us and shows otherwise, and what it shows."""
        return {name: agreed.unkept for name, agreed in self.base.items() if agreed.unkept}


@dataclass(frozen=True)
class TimelineEntry:
    """One thing that was seen, decided or written. `side` is where it happened: incident, ticket or connector."""

    kind: str
    side: str
    text: str
    at: datetime
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class OurWrite:
    """What we wrote to an incident: by field, the value that was there and the new one.

    `at` is the platform's own time of it, None when it did not tell.
    """

    fields: Mapping[FieldName, tuple[str | None, str | None]]
    at: datetime | None = None


@dataclass(frozen=True)
class Progress:
    """What one step of a lane achieved; everything in it is stored in one transaction.

    None leaves a thing as it is. `written` is what we wrote to the incident, `ticket` the ticket as a receipt showed;
    neither replaces something newer that arrived meanwhile. `base` holds the fields that were agreed on anew. `settled`
    says that nothing waits any more, unless the lane was woken since it was claimed. `hints` and `comment_looks` are
    those that were followed. `calling_until` is until when the write that begins may be under way. `comment` is how far
    one came, `seen` what was read of the ticket's. `stays_without` says that there is no ticket and that none is to be
    made.
    """

    status: LinkStatus | None = None
    ticket: TicketSnapshot | None = None
    base: Mapping[FieldName, Agreed] | None = None
    written: OurWrite | None = None
    attempted_at: datetime | None = None
    attempted_incident: Incident | None = None
    attempt_settled: bool = False
    calling_until: datetime | None = None
    settled: bool = False
    hints: int = 0
    comment_looks: int = 0
    comment: CommentStep | None = None
    seen: CommentsSeen | None = None
    stays_without: bool = False
    entries: tuple[TimelineEntry, ...] = ()

    @property
    def is_about_to_make(self) -> bool:
        """Return whether a ticket or a comment is about to be made on the other side."""
        return self.attempted_at is not None or (self.comment is not None and self.comment.attempted_at is not None)


@dataclass(frozen=True)
class OpenTickets:
    """Tickets that are not over on both sides and were made with the same link settings, and where they live."""

    settings: Mapping[str, Any]
    ids: frozenset[str]
    places: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Holders:
    """Which integrations have a ticket, and which have a create under way that is not answered yet."""

    linked: frozenset[str] = frozenset()
    creating: frozenset[str] = frozenset()


@dataclass(frozen=True)
class OpenLinks:
    """How many links that are not over on both sides were made with these settings."""

    settings: Mapping[str, Any]
    count: int


@dataclass(frozen=True)
class LinkFilter:
    """Which links are wanted. None means any; `text` is an id or key, or part of a title."""

    organizations: frozenset[str] | None = None
    integration_id: str | None = None
    states: frozenset[str] = frozenset()
    text: str = ""
    limit: int = 50
    offset: int = 0
