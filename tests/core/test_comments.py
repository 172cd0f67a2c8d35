"""Comments, both ways: each synced once and in order, none comes back, nothing is synced that was not asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connector_core import (
    AddComment,
    AuthError,
    Comment,
    CommentOutcome,
    ConfigError,
    Delivery,
    EventType,
    NotCreated,
    RemoteError,
    RetryLater,
    TicketGone,
    hookimpl,
)
from connector_core.contract.comment_rules import CommentRules, ToIncident, ToTicket
from connector_core.contract.merge import Side
from connector_core.store import Accepted, LinkState, Nuance
from connector_core.testing import MemoryDesk
from tests.support.rows import everything
from tests.support.sync_lab import happen, make_lab, run, see, tell

pytestmark = pytest.mark.lengthy_on_postgresql


@pytest.fixture
def lab(store, clock):
    """Put a store, both sides, a synchronizer and a person's operations together."""
    return make_lab(store, clock)


def switch(lab, to_ticket=ToTicket.NONE, to_incident=ToIncident.NONE):
    """Say which comments are synced, from now on."""
    lab.change_record(comments=lab.entry.record.comments.changed(to_ticket, to_incident, lab.clock.now()))


def say(lab, name="1", text="Is it plugged in?", **fields):
    """Let somebody comment on the incident; return what became of the event."""
    comment = Comment(id=f"com-{name}", author="Ada", text=text, created_at=lab.clock.now())
    return tell(lab, EventType.COMMENTED, comment=comment, **fields)


def reply(lab, name="7", text="It was not.", *, internal=False):
    """Let an agent comment on the ticket, and the delivery tell of it."""
    lab.clock.forward(1)
    lab.desk.comment("1", text, internal=internal, name=name)
    return told(lab, name)


def told(lab, *names):
    """Let a delivery tell of comments on the ticket."""
    lab.number += 1
    delivery = Delivery(id=f"d-{lab.number}", event="comment_created", commented={"1": frozenset(names)})
    return lab.store.inbox.accept_delivery("desk", delivery, lab.clock.now()).result()


def texts(lab):
    """Return what was written on the ticket, in order."""
    return [draft.comment.text for draft in lab.desk.written]


def carried(lab):
    """Return the comments that the platform got, in order."""
    return [update.comment for update in lab.platform.updates if isinstance(update, AddComment)]


def hooks(lab):
    """Return the names of the hooks that were called."""
    return [call.hook for call in lab.calls]


def story(lab, kind):
    """Return the entries of a kind in the timeline."""
    return [entry for entry in lab.store.timelines.read(1) if entry.kind == kind]


# To the ticket


def test_by_default_no_comment_is_synced_and_nothing_is_asked(lab):
    """Off both ways: the timeline says that there was one and why it stays, and no hook is called for it."""
    happen(lab)
    lab.calls.clear()

    accepted = say(lab)
    link = run(lab)
    reply(lab)
    run(lab)
    see(lab, status="Waiting")

    assert accepted == Accepted(ignored=1)
    assert (lab.calls, link.status.state) == ([], LinkState.IN_SYNC)
    (entry,) = story(lab, "incident_commented")
    assert entry.values["author"] == "Ada"
    assert entry.values["why"] == Nuance.SYNC_OFF


@pytest.mark.parametrize(("rule", "public"), [(ToTicket.INTERNAL, False), (ToTicket.PUBLIC, True)])
def test_a_comment_is_written_once_and_says_whose_it_is(lab, rule, public):
    """Internal unless it is to be public; with author, platform and a mark of its own; then all is in sync."""
    switch(lab, rule)
    happen(lab)

    assert say(lab) == Accepted(new=1)
    link = run(lab)
    run(lab)

    (draft,) = lab.desk.written
    assert (draft.comment.author, draft.comment.text, draft.platform) == ("Ada", "Is it plugged in?", "Platform")
    assert draft.public is public
    assert draft.marker.startswith("cnx-")
    assert (link.status.state, link.to_ticket_since) == (LinkState.IN_SYNC, None)
    assert [entry.values["author"] for entry in story(lab, "comment_to_ticket")] == ["Ada"]


