"""Comments of links."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from connector_core.contract.merge import Side
from connector_core.contract.models import TicketComment

LONGEST_ID = 255


class CommentState(StrEnum):
    """What became of a comment.

    Left: it was not to be synced. Refused: the other side cannot take it. Own: a connector had written it. Discarded:
    a person gave it up.
    """

    WAITING = "waiting"
    WRITTEN = "written"
    REFUSED = "refused"
    LEFT = "left"
    OWN = "own"
    DISCARDED = "discarded"


@dataclass(frozen=True)
class StoredComment:
    """A comment that waits to be synced from its side to the other.

    `marker` goes with it. `attempted_at` is set while a write may have worked without our knowing.
    """

    id: int
    side: Side
    their_id: str
    author: str
    text: str
    internal: bool
    created_at: datetime
    marker: str
    attempted_at: datetime | None = None


@dataclass(frozen=True)
class CommentStep:
    """How far the sync of one comment came; with a `state` it has come to its end."""

    comment_id: int
    state: CommentState | None = None
    written_id: str | None = None
    attempted_at: datetime | None = None
    attempt_settled: bool = False


@dataclass(frozen=True)
class CommentsSeen:
    """What was read of a ticket's comments, `looks` being those that asked for it.

    What was written before `since` does not count. `ticket_updated` is what was known then of when the ticket changed.
    """

    comments: tuple[TicketComment, ...]
    since: datetime
    with_internal: bool
    looks: int
    ticket_updated: datetime | None


def platform_name(integration_id: str, ticket_comment: str) -> str:
    """Name a ticket's comment for the platform, which may have tickets of several integrations."""
    return f"{integration_id}:{ticket_comment}"[:LONGEST_ID]
