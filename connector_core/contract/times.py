"""Which times of others are believed: those that their clock and ours may both be right about.

A time further ahead than clocks differ makes nothing older that comes after it, unless both lie ahead: then it is our
clock that is slow, and their order holds. One before computers kept time is how programs write that they know none:
what happened then counts as of its receipt. An incident does not show times of either kind.

The rule is the same for events, tickets and our own writes, and it is here only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from connector_core.contract.models import IncidentEvent, TicketSnapshot

AHEAD = timedelta(minutes=5)  # as far as clocks may differ
FIRST = datetime(1970, 1, 2, tzinfo=UTC)  # a zero, in whatever zone, lies before it
LAST = datetime(9999, 12, 30, tzinfo=UTC)  # what lies after it may have no equal in UTC


def is_ahead(moment: datetime | None, now: datetime) -> bool:
    """Return whether a time lies further ahead than clocks differ."""
    return moment is not None and moment > now + AHEAD


def is_later(one: datetime, other: datetime, now: datetime) -> bool:
    """Return whether a time is later than another. One that lies ahead is not, unless both do."""
    return one > other and (not is_ahead(one, now) or is_ahead(other, now))


def is_late(ticket: TicketSnapshot, known: TicketSnapshot, now: datetime) -> bool:
    """Return whether a snapshot is older than another one; one that names no time is not, and makes none so."""
    return known.updated is not None and ticket.updated is not None and is_later(known.updated, ticket.updated, now)


def is_order_known(one: TicketSnapshot, other: TicketSnapshot, now: datetime) -> bool:
    """Return whether the times of two snapshots tell which is the later one: not where only one of them lies ahead."""
    return is_ahead(one.updated, now) == is_ahead(other.updated, now)


@dataclass(frozen=True)
class Told:
    """When something changed, as it was told, and when we heard of it, if that is known."""

    at: datetime
    heard_at: datetime | None = None

    @property
    def is_ahead(self) -> bool:
        """Whether it lay further ahead than clocks differ when we heard of it."""
        return self.heard_at is not None and is_ahead(self.at, self.heard_at)

    def is_later_than(self, other: Told) -> bool:
        """Return whether this came after the other. One that lay ahead counts as of its receipt, unless both do."""
        if self.is_ahead == other.is_ahead:
            return self.at > other.at
        one, two = (told.heard_at if told.is_ahead and told.heard_at else told.at for told in (self, other))
        return one > two


def real(moment: datetime | None) -> datetime | None:
    """Return a time if something may have happened then, by whatever clock."""
    return moment if moment is not None and FIRST <= moment <= LAST else None


def with_believed_times(event: IncidentEvent, at: datetime) -> tuple[IncidentEvent, Mapping[str, str]]:
    """Return an event, received at this time, as it is kept; and the times that are not believed, as they were told."""
    incident, comment = event.incident, event.comment
    shown = {"opened_at": incident.opened_at, "updated_at": incident.updated_at}
    untrue = {name: moment for name, moment in shown.items() if moment is not None and not _is_believed(moment, at)}
    changes: dict[str, object] = {}
    told = {name.removesuffix("_at"): moment.isoformat() for name, moment in untrue.items()}
    if untrue:
        changes["incident"] = incident.model_copy(update=dict.fromkeys(untrue))
    if comment is not None and not _is_believed(comment.created_at, at):
        changes["comment"] = comment.model_copy(update={"created_at": at})
        told["commented"] = comment.created_at.isoformat()
    if not _is_believed(event.occurred_at, at):
        changes["occurred_at"] = real(event.occurred_at) or at
        told["occurred"] = event.occurred_at.isoformat()
    return (event.model_copy(update=changes) if changes else event), told


def _is_believed(moment: datetime, now: datetime) -> bool:
    return real(moment) is not None and not is_ahead(moment, now)