def test_the_same_comment_in_two_events_is_one(lab):
    """A platform may tell of a comment again under another event."""
    switch(lab, ToTicket.INTERNAL)
    happen(lab)
    say(lab)
    run(lab)

    assert say(lab) == Accepted(duplicate=1)
    run(lab)

    assert len(lab.desk.written) == 1


def test_comments_keep_their_order_and_none_is_merged_with_another(lab):
    """Ten that wait together are ten on the ticket, while ten new titles would be one write."""
    switch(lab, ToTicket.INTERNAL)
    happen(lab)
    for number in range(10):
        say(lab, str(number), f"word {number}", title=f"Title {number}")
    run(lab)

    assert texts(lab) == [f"word {number}" for number in range(10)]
    assert hooks(lab).count("on_incident_event") == 2


def test_a_comment_waits_for_the_ticket(lab):
    """It comes before the ticket is made, and is the first thing on it."""
    switch(lab, ToTicket.INTERNAL)
    lab.desk.refuse_with(RetryLater("busy", after_s=60))
    happen(lab)
    say(lab)
    assert lab.store.comments.waiting(1, Side.INCIDENT)
    lab.clock.forward(120)
    run(lab)

    assert texts(lab) == ["Is it plugged in?"]
    assert hooks(lab) == ["on_incident_event", "on_incident_event", "write_comment"]


def test_a_comment_goes_before_the_close(lab):
    """What is written on a closed ticket may open it again."""
    switch(lab, ToTicket.INTERNAL)
    happen(lab)
    say(lab)
    happen(lab, EventType.RESOLVED)

    assert hooks(lab) == ["on_incident_event", "write_comment", "on_incident_event"]


def test_a_comment_on_an_incident_whose_opening_is_unknown_makes_the_ticket(lab):
    """The event that told of the opening is late: a comment does as an update does."""
    switch(lab, ToTicket.INTERNAL)
    say(lab, opened_at=lab.clock.now() + timedelta(seconds=1))
    run(lab)

    assert hooks(lab) == ["on_incident_event", "write_comment"]


def test_after_a_lost_answer_the_comment_is_looked_for(lab):
    """It is there: written once, and its id is known."""
    switch(lab, ToTicket.INTERNAL, ToIncident.ALL)
    happen(lab)
    lab.desk.lose_answer = True
    say(lab)
    link = run(lab)
    assert link.status.state is LinkState.WAITING
    lab.clock.forward(120)
    link = run(lab)

    assert (len(lab.desk.written), link.status.state) == (1, LinkState.IN_SYNC)
    assert told(lab, "c1") == Accepted(new=1)
    assert lab.store.links.get(1).comment_looks == 0


def test_after_a_lost_request_the_comment_is_written(lab):
    """It is not there: only then it is written again, and those after it wait for it."""
    switch(lab, ToTicket.INTERNAL)
    happen(lab)
    lab.desk.refuse_with(RetryLater("lost", outcome_unknown=True))
    say(lab, "1", "first")
    say(lab, "2", "second")
    run(lab)
    lab.clock.forward(120)
    run(lab)

    looked = [not call.writes for call in lab.desk.called("write_comment")]
    assert looked == [False, True, False, False]
    assert texts(lab) == ["first", "second"]


def test_a_comment_that_was_certainly_not_written_is_not_looked_for(lab):
    """The other side said so: the next try writes at once."""
    switch(lab, ToTicket.INTERNAL)
    happen(lab)
    lab.desk.refuse_with(RetryLater("busy", after_s=1))
    say(lab)
    run(lab)
    (waiting,) = lab.store.comments.waiting(1, Side.INCIDENT)
    lab.clock.forward(120)
    run(lab)

    assert waiting.attempted_at is None
    assert [call.writes for call in lab.desk.called("write_comment")] == [True, True]


def test_the_wait_for_a_lost_comment_begins_when_the_call_ended(lab):
    """A call that took half a minute before its answer was lost may have worked at its end."""
    switch(lab, ToTicket.INTERNAL)
    happen(lab)
    say(lab)

    def lose(*_):
        lab.clock.forward(30)
        raise RetryLater("lost", outcome_unknown=True)

    lab.desk.during = lose
    run(lab)
    lab.desk.during = None
    lab.clock.forward(40)
    lab.store.lanes.wake(1, lab.clock.now())
    run(lab)

    looks = [call.about for call in lab.desk.called("write_comment") if not call.writes]
    assert [look.attempt_age_s for look in looks] == [40.0]


