"""Checks of comments: each is written once, and what is internal stays internal both ways."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from connector_core.contract.errors import ConnectorError, RetryLater
from connector_core.contract.models import Comment, NotCreated, TicketComment, WriteComment, WrittenComment
from connector_core.testing.conformance import changes
from connector_core.testing.conformance.checks import Checks, needs
from connector_core.testing.conformance.faults import ANSWER_LOST, DONE_THEN_500, RESET, THROTTLED, Fault, Rule
from connector_core.testing.conformance.ground import MOST_TRIES, Opened
from connector_core.testing.conformance.texts import HOSTILE

OF_A_COMMENT = (RESET, ANSWER_LOST, DONE_THEN_500, THROTTLED)


class Commenting(Checks):
    """Comments go both ways."""

    @needs("comments")
    def test_a_comment_is_written_for_those_who_work_on_it(self) -> None:
        """It is on the ticket, internal, known as our own, with its author's name and every word."""
        opened, draft = self._draft("The fan is loud.")

        written = self.ground.counted("comment", lambda: self._write(draft))

        found = self._comments(opened)[written.id]
        assert "The fan is loud." in found.text
        assert found.internal, "customers see what was not meant for them"
        assert found.own, "it would come back as somebody else's"

    @needs("public_comments")
    def test_a_public_comment_is_public(self) -> None:
        """Where the draft says so, customers see it."""
        opened, draft = self._draft("We are on our way.", public=True)

        written = self._write(draft)

        assert not self._comments(opened)[written.id].internal

    @needs("comments")
    @pytest.mark.parametrize("fault", OF_A_COMMENT, ids=lambda fault: fault.name)
    def test_one_comment_whatever_becomes_of_the_answer(self, fault: Fault) -> None:
        """However the first write ends, there is one comment in the end."""
        opened, draft = self._draft(f"Once only {uuid4().hex[:8]}.")
        self.ground.session.strike(fault, Rule.writes())

        written = self._settle(draft)

        assert self.ground.session.struck, "the fault never struck: no write was made"
        found = [one for one in self._comments(opened).values() if draft.comment.text in one.text]
        assert [one.id for one in found] == [written.id]
        assert found[0].internal

    @needs("comments")
    def test_a_look_for_a_comment_writes_nothing(self) -> None:
        """The marker of a comment that is there finds it, any other finds nothing; neither writes one."""
        opened, draft = self._draft("Here already.")
        written = self._write(draft)
        other = draft.model_copy(update={"marker": self.ground.some_marker()})

        known, unknown = self._look(draft), self._look(other)

        assert isinstance(known, WrittenComment)
        assert known.id == written.id
        assert isinstance(unknown, NotCreated)
        assert len(self._comments(opened)) == 1

    @needs("comments")
    @pytest.mark.parametrize("name", ["html", "wiki", "markdown", "controls", "long"])
    def test_any_text_can_be_a_comment(self, name: str) -> None:
        """It is written, read again as one comment of our own, and twice alike."""
        opened, draft = self._draft(HOSTILE[name])

        written = self._write(draft)

        once, again = self._comments(opened), self._comments(opened)
        assert once == again
        assert once[written.id].own

    @needs("person_comments")
    @pytest.mark.parametrize("internal", [True, False], ids=["internal", "public"])
    def test_a_persons_comment_is_read(self, internal: bool) -> None:  # noqa: FBT001 - both are tried
        """With its words, as not our own; an internal one is internal."""
        opened = self.ground.open()
        self.ground.desk.write_comment(opened.ticket.id, "It was the cable.", internal=internal)

        found = list(self._comments(opened).values())

        assert [one.text.strip() for one in found] == ["It was the cable."]
        assert not found[0].own
        assert found[0].author
        assert found[0].internal or not internal, "customers would see what was internal"
        if not internal and "public_comments" not in self.cannot:
            assert not found[0].internal

    @needs("comments")
    def test_comments_of_before_are_left_out(self) -> None:
        """Only those since a time come."""
        opened, draft = self._draft("Long ago.")
        self._write(draft)

        assert not self._comments(opened, ahead_s=86_400)

    def _draft(self, text: str, *, public: bool = False) -> tuple[Opened, WriteComment]:
        opened = self.ground.open()
        at = self.ground.system.clock.now()
        comment = Comment(id=f"com-{uuid4().hex[:8]}", author="Ada", text=text, created_at=at)
        return opened, changes.to_comment(opened.ticket, comment, self.ground.some_marker(), public=public)

    def _write(self, draft: WriteComment) -> WrittenComment:
        written = self.ground.call("write_comment", draft=draft)
        assert isinstance(written, WrittenComment)
        return written

    def _look(self, draft: WriteComment) -> WrittenComment | NotCreated:
        clock = self.ground.system.clock
        at, began = clock.now(), clock.monotonic()
        for _ in range(MOST_TRIES):
            try:
                asked = changes.to_find_comment(draft, at, clock.monotonic() - began)
                found: WrittenComment | NotCreated = self.ground.call("write_comment", draft=asked)
            except RetryLater as exc:
                self.ground.wait(exc.after_s or 1.0)
            else:
                return found
        raise AssertionError("a look for a comment never came to an end")

    def _settle(self, draft: WriteComment) -> WrittenComment:
        """Write it as the core does: look where the outcome is unknown, write again where nothing was written."""
        for _ in range(MOST_TRIES):
            try:
                return self._write(draft)
            except ConnectorError as exc:
                if isinstance(exc, RetryLater) and exc.outcome_unknown:
                    found = self._look(draft)
                    if isinstance(found, WrittenComment):
                        return found
                self.ground.wait(1.0)
        raise AssertionError("the comment was never written")

    def _comments(self, opened: Opened, *, ahead_s: float = -3600) -> dict[str, TicketComment]:
        since = self.ground.system.clock.now() + timedelta(seconds=ahead_s)
        found = self.ground.call("fetch_comments", ticket=opened.ticket, since=since)
        return {one.id: one for one in found}
