"""Syncing comments: an append-only stream beside the fields, one by one, each with its receipt.

Those that wait together go in the order in which they were written, also where one has to be tried again.

On the ticket a comment is written once: its marker is looked for after a lost answer. What the platform is sent has the
same key at each try. Comments of the ticket are read when something told of them; our own are known by what was written
and by their marker, so that none comes back.
"""

from __future__ import annotations

from datetime import timedelta

from connector_core.contract.comment_rules import ToIncident, ToTicket
from connector_core.contract.errors import ConnectorError, PluginError, TicketGone
from connector_core.contract.lengths import shorten
from connector_core.contract.merge import Side
from connector_core.contract.models import (
    AddComment,
    Comment,
    FindComment,
    TicketComment,
    TicketSnapshot,
    WriteComment,
    WrittenComment,
)
from connector_core.store import (
    CommentsSeen,
    CommentState,
    CommentStep,
    Nuance,
    Progress,
    StoredComment,
    TimelineKind,
    platform_name,
)
from connector_core.sync.lane import Intent, Lane, digest

# How far a look reaches behind the ticket's last known change: times of one site are not the same to the millisecond.
OVERLAP = timedelta(minutes=1)
EXCERPT_CHARS = 120


def sync_comments(lane: Lane, ticket: TicketSnapshot) -> ConnectorError | None:
    """Write what waits both ways; return the error that some met: fields are synced all the same.

    Comments go before fields, since one that comes after its ticket was closed may open it again. What was told to the
    platform without an answer is told again first: only the answer says whether the same from there is our own.

    Raises:
        TicketGone: the ticket is not there.
    """
    failure: ConnectorError | None = None
    failed = set()
    for part in (_to_incident, _to_ticket, _look, _to_incident):
        if part in failed:
            continue  # it was tried just now
        try:
            part(lane, ticket)
        except TicketGone:
            raise
        except ConnectorError as exc:
            failure = failure or exc
            failed.add(part)
    return failure


def _to_ticket(lane: Lane, ticket: TicketSnapshot) -> None:
    told = [one.text for one in lane.tools.store.comments.attempted(lane.link.id, Side.TICKET)]
    while (one := lane.next_comment(Side.INCIDENT)) is not None:
        if one.attempted_at is None and any(text in one.text for text in told):
            return  # it may be what we told, under another name: the answer will say so
        if one.attempted_at is None and not _is_wanted(lane, one):
            _end(lane, one, CommentState.LEFT, TimelineKind.COMMENT_LEFT, why=Nuance.SYNC_OFF)
        else:
            _write(lane, ticket, one)


def _write(lane: Lane, ticket: TicketSnapshot, one: StoredComment) -> None:
    """Write a comment on the ticket, unless an earlier attempt did."""
    lane.count_against_cap()
    lane.spare()
    comment = Comment(id=one.their_id, author=one.author, text=one.text, created_at=one.created_at)
    draft = WriteComment(
        ticket=ticket,
        comment=comment,
        platform=lane.platform,
        marker=one.marker,
        public=lane.comments.to_ticket is ToTicket.PUBLIC and not one.internal,
    )
    if one.attempted_at is not None:
        tried = FindComment(
            ticket=draft.ticket,
            comment=draft.comment,
            platform=draft.platform,
            marker=draft.marker,
            public=draft.public,
            attempted_at=one.attempted_at,
            attempt_age_s=lane.attempt_age_s(one.marker),
        )
        with lane.guard_writing(_COMMENT):
            found = lane.plugin.write_comment(lane.integration, tried)
        if isinstance(found, WrittenComment):
            _refuse_anothers(lane, found)
            _written(lane, one, found)
            return
        if not _is_wanted(lane, one):
            _end(lane, one, CommentState.LEFT, TimelineKind.COMMENT_LEFT, why=Nuance.SYNC_OFF)
            return
    with lane.guard_writing(_COMMENT), lane.attempt(Intent.to_comment(one, lane.tools.clock.now())):
        answer = lane.plugin.write_comment(lane.integration, draft)
    _written(lane, one, answer)


def _is_wanted(lane: Lane, one: StoredComment) -> bool:
    """Return whether a comment may go to the ticket; what we tell there ourselves, which is internal, always may."""
    return one.internal or lane.comments.to_ticket is not ToTicket.NONE


