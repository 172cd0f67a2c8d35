"""Tickets that are not there: noted with the reason, and replaced when a person asks for that."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from connector_core.contract.models import Absence, AbsenceKind, TicketSnapshot
from connector_core.store import audit, comments, lanes, life, link_status, shown_tickets, timeline
from connector_core.store.records import (
    DISCARDED,
    REPLACEABLE,
    UNEXPLAINED,
    Act,
    LinkState,
    LinkStatus,
    TimelineEntry,
    TimelineKind,
)
from connector_core.store.rows import link_marker, next_marker, read_time, write_json, write_time
from connector_core.store.statements import Connection

SAID_DELETED = Absence(kind=AbsenceKind.DELETED, reason="The ticketing system says that the ticket was deleted.")


def mark_gone(db: Connection, integration_id: str, ticket_id: str, now: datetime, why: Absence = UNEXPLAINED) -> bool:
    """Mark the link of a ticket that is not there; False when it was marked already or is nobody's concern.

    What is known for certain, that it was deleted, is not replaced by less.
    """
    row = db.execute(
        "SELECT id FROM link WHERE integration_id = ? AND ticket_id = ? AND code NOT IN (?, ?, ?)",
        (integration_id, ticket_id, why.kind, AbsenceKind.DELETED, DISCARDED),
    ).fetchone()
    if row is None:
        return False
    status = LinkStatus(state=LinkState.GONE, code=why.kind, reason=why.reason, fix=why.fix)
    link_status.keep_status(db, row[0], status, now)
    timeline.append(db, row[0], (TimelineEntry(TimelineKind(why.kind), "ticket", now, {"reason": why.reason}),))
    return True


def note_merged(db: Connection, integration_id: str, ticket_id: str, now: datetime) -> bool:
    """Have the lane follow a ticket that went into another; False where it could not, or is nobody's concern."""
    row = db.execute(
        "SELECT id FROM link WHERE integration_id = ? AND ticket_id = ? AND code NOT IN (?, ?)",
        (integration_id, ticket_id, AbsenceKind.MERGED, DISCARDED),
    ).fetchone()
    return row is not None and shown_tickets.hint(db, integration_id, ticket_id, now)


def follow(db: Connection, link_id: int, ticket: TicketSnapshot, now: datetime) -> bool:
    """Give a link another ticket in place of its own, and wake it; False where another link has that one.

    Comments that were written there before stay there.
    """
    taken = db.execute(
        "SELECT 1 FROM link AS other JOIN link ON link.integration_id = other.integration_id"
        " WHERE link.id = ? AND other.id != link.id AND other.ticket_id = ?",
        (link_id, ticket.id),
    ).fetchone()
    lanes.wake(db, link_id, now)
    if taken is not None:
        return False
    shown_tickets.keep_ticket(db, link_id, ticket, now)
    db.execute(
        "UPDATE link SET comments_at = ?, hints = 0, hinted_by = '' WHERE id = ?",
        (write_time(ticket.updated or now), link_id),
    )
    return True


def recreate(db: Connection, link_id: int, now: datetime, settings: Mapping[str, object]) -> None:
    """Let a link have a new ticket in place of one that is not there, under a new marker and with given settings.

    Two people who ask at once get one, and what was asked for after a backup was taken is looked for.
    """
    row = db.execute(
        "SELECT organization, integration_id, incident_id, marker, created_at, code FROM link WHERE id = ?", (link_id,)
    ).fetchone()
    if row["code"] not in REPLACEABLE:
        return
    marker = next_marker(row["marker"], link_marker(row["organization"], row["integration_id"], row["incident_id"]))
    made_since = life.made_anew_since(db, read_time(row["created_at"]) or now)
    db.execute(
        "UPDATE link SET ticket = NULL, ticket_id = NULL, ticket_key = NULL, ticket_updated = NULL, base = '{}',"
        " attempted_at = ?, attempted_incident = NULL, marker = ?, settings = ?, is_open = 1, over_at = NULL,"
        " state = 'waiting', code = 'recreating', reason = '', fix = '', since = ?, next_try = NULL, attempts = 0,"
        " to_ticket_since = COALESCE(to_ticket_since, ?) WHERE id = ?",
        (
            write_time(made_since),
            marker,
            write_json(dict(settings)),
            write_time(now),
            write_time(now),
            link_id,
        ),
    )
    comments.start_anew(db, link_id)
    audit.note_link(db, Act.RECREATED, link_id)
    timeline.append(db, link_id, (TimelineEntry(TimelineKind.RECREATED, "connector", now),))
    lanes.wake(db, link_id, now)
