"""Comments on tickets: written once and recognisable, read with the certainty whether customers see them.

The platform's API takes properties with a new comment, so that the mark and the word that it is internal are there from
the first moment. The service desk API could say the latter too, but would leave the comment without a mark.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from connector_core import (
    AuthError,
    CommentDraft,
    ConfigError,
    Integration,
    NotCreated,
    RemoteError,
    RetryLater,
    TicketComment,
    TicketSnapshot,
    WrittenComment,
    truncate,
    utf16_length,
)
from connector_jira_jsm import sentences
from connector_jira_jsm.api.bodies import COMMENT_PROPERTY, INTERNAL_PROPERTY, Json
from connector_jira_jsm.api.client import JiraClient
from connector_jira_jsm.api.paging import PAGE
from connector_jira_jsm.fields import mapping
from connector_jira_jsm.text import descriptions, plain, wiki
from connector_jira_jsm.text.mentions import NAMES

# A call that we gave up may still arrive there.
SETTLE_S = 30.0
LOOK_BACK = timedelta(minutes=75)  # our clock may have been set by an hour since
NOT_INTERNAL = "comments become public"

_LONGEST_NAME = 255


def write(integration: Integration, draft: CommentDraft) -> WrittenComment | NotCreated:
    """Write a comment, or, after a lost answer, find the one that was written."""
    client = JiraClient(integration)
    if draft.attempted_at is not None:
        return _written_earlier(client, draft, draft.attempted_at)
    number = _added(client, draft.ticket.id, _text_of(draft), draft.marker, public=draft.public)
    return WrittenComment(id=number[:_LONGEST_NAME], note="" if draft.public else "internal")


def leave_note(client: JiraClient, ticket_id: str, text: str) -> None:
    """Leave a comment of ours that customers do not see."""
    _added(client, ticket_id, descriptions.fitted(text, descriptions.LONGEST), "", public=False)


def fetch(integration: Integration, ticket: TicketSnapshot, since: datetime) -> Sequence[TicketComment]:
    """Read the comments since a time, the oldest first."""
    found = {one.id: one for one in _since(JiraClient(integration), ticket.id, since)}
    return list(found.values())[::-1]


def _written_earlier(client: JiraClient, draft: CommentDraft, attempted_at: datetime) -> WrittenComment | NotCreated:
    """Look for the marker; nothing lags here, but a call that was given up may only be on its way.

    Raises:
        RetryLater: it is too early to say that there is none.
    """
    for number, comment in enumerate(client.comments(draft.ticket.id), start=1):
        if _note(comment, COMMENT_PROPERTY).get("marker") == draft.marker:
            if not draft.public and _note(comment, INTERNAL_PROPERTY).get("internal") is not False:
                _keep_internal(client, draft.ticket.id, comment)
            return WrittenComment(id=str(comment["id"]), note="found after a lost answer")
        if number >= PAGE and _is_before(comment, attempted_at - LOOK_BACK):  # our clock may be any: a page is read
            break
    if draft.attempt_age_s < SETTLE_S:
        raise RetryLater(
            "Jira did not answer whether the comment was written; it is being looked for.",
            after_s=SETTLE_S - draft.attempt_age_s,
            code="looking_for_lost_answer",
        )
    return NotCreated()


def _added(client: JiraClient, ticket_id: str, text: str, marker: str, *, public: bool) -> str:
    """Write a comment and return its id; an internal one only as long as customers do not see it.

    Raises:
        ConfigError: what this account writes is shown to customers.
    """
    integration = client.integration
    if not public and integration.memory.recall(NOT_INTERNAL) == _login(integration):
        raise _not_internal()
    answer = client.add_comment(ticket_id, text, marker, public=public)
    number = answer.get("id")
    if not isinstance(number, str) or not number:
        raise RetryLater("Jira did not say which comment it made.", outcome_unknown=True, code="comment_not_shown")
    if not public:
        _keep_internal(client, ticket_id, answer)
    return number


def _keep_internal(client: JiraClient, ticket_id: str, comment: Json) -> None:
    """Remove a comment that was to be internal if customers see it."""
    if comment.get("jsdPublic") is True:
        client.integration.memory.remember(NOT_INTERNAL, _login(client.integration))
        raise _not_internal(removed=_removed(client, ticket_id, str(comment["id"])))


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
        id=wiki.clean(number),
        author=_line(name) if isinstance(name, str) and _line(name) else sentences.SOMEBODY,
        text=plain.of_rich(shown.get("body"), shown.get(NAMES) or plain.NOBODY) or sentences.NO_TEXT,
        created_at=created,
        internal=not is_public or _note(shown, INTERNAL_PROPERTY).get("internal") is True,
        own=bool(_note(shown, COMMENT_PROPERTY)),
    )


def _text_of(draft: CommentDraft) -> str:
    """Write a comment as wiki markup that shows exactly its text, below a line that says whose it is and where."""
    first = wiki.escape(f"{_line(draft.comment.author) or sentences.SOMEBODY} in {_line(draft.platform)}:")
    own = wiki.normalise(draft.comment.text) or sentences.NO_TEXT
    return f"{first}\n\n{descriptions.fitted(own, descriptions.LONGEST - utf16_length(first) - 2)}"


def _line(text: str) -> str:
    return truncate(" ".join(wiki.clean(text).split()), _LONGEST_NAME)


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


def _login(integration: Integration) -> str:
    """Name the present authorization: another one may be allowed more."""
    grant = integration.core.grant()
    return f"{grant.account_id} {grant.consented_at}" if grant else ""


def _removed(client: JiraClient, ticket_id: str, comment_id: str) -> bool:
    try:
        client.delete_comment(ticket_id, comment_id)
    except (RetryLater, RemoteError, ConfigError, AuthError) as exc:
        client.integration.log.warning("public_comment_left", ticket=ticket_id, comment=comment_id, reason=exc.message)
        return False
    return True


def _not_internal(*, removed: bool = True) -> ConfigError:
    what = "No more are written." if removed else "One is there still and has to be deleted by hand."
    return ConfigError(
        f"Comments of the authorized account are shown to customers although they are meant to be internal. {what}",
        code="comment_not_internal",
        fix=sentences.MAKE_AGENT,
    )