def test_access_that_is_lost_to_comments_alone_pauses_one_link(lab):
    """To read them may need a permission of its own: the integration goes on."""
    switch(lab, to_incident=ToIncident.ALL)
    happen(lab)
    reply(lab)
    lab.desk.refuse_with(AuthError("May not read comments."))
    link = run(lab)

    assert link.status.state is LinkState.PAUSED
    assert lab.entry.record.problem_code == ""


def test_killed_between_write_and_receipt_the_comment_is_looked_for(lab):
    """That a write begins is on disk before the call: the next boot looks before it writes."""
    switch(lab, ToTicket.INTERNAL)
    happen(lab)
    say(lab)

    def die(*_):
        raise KeyboardInterrupt

    lab.desk.during = die
    with pytest.raises(KeyboardInterrupt):
        run(lab)
    lab.desk.during = None
    lab.store.lanes.recover("the next boot")
    link = run(lab)

    assert (len(lab.desk.written), link.status.state) == (1, LinkState.IN_SYNC)


def test_a_refused_comment_waits_for_a_person_and_holds_up_no_field(lab):
    """The title is still synced; the link is blocked with the reason, and the comment shown as waiting."""
    switch(lab, ToTicket.INTERNAL)
    happen(lab)
    lab.desk.refuse_with(RemoteError("No comments here."))
    say(lab, title="Hot")
    link = run(lab)

    assert (link.status.state, link.status.reason) == (LinkState.BLOCKED, "No comments here.")
    assert link.ticket.title == "Hot"
    assert link.to_ticket_since is not None
    assert [one.their_id for one in lab.operations.waiting_comments(link)] == ["com-1"]

    lab.operations.retry(link)
    link = run(lab)
    assert (texts(lab), link.status.state) == (["Is it plugged in?"], LinkState.IN_SYNC)


def test_trouble_with_a_comment_is_told_once(lab):
    """Each try that ends alike adds nothing to the timeline."""
    switch(lab, ToTicket.INTERNAL)
    happen(lab)
    lab.desk.refuse_with(*[RetryLater("busy", code="busy")] * 3)
    say(lab)
    for _ in range(3):
        run(lab)
        lab.clock.forward(3600)

    assert len(story(lab, "link_waiting")) == 1


def test_a_person_can_give_a_comment_up(lab):
    """Discarding what waits gives up comments too."""
    switch(lab, ToTicket.INTERNAL)
    happen(lab)
    lab.desk.refuse_with(RemoteError("No comments here."))
    say(lab)
    lab.operations.discard(run(lab))
    link = run(lab)

    assert (lab.desk.written, link.status.state) == ([], LinkState.IN_SYNC)


def test_a_comment_waits_while_the_ticket_is_gone(lab):
    """It is work that is not done, and is done when the ticket is back."""
    switch(lab, ToTicket.INTERNAL)
    happen(lab)
    lab.desk.refuse_with(TicketGone("gone"))
    say(lab)
    link = run(lab)
    assert link.status.state is LinkState.GONE
    assert lab.store.overview.backlogs()["desk"].to_ticket_since is not None

    lab.operations.retry(link)
    run(lab)
    assert texts(lab) == ["Is it plugged in?"]


def test_on_a_new_ticket_no_former_attempt_counts(lab):
    """The comment whose answer was lost is written on the ticket that replaces the one that is gone."""
    switch(lab, ToTicket.INTERNAL)
    happen(lab)
    lab.desk.refuse_with(RetryLater("lost", outcome_unknown=True))
    say(lab)
    run(lab)
    lab.clock.forward(120)
    lab.desk.refuse_with(TicketGone("gone"))
    lab.operations.recreate(run(lab))
    run(lab)

    assert [draft.ticket.id for draft in lab.desk.written] == ["2"]


def test_switched_off_what_waits_is_left(lab):
    """Nothing is written any more, and the timeline says so."""
    switch(lab, ToTicket.INTERNAL)
    happen(lab)
    lab.desk.refuse_with(RetryLater("busy", after_s=60))
    say(lab)
    run(lab)
    switch(lab)
    lab.clock.forward(120)
    link = run(lab)

    assert (lab.desk.written, link.status.state) == ([], LinkState.IN_SYNC)
    assert len(story(lab, "comment_left")) == 1


