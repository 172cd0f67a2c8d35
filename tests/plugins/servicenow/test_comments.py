"""Comments and work notes, both ways."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector_core import Comment, FindComment, NotCreated, RemoteError, RetryLater, WriteComment
from connector_servicenow import fetch_comments, write_comment
from connector_servicenow_sandbox import Fault
from tests.support.servicenow import opened

MARKER = "cnx-0123456789abcdef0123-1"


def said(clock, text="It is hot."):
    """Return a comment of the platform."""
    return Comment(id="c1", author="Ada", text=text, created_at=clock.now())


def draft(clock, ticket, *, public=False):
    """Return a comment to be written."""
    return WriteComment(ticket=ticket, comment=said(clock), platform="Platform", marker=MARKER, public=public)


def find(clock, ticket, *, public=False):
    """Return a look for a comment of a minute ago."""
    began = clock.now() - timedelta(minutes=1)
    more = {"marker": MARKER, "public": public, "attempted_at": began, "attempt_age_s": 60}
    return FindComment(ticket=ticket, comment=said(clock), platform="Platform", **more)


@pytest.mark.parametrize("public", [True, False])
def test_a_comment_is_for_customers_only_if_it_may_be(sandbox, integration, clock, public):
    """Comments the caller sees; work notes are for people of the desk."""
    ticket = opened(integration)

    written = write_comment(integration, draft(clock, ticket, public=public))

    (entry,) = sandbox.comments(ticket.id)
    assert (entry["id"], entry["internal"]) == (written.id, not public)
    assert entry["text"].startswith("Ada in Platform:\n\nIt is hot.")


@pytest.mark.parametrize("kind", ["lost_answer", "done_then_500"])
def test_one_comment_whatever_becomes_of_the_answer(sandbox, integration, clock, kind):
    """It is looked for by its marker before it is written again."""
    ticket = opened(integration)
    sandbox.add_fault(Fault(kind, method="PATCH"))
    with pytest.raises(RetryLater) as caught:
        write_comment(integration, draft(clock, ticket))
    assert caught.value.outcome_unknown

    found = write_comment(integration, find(clock, ticket))

    assert [one["id"] for one in sandbox.comments(ticket.id)] == [found.id]


def test_one_that_was_not_written_is_safe_to_write(integration, clock):
    """After the time in which it may still arrive."""
    assert isinstance(write_comment(integration, find(clock, opened(integration))), NotCreated)


def test_people_are_read_and_ours_are_known(sandbox, integration, clock):
    """The oldest first, internal ones as such."""
    ticket = opened(integration)
    since = clock.now()
    sandbox.write_comment(ticket.id, "On our way", internal=False)
    clock.forward(1)
    sandbox.write_comment(ticket.id, "Call the vendor", internal=True)
    clock.forward(1)
    write_comment(integration, draft(clock, ticket))

    read = fetch_comments(integration, ticket, since)

    assert [(one.text, one.internal, one.own) for one in read] == [
        ("On our way", False, False),
        ("Call the vendor", True, False),
        ("It is hot.", True, True),
    ]
    assert read[0].author == "agnes.agent"
    assert len(fetch_comments(integration, ticket, clock.now())) == 1


@pytest.mark.parametrize("how", ["refused", "empty"])
def test_a_closed_journal_stops_neither_tickets_nor_our_comments(sandbox, integration, clock, how):
    """What we wrote is found in the incident itself; what people wrote cannot be read, which the check tells."""
    sandbox.administer(readers={**sandbox.profile.readers, "sys_journal_field": frozenset()}, closed_table=how)
    ticket = opened(integration)
    sandbox.write_comment(ticket.id, "On our way")

    assert write_comment(integration, draft(clock, ticket)).id == MARKER
    assert write_comment(integration, find(clock, ticket)).id == MARKER
    assert fetch_comments(integration, ticket, clock.now()) == []
    assert len(sandbox.comments(ticket.id)) == 2


def test_a_comment_that_is_dropped_without_a_word_is_told(sandbox, integration, clock):
    """The column may be closed for writing."""
    ticket = opened(integration)
    sandbox.administer(unwritable_fields=frozenset({"comments"}))

    with pytest.raises(RemoteError, match="may not write comments"):
        write_comment(integration, draft(clock, ticket, public=True))


@pytest.mark.parametrize("times", ["utc", "account"])
def test_no_comment_is_missed_in_another_zone(difficult, hard, clock, times):
    """A time in a filter may be read in the account's zone; what is older than asked for is left out."""
    difficult.administer(filter_times=times, readers={})
    ticket = opened(hard)
    difficult.write_comment(ticket.id, "Before")
    clock.forward(5)
    since = clock.now()
    difficult.write_comment(ticket.id, "After")

    assert [one.text for one in fetch_comments(hard, ticket, since)] == ["After"]
