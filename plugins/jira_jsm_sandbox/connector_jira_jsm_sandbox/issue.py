"""An issue and what has happened to it. No rules here: those are in `site.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from connector_jira_jsm_sandbox.profile import User


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of an issue at one moment; a change makes a new one, so that the search index can lag behind."""

    summary: str
    description: str | None  # wiki markup: what API v2 and webhooks show
    priority_id: str
    status_id: str
    status_changed: datetime
    updated: datetime
    resolution_id: str | None = None
    resolved: datetime | None = None
    labels: tuple[str, ...] = ()
    custom: tuple[tuple[str, Any], ...] = ()
    comments: tuple[Comment, ...] = ()
    participants: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment; the body is wiki markup."""

    id: str
    author: User
    body: str
    created: datetime
    public: bool = True
    properties: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class ChangeItem:
    """One line of a change: which field went from what to what, as ids and as words."""

    field: str
    old: str | None
    old_text: str | None
    new: str | None
    new_text: str | None

    def as_json(self) -> dict[str, Any]:
        """Show it as changelogs and webhooks do."""
        return {
            "field": self.field,
            "fieldtype": "jira",
            "fieldId": self.field,
            "from": self.old,
            "fromString": self.old_text,
            "to": self.new,
            "toString": self.new_text,
        }


@dataclass(frozen=True, slots=True)
class Change:
    """One write to an issue."""

    id: str
    author: User
    created: datetime
    items: tuple[ChangeItem, ...]


@dataclass(slots=True)
class Issue:
    """An issue; everything that changes is replaced, never altered in place."""

    id: str
    key: str
    project_id: str
    issue_type_id: str
    request_type_id: str | None
    reporter: User
    created: datetime
    fields: Fields
    history: list[Change] = field(default_factory=list)
    properties: dict[str, Any] = field(default_factory=dict)
    remote_links: list[dict[str, Any]] = field(default_factory=list)
    creator: User | None = None  # whoever made it in the name of the reporter
    # What the search index has seen, as (time from which it counts, fields); None stands for deleted.
    index: list[tuple[datetime, Fields | None]] = field(default_factory=list)

    @property
    def project_key(self) -> str:
        """The part of the key before the number."""
        return self.key.rpartition("-")[0]

    def indexed(self, now: datetime) -> Fields | None:
        """Return the fields as the search index knows them by now; None when it has none."""
        seen = [fields for since, fields in self.index if since <= now]
        return seen[-1] if seen else None

    def remember(self, visible_from: datetime, fields: Fields | None, now: datetime) -> None:
        """Tell the search index; what it has already superseded is forgotten."""
        while len(self.index) > 1 and self.index[1][0] <= now:
            self.index.pop(0)
        self.index.append((visible_from, fields))


def epoch_millis(moment: datetime) -> int:
    """Return milliseconds since 1970, exactly."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def jira_time(moment: datetime, reader: User) -> str:
    """Write a time as Jira does: milliseconds, and the reading person's offset without a colon."""
    local = moment.astimezone(timezone(timedelta(minutes=reader.utc_offset_minutes)))
    return local.strftime("%Y-%m-%dT%H:%M:%S.") + f"{local.microsecond // 1000:03d}" + local.strftime("%z")
