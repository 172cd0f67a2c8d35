"""Comments of links: the incident's as they come in, the ticket's as they are read, and what became of each.

Those that wait are synced one by one in the order in which they were written. Once a comment needs no syncing its text
is forgotten; its id stays, so that it is one comment however often it is told of. Every function that changes something
runs inside a transaction of the writer.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from connector_core.contract.comment_rules import ToIncident, ToTicket
from connector_core.contract.merge import Side
from connector_core.contract.models import Comment, TicketComment, TicketSnapshot
from connector_core.contract.times import AHEAD
from connector_core.store import lanes, life, timeline
from connector_core.store.nouns import Noun, reads
from connector_core.store.records import (
    DISCARDED,
    CommentsSeen,
    CommentState,
    CommentStep,
    Nuance,
    Progress,
    StoredComment,
    TimelineEntry,
    TimelineKind,
    platform_name,
)
from connector_core.store.rows import comment_marker, must_read_time, read_time, write_time
from connector_core.store.statements import Connection, Row

WAITING = "SELECT * FROM comment WHERE link_id = ? AND side = ? AND state = 'waiting' ORDER BY created_at, id LIMIT ?"
ANY_WAITS = "SELECT 1 FROM comment WHERE link_id = ? AND state = 'waiting' LIMIT 1"
ATTEMPTED = "SELECT * FROM comment WHERE link_id = ? AND side = ? AND state = 'waiting' AND attempted_at IS NOT NULL"
WRITTEN = "SELECT 1 FROM comment WHERE link_id = ? AND side = ? AND written_id = ?"
ANOTHERS = "SELECT 1 FROM comment WHERE link_id = ? AND side = ? AND their_id = ? AND state != ?"

ECHO = (
    "UPDATE comment SET state = ?, text = '' WHERE link_id = ? AND side = ? AND their_id = ? AND state = 'waiting'"
    " AND attempted_at IS NULL AND (SELECT side FROM comment WHERE id = ?) = ?"
)


def take_from_incident(db: Connection, link_id: int, comment: Comment, at: datetime) -> CommentState | None:
    """Store a comment of the incident and wake its lane; None when it is known, or is one that we wrote there."""
    rules = db.execute(
        "SELECT link.integration_id, json_extract(integration.comments, '$.to_ticket'), link.code FROM link"
        " JOIN integration ON integration.id = link.integration_id WHERE link.id = ?",
        (link_id,),
    ).fetchone()
    if _is_ours_on_the_platform(db, link_id, rules[0], comment, at):
        return None
    wanted = (rules[1] or ToTicket.NONE) != ToTicket.NONE and rules[2] != DISCARDED
    state = CommentState.WAITING if wanted else CommentState.LEFT
    if not _insert(db, link_id, Side.INCIDENT, comment, state, at):
        return None
    if wanted:
        db.execute(
            "UPDATE link SET to_ticket_since = COALESCE(to_ticket_since, ?) WHERE id = ?", (write_time(at), link_id)
        )
        lanes.wake(db, link_id, at)
    return state


def told(db: Connection, integration_id: str, ticket_id: str, ids: Collection[str], at: datetime) -> bool:
    """Have the comments of a ticket read if a delivery tells of one that is new; False when that is of no concern."""
    row = db.execute(
        "SELECT link.id, json_extract(integration.comments, '$.to_incident') FROM link"
        " JOIN integration ON integration.id = link.integration_id"
        " WHERE link.integration_id = ? AND link.ticket_id = ?",
        (integration_id, ticket_id),
    ).fetchone()
    if row is None or (row[1] or ToIncident.NONE) == ToIncident.NONE:
        return False
    if not all(_is_known(db, row[0], one) for one in ids):
        _look(db, row[0], at)
    return True


def look_if_changed(db: Connection, integration_id: str, ticket: TicketSnapshot, at: datetime) -> None:
    """Have the comments of a ticket read that may have changed since they were read last, if comments are synced.

    That they were read at a time that lies ahead, and the ticket's does not, proves nothing.
    """
    row = db.execute(
        "SELECT link.id FROM link JOIN integration ON integration.id = link.integration_id"
        " WHERE link.integration_id = ?1 AND link.ticket_id = ?2 AND link.comment_looks = 0"
        " AND json_extract(integration.comments, '$.to_incident') != ?3 AND (CAST(?4 AS TEXT) IS NULL OR ?4 >"
        "  MAX(CASE WHEN link.comments_at > ?5 AND ?4 <= ?5 THEN '' ELSE COALESCE(link.comments_at, '') END,"
        "  COALESCE(json_extract(integration.comments, '$.since'), '')))",
        (integration_id, ticket.id, ToIncident.NONE, write_time(ticket.updated), write_time(at + AHEAD)),
    ).fetchone()
    if row is not None:
        _look(db, row[0], at)


def record(db: Connection, link_id: int, progress: Progress, at: datetime) -> None:
    """Store what a step of a lane achieved about comments."""
    for note in progress.notes:
        if _insert(db, link_id, Side.INCIDENT, note, CommentState.WAITING, at):
            lanes.wake_for(db, link_id, "to_ticket_since", at)
    if progress.comment is not None:
        _step(db, link_id, progress.comment)
    if progress.seen is not None:
        _see(db, link_id, progress.seen, at)
    if progress.comment_looks:
        _looked(db, link_id, progress.comment_looks, None)


def _see(db: Connection, link_id: int, seen: CommentsSeen, at: datetime) -> None:
    """Store what was read of a ticket's comments; those that are news wait to be synced, or it is told why not."""
    for one in seen.comments:
        if one.created_at < seen.since:
            continue
        is_own = one.own or db.execute(WRITTEN, (link_id, Side.INCIDENT, one.id)).fetchone() is not None
        is_left = one.internal and not seen.with_internal
        state = CommentState.OWN if is_own else CommentState.LEFT if is_left else CommentState.WAITING
        if not _insert(db, link_id, Side.TICKET, one, state, at) or is_own:
            continue
        why = Nuance.INTERNAL if is_left else ""
        values = {"author": one.author, "comment": one.id, "internal": one.internal, "why": why}
        entry = TimelineEntry(TimelineKind.TICKET_COMMENTED, "ticket", at, values)
        timeline.append(db, link_id, (entry,))
        if not is_left:
            db.execute(
                "UPDATE link SET to_incident_since = COALESCE(to_incident_since, ?) WHERE id = ?",
                (write_time(at), link_id),
            )
    _looked(db, link_id, seen.looks, seen.ticket_updated)


