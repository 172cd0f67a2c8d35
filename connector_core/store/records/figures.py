"""Figures of a stretch of time: what came in, what was written, what did not work, how long requests took, what waited.

Time from incident to request is kept in buckets, each 2^(1/4) as wide as the one before: what is read from them is at
most 10 % off, however many requests there were, and buckets of several hours or integrations can be added.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil, floor, log2

from connector_core.store.records.timeline import TimelineKind

#: A factor of 2 has so many buckets.
PER_DOUBLING = 4
#: The first has all below a quarter of a second, the last all from twelve days on.
FIRST_BUCKET, LAST_BUCKET = -2 * PER_DOUBLING, 20 * PER_DOUBLING

_K = TimelineKind
#: It goes on by itself, or once somebody has authorized again.
DELAYED = frozenset({_K.LINK_WAITING, _K.LINK_PAUSED})
#: Somebody is needed.
FAILED = frozenset(
    {_K.CONFLICT, _K.LINK_BLOCKED, _K.LINK_GONE}
    | {_K.TICKET_DELETED, _K.TICKET_ARCHIVED, _K.TICKET_HIDDEN, _K.TICKET_MERGED, _K.TICKET_GONE}
)
#: What of a timeline is counted, and as what. That a ticket is there which a daemon of before made is not a request.
COUNTED: Mapping[str, frozenset[TimelineKind]] = {
    "requests": frozenset({_K.TICKET_CREATED, _K.TICKET_FOUND}),
    "to_ticket": frozenset({_K.TICKET_WRITTEN, _K.COMMENT_TO_TICKET}),
    "to_incident": frozenset({_K.INCIDENT_WRITTEN, _K.COMMENT_TO_INCIDENT}),
    "delayed": DELAYED,
    "failed": FAILED,
}


class Span(StrEnum):
    """What a row is about; the value is in the database."""

    HOUR = "hour"
    DAY = "day"
    EVER = "ever"


@dataclass(frozen=True)
class Figures:
    """What happened in a stretch of time, of one integration or of several."""

    #: Incidents that came to an integration.
    incidents: int = 0
    #: Requests that were created for them.
    requests: int = 0
    #: Changes and comments that were written to tickets.
    to_ticket: int = 0
    #: Changes and comments that were written to incidents.
    to_incident: int = 0
    #: How often something could not be written at once.
    delayed: int = 0
    #: How often something needed somebody.
    failed: int = 0
    #: The most changes that waited at once; of several integrations, their peaks added.
    waiting: int = 0
    #: How long the oldest of them had waited at most, in seconds.
    oldest_s: int = 0
    #: How many requests took how long from the incident's arrival, by bucket.
    took: Mapping[int, int] = field(default_factory=dict)

    @property
    def median_s(self) -> float | None:
        """The time from incident to request in the median, in seconds."""
        return quantile(self.took, 0.5)

    @property
    def slow_s(self) -> float | None:
        """What 95 % of the requests took at most, in seconds."""
        return quantile(self.took, 0.95)


COUNTS = tuple(one.name for one in fields(Figures) if one.name not in {"waiting", "oldest_s", "took"})


@dataclass(frozen=True)
class Waiting:
    """What waits to be written right now: how many changes, and since when the oldest."""

    changes: int = 0
    since: datetime | None = None


def as_one(parts: Iterable[Figures]) -> Figures:
    """Return the figures of stretches that follow each other, as of one: counts are added, of what waited the most."""
    several = list(parts)
    took: Counter[int] = Counter()
    for one in several:
        took.update(one.took)
    return Figures(
        **{name: sum(getattr(one, name) for one in several) for name in COUNTS},
        waiting=max((one.waiting for one in several), default=0),
        oldest_s=max((one.oldest_s for one in several), default=0),
        took=dict(took),
    )


def bucket_of(took: timedelta) -> int:
    """Return the bucket of a time; one that is negative, since a clock was set back, is none at all."""
    seconds = took.total_seconds()
    if seconds <= 0:
        return FIRST_BUCKET
    return min(max(floor(PER_DOUBLING * log2(seconds)), FIRST_BUCKET), LAST_BUCKET)


def quantile(took: Mapping[int, int], share: float) -> float | None:
    """Return the seconds that a share of the requests took at most, at most 10 % off; None where there are none."""
    rank = max(ceil(share * sum(took.values())), 1)
    for bucket in sorted(took):
        rank -= took[bucket]
        if rank <= 0:
            return float(2.0 ** ((bucket + 0.5) / PER_DOUBLING))
    return None
