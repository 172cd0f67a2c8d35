"""The text of a comment on a ticket: whose it is and where it was written, its words, and a mark where none else fits.

Writing it once and reading it back from a ticketing system is not here: what a system answers differs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from connector_core.contract.models import TicketComment, WriteComment
from connector_core.kit.details import REFERENCE
from connector_core.kit.markup import PLAIN, Markup
from connector_core.kit.texts import CUT_NOTE, clean, fitted, one_line

SOMEBODY = "Someone"  #: who wrote a comment whose author is not known
NO_TEXT = "(The comment has no text.)"  #: what a comment without words says

_LONGEST_NAME = 255
_FIRST_LINE = re.compile(r"(?P<author>.{1,255}) in (?P<platform>.{1,255}):")
_MARK_LINE = re.compile(rf"{re.escape(REFERENCE)}(cnx-[0-9a-f]{{20}}(?:-\d{{1,9}})?)")


class CommentParts(NamedTuple):
    """A comment taken apart; what is not ours is all `text`, with the rest empty."""

    text: str
    author: str = ""
    platform: str = ""
    marker: str = ""


def comment_text(  # noqa: PLR0913 - by keyword
    draft: WriteComment,
    markup: Markup = PLAIN,
    *,
    longest: int = 32_000,
    count: Callable[[str], int] = len,
    note: str = CUT_NOTE,
    with_marker: bool = False,
) -> str:
    r"""Write a comment that shows exactly its text, below a line that says whose it is and where it was written.

    `with_marker` puts the marker below, for systems that keep nothing beside the text of a comment. `longest` is in
    whatever `count` counts; what is too long is cut in the comment's own words, which then end in `note`.

    >>> comment_text(draft)  # of Ada, in Platform
    'Ada in Platform:\n\nIt is hot.'
    """
    author = one_line(draft.comment.author, _LONGEST_NAME, empty=SOMEBODY)
    first = markup.escape(f"{author} in {one_line(draft.platform, _LONGEST_NAME, empty='?')}:")
    last = "\n\n" + markup.escape(REFERENCE + draft.marker) if with_marker else ""
    own = markup.normalise(draft.comment.text) or NO_TEXT
    room = longest - count(first) - count(last) - len("\n\n")
    return f"{first}\n\n{fitted(own, room, count=count, escape=markup.escape, note=note)}{last}"


def read_comment(text: str, markup: Markup = PLAIN) -> CommentParts:
    r"""Take a comment apart; `marker` is set for one that a connector wrote `with_marker`, and for no other.

    Without a marker in the text nobody can tell whether its first line is ours: then all of it is the text.

    >>> read_comment("Ada in Platform:\n\nIt is hot.\n\nReference: cnx-0123456789abcdef0123").text
    'It is hot.'
    """
    shown = markup.unescape(clean(text))
    above, _, last = shown.rpartition("\n")
    found = _MARK_LINE.fullmatch(last.strip())
    if found is None:
        return CommentParts(shown)
    first, _, rest = above.strip().partition("\n")
    of = _FIRST_LINE.fullmatch(first.strip())
    if of is None:
        return CommentParts(above.strip(), marker=found[1])
    return CommentParts(rest.strip(), of["author"], of["platform"], found[1])


def told_comment(  # noqa: PLR0913 - by keyword
    comment_id: str, author: str, text: str, created_at: datetime, *, internal: bool, markup: Markup = PLAIN
) -> TicketComment:
    r"""Return a comment as the other side tells it: one that carries a marker is our own, what is ours in it left out.

    `author` is the name that people know, `text` as it is stored there.

    >>> told_comment("7", "", "", moment, internal=True).text
    '(The comment has no text.)'
    """
    parts = read_comment(text, markup)
    return TicketComment(
        id=comment_id,
        author=one_line(author, _LONGEST_NAME, empty=SOMEBODY),
        text=parts.text.strip() or NO_TEXT,
        created_at=created_at,
        internal=internal,
        own=bool(parts.marker),
    )