def _looked(db: Connection, link_id: int, looks: int, changed_at: datetime | None) -> None:
    db.execute(
        "UPDATE link SET comment_looks = MAX(0, comment_looks - ?), comments_at = COALESCE(?, comments_at)"
        " WHERE id = ?",
        (looks, write_time(changed_at), link_id),
    )


def _step(db: Connection, link_id: int, done: CommentStep) -> None:
    """Store how far the sync of a comment came; news of what we wrote may have overtaken the answer."""
    if done.attempted_at is not None:
        db.execute("UPDATE comment SET attempted_at = ? WHERE id = ?", (write_time(done.attempted_at), done.comment_id))
    if done.attempt_settled:
        db.execute("UPDATE comment SET attempted_at = NULL WHERE id = ?", (done.comment_id,))
    if done.state is not None:
        db.execute(
            "UPDATE comment SET state = ?, written_id = COALESCE(?, written_id), text = '', attempted_at = NULL"
            " WHERE id = ?",
            (done.state, done.written_id, done.comment_id),
        )
    if done.written_id is not None:
        db.execute(ECHO, (CommentState.OWN, link_id, Side.INCIDENT, done.written_id, done.comment_id, Side.TICKET))


def waiting(db: Connection, link_id: int, side: Side, limit: int = 1) -> list[StoredComment]:
    """Return the comments of one side that wait to be synced to the other, in that order."""
    return [_read(row) for row in db.execute(WAITING, (link_id, side, limit))]


def any_waits(db: Connection, link_id: int) -> bool:
    """Return whether a comment of either side waits to be synced to the other."""
    return db.execute(ANY_WAITS, (link_id,)).fetchone() is not None


