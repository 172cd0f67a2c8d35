"""Times of tickets that lie ahead: which of two snapshots is the later one cannot be told by them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector_core import AddComment, Delivery, EventType, FieldChange, FieldName
from connector_core.contract.comment_rules import CommentRules, ToIncident
from connector_core.contract.errors import RetryLater
from connector_core.contract.times import Told
from connector_core.store import LinkState
from connector_core.testing import FrozenClock
from tests.support.sync_lab import edited, happen, kinds, make_lab, run, tell

pytestmark = pytest.mark.lengthy_on_postgresql

YEAR = timedelta(days=365)


@pytest.fixture
def lab(store, clock):
    """Put a lab together with one ticket."""
    made = make_lab(store, clock)
    happen(made)
    return made


def told(lab, *, ahead=timedelta(), **fields):
    """Let a person change the ticket, and its webhook tell of it with a time that lies ahead."""
    lab.clock.forward(1)
    lab.number += 1
    edited(lab, **fields)
    shown = dated(lab)
    delivery = Delivery(
        id=f"d{lab.number}", event="e", tickets=(shown.model_copy(update={"updated": shown.updated + ahead}),)
    )
    lab.store.inbox.accept_delivery("desk", delivery, lab.clock.now()).result()
    return run(lab)


def read(lab, *, ahead=timedelta(), **fields):
    """Let a person change the ticket, and the desk show it to whoever reads it with a time that lies ahead."""
    lab.clock.forward(1)
    edited(lab, **fields)
    dated(lab, ahead)
    assert lab.reconciler.reconcile("desk", full=True).outcome == "ok"
    return run(lab)


def dated(lab, ahead=timedelta()):
    """Have the ticket be of now, or of a time that lies ahead; return it."""
    (ticket,) = lab.desk.tickets.values()
    ticket.shown = ticket.shown.model_copy(update={"updated": lab.clock.now() + ahead})
    return ticket.shown


def reads(lab):
    """Count how often the ticket was read."""
    return kinds(lab).count(("fetch_tickets", ""))


@pytest.mark.parametrize("way", [told, read])
def test_what_comes_after_a_time_ahead_is_seen(lab, way):
    """A year ahead, told or read, nothing after it is older: the next edit reaches the incident."""
    way(lab, ahead=YEAR, title="One")

    link = told(lab, title="Two")

    assert link.ticket.title == lab.platform.incidents["inc-1"].title == "Two"
    assert link.ticket.updated <= lab.clock.now()


@pytest.mark.parametrize("way", [told, read])
def test_what_was_stored_with_a_time_ahead_does_not_block(lab, way):
    """An earlier version believed it; the next delivery has the ticket read, and a full look shows it as it is."""
    (ticket,) = lab.desk.shown
    ahead = ticket.model_copy(update={"updated": lab.clock.now() + YEAR})
    lab.store.inbox.see_tickets("desk", [ahead], lab.clock.now())
    assert lab.store.links.get(1).ticket.updated > lab.clock.now()

    link = way(lab, title="Two")

    assert link.ticket.title == lab.platform.incidents["inc-1"].title == "Two"
    assert link.status.state is LinkState.IN_SYNC


def test_a_delivery_from_ahead_is_a_hint(lab):
    """What it shows is not believed, what the ticket shows is; a few minutes are what clocks differ by."""
    lab.desk.edit("1", title="True")
    shown = lab.desk.tickets["1"].shown
    forged = shown.model_copy(update={"title": "Forged", "updated": lab.clock.now() + timedelta(minutes=6)})
    lab.store.inbox.accept_delivery("desk", Delivery(id="f", event="e", tickets=(forged,)), lab.clock.now()).result()

    link = run(lab)

    assert (link.ticket.title, reads(lab)) == ("True", 1)
    assert told(lab, ahead=timedelta(minutes=4), title="Near").ticket.title == "Near"
    assert reads(lab) == 1


def test_where_our_clock_is_slow_the_order_holds(lab):
    """All times lie ahead then: a late read of how the ticket was changes nothing."""
    before = lab.desk.edit("1", title="One")
    after = lab.desk.edit("1", title="Two")
    an_hour_slow = lab.clock.now() - timedelta(hours=1)

    for shown in (after, before):
        lab.store.inbox.see_tickets("desk", [shown], an_hour_slow)

    assert lab.store.links.get(1).ticket.title == "Two"


def test_comments_are_seen_after_a_time_ahead(lab):
    """They were read at a time that lies ahead; one that is written now is news all the same."""
    lab.change_record(comments=CommentRules(to_incident=ToIncident.ALL, since=lab.clock.now()))
    lab.desk.comment("1", "First")
    read(lab, ahead=YEAR, title="One")
    assert lab.store.links.get(1).comments_at > lab.clock.now()

    lab.clock.forward(60)
    lab.desk.comment("1", "Second")
    dated(lab)
    lab.reconciler.reconcile("desk", full=True)
    link = run(lab)

    assert [call.about.comment.text for call in lab.calls if isinstance(call.about, AddComment)] == [
        "First",
        "Second",
    ]
    assert link.comments_at <= lab.clock.now()
    assert link.base[FieldName.TITLE].ticket == "One"


def test_a_late_delivery_after_a_time_ahead_is_not_believed(lab):
    """Which of the two is later cannot be told by their times: the ticket is read, and shows how it is."""
    late = lab.desk.edit("1", title="One")
    now_is = lab.desk.edit("1", title="Two")
    lab.store.inbox.see_tickets(
        "desk", [now_is.model_copy(update={"updated": lab.clock.now() + YEAR})], lab.clock.now()
    )
    run(lab)

    lab.store.inbox.accept_delivery("desk", Delivery(id="l", event="e", tickets=(late,)), lab.clock.now()).result()

    assert lab.store.links.get(1).ticket.title == "Two"
    assert run(lab).ticket.title == lab.platform.incidents["inc-1"].title == "Two"


# Tickets that are heard of before they are linked


@pytest.mark.parametrize("is_early_ahead", [True, False])
def test_where_an_early_ticket_or_the_answer_lies_ahead_the_ticket_is_read(store, clock, is_early_ahead):
    """Which of the two is the later one cannot be told by their times: neither is believed, what it shows is."""
    lab = make_lab(store, clock)
    ahead = clock.now() + YEAR

    def answered(call, answer):
        lab.desk.during = None
        shown = answer.ticket.model_copy(update={"title": "Early"})
        times = {"updated": ahead} if is_early_ahead else {"updated": clock.now()}
        lab.store.inbox.see_tickets("desk", [shown.model_copy(update=times)], clock.now())
        if not is_early_ahead:
            object.__setattr__(answer, "ticket", answer.ticket.model_copy(update={"updated": ahead}))
        lab.desk.edit("1", title="As it is")

    lab.desk.during = answered
    happen(lab)

    link = run(lab)

    assert link.ticket.title == lab.platform.incidents["inc-1"].title == "As it is"
    assert reads(lab) == 1
    assert link.ticket.updated < ahead
    assert [update.title for update in lab.platform.updates] == ["As it is"]


def test_where_our_clock_is_slow_an_early_ticket_is_the_later_one(store, clock):
    """Both lie ahead then, and their order holds: a rule changed it before its creation was answered."""
    lab = make_lab(store, clock)

    def answered(call, answer):
        lab.desk.during = None
        times = {name: clock.now() + YEAR + timedelta(seconds=name == "later") for name in ("first", "later")}
        early = answer.ticket.model_copy(update={"title": "By a rule", "updated": times["later"]})
        lab.store.inbox.see_tickets("desk", [early], clock.now())
        object.__setattr__(answer, "ticket", answer.ticket.model_copy(update={"updated": times["first"]}))

    lab.desk.during = answered

    link = happen(lab)

    assert link.ticket.title == "By a rule"
    assert reads(lab) == 0


@pytest.mark.parametrize("later_is_ahead", [True, False])
def test_of_two_early_tickets_one_that_lies_ahead_makes_the_other_no_older(store, clock, later_is_ahead):
    """Which is the later one cannot be told: the ticket is read."""
    lab = make_lab(store, clock)

    def answered(call, answer):
        lab.desk.during = None
        first, last = (answer.ticket.model_copy(update={"title": title}) for title in ("First", "Last"))
        times = (clock.now() + YEAR, answer.ticket.updated)
        times = times[::-1] if later_is_ahead else times
        for shown, at in zip((first, last), times, strict=True):
            lab.store.inbox.see_tickets("desk", [shown.model_copy(update={"updated": at})], clock.now())
        lab.desk.edit("1", title="As it is")

    lab.desk.during = answered
    happen(lab)

    assert run(lab).ticket.title == "As it is"
    assert reads(lab) == 1


# Who wins a conflict


NOON = Told(FrozenClock().now()).at
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("one", "other", "is_later"),
    [
        (Told(NOON + HOUR, NOON + HOUR), Told(NOON, NOON), True),
        (Told(NOON, NOON), Told(NOON + HOUR, NOON + HOUR), False),
        # One that lay ahead counts as of its receipt, however long ago that is by now.
        (Told(NOON + YEAR, NOON), Told(NOON + HOUR, NOON + HOUR), False),
        (Told(NOON + HOUR, NOON + HOUR), Told(NOON + YEAR, NOON), True),
        (Told(NOON + YEAR, NOON + 2 * HOUR), Told(NOON + HOUR, NOON + HOUR), True),
        (Told(NOON + YEAR, NOON + 2 * YEAR), Told(NOON + HOUR, NOON + HOUR), True),
        # Both: our clock is slow, and their order holds, in whichever order they came.
        (Told(NOON + YEAR + HOUR, NOON), Told(NOON + YEAR, NOON + HOUR), True),
        (Told(NOON + YEAR, NOON + HOUR), Told(NOON + YEAR + HOUR, NOON), False),
        # When an earlier version heard of it is not known: then its time is taken as it is.
        (Told(NOON + YEAR), Told(NOON + HOUR, NOON + HOUR), True),
        (Told(NOON), Told(NOON), False),
    ],
)
def test_which_of_two_changes_came_later(one, other, is_later):
    """The one rule by which the latest wins."""
    assert one.is_later_than(other) is is_later


@pytest.mark.parametrize("by_history", [True, False])
@pytest.mark.parametrize("ahead", ["incident", "ticket"])
@pytest.mark.parametrize("later", ["incident", "ticket"])
def test_a_time_ahead_wins_no_conflict(lab, ahead, later, by_history):
    """Both sides changed the title; a year ahead or not, the one that was heard of last has the last word."""
    lab.desk.down = RetryLater("It is down.", code="down")
    run(lab)
    for side in ("ticket", "incident") if later == "incident" else ("incident", "ticket"):
        lab.clock.forward(60)
        lab.number += 1
        moved = lab.clock.now() + (YEAR if side == ahead else timedelta())
        if side == "incident":
            tell(lab, EventType.UPDATED, before_s=-(moved - lab.clock.now()).total_seconds(), title="By the platform")
        else:
            lab.desk.edit("1", title="By an agent")
            shown = dated(lab, moved - lab.clock.now())
            lab.store.inbox.see_tickets("desk", [shown], lab.clock.now())
            if by_history:
                lab.desk.tickets["1"].changed = {FieldName.TITLE: FieldChange(at=moved, by="Ada")}
    lab.desk.down = None
    lab.clock.forward(3600)

    link = run(lab)

    wanted = "By the platform" if later == "incident" else "By an agent"
    assert (link.ticket.title, lab.platform.incidents["inc-1"].title) == (wanted, wanted)
