"""Times of tickets that lie ahead: which of two snapshots is the later one cannot be told by them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector_core import Delivery, FieldName
from connector_core.contract.comment_rules import CommentRules, ToIncident
from connector_core.store import LinkState
from tests.support.sync_lab import edited, happen, kinds, make_lab, run

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

    assert [call.about.comment.text for call in lab.calls if call.hook == "apply_change" and call.about.comment] == [
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
