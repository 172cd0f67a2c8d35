"""Comments at the sandbox: internal unless they are to be public, known by their mark, read with who may see them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from connector_core import (
    Comment,
    ConfigError,
    FindComment,
    NotCreated,
    RemoteError,
    RetryLater,
    TicketComment,
    TicketGone,
    TicketSnapshot,
    WriteComment,
    WrittenComment,
)
from connector_core.kit import texts
from connector_jira_jsm.api.client import JiraClient
from connector_jira_jsm.text import cuts, plain, wiki
from connector_jira_jsm.text.descriptions import LONGEST
from connector_jira_jsm.tickets.comments import fetch, leave_note, write
from connector_jira_jsm_sandbox import DEFAULT, DIFFICULT
from connector_jira_jsm_sandbox.faults import Fault
from connector_jira_jsm_sandbox.issue import Comment as JiraComment
from tests.support.jira.at_sandbox import Place, place
from tests.support.jira.handles import NOW
from tests.support.jira.hostile_texts import HOSTILE


@pytest.fixture(params=[DEFAULT, DIFFICULT], ids=["plain", "difficult"])
def at(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Authorize an integration at a sandbox."""
    with place(profile=request.param) as found:
        yield found


@pytest.fixture
def ticket(at: Place) -> TicketSnapshot:
    """Open a ticket."""
    return at.open()[1]


def draft(ticket: TicketSnapshot, text: str = "Is it plugged in?", **fields: Any) -> WriteComment:  # noqa: ANN401 - of a draft
    """Make a comment that is to be written."""
    at = datetime.fromisoformat("2026-03-02T09:00:00+00:00")
    comment = Comment(id="com-1", author=fields.pop("author", "Ada"), text=text, created_at=at)
    return WriteComment(ticket=ticket, comment=comment, **{"platform": "Xyte", "marker": "cnx-1", **fields})


def lost(draft: WriteComment, at: datetime, age_s: float = 0.0) -> FindComment:
    """Return the look for a comment whose answer was lost."""
    return FindComment.model_validate({**dict(draft), "attempted_at": at, "attempt_age_s": age_s})


def shown(at: Place, ticket: TicketSnapshot) -> tuple[JiraComment, ...]:
    """Return what people see on the ticket."""
    return at.sandbox.workbench.issue(ticket.id).fields.comments


def read(at: Place, ticket: TicketSnapshot, since: datetime | None = None) -> list[TicketComment]:
    """Read the comments of a ticket."""
    return list(fetch(at.integration, ticket, since or at.clock.now() - timedelta(days=1)))


@pytest.mark.parametrize("public", [False, True])
def test_a_comment_is_written_in_one_call(at: Place, ticket: TicketSnapshot, public: bool) -> None:  # noqa: FBT001 - a parameter
    """Whose it is stands in the first line; customers see it only if that was said; it carries our mark."""
    before = at.sandbox.call_count()

    written = write(at.integration, draft(ticket, public=public))

    (comment,) = shown(at, ticket)
    assert at.sandbox.call_count() - before == 1
    assert isinstance(written, WrittenComment)
    assert (written.id, comment.public) == (comment.id, public)
    assert plain.of_wiki(comment.body) == "Ada in Xyte:\n\nIs it plugged in?"
    assert dict(comment.properties)["connector.comment"] == {"marker": "cnx-1"}


@pytest.mark.cases_in_test(8)
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_comes_out_as_text(at: Place, ticket: TicketSnapshot, text: str) -> None:
    """What people write is never markup, and neither is their name."""
    name = texts.one_line(f"x {text}", 255)  # a name must not turn round what stands behind it
    write(at.integration, draft(ticket, f"a {text}", author=f"x {text}"))

    first, _, rest = shown(at, ticket)[0].body.partition("\n\n")
    assert (first, rest) == (wiki.escape(f"{name} in Xyte:"), wiki.escape(f"a {text}"))


@pytest.mark.parametrize("text", ["x" * 40_000, "*" * 40_000, "line\n\n" * 10_000])
def test_a_text_that_is_too_long_is_cut_with_a_note(at: Place, ticket: TicketSnapshot, text: str) -> None:
    """Jira takes no more than 32,767 characters, signs of markup counted."""
    write(at.integration, draft(ticket, text))

    body = shown(at, ticket)[0].body
    assert len(body) <= LONGEST
    assert plain.of_wiki(body).endswith(cuts.DESCRIPTION)


