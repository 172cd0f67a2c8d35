"""What a step of a link's lane achieved: stored as one, if the lane is still ours."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from connector_core.contract.field_values import incident_value, with_value
from connector_core.contract.merge import Agreed
from connector_core.contract.models import FieldName, TicketSnapshot
from connector_core.contract.times import is_late, is_later, is_order_known
from connector_core.store import comments, early, gone, inbox, lanes, life, link_status, looks, shown_tickets, timeline
from connector_core.store.beside import Place
from connector_core.store.records import Claim, OurWrite, Progress, Rest, TimelineEntry, TimelineKind
from connector_core.store.rows import must_read_time, read_base, read_incident, write_base, write_time
from connector_core.store.statements import Connection


def record(db: Connection, held: Claim, progress: Progress, now: datetime, rest: Rest | None = None) -> bool:
    """Store what a step achieved, if the claim is still good; False, and nothing stored, when it is not.

    The last step has a `rest`: its lane is given back with it.
    """
    if not _is_ours(db, held, progress, now, rest):
        return False
    link_id = held.link_id
    if progress.follows is not None and not gone.follow(db, link_id, progress.follows, now):
        return True  # another link was faster; the lane looks again
    if progress.ticket is not None:
        _keep_receipt(db, link_id, progress.ticket, now)
    if progress.base is not None:
        agree(db, link_id, progress.base)
    _keep_attempt(db, link_id, progress)
    if progress.written is not None:
        _keep_our_write(db, link_id, progress.written, now)
    if progress.status is not None:
        link_status.keep_status(db, link_id, progress.status, now, unless_given_up=True)
    if progress.hints:
        db.execute(
            "UPDATE link SET hints = MAX(0, hints - ?1), hinted_by = CASE WHEN hints > ?1 THEN hinted_by ELSE '' END"
            " WHERE id = ?2",
            (progress.hints, link_id),
        )
    comments.record(db, link_id, progress, now)
    if progress.stays_without:
        looks.end(db, link_id, now)
    if progress.settled:
        _settle(db, held)
    timeline.append(db, link_id, progress.entries)
    return True


def _is_ours(db: Connection, held: Claim, progress: Progress, now: datetime, rest: Rest | None) -> bool:
    """Return whether a claim is still good; its row is locked until all is committed."""
    if rest is not None:
        return lanes.release(db, held, rest, now)
    until = progress.calling_until
    return lanes.is_held(db, held) if until is None else lanes.begin_call(db, held, until)


def _keep_attempt(db: Connection, link_id: int, progress: Progress) -> None:
    """Store that a create begins, or that what came of one is known; or that a ticket has our mark."""
    if progress.marked:
        db.execute("UPDATE link SET mark_due = 0 WHERE id = ?", (link_id,))
    if progress.attempt_settled:
        db.execute("UPDATE link SET attempted_at = NULL, attempted_incident = NULL WHERE id = ?", (link_id,))
    if progress.attempted_at is not None and progress.attempted_incident is not None:
        incident = progress.attempted_incident.model_dump_json(exclude_none=True)
        db.execute(
            "UPDATE link SET attempted_at = ?, attempted_incident = ? WHERE id = ?",
            (write_time(progress.attempted_at), incident, link_id),
        )


def record_and_count(
    db: Connection, held: Claim, progress: Progress, now: datetime, rest: Rest | None = None
) -> tuple[bool, Place | None]:
    """Store what a step achieved; where something is about to be made, count it as a sign of life."""
    is_held = record(db, held, progress, now, rest)
    is_sign = is_held and progress.is_about_to_make and life.has_begun(db)
    return is_held, life.beat(db, now) if is_sign else None


def _keep_receipt(db: Connection, link_id: int, receipt: TicketSnapshot, now: datetime) -> None:
    """Store the ticket as a receipt shows it, unless a later snapshot arrived while the call was under way.

    Where that cannot be told, since one of them lies ahead, the ticket is read.
    """
    row = db.execute("SELECT integration_id, ticket FROM link WHERE id = ?", (link_id,)).fetchone()
    if row["ticket"] is not None:
        known = TicketSnapshot.model_validate_json(row["ticket"])
        if not is_late(receipt, known, now):
            receipt = receipt.over(known)
            shown_tickets.keep_ticket(db, link_id, receipt, now)
            shown_tickets.note_move(db, link_id, known, receipt, now)
        return
    shown_tickets.keep_ticket(db, link_id, receipt, now)
    before = early.take(db, row["integration_id"], receipt.id)
    is_told = early.take_hint(db, row["integration_id"], receipt.id)
    if is_told or (before is not None and not is_order_known(before, receipt, now)):
        db.execute("UPDATE link SET hints = hints + 1 WHERE id = ?", (link_id,))
        lanes.wake(db, link_id, now)
    if before is not None and is_late(receipt, before, now):
        before = before.over(receipt)
        shown_tickets.keep_ticket(db, link_id, before, now)
        values = {**shown_tickets.differences(receipt, before), "via": "early"}
        entry = TimelineEntry(TimelineKind.TICKET_CHANGED, "ticket", now, values)
        timeline.append(db, link_id, (entry,))


def agree(db: Connection, link_id: int, base: Mapping[FieldName, Agreed]) -> None:
    """Replace what was agreed on, field by field: a person may have settled another one meanwhile."""
    (known,) = db.execute("SELECT base FROM link WHERE id = ?", (link_id,)).fetchone()
    db.execute("UPDATE link SET base = ? WHERE id = ?", (write_base({**read_base(known), **base}), link_id))


def _keep_our_write(db: Connection, link_id: int, written: OurWrite, now: datetime) -> None:
    """Store the incident as our write left it; its place in the order of events stays.

    An event that arrived while the call was under way has the last word where it tells of something later or, when the
    platform told no time of our write, carries another value than the one we replaced.
    """
    row = db.execute(
        "SELECT incident.body, incident.occurred_at, link.organization, link.incident_id FROM link"
        " JOIN incident ON incident.organization = link.organization AND incident.id = link.incident_id"
        " WHERE link.id = ?",
        (link_id,),
    ).fetchone()
    if written.at is not None and is_later(must_read_time(row["occurred_at"]), written.at, now):
        return
    incident = read_incident(row["body"])
    for name, (before, after) in written.fields.items():
        if written.at is not None or incident_value(incident, name) == before:
            incident = with_value(incident, name, after)
    db.execute(
        "UPDATE incident SET body = ?, status = ? WHERE organization = ? AND id = ?",
        (incident.model_dump_json(exclude_none=True), incident.status, row["organization"], row["incident_id"]),
    )
    inbox.wake_others(db, link_id, now)


def _settle(db: Connection, held: Claim) -> None:
    """Note that nothing waits to be synced, unless something arrived since the lane was claimed."""
    db.execute(
        "UPDATE link SET to_ticket_since = NULL, to_incident_since = NULL WHERE id = ?"
        " AND (to_ticket_since IS NOT NULL OR to_incident_since IS NOT NULL)"
        " AND (SELECT wakes FROM lane WHERE link_id = link.id) = ?",
        (held.link_id, held.wakes),
    )
