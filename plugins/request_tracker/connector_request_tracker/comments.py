"""Comments on tickets: written once and recognisable, internal ones never as what customers see."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import connector_core as core
from connector_core.kit.answers import Subject
from connector_core.kit.comment_texts import comment_text, read_comment, told_comment
from connector_core.kit.comments import Internal, Shown, write_once
from connector_core.kit.html_markup import HTML
from connector_core.kit.paging import PageNumber
from connector_core.kit.rest import Rest, segment
from connector_core.kit.signing import moment_of, name_of
from connector_core.kit.texts import clean
from connector_core.kit.values import Json, unreadable, value_at, whole
from connector_request_tracker.api import RIGHT_FIX, is_number, rest_of
from connector_request_tracker.settings import Tracker

#: Those that customers do not see, and those that go to them.
_INTERNAL, _PUBLIC = "Comment", "Correspond"
_PAGES = PageNumber("page", size=100, size_parameter="per_page")
_SHOWN = {"fields": "Type,Creator,Created", "fields[Creator]": "RealName,Name"}
_LOOK_BACK = timedelta(minutes=75)  # our clock may have been set by an hour since


@core.implements(core.hookspecs.write_comment)
def write(integration: Tracker, draft: core.CommentDraft) -> core.WrittenComment | core.NotCreated:
    """Write a comment with its marker, or find the one that has it."""
    return write_once(
        draft,
        write=lambda draft: _written(rest_of(integration), draft),
        find=lambda draft: _marked(integration, draft),
        keep_internal=Internal(integration, None, RIGHT_FIX),
    )


@core.implements(core.hookspecs.fetch_comments)
def fetch(integration: Tracker, ticket: core.TicketSnapshot, since: datetime) -> Sequence[core.TicketComment]:
    """Read the comments since a time, the oldest first; what was written into the text to know ours by is left out."""
    return [
        told_comment(
            name_of(shown.get("id")),
            name_of(value_at(shown, "Creator.RealName") or value_at(shown, "Creator.Name")),
            text,
            moment_of(str(shown.get("Created"))) or since,
            internal=shown.get("Type") != _PUBLIC,
        )
        for shown, text in _texts(integration, ticket.id, since)
    ]


def _written(rest: Rest, draft: core.WriteComment) -> Shown:
    kind = "correspond" if draft.public else "comment"
    body = {"Content": comment_text(draft, with_marker=True), "ContentType": "text/plain"}
    reply = rest.call("POST", f"/ticket/{segment(draft.ticket.id)}/{kind}", body=body, about=Subject.TICKET)
    number = reply.location.rpartition("/")[2]
    if not is_number(number):
        raise unreadable(outcome_unknown=True)
    return Shown(number, draft.public)


def _marked(integration: Tracker, draft: core.FindComment) -> Iterator[Shown]:
    for shown, text in _texts(integration, draft.ticket.id, draft.attempted_at - _LOOK_BACK):
        if read_comment(text).marker == draft.marker:
            yield Shown(name_of(shown.get("id")), shown.get("Type") == _PUBLIC)


def _texts(integration: Tracker, ticket_id: str, since: datetime) -> Iterator[tuple[Json, str]]:
    """Yield the comments of a ticket since a time, with their texts; the first message is none of them."""
    rest = rest_of(integration)
    history = rest.pages(f"/ticket/{segment(ticket_id)}/history", "items", _PAGES, params=_SHOWN, about=Subject.TICKET)
    for shown in history:
        created = moment_of(str(shown.get("Created")))
        is_comment = shown.get("Type") in {_INTERNAL, _PUBLIC} and bool(name_of(shown.get("id")))
        # Times are whole seconds: what was written in the second of the look is later than it seems.
        if is_comment and (created is None or created >= since.replace(microsecond=0)):
            yield shown, _text(rest, name_of(shown.get("id")))


def _text(rest: Rest, transaction: str) -> str:
    """Read the text of a comment, and none of the files with it, however large they are."""
    parts = rest.pages(
        f"/transaction/{segment(transaction)}/attachments", "items", _PAGES, params={"fields": "ContentType"}
    )
    kinds = {name_of(part.get("id")): str(part.get("ContentType")) for part in parts}
    for kind in ("text/plain", "text/html"):
        number = next((number for number, its in kinds.items() if its.startswith(kind)), None)
        if number is not None:
            content = whole(rest.get(f"/attachment/{segment(number)}")).get("Content")
            text = clean(b64decode(str(content or "")).decode("utf-8", "replace"))
            return HTML.unescape(text) if kind == "text/html" else text
    return ""