def test_a_text_without_anything_visible_is_said_to_be_one(at: Place, ticket: TicketSnapshot) -> None:
    """A comment of control characters alone would be refused."""
    write(at.integration, draft(ticket, "\x01\x02"))

    assert plain.of_wiki(shown(at, ticket)[0].body).endswith("(The comment has no text.)")


def test_after_a_lost_answer_it_is_found_by_its_mark(at: Place, ticket: TicketSnapshot) -> None:
    """However many came after it, and whatever people made of its text."""
    at.sandbox.add_fault(Fault("lost_answer", method="POST", path=r".*/comment"))
    with pytest.raises(RetryLater) as caught:
        write(at.integration, draft(ticket))
    assert caught.value.outcome_unknown
    for number in range(120):
        at.sandbox.workbench.comment(ticket.id, f"word {number}")

    found = write(at.integration, lost(draft(ticket), at.clock.now()))

    assert isinstance(found, WrittenComment)
    assert found.id == shown(at, ticket)[0].id


def test_it_is_written_again_only_when_it_cannot_be_under_way(at: Place, ticket: TicketSnapshot) -> None:
    """A call that was given up may still arrive within the next seconds."""
    with pytest.raises(RetryLater) as caught:
        write(at.integration, lost(draft(ticket), at.clock.now(), 10))
    assert caught.value.after_s == 20

    answer = write(at.integration, lost(draft(ticket), at.clock.now(), 31))
    assert isinstance(answer, NotCreated)


def test_the_mark_of_another_comment_is_not_ours(at: Place, ticket: TicketSnapshot) -> None:
    """Each comment has its own."""
    write(at.integration, draft(ticket))

    answer = write(at.integration, lost(draft(ticket, marker="cnx-2"), at.clock.now(), 31))
    assert isinstance(answer, NotCreated)


def test_on_a_ticket_that_is_gone_nothing_can_be_written(at: Place, ticket: TicketSnapshot) -> None:
    """Nor read."""
    at.sandbox.workbench.delete(ticket.id)

    with pytest.raises(TicketGone):
        write(at.integration, draft(ticket))
    with pytest.raises(TicketGone):
        read(at, ticket)


def test_without_the_permission_a_person_is_asked() -> None:
    """Jira says why, and the core waits for somebody."""
    denied = replace(DEFAULT, denied=frozenset({"ADD_COMMENTS"}))
    with place(profile=denied) as at, pytest.raises(RemoteError) as caught:
        write(at.integration, draft(at.open()[1]))
    assert "permission to comment" in caught.value.message


def test_an_account_whose_comments_become_public_writes_no_internal_one() -> None:
    """What Jira showed to customers is removed at once, and no more is tried until somebody authorizes again."""
    with place(profile=replace(DEFAULT, account_is_agent=False)) as at:
        ticket = at.open()[1]
        with pytest.raises(ConfigError) as caught:
            write(at.integration, draft(ticket))
        assert (caught.value.code, shown(at, ticket)) == ("comment_not_internal", ())
        before = at.sandbox.call_count()
        with pytest.raises(ConfigError):
            write(at.integration, draft(ticket))
        assert at.sandbox.call_count() == before

        assert at.core.present is not None
        at.core.present = at.core.present.model_copy(update={"consented_at": at.clock.now() + timedelta(days=1)})
        at.sandbox.administer(account_is_agent=True)
        assert isinstance(write(at.integration, draft(ticket)), WrittenComment)
        assert isinstance(write(at.integration, draft(ticket, marker="cnx-2", public=True)), WrittenComment)


def test_one_that_became_public_is_removed_after_a_lost_answer_too() -> None:
    """Whether the answer was lost or we were killed before it was read: customers do not keep it."""
    with place(profile=replace(DEFAULT, account_is_agent=False)) as at:
        ticket = at.open()[1]
        at.sandbox.add_fault(Fault("lost_answer", method="POST", path=r".*/comment"))
        with pytest.raises(RetryLater):
            write(at.integration, draft(ticket))
        assert [comment.public for comment in shown(at, ticket)] == [True]

        with pytest.raises(ConfigError) as caught:
            write(at.integration, lost(draft(ticket), at.clock.now()))

        assert (caught.value.code, shown(at, ticket)) == ("comment_not_internal", ())


