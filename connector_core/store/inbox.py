"""What comes in: incident events, ticket snapshots by webhook or poll. Each is stored and wakes its lanes, or is known.

Every function here runs inside a transaction of the writer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from connector_core.contract.field_values import incident_value, with_value
from connector_core.contract.models import Comment, EventType, Incident, IncidentEvent, IncidentStatus
from connector_core.contract.times import AHEAD, with_believed_times
from connector_core.store import (
    comments,
    deliveries,
    lanes,
    life,
    looks,
    new_links,
    routing,
    shown_tickets,
    sources,
    timeline,
)
from connector_core.store.integrations import require_unmoved
from connector_core.store.nouns import Noun, submits, writes
from connector_core.store.records import (
    Accepted,
    CommentState,
    EventOutcome,
    Nuance,
    Reading,
    Route,
    Target,
    TimelineEntry,
    TimelineKind,
)
from connector_core.store.rows import read_base, read_incident, write_time
from connector_core.store.statements import Connection

_EVENT_RANK = {EventType.OPENED: 0, EventType.UPDATED: 1, EventType.COMMENTED: 1, EventType.RESOLVED: 2}
_EVENT_KIND = {
    EventType.OPENED: TimelineKind.INCIDENT_OPENED,
    EventType.UPDATED: TimelineKind.INCIDENT_UPDATED,
    EventType.RESOLVED: TimelineKind.INCIDENT_RESOLVED,
}


def accept_events(  # noqa: PLR0913, PLR0917 - events, and what they are for
    db: Connection,
    organization: str,
    events: Sequence[IncidentEvent],
    targets: Sequence[Target],
    at: datetime,
    as_of: int | None = None,
) -> Accepted:
    """Store events of one organization, make the links that they call for, wake what they concern.

    `as_of` is the version of the settings that the targets were read of.

    Raises:
        SettingsMoved: by now there may be other targets.
    """
    require_unmoved(db, organization, as_of)
    outcomes = tuple(_accept_event(db, organization, event, targets, at) for event in events)
    found = Counter(outcomes)
    return Accepted(
        new=found[EventOutcome.NEW],
        duplicate=found[EventOutcome.DUPLICATE],
        ignored=found[EventOutcome.IGNORED],
        outcomes=outcomes,
    )


def accept_poll(  # noqa: PLR0913, PLR0917 - events with what they are for, and the cursor that they lead to
    db: Connection,
    organization: str,
    read: Reading,
    events: Sequence[IncidentEvent],
    targets: Sequence[Target],
    cursor: str | None,
    at: datetime,
    as_of: int | None = None,
) -> Accepted | None:
    """Store events as a push's, and how far the source was read by now unless more is to come.

    None, and nothing stored, when the source was changed, removed or had to begin anew since it was read.

    Raises:
        SettingsMoved: as `accept_events` does.
    """
    if sources.reading(db, organization, read.plugin) != read:
        return None
    accepted = accept_events(db, organization, events, targets, at, as_of)
    if cursor is not None:
        sources.keep_cursor(db, organization, read.plugin, cursor, at)
    return accepted


def _accept_event(
    db: Connection, organization: str, event: IncidentEvent, targets: Sequence[Target], at: datetime
) -> EventOutcome:
    event, untrue = with_believed_times(event, at)
    stored = db.execute(
        "INSERT INTO event (organization, id, type, incident_id, occurred_at, received_at)"
        " SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT EXISTS (SELECT 1 FROM event WHERE organization = ?1 AND id = ?2)"
        " ON CONFLICT (organization, id) DO NOTHING",
        (organization, event.id, event.type, event.incident.id, write_time(event.occurred_at), write_time(at)),
    )
    if not stored.rowcount:
        return EventOutcome.DUPLICATE
    is_latest = _remember_incident(db, organization, event, at)
    # An incident that was opened gets its ticket, even if news of its end overtook that of its beginning.
    may_start = is_latest or event.type is EventType.OPENED
    is_new = may_start and _make_links(db, organization, event, targets, at)
    if event.comment is not None:
        return _accept_comment(db, organization, event, event.comment, at, is_latest=is_latest, untrue=untrue)
    entry = TimelineEntry(
        _EVENT_KIND[event.type] if is_latest else TimelineKind.INCIDENT_EVENT_LATE,
        "incident",
        at,
        values={"event": event.id, "occurred_at": write_time(event.occurred_at), **_told_of(untrue)},
    )
    rows = db.execute(
        "SELECT id FROM link WHERE organization = ? AND incident_id = ?", (organization, event.incident.id)
    ).fetchall()
    for (link_id,) in rows:
        timeline.append(db, link_id, (entry,))
        if is_latest or is_new:
            lanes.wake_for(db, link_id, "to_ticket_since", at)
    return EventOutcome.NEW if rows or is_new else EventOutcome.IGNORED


def _accept_comment(  # noqa: PLR0913 - an event with its comment
    db: Connection,
    organization: str,
    event: IncidentEvent,
    comment: Comment,
    at: datetime,
    *,
    is_latest: bool,
    untrue: Mapping[str, str],
) -> EventOutcome:
    """Store a comment for each link of its incident; what the event shows of the incident itself counts as usual."""
    outcomes: set[CommentState | None] = set()
    rows = db.execute(
        "SELECT id FROM link WHERE organization = ? AND incident_id = ?", (organization, event.incident.id)
    ).fetchall()
    for (link_id,) in rows:
        state = comments.take_from_incident(db, link_id, comment, at)
        outcomes.add(state)
        if state is not None:
            values = {
                "author": comment.author,
                "comment": comment.id,
                "why": Nuance.SYNC_OFF if state is CommentState.LEFT else "",
                **_told_of(untrue),
            }
            entry = TimelineEntry(TimelineKind.INCIDENT_COMMENTED, "incident", at, values)
            timeline.append(db, link_id, (entry,))
        if is_latest:
            lanes.wake_for(db, link_id, "to_ticket_since", at)
    if CommentState.WAITING in outcomes:
        return EventOutcome.NEW
    return EventOutcome.DUPLICATE if None in outcomes else EventOutcome.IGNORED


def _told_of(untrue: Mapping[str, str]) -> dict[str, str]:
    """Say on a timeline which times of an event are not believed, as they were told."""
    named = ", ".join(f"{name} {moment}" for name, moment in untrue.items())
    return {"ignored_times": f"{named} (far from the time of receipt)"} if named else {}


def _remember_incident(db: Connection, organization: str, event: IncidentEvent, at: datetime) -> bool:
    """Store the incident unless something later is known; events of one instant rank opened, updated, resolved.

    What is later is said by `is_later`, here in SQL.
    """
    incident = event.incident
    if event.type is EventType.RESOLVED:
        incident = incident.model_copy(update={"status": IncidentStatus.CLOSED})
    incident = _with_our_writes(db, organization, incident, event.occurred_at, at)
    stored = db.execute(
        "INSERT INTO incident (organization, id, body, status, occurred_at, event_rank, heard_at, unlinked_since)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?8, ?8)"
        " ON CONFLICT (organization, id) DO UPDATE SET body = excluded.body, status = excluded.status,"
        " occurred_at = excluded.occurred_at, event_rank = excluded.event_rank, heard_at = excluded.heard_at,"
        " unlinked_since = CASE WHEN incident.unlinked_since IS NULL THEN NULL ELSE excluded.heard_at END"
        " WHERE (excluded.occurred_at, excluded.event_rank) >= (incident.occurred_at, incident.event_rank)"
        " OR (incident.occurred_at > ?7 AND excluded.occurred_at <= ?7)",
        (
            organization,
            incident.id,
            incident.model_dump_json(exclude_none=True),
            incident.status,
            write_time(event.occurred_at),
            _EVENT_RANK[event.type],
            write_time(at + AHEAD),
            write_time(at),
        ),
    )
    return bool(stored.rowcount)


def _with_our_writes(db: Connection, organization: str, incident: Incident, at: datetime, now: datetime) -> Incident:
    """Return the incident of an event as it is since our writes: one sent before them shows what they overtook.

    What is known by now has the last of them, whichever link wrote it.
    """
    rows = db.execute("SELECT base FROM link WHERE organization = ? AND incident_id = ?", (organization, incident.id))
    overtaken = {
        name
        for (base,) in rows.fetchall()
        for name, agreed in read_base(base).items()
        if agreed.overtakes(incident_value(incident, name), at, now)
    }
    if not overtaken:
        return incident
    (body,) = db.execute(
        "SELECT body FROM incident WHERE organization = ? AND id = ?", (organization, incident.id)
    ).fetchone()
    known = read_incident(body)
    for name in overtaken:
        incident = with_value(incident, name, incident_value(known, name))
    return incident


def wake_others(db: Connection, link_id: int, at: datetime) -> None:
    """Wake the lanes of the other links of an incident that one link has changed."""
    rows = db.execute(
        "SELECT other.id FROM link JOIN link AS other ON other.organization = link.organization"
        " AND other.incident_id = link.incident_id AND other.id != link.id WHERE link.id = ?",
        (link_id,),
    )
    for (other,) in rows.fetchall():
        lanes.wake_for(db, other, "to_ticket_since", at)


def _make_links(
    db: Connection, organization: str, event: IncidentEvent, targets: Sequence[Target], at: datetime
) -> bool:
    """Link the incident under every active integration that it belongs to; return whether that brought something new.

    With rules it belongs to those only that they send it to. It is linked where it belongs to none, too, if it may have
    a ticket there that this database lacks: that is only looked for.
    """
    incident_id = event.incident.id
    begins = {target.integration_id for target in targets if _belongs(event, target)}
    active = {target.integration_id for target in targets}
    is_beginning = bool(begins) or event.type is EventType.OPENED
    route, is_decided = routing.route(db, organization, event.incident, active, is_beginning=is_beginning)
    linked = dict(
        db.execute(
            "SELECT integration_id, id FROM link WHERE organization = ? AND incident_id = ?",
            (organization, incident_id),
        ).fetchall()
    )
    make_link = partial(_make_link, db, organization, event, linked=linked, at=at)
    others = [one for one in targets if route is not None and not _is_sent(route, one)]
    made = [make_link(one, belongs=False) for one in others]
    if route is not None and is_decided:
        route = routing.after_looks(db, organization, incident_id, route)
    for target in targets:
        if route is not None and not _is_sent(route, target):
            continue
        belongs = target.integration_id in begins
        made.append(link_id := make_link(target, belongs=belongs))
        if link_id is not None and belongs and route is not None:
            routing.tell(db, link_id, target.integration_id, route, at)
    waits = is_decided and route is not None and bool(route.waits_for)
    return waits or any(link_id is not None for link_id in made)


def _make_link(  # noqa: PLR0913 - an event, an integration, and what they have of each other
    db: Connection,
    organization: str,
    event: IncidentEvent,
    target: Target,
    *,
    linked: Mapping[str, int],
    at: datetime,
    belongs: bool,
) -> int | None:
    """Make a link, or let one that is known have a ticket made; return it, None where there is nothing to do."""
    about = (db, event, target.integration_id, target.activated_at, at)
    known = linked.get(target.integration_id)
    if known is not None:
        return known if belongs and looks.let_make(db, known, life.made_since(*about), at) else None
    if belongs:
        since = life.made_since(*about)
        return new_links.make(db, organization, event.incident.id, target, at, made_since=since)
    looks_since = life.looked_for_since(*about)
    if looks_since is None:
        return None
    return new_links.make_looking(db, organization, event.incident.id, target, at, looks_since=looks_since)


def _is_sent(route: Route, target: Target) -> bool:
    """Return whether an incident was sent to an integration, and does not wait for it: then it is linked later."""
    return target.integration_id in route.to and target.integration_id not in route.waits_for


def _belongs(event: IncidentEvent, target: Target) -> bool:
    """Return whether an event may start a link.

    `opened` always does. So does `updated`, or a comment, of an incident that was opened after the activation: its
    `opened` is late or lost. An incident that is over needs no new ticket.
    """
    if event.type is EventType.OPENED:
        return True
    opened_at = event.incident.opened_at
    return (
        event.type in {EventType.UPDATED, EventType.COMMENTED}
        and event.incident.status is IncidentStatus.ACTIVE
        and opened_at is not None
        and opened_at >= target.activated_at
    )


class Inbox(Noun):
    """What comes in: events, deliveries, and tickets that were read."""

    accept_events = submits(accept_events)
    accept_poll = writes(accept_poll)
    accept_delivery = submits(deliveries.accept_delivery)
    accept_deliveries = submits(deliveries.accept_deliveries)
    accept_requests = submits(deliveries.accept_requests)
    see_tickets = writes(shown_tickets.see_tickets)
