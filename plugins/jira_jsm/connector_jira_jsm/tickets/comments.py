"""Comments on tickets: written once and recognisable, read with the certainty whether customers see them.

The platform's API takes properties with a new comment, so that the mark and the word that it is internal are there from
the first moment. The service desk API could say the latter too, but would leave the comment without a mark.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from connector_core import (
    CommentDraft,
    FindComment,
    Integration,
    NotCreated,
    RetryLater,
    TicketComment,
    TicketSnapshot,
    WriteComment,
    WrittenComment,
    hookspecs,
    implements,
    truncate,
    utf16_length,
)
from connector_core.kit import texts
from connector_core.kit.comment_texts import NO_TEXT, SOMEBODY, comment_text
from connector_core.kit.comments import Internal, Shown, write_once
from connector_core.kit.values import Json
from connector_jira_jsm import sentences
from connector_jira_jsm.api.bodies import COMMENT_PROPERTY, INTERNAL_PROPERTY
from connector_jira_jsm.api.client import JiraClient
from connector_jira_jsm.api.paging import PAGE
from connector_jira_jsm.fields import mapping
from connector_jira_jsm.text import cuts, descriptions, plain
from connector_jira_jsm.text.descriptions import WIKI
from connector_jira_jsm.text.mentions import NAMES

# A call that we gave up may still arrive there.
SETTLE_S = 30.0
LOOK_BACK = timedelta(minutes=75)  # our clock may have been set by an hour since

_LONGEST_NAME = 255


@implements(hookspecs.write_comment)
def write(integration: Integration, draft: CommentDraft) -> WrittenComment | NotCreated:
    """Write a comment, or, after a lost answer, find the one that was written."""
    client = JiraClient(integration)

    def written(draft: WriteComment) -> Shown:
        return _added(client, draft.ticket.id, _text_of(draft), draft.marker, public=draft.public)

    return write_once(
        draft,
        write=written,
        find=lambda draft: _written_earlier(client, draft),
        keep_internal=_internal(client, draft.ticket.id),
        settle_s=SETTLE_S,
        lost="Jira did not answer whether the comment was written; it is being looked for.",
    )


def leave_note(client: JiraClient, ticket_id: str, text: str) -> None:
    """Leave a comment of ours that customers do not see."""
    internal = _internal(client, ticket_id)
    internal.before()
    internal.after(_added(client, ticket_id, descriptions.fitted(text, descriptions.LONGEST), "", public=False))


def _internal(client: JiraClient, ticket_id: str) -> Internal:
    return Internal(client.integration, lambda number: client.delete_comment(ticket_id, number), sentences.MAKE_AGENT)


@implements(hookspecs.fetch_comments)
def fetch(integration: Integration, ticket: TicketSnapshot, since: datetime) -> Sequence[TicketComment]:
    """Read the comments since a time, the oldest first."""
    found = {one.id: one for one in _since(JiraClient(integration), ticket.id, since)}
    return list(found.values())[::-1]


def _written_earlier(client: JiraClient, draft: FindComment) -> Iterator[Shown]:
    """Look for the marker; nothing lags here."""
    for number, comment in enumerate(client.comments(draft.ticket.id), start=1):
        if _note(comment, COMMENT_PROPERTY).get("marker") == draft.marker:
            was_public = _note(comment, INTERNAL_PROPERTY).get("internal") is False
            yield Shown(str(comment["id"]), is_public=comment.get("jsdPublic") is True and not was_public)
        # Our clock may be any: a page is read.
        if number >= PAGE and _is_before(comment, draft.attempted_at - LOOK_BACK):
            break


def _added(client: JiraClient, ticket_id: str, text: str, marker: str, *, public: bool) -> Shown:
    """Write a comment."""
    answer = client.add_comment(ticket_id, text, marker, public=public)
    number = answer.get("id")
    if not isinstance(number, str) or not number:
        raise RetryLater("Jira did not say which comment it made.", outcome_unknown=True, code="comment_not_shown")
    return Shown(number, is_public=answer.get("jsdPublic") is True)


def _since(client: JiraClient, ticket_id: str, since: datetime) -> Iterator[TicketComment]:
    later = client.integration.clock.now()
    for comment in client.comments(ticket_id):
        if _is_before(comment, since):
            return
        # The list goes by time: one that does not tell its own is not later than the one before it.
        later = _time(comment) or later
        if (read := _comment(comment, later)) is not None:
            yield read
        else:
            client.integration.log.warning("comment_unreadable", ticket=ticket_id)


def _time(comment: Json) -> datetime | None:
    return mapping.moment(comment.get("created")) or mapping.moment(comment.get("updated"))


def _comment(shown: Json, created: datetime) -> TicketComment | None:
    """Read a comment; None for one without an id. Where Jira does not say that customers see it, it is internal."""
    number = shown.get("id")
    if not isinstance(number, str) or not 0 < len(number) <= _LONGEST_NAME:
        return None
    author = shown.get("author")
    name = author.get("displayName") if isinstance(author, dict) else None
    is_public = shown.get("jsdPublic") is True and not shown.get("visibility")
    return TicketComment(
        id=texts.clean(number),
        author=_line(name) if isinstance(name, str) and _line(name) else SOMEBODY,
        text=plain.of_rich(shown.get("body"), shown.get(NAMES) or plain.NOBODY) or NO_TEXT,
        created_at=created,
        internal=not is_public or _note(shown, INTERNAL_PROPERTY).get("internal") is True,
        own=bool(_note(shown, COMMENT_PROPERTY)),
    )


def _text_of(draft: WriteComment) -> str:
    """Write a comment as wiki markup that shows exactly its text, below a line that says whose it is and where."""
    return comment_text(draft, WIKI, longest=descriptions.LONGEST, count=utf16_length, note=cuts.DESCRIPTION)


def _line(text: str) -> str:
    return truncate(" ".join(texts.clean(text).split()), _LONGEST_NAME)


def _note(comment: Json, key: str) -> Json:
    """Return one of a comment's properties."""
    listed = comment.get("properties")
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, dict) and one.get("key") == key:
            value = one.get("value")
            return value if isinstance(value, dict) else {}
    return {}


def _is_before(comment: Json, since: datetime) -> bool:
    created = mapping.moment(comment.get("created"))
    return created is not None and created < since