@pytest.mark.parametrize("is_there", [True, False])
def test_switched_off_a_lost_comment_is_still_looked_for(lab, is_there):
    """What is on the ticket is known to be ours; what is not is not written any more."""
    switch(lab, ToTicket.INTERNAL, ToIncident.ALL)
    happen(lab)
    lab.desk.lose_answer = is_there
    lab.desk.refuse_with(None if is_there else RetryLater("lost", outcome_unknown=True))
    say(lab)
    run(lab)
    switch(lab, to_incident=ToIncident.ALL)
    lab.clock.forward(120)
    link = run(lab)

    assert (len(lab.desk.written), link.status.state) == (is_there, LinkState.IN_SYNC)
    assert len(story(lab, "comment_to_ticket")) == is_there


def test_comments_count_against_the_cap(store, clock):
    """Two sides that answer each other with comments come to rest."""
    lab = make_lab(store, clock, changes_per_minute=3)
    switch(lab, ToTicket.INTERNAL)
    happen(lab)
    for number in range(5):
        say(lab, str(number))
    link = run(lab)

    assert (len(lab.desk.written), link.status.code) == (3, "too_many_changes")


@pytest.mark.parametrize("answer", [None, "done", NotCreated()])
def test_a_plugin_that_says_nothing_is_at_fault(store, clock, answer):
    """The comment may be there, so it is looked for."""

    class Wordless(MemoryDesk):
        @hookimpl
        def write_comment(self, integration, draft):
            """Say nothing of use."""
            return answer

    lab = make_lab(store, clock, desk=Wordless(clock))
    switch(lab, ToTicket.INTERNAL)
    happen(lab)
    say(lab)

    assert run(lab).status.code == "plugin_broken"


# To the incident


def test_a_comment_of_the_ticket_reaches_the_incident_once(lab):
    """With a name of ours, its author, and whether customers see it."""
    switch(lab, to_incident=ToIncident.ALL)
    happen(lab)
    assert reply(lab) == Accepted(new=1)
    run(lab)
    assert told(lab, "7") == Accepted(new=1)
    link = run(lab)

    (comment,) = carried(lab)
    assert (comment.id, comment.author, comment.text, comment.internal) == ("desk:7", "Ben", "It was not.", False)
    assert hooks(lab).count("fetch_comments") == 1
    assert (link.status.state, link.to_incident_since) == (LinkState.IN_SYNC, None)
    assert [entry.values["author"] for entry in story(lab, "comment_to_incident")] == ["Ben"]


def test_internal_comments_stay_unless_all_are_wanted(lab):
    """With `public` the text of an internal one is not even stored; the timeline says why it stays."""
    switch(lab, to_incident=ToIncident.PUBLIC)
    happen(lab)
    reply(lab, "7", "The password is xyzzy", internal=True)
    reply(lab, "8", "We are on it.")
    run(lab)

    assert [one.text for one in carried(lab)] == ["We are on it."]
    kept = [entry.values.get("why") for entry in story(lab, "ticket_commented")]
    assert kept[0] == Nuance.INTERNAL
    assert "xyzzy" not in repr(lab.store.timelines.read(1))


def test_an_internal_comment_that_waits_does_not_slip_through_a_change_of_the_setting(lab):
    """What was read while all were wanted stays when only public ones are."""
    switch(lab, to_incident=ToIncident.ALL)
    happen(lab)
    reply(lab, internal=True)
    lab.platform.refuse_with(RetryLater("busy", after_s=60))
    run(lab)
    switch(lab, to_incident=ToIncident.PUBLIC)
    lab.clock.forward(120)
    run(lab)

    assert [update for update in lab.platform.updates if isinstance(update, AddComment)] == []
    assert len(story(lab, "comment_left")) == 1


def test_no_comment_comes_back(lab):
    """What we wrote on the ticket is ours when it is read there, and what we told the platform when it tells us."""
    switch(lab, ToTicket.INTERNAL, ToIncident.ALL)
    happen(lab)
    say(lab)
    reply(lab)
    run(lab)
    calls = len(lab.calls)
    comment = Comment(id="desk:7", author="Ben", text="It was not.", created_at=lab.clock.now())
    for _ in range(3):
        assert tell(lab, EventType.COMMENTED, comment=comment) == Accepted(duplicate=1)
        told(lab, "c1", "7")
        run(lab)

    assert (texts(lab), [one.id for one in carried(lab)]) == (["Is it plugged in?"], ["desk:7"])
    assert len(lab.calls) == calls


