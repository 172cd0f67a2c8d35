"""What has changed since somebody was last told, and whether that is to be told now; from values only.

A `Notice` is what is stored of one condition for one notifier, from when it was first seen until its end was told:

    step = follow(notices, conditions, now)      # new ones, ended ones, those that nobody need be told of any more
    due = to_tell(step.notices, settings, now)   # empty: nothing is to be sent now

Conditions are told together: the first waits for `DIGEST`, and what else is there by then goes with it. One that begins
and ends within that time is never told. One that ends and comes back before its end was told goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from connector_core.notify.conditions import URGENT, Condition, Kind
from connector_core.notify.settings import Telling

DIGEST = timedelta(minutes=1)


class Saying(StrEnum):
    """What a message says of a condition."""

    STARTED = "started"
    REMINDER = "reminder"
    ENDED = "ended"


@dataclass(frozen=True)
class Notice:
    """What is known of one condition for one notifier.

    `seen_at` is when it was first seen, `told_at` when somebody was last told of it, `ended_at` when it was seen to be
    over. `message` is the id of the message that has it, from before that is sent until it is known to have been.
    """

    kind: Kind
    since: datetime
    seen_at: datetime
    integration: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    told_at: datetime | None = None
    ended_at: datetime | None = None
    message: str = ""

    @property
    def key(self) -> str:
        """The key of its condition."""
        return Condition(self.kind, self.since, self.integration).key

    @property
    def saying(self) -> Saying:
        """What a message says of it."""
        if self.ended_at is not None:
            return Saying.ENDED
        return Saying.STARTED if self.told_at is None else Saying.REMINDER

    def was_told(self, at: datetime) -> Notice | None:
        """Return what is left of it after a message that had it; None when there is nothing more to say."""
        return None if self.ended_at is not None else replace(self, told_at=at, message="")


@dataclass(frozen=True)
class Step:
    """What became of notices when they were held against what is so now; `changed` and `gone` are to be stored."""

    notices: Sequence[Notice]
    changed: Sequence[Notice]
    gone: Sequence[str]


def wanted(conditions: Sequence[Condition], settings: Telling, now: datetime) -> list[Condition]:
    """Return the conditions that a notifier is to tell of."""
    return [
        one
        for one in conditions
        if one.kind in settings.conditions
        and (one.kind is not Kind.BACKLOG or now - one.since >= settings.backlog_after)
    ]


def follow(known: Sequence[Notice], conditions: Sequence[Condition], settings: Telling, now: datetime) -> Step:
    """Hold what was noted against what is so now."""
    present = {one.key: one for one in wanted(conditions, settings, now)}
    kept, changed, gone = [], [], []
    for notice in known:
        condition = present.pop(notice.key, None)
        after = _after(notice, condition, settings, now)
        if after is None:
            gone.append(notice.key)
            continue
        kept.append(after)
        if after != notice:
            changed.append(after)
    new = [Notice(one.kind, one.since, now, one.integration, one.values) for one in present.values()]
    return Step([*kept, *new], [*changed, *new], gone)


def to_tell(notices: Sequence[Notice], settings: Telling, now: datetime) -> list[Notice]:
    """Return what a message is to say now: all that is pending once its time has come, else nothing."""
    pending = [one for one in notices if _is_pending(one, settings, now)]
    pending = [one for one in pending if not is_held_back(one, settings, now)]
    is_time = any(now - _pending_since(one, settings) >= DIGEST for one in pending)
    return pending if is_time else []


def is_held_back(notice: Notice, settings: Telling, now: datetime) -> bool:
    """Return whether it is not to be told now because it is quiet."""
    quiet = settings.quiet_hours
    if quiet is None or not quiet.are_now(now):
        return False
    return not (quiet.let_urgent_through and notice.kind in URGENT and notice.saying is Saying.STARTED)


def _after(notice: Notice, condition: Condition | None, settings: Telling, now: datetime) -> Notice | None:
    if condition is not None:
        if notice.told_at is None:  # what is not told yet is told as it is then
            return replace(notice, since=condition.since, values=condition.values)
        return replace(notice, ended_at=None)
    if notice.told_at is None or notice.kind not in settings.conditions or not settings.all_clear:
        return None
    return notice if notice.ended_at is not None else replace(notice, ended_at=now)


def _is_pending(notice: Notice, settings: Telling, now: datetime) -> bool:
    if notice.saying is not Saying.REMINDER:
        return True
    every = settings.remind_every
    return every is not None and notice.told_at is not None and now - notice.told_at >= every


def _pending_since(notice: Notice, settings: Telling) -> datetime:
    """Return since when it waits to be told; a reminder has no others to wait for."""
    if notice.saying is Saying.REMINDER and notice.told_at is not None:
        return notice.told_at + (settings.remind_every or timedelta()) - DIGEST
    return notice.ended_at or notice.seen_at
