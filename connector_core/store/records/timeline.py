"""Timelines: what was seen, decided or written, as facts; the words for them are in `connector_core.words`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class TimelineKind(StrEnum):
    """What an entry is about."""

    # What was seen
    INCIDENT_OPENED = "incident_opened"
    INCIDENT_UPDATED = "incident_updated"
    INCIDENT_RESOLVED = "incident_resolved"
    INCIDENT_EVENT_LATE = "incident_event_late"
    INCIDENT_COMMENTED = "incident_commented"
    TICKET_CHANGED = "ticket_changed"
    TICKET_COMMENTED = "ticket_commented"
    TICKET_MOVED = "ticket_moved"
    TICKET_DELETED = "ticket_deleted"
    TICKET_ARCHIVED = "ticket_archived"
    TICKET_HIDDEN = "ticket_hidden"
    TICKET_MERGED = "ticket_merged"
    TICKET_GONE = "ticket_gone"
    HISTORY_READ = "history_read"

    # What became of a ticket
    ROUTED = "routed"
    TICKET_CREATED = "ticket_created"
    TICKET_FOUND = "ticket_found"
    NO_TICKET = "no_ticket"
    TICKET_LINKED = "ticket_linked"
    TICKET_UNMARKED = "ticket_unmarked"

    # What was decided and written
    AGREED = "agreed"
    CONFLICT = "conflict"
    TICKET_WRITTEN = "ticket_written"
    TICKET_LEFT_OPEN = "ticket_left_open"
    TICKET_FINISHED = "ticket_finished"
    TICKET_UNCHANGEABLE = "ticket_unchangeable"
    TICKET_UNKEPT = "ticket_unkept"
    TICKET_REFUSED = "ticket_refused"
    INCIDENT_WRITTEN = "incident_written"
    INCIDENT_UNSUPPORTED = "incident_unsupported"
    COMMENT_TO_TICKET = "comment_to_ticket"
    COMMENT_TO_INCIDENT = "comment_to_incident"
    COMMENT_UNSUPPORTED = "comment_unsupported"
    COMMENT_LEFT = "comment_left"

    # What did not work
    LINK_WAITING = "link_waiting"
    LINK_BLOCKED = "link_blocked"
    LINK_PAUSED = "link_paused"
    LINK_GONE = "link_gone"

    # What someone asked for
    RESUMED = "resumed"
    COMPARED = "compared"
    RECREATED = "recreated"
    DISCARDED = "discarded"
    UNLINKED = "unlinked"
    CONFLICT_RESOLVED = "conflict_resolved"
    SETTINGS_APPLIED = "settings_applied"
    SETTINGS_UNDONE = "settings_undone"


class Nuance(StrEnum):
    """What tells entries of one kind apart, in `values["why"]`; a decision has its own, `merge.Why`."""

    EARLIER_LIFE = "earlier_life"  # the ticket was made by a daemon that this database does not know
    INCIDENT_OVER = "incident_over"
    SENT_ELSEWHERE = "sent_elsewhere"  # by the routing of the organization
    NOT_OPENED_WHILE_ACTIVE = "not_opened_while_active"
    BEFORE_A_WRITE = "before_a_write"
    BEHIND_A_WRITE = "behind_a_write"
    INTERNAL = "internal"
    SYNC_OFF = "sync_off"
    UNCHANGED = "unchanged"
    NOT_TOLD = "not_told"  # no comment tells people of what cannot be shown
    NO_COMMENTS = "no_comments"
    FOLLOWED = "followed"
    BY_MARK = "by_mark"
    LINKED_AGAIN = "linked_again"


@dataclass(frozen=True)
class TimelineEntry:
    """One thing that was seen, decided or written, as it is stored."""

    kind: TimelineKind
    #: Where it happened: incident, ticket or connector.
    side: str
    at: datetime
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StoredEntry:
    """An entry as it is read: another version may have written it, with a kind that this one does not know."""

    kind: str
    side: str
    at: datetime
    values: Mapping[str, Any] = field(default_factory=dict)
    #: The sentence that an earlier version stored; empty where this one wrote it.
    text: str = ""