def test_our_own_comment_whose_delivery_overtakes_the_answer_is_ours(lab):
    """The delivery arrives while the write is under way: it is read, and known by its mark."""
    switch(lab, ToTicket.INTERNAL, ToIncident.ALL)
    happen(lab)

    def overtaken(call, answer):
        if call.hook == "write_comment":
            told(lab, answer.id)

    lab.desk.during = overtaken
    say(lab)
    run(lab)
    run(lab)

    assert (len(lab.desk.written), carried(lab)) == (1, [])


def test_a_platform_that_names_our_comment_anew_is_known_by_that_name(lab):
    """Its answer may tell its own id, and its event of the comment has that one."""
    switch(lab, ToTicket.INTERNAL, ToIncident.ALL)
    happen(lab)
    lab.platform.comment_outcome = CommentOutcome(id="com-900")
    reply(lab)
    run(lab)

    assert say(lab, "900") == Accepted(duplicate=1)


def named_anew(lab, *, lost=False):
    """Let the platform name our comment anew, tell of it by that name, and then answer, or have its answer lost."""
    lab.platform.comment_outcome = CommentOutcome(id="com-900")
    lab.platform.lose_answer = lost

    def tell_of_it(*_):
        lab.platform.during = None
        say(lab, "900", "It was not.")

    lab.platform.during = tell_of_it


@pytest.mark.parametrize("lost", [False, True])
def test_news_of_our_comment_under_another_name_may_overtake_the_answer(lab, lost):
    """Nor is it written on the ticket when the answer is lost: before it is known what is ours, nothing goes there."""
    switch(lab, ToTicket.INTERNAL, ToIncident.ALL)
    happen(lab)
    named_anew(lab, lost=lost)
    reply(lab)

    run(lab)
    lab.clock.forward(120)
    lab.platform.refuse_with(*[RetryLater("busy", after_s=1)] * lost)
    run(lab)
    lab.clock.forward(120)
    run(lab)
    link = run(lab)

    assert texts(lab) == []
    assert (link.status.state, link.to_ticket_since) == (LinkState.IN_SYNC, None)
    say(lab, "2", "a new one")
    run(lab)
    assert texts(lab) == ["a new one"]


def test_a_lost_answer_holds_up_nothing_else_that_is_said_on_the_platform(lab):
    """Its events may come although it takes no changes for long."""
    switch(lab, ToTicket.INTERNAL, ToIncident.ALL)
    happen(lab)
    lab.platform.lose_answer = True
    reply(lab)
    run(lab)
    lab.platform.refuse_with(RetryLater("lost", outcome_unknown=True))
    say(lab)
    run(lab)

    assert texts(lab) == ["Is it plugged in?"]
    assert len(lab.store.comments.waiting(1, Side.TICKET)) == 1


def test_lost_access_says_nothing_of_an_earlier_try(lab):
    """The platform may have the comment, whatever it says of us now."""
    switch(lab, ToTicket.INTERNAL, ToIncident.ALL)
    happen(lab)
    lab.platform.lose_answer = True
    reply(lab)
    run(lab)
    lab.clock.forward(3600)
    lab.platform.refuse_with(AuthError("The key is refused."))
    run(lab)

    (waiting,) = lab.store.comments.waiting(1, Side.TICKET)
    assert waiting.attempted_at is not None
    assert [breaker.key for breaker in lab.store.breakers.every()] == ["source:acme"]


def test_a_platform_that_certainly_refuses_holds_up_no_comment_of_its_own(lab):
    """Only what may have worked makes news of there doubtful."""
    switch(lab, ToTicket.INTERNAL, ToIncident.ALL)
    happen(lab)
    lab.platform.refuse_with(RemoteError("No.", code="refused"))
    reply(lab)
    run(lab)
    lab.platform.refuse_with(RemoteError("No.", code="refused"))
    say(lab)
    run(lab)

    assert texts(lab) == ["Is it plugged in?"]