def test_one_that_was_meant_to_be_public_stays(at: Place, ticket: TicketSnapshot) -> None:
    """What it was written as counts, not what the setting says since."""
    write(at.integration, draft(ticket, public=True))

    found = write(at.integration, lost(draft(ticket), at.clock.now()))

    assert isinstance(found, WrittenComment)
    assert [comment.public for comment in shown(at, ticket)] == [True]


def test_a_lost_one_is_found_though_our_clock_was_far_off(at: Place, ticket: TicketSnapshot) -> None:
    """The page that is read anyway is looked through, whenever its comments were made."""
    write(at.integration, draft(ticket))
    at.sandbox.workbench.comment(ticket.id, "a word since")

    found = write(at.integration, lost(draft(ticket), at.clock.now() + timedelta(days=2), 31))

    assert isinstance(found, WrittenComment)


def test_the_closing_note_of_an_account_whose_comments_become_public_is_removed() -> None:
    """It is for agents alone, too."""
    with place(profile=replace(DEFAULT, account_is_agent=False)) as at:
        ticket = at.open()[1]
        with pytest.raises(ConfigError):
            leave_note(JiraClient(at.integration), ticket.id, "Please close it.")
        assert shown(at, ticket) == ()


def test_comments_are_read_with_who_may_see_them(at: Place, ticket: TicketSnapshot) -> None:
    """Oldest first, as plain text; ours are known as such."""
    at.sandbox.workbench.comment(ticket.id, "We *are* on it.\n{code}x{code}")
    at.clock.forward(1)
    at.sandbox.workbench.comment(ticket.id, "The password is xyzzy", public=False)
    at.clock.forward(1)
    write(at.integration, draft(ticket, public=True))

    first, second, third = read(at, ticket)

    person = at.sandbox.profile.person.display_name
    assert (first.author, first.text, first.internal, first.own) == (person, "We *are* on it.\n\nx", False, False)
    assert (second.internal, second.own) == (True, False)
    assert (third.internal, third.own) == (False, True)


def test_only_what_is_new_is_read(at: Place, ticket: TicketSnapshot) -> None:
    """A long history costs one page, and of that only the latest."""
    for number in range(150):
        at.sandbox.workbench.comment(ticket.id, f"old {number}")
    at.clock.forward(600)
    since = at.clock.now()
    at.sandbox.workbench.comment(ticket.id, "new")
    before = at.sandbox.call_count()

    assert [one.text for one in read(at, ticket, since)] == ["new"]
    assert at.sandbox.call_count() - before == 1
    assert len(read(at, ticket)) == 151


def test_the_closing_note_is_one_of_ours(at: Place, ticket: TicketSnapshot) -> None:
    """What asks a person to close the ticket is no comment for the incident."""
    leave_note(JiraClient(at.integration), ticket.id, "Please close it.")

    (comment,) = read(at, ticket)
    assert (comment.own, comment.internal, shown(at, ticket)[0].public) == (True, True, False)


@pytest.mark.parametrize(
    ("change", "internal"),
    [
        ({"jsdPublic": None}, True),
        ({"jsdPublic": "yes"}, True),
        ({"visibility": {"type": "role", "value": "Team"}}, True),
        ({"properties": [{"key": "sd.public.comment", "value": {"internal": True}}]}, True),
        ({"properties": ["?", {"key": "sd.public.comment"}]}, False),
        ({"author": None}, False),
        ({"body": None}, False),
    ],
)
def test_in_doubt_a_comment_is_internal(change: dict[str, Any], internal: bool) -> None:  # noqa: FBT001 - a parameter
    """Whatever an answer leaves open, nothing slips out."""
    from connector_jira_jsm.tickets.comments import _comment  # noqa: PLC0415 - what no sandbox answers

    body = {"id": "1", "created": "2026-03-02T09:30:00.000+0000", "jsdPublic": True, "author": {}, "body": "x"}

    comment = _comment({**body, **change}, NOW)

    assert comment is not None
    assert comment.internal is internal
    assert comment.author == "Someone"


@pytest.mark.parametrize("change", [{"id": 5}, {"id": ""}, {"id": "9" * 300}, {"id": None}])
def test_what_is_no_comment_is_passed_over(change: dict[str, Any]) -> None:
    """An answer that cannot be read is no reason to fail."""
    from connector_jira_jsm.tickets.comments import _comment  # noqa: PLC0415 - as above

    assert _comment({"id": "1", "created": "2026-03-02T09:30:00.000+0000", **change}, NOW) is None
