"""Tickets that are heard of before they are linked.

A rule of the ticketing system may change a ticket in the second it is created, so its delivery can come before the
answer to our create. While any create of the integration is unanswered, unknown tickets are kept for a short time; the
link that turns out to be theirs takes them over. So are hints, of which only the id is known.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from connector_core.contract.models import TicketSnapshot
from connector_core.contract.times import is_late, is_order_known
from connector_core.store import meta
from connector_core.store.rows import write_time
from connector_core.store.statements import Connection

KEPT_FOR = timedelta(minutes=15)
DROPPED = "early_tickets_dropped"


def keep(db: Connection, integration_id: str, ticket: TicketSnapshot, at: datetime) -> bool:
    """Keep an unknown ticket if it may be one that is just being created; return whether it was kept."""
    if not _may_be_ours(db, integration_id, at):
        return False
    known = take(db, integration_id, ticket.id)
    if known is not None:
        if not is_order_known(ticket, known, at):
            keep_hint(db, integration_id, ticket.id, at)
        ticket = known.over(ticket) if is_late(ticket, known, at) else ticket.over(known)
    db.execute(
        "INSERT INTO early_ticket (integration_id, ticket_id, ticket, received_at) VALUES (?, ?, ?, ?)",
        (integration_id, ticket.id, ticket.model_dump_json(exclude_none=True), write_time(at)),
    )
    return True


def keep_hint(db: Connection, integration_id: str, ticket_id: str, at: datetime) -> None:
    """Keep the id of an unknown ticket that is to be read, if it may be one that is just being created."""
    if _may_be_ours(db, integration_id, at):
        db.execute(
            "INSERT INTO early_hint (integration_id, ticket_id, received_at) VALUES (?, ?, ?)"
            " ON CONFLICT (integration_id, ticket_id) DO UPDATE SET received_at = excluded.received_at",
            (integration_id, ticket_id, write_time(at)),
        )


def _may_be_ours(db: Connection, integration_id: str, at: datetime) -> bool:
    """Return whether an unknown ticket may be one that is just being created; what is too old is dropped by the way."""
    old = write_time(at - KEPT_FOR)
    creating, is_old = db.execute(
        "SELECT EXISTS (SELECT 1 FROM link"
        "  WHERE integration_id = ? AND ticket_id IS NULL AND attempted_at IS NOT NULL),"
        " EXISTS (SELECT 1 FROM early_ticket WHERE integration_id = ? AND received_at < ?)"
        " OR EXISTS (SELECT 1 FROM early_hint WHERE integration_id = ? AND received_at < ?)",
        (integration_id, integration_id, old, integration_id, old),
    ).fetchone()
    if is_old:
        drop_old(db, at, integration_id)
    return bool(creating)


def drop_old(db: Connection, at: datetime, integration_id: str | None = None) -> int:
    """Drop what no link has claimed for a while, counted, of all or of one integration; return how many."""
    old = (write_time(at - KEPT_FOR), integration_id)
    dropped = sum(
        db.execute(
            f"DELETE FROM {table} WHERE received_at < ?1 AND (CAST(?2 AS TEXT) IS NULL OR integration_id = ?2)",  # noqa: S608 - ours
            old,
        ).rowcount
        for table in ("early_ticket", "early_hint")
    )
    if dropped:
        meta.add(db, DROPPED, dropped)
    return dropped


def take(db: Connection, integration_id: str, ticket_id: str) -> TicketSnapshot | None:
    """Return what was kept of a ticket, and keep it no longer."""
    row = db.execute(
        "DELETE FROM early_ticket WHERE integration_id = ? AND ticket_id = ? RETURNING ticket",
        (integration_id, ticket_id),
    ).fetchone()
    return None if row is None else TicketSnapshot.model_validate_json(row[0])


def take_hint(db: Connection, integration_id: str, ticket_id: str) -> bool:
    """Return whether a ticket is to be read, and keep that no longer."""
    gone = db.execute("DELETE FROM early_hint WHERE integration_id = ? AND ticket_id = ?", (integration_id, ticket_id))
    return bool(gone.rowcount)
