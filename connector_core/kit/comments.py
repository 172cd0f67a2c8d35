"""Writing a comment once, and none that is meant to be internal where customers would see it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from connector_core.contract.errors import AuthError, ConfigError, RemoteError, RetryLater
from connector_core.contract.handles import AnyIntegration
from connector_core.contract.models import (
    CommentDraft,
    FindComment,
    NotCreated,
    TicketComment,
    WriteComment,
    WrittenComment,
)
from connector_core.kit.comment_texts import read_comment, told_comment
from connector_core.kit.creating import wait_for_lost_answer

LOST = "It is not known whether the comment was written, for the answer was lost; it is being looked for."

_LONGEST_ID = 255
_LEFT = "One is there still and has to be deleted by hand."
_BECAME_PUBLIC = "comments become public"


class Shown(NamedTuple):
    """A comment as the other side shows it after it was written; `is_public` where customers see it."""

    id: str
    is_public: bool


@dataclass(frozen=True)
class Entry:
    """A comment as the other side lists it, where our mark is in its text."""

    #: What names it there; one without is passed over.
    id: str
    #: Who wrote it, by the name that people know.
    author: str
    #: Reads its text: of those that are too old, nobody asks for it.
    text: Callable[[], str]
    #: When it was written, None where that is not shown: such a one counts as new.
    at: datetime | None
    #: Whether customers see it.
    is_public: bool


def told(entries: Iterable[Entry], since: datetime) -> list[TicketComment]:
    """Return the comments since a time as the core has them, ours among them; for `fetch_comments`.

    Where times are whole seconds, what was written in the second of the look is later than it seems.

    >>> [one.text for one in told([Entry("7", "Ada", lambda: "It is hot.", None, False)], moment)]
    ['It is hot.']
    """
    return [
        told_comment(one.id, one.author, one.text(), one.at or since, internal=not one.is_public)
        for one in _since(entries, since)
    ]


def marked(entries: Iterable[Entry], marker: str, since: datetime | None = None) -> Iterator[Shown]:
    """Yield the comments that carry a marker, since a time if one is given; for `find` of `write_once`.

    >>> list(marked([Entry("7", "Ada", lambda: "It is hot.", None, False)], "cnx-0123456789abcdef0123"))
    []
    """
    for one in _since(entries, since):
        if read_comment(one.text()).marker == marker:
            yield Shown(one.id, one.is_public)


def _since(entries: Iterable[Entry], since: datetime | None) -> Iterator[Entry]:
    for one in entries:
        if one.id and (since is None or one.at is None or one.at >= since.replace(microsecond=0)):
            yield one


def write_once(  # noqa: PLR0913 - by keyword
    draft: CommentDraft,
    *,
    write: Callable[[WriteComment], Shown],
    find: Callable[[FindComment], Iterable[Shown]],
    keep_internal: Internal,
    settle_s: float = 30.0,
    lost: str = LOST,
) -> WrittenComment | NotCreated:
    """Write a comment, or find the one that an earlier attempt wrote although its answer was lost.

    `write` writes it, marked with `draft.marker`, and says how the other side shows it; it raises
    `RetryLater(outcome_unknown=True)` where that is not told. `find` gives those that carry the marker. An internal one
    that customers see is removed. `settle_s` is how many seconds a call that was given up may take to arrive.

    >>> write_once(draft, write=lambda _: Shown("7", False), find=lambda _: [], keep_internal=internal).note
    'internal'

    Raises:
        ConfigError: what this account writes is shown to customers.
        RetryLater: it was not found, but it is too early to say that it is not there.
    """
    if isinstance(draft, FindComment):
        for shown in find(draft):
            if not draft.public:
                keep_internal.after(shown)
            return WrittenComment(id=shown.id[:_LONGEST_ID], note="found after a lost answer")
        wait_for_lost_answer(settle_s - draft.attempt_age_s, lost, settle_s)
        return NotCreated()
    if draft.public:
        return WrittenComment(id=write(draft).id[:_LONGEST_ID])
    keep_internal.before()
    shown = write(draft)
    keep_internal.after(shown)
    return WrittenComment(id=shown.id[:_LONGEST_ID], note="internal")


class Internal:
    """Sees to it that internal comments stay internal, for the account that is authorized now.

    `remove` deletes a comment by its id, None where nobody can. `fix` says how the account gets to write internal
    comments. Once one became public no more are written until access is authorized again.

    >>> internal.before()
    """

    def __init__(self, integration: AnyIntegration, remove: Callable[[str], object] | None, fix: str) -> None:
        self.integration = integration
        self.remove = remove
        self.fix = fix

    def before(self) -> None:
        """Refuse to write one where the last one became public.

        >>> internal.before()

        Raises:
            ConfigError: it did.
        """
        if self.integration.memory.recall(_BECAME_PUBLIC) == self._login():
            raise self._refusal("No more are written.")

    def after(self, shown: Shown) -> None:
        """Remove a comment that was to be internal if customers see it.

        >>> internal.after(Shown("7", is_public=False))

        Raises:
            ConfigError: they do; its words say whether it could be removed.
        """
        if not shown.is_public:
            return
        self.integration.memory.remember(_BECAME_PUBLIC, self._login())
        if self.remove is None:
            raise self._refusal(_LEFT)
        try:
            self.remove(shown.id)
        except (RetryLater, RemoteError, ConfigError, AuthError) as exc:
            self.integration.log.warning("public_comment_left", comment=shown.id, reason=exc.message)
            raise self._refusal(_LEFT) from exc
        raise self._refusal("No more are written.")

    def _login(self) -> str:
        """Name the present authorization: another one may be allowed more."""
        grant = self.integration.core.grant()
        return f"{grant.account_id} {grant.consented_at}" if grant else ""

    def _refusal(self, what: str) -> ConfigError:
        said = "Comments of the authorized account are shown to customers although they are meant to be internal."
        return ConfigError(f"{said} {what}", code="comment_not_internal", fix=self.fix)