def _refuse_anothers(lane: Lane, found: WrittenComment) -> None:
    if lane.tools.store.comments.is_anothers(lane.link.id, found.id):
        raise PluginError(
            f"Plugin {lane.plugin.name} took comment {found.id} of someone else's for one of ours.",
            code="comment_of_another",
        )


def _written(lane: Lane, one: StoredComment, written: WrittenComment) -> None:
    lane.attempt_settled(one.marker)
    _end(lane, one, CommentState.WRITTEN, TimelineKind.COMMENT_TO_TICKET, note=written.note, written_id=written.id)


def _look(lane: Lane, ticket: TicketSnapshot) -> None:
    """Read the ticket's comments if something told of new ones."""
    link, rules = lane.link, lane.comments
    if not link.comment_looks:
        return
    if rules.to_incident is ToIncident.NONE or rules.since is None:
        lane.record(Progress(comment_looks=link.comment_looks))
        return
    lane.spare()
    since, read_at = rules.since, link.comments_at
    if read_at is not None and (ticket.updated is None or read_at <= ticket.updated):  # else that time lay ahead
        since = max(since, read_at - OVERLAP)
    with lane.guard_reading():
        found = lane.plugin.fetch_comments(lane.integration, ticket, since)
    seen = CommentsSeen(
        tuple(found),
        since=rules.since,
        with_internal=rules.to_incident is ToIncident.ALL,
        looks=link.comment_looks,
        ticket_updated=ticket.updated,
    )
    lane.record(Progress(seen=seen))


def _to_incident(lane: Lane, _: TicketSnapshot) -> None:
    while (one := lane.next_comment(Side.TICKET)) is not None:
        wanted = lane.comments.to_incident
        is_left = wanted is ToIncident.NONE or (one.internal and wanted is not ToIncident.ALL)
        if is_left or lane.link.is_test:  # of a test the platform knows nothing
            _end(lane, one, CommentState.LEFT, TimelineKind.COMMENT_LEFT, why=Nuance.SYNC_OFF)
        else:
            _tell(lane, one)


def _tell(lane: Lane, one: StoredComment) -> None:
    """Send a comment to the platform; it is the same one at each try, by its key and by its id."""
    lane.count_against_cap()
    comment = TicketComment(
        id=platform_name(lane.integration.id, one.their_id),
        author=one.author,
        text=one.text,
        created_at=one.created_at,
        internal=one.internal,
    )
    update = AddComment(
        incident_id=lane.link.incident_id,
        incident=lane.link.incident,
        comment=comment,
        idempotency_key=f"cmt_{digest(one.marker)}",
    )
    plugin, source = lane.tools.registry.sources.handle(lane.link.organization)
    intent = Intent.to_comment(one, lane.tools.clock.now(), is_repeated=one.attempted_at is not None)
    with lane.guard_source(), lane.attempt(intent):
        outcome = plugin.apply_change(source, update).comment
    lane.attempt_settled(one.marker)
    if outcome is None:
        _end(lane, one, CommentState.REFUSED, TimelineKind.COMMENT_UNSUPPORTED, why=Nuance.NO_COMMENTS)
    elif outcome.unsupported:
        _end(lane, one, CommentState.REFUSED, TimelineKind.COMMENT_UNSUPPORTED, note=outcome.unsupported)
    else:
        _end(lane, one, CommentState.WRITTEN, TimelineKind.COMMENT_TO_INCIDENT, written_id=outcome.id or comment.id)


def _end(  # noqa: PLR0913 - what is written down of a comment
    lane: Lane,
    one: StoredComment,
    state: CommentState,
    kind: TimelineKind,
    *,
    note: str = "",
    why: Nuance | None = None,
    written_id: str | None = None,
) -> None:
    values = {
        "author": one.author,
        "comment": one.their_id,
        "text": _excerpt(one.text),
        "note": note,
        "why": why or "",
    }
    entry = lane.entry(kind, _OTHER[one.side], values)
    lane.record(Progress(comment=CommentStep(one.id, state, written_id), entries=(entry,)))


def _excerpt(text: str) -> str:
    """Return the beginning of a comment, in one line."""
    line = " ".join(text[: 2 * EXCERPT_CHARS].split())
    return shorten(line, EXCERPT_CHARS)


_COMMENT = "comment"
_OTHER = {Side.INCIDENT: Side.TICKET, Side.TICKET: Side.INCIDENT}