def test_a_clock_that_was_set_is_taken_into_account(lab):
    """As for the creation of a ticket: the look for a lost comment goes by when it was written."""
    switch(lab, ToTicket.INTERNAL)
    happen(lab)
    lab.desk.lose_answer = True
    say(lab)
    run(lab)
    attempted = lab.store.comments.waiting(1, Side.INCIDENT)[0].attempted_at

    lab.clock.forward(-86400)
    lab.store.life.clock_was_set(-86400, lab.clock.now())

    assert lab.store.comments.waiting(1, Side.INCIDENT)[0].attempted_at == attempted - timedelta(days=1)


def test_an_id_of_the_ticketing_system_is_none_of_the_platform(lab):
    """Both sides may count from one: a new comment is no old one because its number was used on the other side."""
    switch(lab, ToTicket.INTERNAL, ToIncident.ALL)
    happen(lab)
    say(lab)
    run(lab)
    comment = Comment(id="c1", author="Ada", text="another", created_at=lab.clock.now())

    assert tell(lab, EventType.COMMENTED, comment=comment) == Accepted(new=1)


def test_a_comment_with_the_longest_id_is_known_too(lab):
    """Together with the integration's the id is longer than one may be."""
    switch(lab, ToTicket.INTERNAL, ToIncident.ALL)
    happen(lab)
    reply(lab, "9" * 255)
    run(lab)
    (told_there,) = carried(lab)

    assert len(told_there.id) == 255
    comment = Comment(id=told_there.id, author="Ben", text="It was not.", created_at=lab.clock.now())
    assert tell(lab, EventType.COMMENTED, comment=comment) == Accepted(duplicate=1)


def test_after_a_lost_answer_the_platform_gets_the_same_again(lab):
    """Same key, same id: it is one comment there."""
    switch(lab, to_incident=ToIncident.ALL)
    happen(lab)
    lab.platform.lose_answer = True
    reply(lab)
    run(lab)
    lab.clock.forward(120)
    run(lab)

    first, second = [update for update in lab.platform.updates if isinstance(update, AddComment)]
    assert first == second


@pytest.mark.parametrize("outcome", [CommentOutcome(unsupported="We have no comments."), None])
def test_what_the_platform_cannot_take_is_on_the_ticket_only(lab, outcome):
    """It is said once and not tried again, also where the platform's plugin has never heard of comments."""
    switch(lab, to_incident=ToIncident.ALL)
    happen(lab)
    lab.platform.comment_outcome = outcome
    reply(lab)
    link = run(lab)
    run(lab)

    (entry,) = story(lab, "comment_unsupported")
    assert (entry.values["note"], entry.values["why"]) in {("We have no comments.", ""), ("", Nuance.NO_COMMENTS)}
    assert (link.status.state, len(carried(lab))) == (LinkState.IN_SYNC, 1)


def test_what_was_written_before_the_setting_stays(lab):
    """Comments count from the moment that they are switched on."""
    happen(lab)
    reply(lab, "6", "long ago")
    run(lab)
    lab.clock.forward(10)
    switch(lab, to_incident=ToIncident.ALL)
    reply(lab, "7", "now")
    run(lab)

    assert [one.text for one in carried(lab)] == ["now"]


def test_without_a_delivery_comments_are_found_by_reading(lab):
    """A ticket that changed since its comments were read last has them read, once for each change."""
    switch(lab, to_incident=ToIncident.ALL)
    happen(lab)
    lab.clock.forward(1)
    lab.desk.comment("1", "hello")
    see(lab)
    lab.store.inbox.see_tickets("desk", lab.desk.shown, lab.clock.now())
    run(lab)

    assert [one.text for one in carried(lab)] == ["hello"]
    assert hooks(lab).count("fetch_comments") == 1


def test_reading_goes_back_to_the_last_reading_only(lab):
    """A long history is not read anew for each comment."""
    switch(lab, to_incident=ToIncident.ALL)
    happen(lab)
    lab.clock.forward(3600)
    see(lab)
    changed = lab.clock.now()
    lab.clock.forward(3600)
    see(lab)

    asked = [since for _, (_, since), _ in lab.desk.called("fetch_comments")]
    assert asked == [lab.entry.record.comments.since, changed - timedelta(minutes=1)]


