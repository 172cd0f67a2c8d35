"""Which times of others are believed: those that their clock and ours may both be right about.

A time further ahead than clocks differ would make everything after it late; one before computers kept time is how
programs write that they know none. An event that happened at such a time is taken as happening when it was received,
and its incident as one that does not tell its times.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from connector_core.contract.models import IncidentEvent

AHEAD = timedelta(minutes=5)  # as far as clocks may differ; two times ahead of ours say that it is ours that is slow
FIRST = datetime(1970, 1, 2, tzinfo=UTC)  # a zero, in whatever zone, lies before it


def is_ahead(moment: datetime | None, now: datetime) -> bool:
    """Return whether a time lies further ahead than clocks differ."""
    return moment is not None and moment > now + AHEAD


def is_believed(moment: datetime, now: datetime) -> bool:
    """Return whether something may have happened at this time."""
    return moment >= FIRST and not is_ahead(moment, now)


def believed(moment: datetime | None, now: datetime) -> datetime | None:
    """Return a time if something may have happened then."""
    return moment if moment is not None and is_believed(moment, now) else None


def with_believed_times(event: IncidentEvent, at: datetime) -> tuple[IncidentEvent, Mapping[str, str]]:
    """Return an event, received at this time, without the times that are not believed; and those, as they were told."""
    incident, comment = event.incident, event.comment
    known = {"opened_at": incident.opened_at, "updated_at": incident.updated_at}
    untrue = {name: moment for name, moment in known.items() if moment is not None and not is_believed(moment, at)}
    changes: dict[str, object] = {}
    told = {name.replace("_at", ""): moment.isoformat() for name, moment in untrue.items()}
    if untrue:
        changes["incident"] = incident.model_copy(update=dict.fromkeys(untrue))
    if comment is not None and not is_believed(comment.created_at, at):
        changes["comment"] = comment.model_copy(update={"created_at": at})
        told["commented"] = comment.created_at.isoformat()
    if not is_believed(event.occurred_at, at):
        changes["occurred_at"] = at
        told["occurred"] = event.occurred_at.isoformat()
    return (event.model_copy(update=changes) if changes else event), told
