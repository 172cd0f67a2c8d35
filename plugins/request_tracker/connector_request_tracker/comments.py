"""Comments on tickets: written once and recognisable, internal ones never as what customers see."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial

import connector_core as core
from connector_core.kit import comments, paging, rest, values
from connector_core.kit.answers import Subject
from connector_core.kit.comment_texts import comment_text
from connector_core.kit.html_markup import HTML
from connector_core.kit.signing import moment_of, name_of
from connector_core.kit.texts import clean
from connector_request_tracker.api import RIGHT_FIX, is_number, rest_of
from connector_request_tracker.settings import Tracker

#: Those that customers do not see, and those that go to them.
_INTERNAL, _PUBLIC = "Comment", "Correspond"
_PAGES = paging.PageNumber("page", size=100, size_parameter="per_page")
_SHOWN = {"fields": "Type,Creator,Created", "fields[Creator]": "RealName,Name"}
_LOOK_BACK = timedelta(minutes=75)  # our clock may have been set by an hour since


@core.implements(core.hookspecs.write_comment)
def write(integration: Tracker, draft: core.CommentDraft) -> core.WrittenComment | core.NotCreated:
    """Write a comment with its marker, or find the one that has it."""
    api, internal = rest_of(integration), comments.Internal(integration, None, RIGHT_FIX)

    def marked(draft: core.FindComment) -> Iterator[comments.Shown]:
        return comments.marked(_entries(api, draft.ticket.id), draft.marker, draft.attempted_at - _LOOK_BACK)

    return comments.write_once(draft, write=partial(_written, api), find=marked, keep_internal=internal)


@core.implements(core.hookspecs.fetch_comments)
def fetch(integration: Tracker, ticket: core.TicketSnapshot, since: datetime) -> Sequence[core.TicketComment]:
    """Read the comments since a time, the oldest first; what was written into the text to know ours by is left out."""
    return comments.told(_entries(rest_of(integration), ticket.id), since)


def _written(api: rest.Rest, draft: core.WriteComment) -> comments.Shown:
    kind = "correspond" if draft.public else "comment"
    body = {"Content": comment_text(draft, with_marker=True), "ContentType": "text/plain"}
    reply = api.call("POST", f"/ticket/{rest.segment(draft.ticket.id)}/{kind}", body=body, about=Subject.TICKET)
    number = reply.location.rpartition("/")[2]
    if not is_number(number):
        raise values.unreadable(outcome_unknown=True)
    return comments.Shown(number, draft.public)


def _entries(api: rest.Rest, ticket_id: str) -> Iterator[comments.Entry]:
    """Yield the comments of a ticket; the first message is none of them."""
    path = f"/ticket/{rest.segment(ticket_id)}/history"
    for shown in api.pages(path, "items", _PAGES, params=_SHOWN, about=Subject.TICKET):
        number, kind, by = name_of(shown.get("id")), shown.get("Type"), values.as_object(shown.get("Creator"))
        author, at = name_of(by.get("RealName") or by.get("Name")), moment_of(str(shown.get("Created")))
        if kind in {_INTERNAL, _PUBLIC}:
            yield comments.Entry(number, author, partial(_text, api, number), at, is_public=kind == _PUBLIC)


def _text(api: rest.Rest, transaction: str) -> str:
    """Read the text of a comment, and none of the files with it, however large they are."""
    path = f"/transaction/{rest.segment(transaction)}/attachments"
    parts = api.pages(path, "items", _PAGES, params={"fields": "ContentType"})
    kinds = {name_of(part.get("id")): str(part.get("ContentType")) for part in parts}
    for kind in ("text/plain", "text/html"):
        number = next((number for number, its in kinds.items() if its.startswith(kind)), None)
        if number is not None:
            content = values.whole(api.get(f"/attachment/{rest.segment(number)}")).get("Content")
            text = clean(b64decode(str(content or "")).decode("utf-8", "replace"))
            return HTML.unescape(text) if kind == "text/html" else text
    return ""
