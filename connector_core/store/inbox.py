"""What comes in: incident events, ticket snapshots by webhook or poll. Each is stored and wakes its lanes, or is known.

Every function here runs inside a transaction of the writer.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from connector_core.contract.merge import incident_value, with_value
from connector_core.contract.models import (
    SHOWN_AS,
    Comment,
    Delivery,
    EventType,
    FieldName,
    Incident,
    IncidentEvent,
    IncidentStatus,
    TicketSnapshot,
)
from connector_core.contract.times import AHEAD, is_ahead, is_late, with_believed_times
from connector_core.store import comments, early, gone, lanes, life, sources, timeline, webhooks
from connector_core.store.nouns import Noun, submits, writes
from connector_core.store.records import (
    DISCARDED,
    IGNORED,
    MOVED,
    SIGNED,
    Accepted,
    CommentState,
    EventOutcome,
    Reading,
    Target,
    TimelineEntry,
)
from connector_core.store.rows import link_marker, read_base, read_incident, write_json, write_time

_EVENT_RANK = {EventType.OPENED: 0, EventType.UPDATED: 1, EventType.COMMENTED: 1, EventType.RESOLVED: 2}
_EVENT_WORD = {EventType.OPENED: "opened", EventType.UPDATED: "updated", EventType.RESOLVED: "resolved"}
_NOT_SYNCED = "Comments of incidents are not carried to this integration's tickets."


def accept_events(
    db: sqlite3.Connection,
    organization: str,
    events: Sequence[IncidentEvent],
    targets: Sequence[Target],
    at: datetime,
) -> Accepted:
    """Store events of one organization, make the links that they call for, wake what they concern."""
    outcomes = tuple(_accept_event(db, organization, event, targets, at) for event in events)
    found = Counter(outcomes)
    return Accepted(
        new=found[EventOutcome.NEW],
        duplicate=found[EventOutcome.DUPLICATE],
        ignored=found[EventOutcome.IGNORED],
        outcomes=outcomes,
    )


def accept_poll(  # noqa: PLR0913, PLR0917 - events with what they are for, and the cursor that they lead to
    db: sqlite3.Connection,
    organization: str,
    read: Reading,
    events: Sequence[IncidentEvent],
    targets: Sequence[Target],
    cursor: str | None,
    at: datetime,
) -> Accepted | None:
    """Store events as a push's, and how far the source was read by now unless more is to come.

    None, and nothing stored, when the source was changed, removed or had to begin anew since it was read.
    """
    if sources.reading(db, organization, read.plugin) != read:
        return None
    accepted = accept_events(db, organization, events, targets, at)
    if cursor is not None:
        sources.keep_cursor(db, organization, read.plugin, cursor, at)
    return accepted


def _accept_event(
    db: sqlite3.Connection, organization: str, event: IncidentEvent, targets: Sequence[Target], at: datetime
) -> EventOutcome:
    event, untrue = with_believed_times(event, at)
    stored = db.execute(
        "INSERT INTO event (organization, id, type, incident_id, occurred_at, received_at) VALUES (?, ?, ?, ?, ?, ?)"
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
        kind=f"incident_{_EVENT_WORD[event.type]}" if is_latest else "incident_event_late",
        side="incident",
        text=f"The incident was {_EVENT_WORD[event.type]}."
        if is_latest
        else "An event arrived that is older than what is known; it changes nothing.",
        at=at,
        values={"event": event.id, "occurred_at": write_time(event.occurred_at), **_told_of(untrue)},
    )
    rows = db.execute(
        "SELECT id FROM link WHERE organization = ? AND incident_id = ?", (organization, event.incident.id)
    ).fetchall()
    for (link_id,) in rows:
        timeline.append(db, link_id, (entry,))
        if is_latest or is_new:
            _wake(db, link_id, "to_ticket_since", at)
    return EventOutcome.NEW if rows else EventOutcome.IGNORED


def _accept_comment(  # noqa: PLR0913 - an event with its comment
    db: sqlite3.Connection,
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
                "not_carried": _NOT_SYNCED if state is CommentState.LEFT else "",
                **_told_of(untrue),
            }
            entry = TimelineEntry("incident_commented", "incident", "The incident was commented on.", at, values)
            timeline.append(db, link_id, (entry,))
        if is_latest:
            _wake(db, link_id, "to_ticket_since", at)
    if CommentState.WAITING in outcomes:
        return EventOutcome.NEW
    return EventOutcome.DUPLICATE if None in outcomes else EventOutcome.IGNORED


def _told_of(untrue: Mapping[str, str]) -> dict[str, str]:
    """Say on a timeline which times of an event are not believed, as they were told."""
    named = ", ".join(f"{name} {moment}" for name, moment in untrue.items())
    return {"ignored_times": f"{named} (far from the time of receipt)"} if named else {}


def _wake(db: sqlite3.Connection, link_id: int, direction: str, at: datetime) -> None:
    """Wake a lane for something that is to be synced in a direction."""
    db.execute(
        f"UPDATE link SET {direction} = COALESCE({direction}, ?) WHERE id = ?",  # noqa: S608 - our own column names
        (write_time(at), link_id),
    )
    lanes.wake(db, link_id, at)


def _remember_incident(db: sqlite3.Connection, organization: str, event: IncidentEvent, at: datetime) -> bool:
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


def _with_our_writes(
    db: sqlite3.Connection, organization: str, incident: Incident, at: datetime, now: datetime
) -> Incident:
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


def wake_others(db: sqlite3.Connection, link_id: int, at: datetime) -> None:
    """Wake the lanes of the other links of an incident that one link has changed."""
    rows = db.execute(
        "SELECT other.id FROM link JOIN link AS other ON other.organization = link.organization"
        " AND other.incident_id = link.incident_id AND other.id != link.id WHERE link.id = ?",
        (link_id,),
    )
    for (other,) in rows.fetchall():
        _wake(db, other, "to_ticket_since", at)


def _make_links(
    db: sqlite3.Connection, organization: str, event: IncidentEvent, targets: Sequence[Target], at: datetime
) -> bool:
    """Link the incident under every active integration that it belongs to; return whether a link is new."""
    made = False
    linked = {
        row[0]
        for row in db.execute(
            "SELECT integration_id FROM link WHERE organization = ? AND incident_id = ?",
            (organization, event.incident.id),
        )
    }
    for target in targets:
        if target.integration_id in linked or not _belongs(event, target):
            continue
        row = db.execute(
            "INSERT INTO link (organization, integration_id, incident_id, marker, settings, state, code, reason, since,"
            " created_at, attempted_at)"
            " VALUES (?, ?, ?, ?, ?, 'waiting', 'new', 'The ticket is about to be created.', ?, ?, ?)"
            " RETURNING id",
            (
                organization,
                target.integration_id,
                event.incident.id,
                link_marker(organization, target.integration_id, event.incident.id),
                write_json(dict(target.link_settings)),
                write_time(at),
                write_time(at),
                write_time(life.made_since(db, event, target.integration_id, target.activated_at, at)),
            ),
        ).fetchone()
        lanes.create(db, row[0], target.integration_id)
        made = True
    return made


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


class _Facts:
    """What is counted of deliveries, written together: most deliveries of a batch count the same."""

    def __init__(self) -> None:
        self._counted: Counter[tuple[str, str]] = Counter()
        self._last: dict[str, datetime] = {}

    def count(self, integration_id: str, name: str) -> None:
        self._counted[integration_id, name] += 1

    def came(self, integration_id: str, at: datetime) -> None:
        self._last[integration_id] = max(at, self._last.get(integration_id, at))

    def write(self, db: sqlite3.Connection, at: datetime) -> None:
        for (integration_id, name), number in self._counted.items():
            webhooks.count(db, integration_id, name, at, number)
        for integration_id, last in self._last.items():
            db.execute("UPDATE integration SET last_delivery_at = ? WHERE id = ?", (write_time(last), integration_id))


def _accept(db: sqlite3.Connection, facts: _Facts, given: tuple[str, Delivery, str], at: datetime) -> Accepted:
    """Store an authenticated delivery once, and what it shows of linked tickets; it comes with who signed it."""
    integration_id, delivery, secret = given
    if secret:
        facts.count(integration_id, SIGNED + secret)
    stored = db.execute(
        "INSERT INTO delivery (integration_id, id, event, matched, received_at) VALUES (?, ?, ?, 0, ?)"
        " ON CONFLICT (integration_id, id) DO NOTHING",
        (integration_id, delivery.id, delivery.event, write_time(at)),
    )
    if not stored.rowcount:
        facts.count(integration_id, IGNORED + "duplicate")
        return Accepted(duplicate=1)
    facts.came(integration_id, at)
    matched = _matched(db, integration_id, delivery, at)
    if matched:
        db.execute(
            "UPDATE delivery SET matched = ? WHERE integration_id = ? AND id = ?",
            (matched, integration_id, delivery.id),
        )
        return Accepted(new=1)
    facts.count(integration_id, IGNORED + (delivery.ignored or "not_linked"))
    return Accepted(ignored=1)


def _matched(db: sqlite3.Connection, integration_id: str, delivery: Delivery, at: datetime) -> int:
    """Store what a delivery shows; return of how many linked tickets it was."""
    found = sum(
        see_ticket(db, integration_id, ticket, at, via=delivery.event, by=delivery.changed_by, is_told=True)
        for ticket in delivery.tickets
    )
    found += sum(_hint(db, integration_id, ticket, at) for ticket in delivery.hints)
    found += sum(comments.told(db, integration_id, ticket, ids, at) for ticket, ids in delivery.commented.items())
    return found + sum(gone.mark_gone(db, integration_id, ticket, at, gone.SAID_DELETED) for ticket in delivery.deleted)


def accept_delivery(
    db: sqlite3.Connection, integration_id: str, delivery: Delivery, at: datetime, secret: str = ""
) -> Accepted:
    """Store an authenticated delivery once, and what it shows of linked tickets; `secret` names the one that signed."""
    return accept_deliveries(db, [(integration_id, delivery, secret)], at)


def accept_deliveries(db: sqlite3.Connection, given: Sequence[tuple[str, Delivery, str]], at: datetime) -> Accepted:
    """Store what one request says for each of some integrations; counted once, as the most that it is to any."""
    return accept_requests(db, "", [(given, at)])[0]


def accept_requests(
    db: sqlite3.Connection,
    organization: str,  # noqa: ARG001 - whose they all are is what a database may order writes by
    requests: Sequence[tuple[Sequence[tuple[str, Delivery, str]], datetime]],
) -> list[Accepted]:
    """Store what several requests of one organization say, in their order, as `accept_deliveries` does with each."""
    facts = _Facts()
    accepted: list[Accepted] = []
    for given, at in requests:
        outcomes = [_accept(db, facts, one, at) for one in given]
        accepted.append(max(outcomes, key=lambda one: (one.new, one.duplicate), default=Accepted()))
    if requests:
        facts.write(db, max(at for _, at in requests))
    return accepted


def _hint(db: sqlite3.Connection, integration_id: str, ticket_id: str, at: datetime) -> bool:
    """Have the lane of a linked ticket read it; False when no link has this ticket."""
    row = db.execute(
        "UPDATE link SET hints = hints + 1 WHERE integration_id = ? AND ticket_id = ? RETURNING id",
        (integration_id, ticket_id),
    ).fetchone()
    if row is None:
        early.keep_hint(db, integration_id, ticket_id, at)
        return False
    lanes.wake(db, row[0], at)
    return True


def see_tickets(db: sqlite3.Connection, integration_id: str, tickets: Sequence[TicketSnapshot], at: datetime) -> int:
    """Store how linked tickets look that were read to reconcile; return how many were news."""
    news = 0
    for ticket in tickets:
        before = db.total_changes
        see_ticket(db, integration_id, ticket, at, via="reconcile")
        news += db.total_changes > before
        comments.look_if_changed(db, integration_id, ticket, at)
    return news


def see_ticket(  # noqa: PLR0913 - by keyword, what its timeline tells
    db: sqlite3.Connection,
    integration_id: str,
    ticket: TicketSnapshot,
    at: datetime,
    *,
    via: str,
    by: Mapping[FieldName, str] | None = None,
    is_told: bool = False,
) -> bool:
    """Store how a linked ticket looks and wake its lane if that is news; False when no link has this ticket.

    `by` says who changed which field, as far as that was told. What was told rather than read, `is_told`, is read where
    a time lies ahead: which of two snapshots is the later one cannot be told then.
    """
    if is_told and is_ahead(ticket.updated, at):
        return _hint(db, integration_id, ticket.id, at)
    row = db.execute(
        "SELECT id, ticket, state FROM link WHERE integration_id = ? AND ticket_id = ?", (integration_id, ticket.id)
    ).fetchone()
    if row is None:
        early.keep(db, integration_id, ticket, at)
        return False
    link_id, known_text, state = row
    if state == "gone":  # it is back, or this is late news; the lane looks
        lanes.wake(db, link_id, at)
    known = TicketSnapshot.model_validate_json(known_text)
    if is_told and is_ahead(known.updated, at):
        return _hint(db, integration_id, ticket.id, at)
    if is_late(ticket, known, at):
        return True
    ticket = ticket.over(known)
    if ticket == known:
        return True
    keep_ticket(db, link_id, ticket, at)
    if changes := differences(known, ticket):
        note_move(db, link_id, known, ticket, at)
        told = {**changes, **_authors(changes, by or {})}
        entry = TimelineEntry("ticket_changed", "ticket", f"The ticket changed ({via}).", at, told)
        timeline.append(db, link_id, (entry,))
        _wake(db, link_id, "to_incident_since", at)
    return True


def _authors(changes: Mapping[str, object], by: Mapping[FieldName, str]) -> dict[str, str]:
    """Say who made which of these changes; of those that were told of late nobody knows."""
    fields: dict[str, list[str]] = {}
    for name, person in by.items():
        if person and any(shown in changes for shown in SHOWN_AS[name]):
            fields.setdefault(person, []).append(name.value)
    told = "; ".join(f"{person} ({', '.join(names)})" for person, names in fields.items())
    return {"changed_by": told} if told else {}


def note_move(
    db: sqlite3.Connection, link_id: int, before: TicketSnapshot, after: TicketSnapshot, at: datetime
) -> None:
    """Have the lane of a ticket that was moved check whether what the link keeps still fits."""
    if "place" not in differences(before, after):
        return
    text = f"The ticket was moved from {before.place} to {after.place} and is {after.key} now; the link is kept."
    entry = TimelineEntry(MOVED, "ticket", text, at, {"key": [before.key, after.key]})
    timeline.append(db, link_id, (entry,))
    db.execute(
        "UPDATE link SET state = 'waiting', code = ?, reason = ?, fix = '', since = ?, next_try = NULL"
        " WHERE id = ? AND state != 'gone' AND code != ?",
        (MOVED, text, write_time(at), link_id, DISCARDED),
    )


def keep_ticket(db: sqlite3.Connection, link_id: int, ticket: TicketSnapshot, at: datetime) -> None:
    """Store a snapshot as the ticket's present look, and when we heard of it."""
    db.execute(
        "UPDATE link SET ticket = ?, ticket_id = ?, ticket_key = ?, ticket_updated = ?, ticket_heard_at = ?"
        " WHERE id = ?",
        (
            ticket.model_dump_json(exclude_none=True),
            ticket.id,
            ticket.key,
            write_time(ticket.updated),
            write_time(at),
            link_id,
        ),
    )


def differences(before: TicketSnapshot, after: TicketSnapshot) -> dict[str, list[object]]:
    """Return what a person sees differently, as name and both values; what is told for the first time counts."""
    old, new = before.model_dump(mode="json"), after.model_dump(mode="json")
    # A place that is not known, since it was not told, is none that a ticket was moved from. The address is where to
    # find the ticket: nobody changes it there, and a site may be renamed.
    passed_over = {"updated", "url", "unknown"} | (set() if before.place and after.place else {"place"})
    return {name: [old[name], new[name]] for name in new if old[name] != new[name] and name not in passed_over}


class Inbox(Noun):
    """What comes in: events, deliveries, and tickets that were read."""

    accept_events = submits(accept_events)
    accept_poll = writes(accept_poll)
    accept_delivery = submits(accept_delivery)
    accept_deliveries = submits(accept_deliveries)
    accept_requests = submits(accept_requests)
    see_tickets = writes(see_tickets)