def test_a_failing_platform_holds_up_no_field_of_the_ticket(lab):
    """The comment for it waits and is shown; the incident's title is on the ticket."""
    switch(lab, to_incident=ToIncident.ALL)
    happen(lab)
    reply(lab)
    lab.platform.refuse_with(RetryLater("down", after_s=60))
    link = happen(lab, EventType.UPDATED, title="Hot")

    assert (link.ticket.title, link.status.state) == ("Hot", LinkState.WAITING)
    assert link.to_incident_since is not None
    lab.clock.forward(120)
    assert run(lab).status.state is LinkState.IN_SYNC
    assert len(carried(lab)) == 1


def test_a_delivery_about_somebody_elses_ticket_is_ignored(lab):
    """Nothing is read for it."""
    switch(lab, to_incident=ToIncident.ALL)
    happen(lab)
    delivery = Delivery(id="d", event="comment_created", commented={"99": frozenset({"1"})}, ignored="issue_thin")

    assert lab.store.inbox.accept_delivery("desk", delivery, lab.clock.now()).result() == Accepted(ignored=1)


# The setting


def test_a_setting_counts_from_when_it_was_switched_on():
    """Changing the other half, or public to all, does not start anew; off and on again does."""
    start = Comment.model_validate(
        {"id": "1", "author": "a", "text": "t", "created_at": "2026-11-23T10:00:00Z"}
    ).created_at
    later = start + timedelta(hours=1)
    first = CommentRules().changed(ToTicket.NONE, ToIncident.PUBLIC, start)

    assert first.changed(ToTicket.PUBLIC, ToIncident.ALL, later).since == start
    assert first.changed(ToTicket.NONE, ToIncident.NONE, later) == CommentRules()
    assert (
        first.changed(ToTicket.NONE, ToIncident.NONE, later).changed(ToTicket.NONE, ToIncident.PUBLIC, later).since
        == later
    )


def test_a_setting_counts_from_the_whole_second():
    """A comment of the same second, told without fractions, seems to be written before it."""
    switched_on = datetime(2026, 11, 23, 10, 0, 0, 364_000, tzinfo=UTC)

    rules = CommentRules().changed(ToTicket.NONE, ToIncident.PUBLIC, switched_on)

    assert rules.since == datetime(2026, 11, 23, 10, tzinfo=UTC)


def test_rules_survive_in_the_store(lab):
    """What is stored is what is read."""
    switch(lab, ToTicket.PUBLIC, ToIncident.ALL)

    assert lab.store.integrations.every()[0].comments == lab.entry.record.comments


def test_with_the_integration_its_comments_go(lab):
    """Nothing of a removed integration stays."""
    switch(lab, ToTicket.INTERNAL)
    happen(lab)
    say(lab)

    assert lab.store.integrations.remove("desk")
    assert lab.store.database.check() == []
    assert lab.store.comments.waiting(1, Side.INCIDENT) == []


def test_the_text_of_a_synced_comment_is_not_kept(lab):
    """Nothing needs it any more."""
    switch(lab, ToTicket.INTERNAL)
    happen(lab)
    say(lab, text="secret " * 100)
    run(lab)

    assert everything(lab.store).count(b"secret " * 20) == 0


def test_wrong_settings_trip_a_breaker_as_for_tickets(lab):
    """A permission that is missing is the integration's trouble, and the link says so."""
    switch(lab, ToTicket.INTERNAL)
    happen(lab)
    lab.desk.refuse_with(ConfigError("May not comment.", code="permission_missing"))
    say(lab)

    assert run(lab).status.code == "permission_missing"


def test_comments_of_a_pair_that_was_parted_are_not_kept(lab):
    """Nothing waits for a retry that would write all of them at once; from then on they are synced again."""
    switch(lab, ToTicket.INTERNAL)
    happen(lab, EventType.OPENED)
    link = run(lab)
    lab.operations.unlink(link)
    say(lab, "1", "While they were parted")
    assert lab.store.comments.waiting(link.id, Side.INCIDENT, 9) == []

    lab.operations.retry(lab.store.links.get(link.id))
    run(lab)
    say(lab, "2", "Together again")
    run(lab)

    assert [one.comment.text for one in lab.desk.written] == ["Together again"]
