"""Links: an incident and its ticket, where the two stand, and what one step of their lane achieved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from connector_core.contract.field_values import incident_value, ticket_value
from connector_core.contract.merge import Agreed
from connector_core.contract.models import Absence, AbsenceKind, FieldName, Incident, TicketComment, TicketSnapshot
from connector_core.documentation import SEE_BACKUP
from connector_core.store.records.comments import CommentsSeen, CommentStep
from connector_core.store.records.timeline import StoredEntry, TimelineEntry

DISCARDED = "discarded"
DIFFERS = "differs"  # the code by which links that differ are told from those in sync, in the database
NO_TICKET = "no_ticket"  # it was looked for, nothing was found, and none is made
DAMAGE_FIX = "Stop the daemon and restore a backup. " + SEE_BACKUP
GONE_REASON = "The ticket was deleted, archived, or is hidden from our account."
GONE_FIX = "Restore it or give our account access to it, then retry."
MOVED = "ticket_moved"
NO_PRIORITY = "none"
REPLACEABLE = frozenset({*AbsenceKind, "moved_unfit"})  # codes of tickets in whose place a new one may be made
UNEXPLAINED = Absence(kind=AbsenceKind.GONE, reason=GONE_REASON, fix=GONE_FIX)


class LinkState(StrEnum):
    """Where a link stands.

    In sync: both sides agree. Differs: nothing waits, and both sides differ in a field, by a setting or since one of
    them does not take the change. Waiting: it will be tried again by itself. Blocked: a person has to mend something.
    Conflict: a person has to choose a value. Paused: a person or a guard stopped it; so is a pair that somebody
    unlinked. Gone: the ticket is no longer there.
    """

    IN_SYNC = "in_sync"
    DIFFERS = "differs"
    WAITING = "waiting"
    BLOCKED = "blocked"
    CONFLICT = "conflict"
    PAUSED = "paused"
    GONE = "gone"

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to do."""
        return self in {LinkState.IN_SYNC, LinkState.DIFFERS}

    @property
    def stored(self) -> str:
        """What the database holds: a link that differs is one in sync with the code `DIFFERS`.

        Daemons of earlier versions, which may work on the same database, know no other state.
        """
        return LinkState.IN_SYNC.value if self is LinkState.DIFFERS else self.value

    @classmethod
    def read(cls, stored: str, code: str) -> LinkState:
        """Return the state that is stored."""
        return cls.DIFFERS if stored == cls.IN_SYNC and code == DIFFERS else cls(stored)


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

    @property
    def is_unlinked(self) -> bool:
        """Whether somebody gave it up: nothing is synced, and no ticket is made."""
        return self.state is LinkState.PAUSED and self.code == DISCARDED

    @property
    def gets_a_ticket(self) -> bool:
        """Whether one that has no ticket will have one."""
        return self.code not in {NO_TICKET, DISCARDED}


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
    never made: since when it may have been. `is_test` is so of a test incident, which the platform knows nothing of.
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
    is_test: bool = False
    #: Somebody linked the ticket by hand, and it has yet to get our mark.
    mark_due: bool = False

    @property
    def ticket_only(self) -> dict[FieldName, str]:
        """Return the fields whose value the platform could not take, and why: it is on the ticket only."""
        return {name: agreed.ticket_only for name, agreed in self.base.items() if agreed.ticket_only}

    @property
    def both_changed(self) -> tuple[FieldName, ...]:
        """Return the fields in which both sides left what they last agreed on."""
        ticket = self.ticket
        if ticket is None:
            return ()
        return tuple(
            name
            for name, agreed in self.base.items()
            if agreed.incident != incident_value(self.incident, name)
            and ticket.tells(name)
            and agreed.ticket != ticket_value(ticket, name)
        )

    @property
    def unkept(self) -> dict[FieldName, str]:
        """Return the fields that the ticket took from us and shows otherwise, and what it shows."""
        return {name: agreed.unkept for name, agreed in self.base.items() if agreed.unkept}


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
    #: Another ticket that takes the place of the link's own, if no other link has it by now.
    follows: TicketSnapshot | None = None
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
    #: What is to be told on the ticket by internal comments of our own; the lane is woken for it.
    notes: tuple[TicketComment, ...] = ()
    stays_without: bool = False
    #: Our mark is on the ticket, or cannot be put there.
    marked: bool = False
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


class LinkOrder(StrEnum):
    """By what a list of links is sorted."""

    ATTENTION = "state"  # what is not in sync first, then the newest
    UPDATED = "updated"  # the side that changed last decides; the latest first
    NEWEST = "created"
    OLDEST = "oldest"
    PRIORITY = "priority"  # the most urgent first, then the newest


@dataclass(frozen=True)
class LinkFilter:
    """Which links are wanted, and in which order; None means any.

    `text` is an id or key, or part of a title; `place` part of the names of device and location. `priority` is that of
    the incident, `NO_PRIORITY` for none. `is_open` is false once incident and ticket are both over.
    """

    organizations: frozenset[str] | None = None
    integration_id: str | None = None
    states: frozenset[str] = frozenset()
    text: str = ""
    without_codes: frozenset[str] = frozenset()
    priority: str | None = None
    is_open: bool | None = None
    place: str = ""
    created_since: datetime | None = None
    created_before: datetime | None = None
    order: LinkOrder = LinkOrder.ATTENTION
    limit: int = 50
    offset: int = 0


@dataclass(frozen=True)
class Happened:
    """An entry of a timeline, with the link that it is about."""

    id: int
    entry: StoredEntry
    link_id: int
    organization: str
    integration_id: str
    incident_id: str
    title: str
    ticket_key: str | None


@dataclass(frozen=True)
class ActivityFilter:
    """Which entries of all timelines are wanted; None means any.

    `person` is the name of whoever acted, changed a ticket or wrote a comment. `before` is the time and the id of an
    entry: those of earlier.
    """

    organizations: frozenset[str] | None = None
    integration_id: str | None = None
    side: str | None = None
    kinds: frozenset[str] | None = None
    person: str = ""
    since: datetime | None = None
    until: datetime | None = None
    before: tuple[datetime, int] | None = None
    limit: int = 50


@dataclass(frozen=True)
class Activity:
    """Entries of timelines, the latest first.

    `searched_to` is how far back was looked, as time and id, when that was not to the first entry; those before it are
    asked for next.
    """

    entries: Sequence[Happened]
    searched_to: tuple[datetime, int] | None