def attempted(db: Connection, link_id: int, side: Side) -> list[StoredComment]:
    """Return the comments of one side that may have been written to the other without our knowing."""
    rows = db.execute(ATTEMPTED, (link_id, side))
    return [_read(row) for row in rows]


def is_anothers(db: Connection, link_id: int, ticket_comment: str) -> bool:
    """Return whether a comment on the ticket is known to be none of ours."""
    row = db.execute(ANOTHERS, (link_id, Side.TICKET, ticket_comment, CommentState.OWN)).fetchone()
    return row is not None


def give_up(db: Connection, link_id: int) -> int:
    """Sync none of those that wait; return how many did."""
    return db.execute(
        "UPDATE comment SET state = ?, text = '', attempted_at = NULL WHERE link_id = ? AND state = ?",
        (CommentState.DISCARDED, link_id, CommentState.WAITING),
    ).rowcount


def start_anew(db: Connection, link_id: int) -> None:
    """Forget what was attempted on a ticket that is replaced by another one."""
    db.execute("UPDATE comment SET attempted_at = NULL WHERE link_id = ? AND state = 'waiting'", (link_id,))
    db.execute("UPDATE link SET comment_looks = 0, comments_at = NULL WHERE id = ?", (link_id,))


def _insert(  # noqa: PLR0913, PLR0917 - a comment with where it stands
    db: Connection,
    link_id: int,
    side: Side,
    comment: Comment | TicketComment,
    state: CommentState,
    at: datetime,
) -> bool:
    """Store a comment; False when it is known. One that a life may have written that is not known is looked for."""
    is_waiting = state is CommentState.WAITING
    text = comment.text if is_waiting else ""
    (link,) = db.execute("SELECT marker FROM link WHERE id = ?", (link_id,)).fetchone()
    is_doubtful = is_waiting and side is Side.INCIDENT
    attempted_at = life.comment_made_since(db, comment.created_at, at) if is_doubtful else None
    return bool(
        db.execute(
            "INSERT INTO comment (link_id, side, their_id, author, text, internal, created_at, state, marker,"
            " attempted_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (link_id, side, their_id) DO NOTHING",
            (
                link_id,
                side,
                comment.id,
                comment.author,
                text,
                int(isinstance(comment, TicketComment) and comment.internal),
                write_time(comment.created_at),
                state,
                comment_marker(link, side, comment.id),
                write_time(attempted_at),
            ),
        ).rowcount
    )


def _look(db: Connection, link_id: int, at: datetime) -> None:
    db.execute("UPDATE link SET comment_looks = comment_looks + 1 WHERE id = ?", (link_id,))
    lanes.wake(db, link_id, at)


def _is_known(db: Connection, link_id: int, ticket_comment: str) -> bool:
    row = db.execute(
        "SELECT 1 FROM comment WHERE link_id = ? AND side = ? AND their_id = ?", (link_id, Side.TICKET, ticket_comment)
    ).fetchone()
    return row is not None or db.execute(WRITTEN, (link_id, Side.INCIDENT, ticket_comment)).fetchone() is not None


def _is_ours_on_the_platform(db: Connection, link_id: int, integration_id: str, comment: Comment, at: datetime) -> bool:
    """Return whether the platform tells us of a comment that came to it from this link's ticket.

    A life that is not known may have written it: then its name is enough.
    """
    if db.execute(WRITTEN, (link_id, Side.TICKET, comment.id)).fetchone() is not None:
        return True
    prefix = platform_name(integration_id, "")
    return comment.id.startswith(prefix) and (
        life.comment_made_since(db, comment.created_at, at) is not None
        or _is_known(db, link_id, comment.id.removeprefix(prefix))
    )


def _read(row: Row) -> StoredComment:
    return StoredComment(
        id=row["id"],
        side=Side(row["side"]),
        their_id=row["their_id"],
        author=row["author"],
        text=row["text"],
        internal=bool(row["internal"]),
        created_at=must_read_time(row["created_at"]),
        marker=row["marker"],
        attempted_at=read_time(row["attempted_at"]),
    )


class Comments(Noun):
    """Comments of links."""

    waiting = reads(waiting)
    any_waits = reads(any_waits)
    attempted = reads(attempted)
    is_anothers = reads(is_anothers)
