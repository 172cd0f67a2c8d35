"""Comments of a ticketing system as a class, where our mark is in their text: written once, internal ones kept so.

    class AcmeDesk(CommentedDesk[AcmeSettings]): ...

    write_comment = hook(hookspecs.write_comment, "desk:AcmeDesk.write_comment")
    fetch_comments = hook(hookspecs.fetch_comments, "desk:AcmeDesk.fetch_comments")

A system that keeps a mark beside the text goes by `comments.write_once` itself.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from connector_core.contract.errors import RemoteError
from connector_core.contract.handles import Integration
from connector_core.contract.models import (
    CommentDraft,
    NotCreated,
    TicketComment,
    TicketSnapshot,
    WriteComment,
    WrittenComment,
)
from connector_core.kit.comments import Entry, Internal, Shown, marked, told, write_once
from connector_core.kit.desk import Desk, S

#: How much earlier than it was tried a comment is looked for: our clock may have been set by an hour since.
LOOK_BACK = timedelta(minutes=75)


class CommentedDesk(Desk[S]):
    """One ticketing system with comments, for one integration."""

    #: How the account gets to write comments that customers do not see.
    internal_fix: ClassVar[str]
    #: How many seconds a comment that was given up may take to arrive.
    comment_settles_s: ClassVar[float] = 30.0

    @abstractmethod
    def entries(self, ticket_id: str, since: datetime) -> Iterable[Entry]:
        """Give the comments of a ticket, the oldest first, ours among them; older ones than asked for are left out.

        One of which it is not certain that customers see it is not public. The first message is none of them.
        """

    @abstractmethod
    def add_comment(self, draft: WriteComment) -> Shown:
        """Write a comment, internal unless `draft.public`, with the mark in it: `comment_text(..., with_marker=True)`.

        Raises:
            RetryLater: with `outcome_unknown`, where the answer does not show whether it was written.
        """

    def comments_with(self, ticket_id: str, marker: str, since: datetime) -> Iterable[Shown]:
        """Look for the comments of a ticket that carry a marker, among those since a time."""
        return marked(self.entries(ticket_id, since), marker, since)

    def as_taken(self, draft: WriteComment, where: str) -> Shown:
        """Return a comment that was just written and of which no id comes back: it is looked for by its mark.

        `where` is what an administrator knows as the place of such comments.

        Raises:
            RemoteError: it is not there.
        """
        since = self.integration.clock.now() - LOOK_BACK
        if found := next(iter(self.comments_with(draft.ticket.id, draft.marker, since)), None):
            return found
        raise RemoteError(
            f"{self.info.spoken} took the comment and does not show it: our account may not write {where}.",
            code="comment_not_taken",
            fix=f"Have an administrator let the account write {where}, then retry.",
        )

    @classmethod
    def write_comment(cls, integration: Integration[S], draft: CommentDraft) -> WrittenComment | NotCreated:
        """Write a comment with its marker, or find the one that has it."""
        desk = cls(integration)
        return write_once(
            draft,
            write=desk.add_comment,
            find=lambda asked: desk.comments_with(asked.ticket.id, asked.marker, asked.attempted_at - LOOK_BACK),
            keep_internal=Internal(integration, None, cls.internal_fix),
            settle_s=cls.comment_settles_s,
        )

    @classmethod
    def fetch_comments(
        cls, integration: Integration[S], ticket: TicketSnapshot, since: datetime
    ) -> Sequence[TicketComment]:
        """Read the comments since a time, the oldest first, without what is in their text for us."""
        return told(cls(integration).entries(ticket.id, since), since)
