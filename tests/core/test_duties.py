"""Duties: what happens once for all nodes, who does it, and what is refused of who lost it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from connector_core.contract.models import HookRegistration
from connector_core.store import Duty, ManagedWebhook, Node, NodeEnd, Run
from connector_core.store.duties import LONGEST
from connector_core.store.fences import DutyLost, holding
from tests.support.rows import count, sql

POLL = Duty("poll:acme", "acme")
FIRST, SECOND = "node 1", "node 2"


@pytest.fixture
def duties(store, clock):
    """Have two nodes at work; return what they share."""
    for name in (FIRST, SECOND):
        store.nodes.register(Node(name, name, "1.0", "digest", clock.now()), beats=True)
    return store.duties


def later(clock, seconds):
    """Return a time further on."""
    return clock.now() + timedelta(seconds=seconds)


def test_a_duty_is_taken_once(duties, clock):
    """Whoever comes first has it; another one is told that somebody is at it."""
    held = duties.take(POLL, FIRST, clock.now())

    assert (held.node, held.fence) == (FIRST, 1)
    assert duties.take(POLL, SECOND, clock.now()) is None
    assert duties.find(POLL).node == FIRST


def test_when_it_is_due_again_is_known_to_all(duties, clock):
    """Nobody has it before; then it is anybody's, and its fence has grown."""
    held = duties.take(POLL, FIRST, clock.now())
    assert duties.give_back(held, later(clock, 30), "")

    assert duties.take(POLL, SECOND, later(clock, 29)) is None
    assert duties.find(POLL).due_at == later(clock, 30)
    assert duties.take(POLL, SECOND, later(clock, 30)).fence == 2


def test_another_mark_is_due_at_once(duties, clock):
    """What it is done for has changed; where it was not done, it is as it was."""
    marked = replace(POLL, mark="as of today")
    held = duties.take(marked, FIRST, clock.now())
    duties.give_back(held, later(clock, 30), None)
    again = duties.take(marked, SECOND, clock.now())
    duties.give_back(again, later(clock, 30), "as of today")

    assert again is not None
    assert duties.take(marked, FIRST, clock.now()) is None
    assert duties.take(replace(POLL, mark="as of tomorrow"), FIRST, clock.now()) is not None


def test_marks_can_be_forgotten_by_kind(duties, clock):
    """Those of a kind are due then, and no others whose names begin alike."""
    for name in ("hook:desk", "hooks:desk"):
        held = duties.take(Duty(name, "acme", "done"), FIRST, clock.now())
        duties.give_back(held, later(clock, 3600), "done")

    duties.forget_marks("hook")

    assert duties.take(Duty("hook:desk", "acme", "done"), FIRST, clock.now()) is not None
    assert duties.take(Duty("hooks:desk", "acme", "done"), FIRST, clock.now()) is None


@pytest.mark.parametrize("end", list(NodeEnd))
def test_what_a_node_had_is_free_when_it_has_ended(duties, store, clock, end):
    """However it ended, and not before."""
    held = duties.take(POLL, FIRST, clock.now())
    assert duties.left_behind() == []

    if end is NodeEnd.GOODBYE:
        store.nodes.say_goodbye(FIRST, clock.now())
    else:
        assert store.nodes.bury(FIRST, clock.now(), end, clock.now())

    assert duties.left_behind() == [POLL.name]
    assert duties.take(POLL, SECOND, clock.now()).fence == held.fence + 1
    assert not duties.give_back(held, later(clock, 30), "")
    assert duties.find(POLL).node == SECOND


def test_what_may_still_be_called_is_waited_for(duties, store, clock):
    """A call of a node that has ended may arrive for a while; who writes to a vendor does not come before."""
    duties.take(POLL, FIRST, clock.now())
    store.nodes.bury(FIRST, clock.now(), NodeEnd.SILENT, clock.now())

    just_before = clock.now() - timedelta(seconds=1)
    assert duties.take(POLL, SECOND, clock.now(), just_before) is None
    assert duties.find(POLL, just_before).node == FIRST
    assert duties.take(POLL, SECOND, clock.now(), clock.now()) is not None


def test_who_could_not_give_it_back_takes_it_again(duties, clock):
    """The database was away for a moment; nobody else may have it, for the node lives."""
    duties.take(POLL, FIRST, clock.now())

    assert duties.take(POLL, FIRST, clock.now()).fence == 2


def test_a_clock_that_was_set_back_leaves_no_duty_undone(duties, store, clock):
    """What was planned by it moves along; what is due further ahead than can be is due."""
    duties.give_back(duties.take(POLL, FIRST, clock.now()), later(clock, 3600 + 30), "")
    store.life.clock_was_set(-3600.0, clock.now())
    assert duties.find(POLL).due_at == later(clock, 30)

    duties.give_back(duties.take(POLL, FIRST, later(clock, 30)), clock.now() + 2 * LONGEST, "")
    assert duties.take(POLL, FIRST, clock.now()) is not None


def seen_at(store, name):
    """Return when a node was seen last."""
    return next(one.seen_at for one in store.nodes.every() if one.node.id == name)


@pytest.mark.parametrize(("by_s", "due_in_s"), [(-1.0, 29), (0.0, 30), (0.5, 30), (1.0, 30), (3600.0, 30)])
def test_a_clock_that_was_set_forward_makes_a_duty_early_only(duties, store, clock, by_s, due_in_s):
    """Nothing is moved then: it is due sooner than it would have been."""
    duties.give_back(duties.take(POLL, FIRST, clock.now()), later(clock, 30), "")

    store.life.clock_was_set(by_s, clock.now())

    assert duties.find(POLL).due_at == later(clock, due_in_s)


def test_nobody_was_seen_later_than_a_clock_that_was_set_back(duties, store, clock):
    """Or a node would be held for living for as long as the clock was set back."""
    beaten = clock.now()
    store.life.clock_was_set(-60.0, later(clock, -60))
    assert {seen_at(store, name) for name in (FIRST, SECOND)} == {beaten - timedelta(seconds=60)}

    store.life.clock_was_set(-1.0, later(clock, 0))

    assert seen_at(store, FIRST) == beaten - timedelta(seconds=60)


def test_a_duty_is_brought_forward_and_never_put_off(duties, clock):
    """It alone."""
    other = Duty("poll:globex", "globex")
    assert duties.find(other) is None
    for one in (POLL, other):
        duties.give_back(duties.take(one, FIRST, clock.now()), later(clock, 30), "")

    duties.bring_forward(POLL, later(clock, 40))
    assert duties.find(POLL).due_at == later(clock, 30)
    duties.bring_forward(POLL, later(clock, 20))

    assert (duties.find(POLL).due_at, duties.find(other).due_at) == (later(clock, 20), later(clock, 30))


@pytest.mark.parametrize("change", [{"name": "poll:globex"}, {"node": SECOND}, {"fence": 7}])
def test_only_who_has_a_duty_gives_it_back(duties, clock, change):
    """That duty, that node, and that time: anything else changes nothing."""
    held = duties.take(POLL, FIRST, clock.now())

    assert not duties.give_back(replace(held, **change), later(clock, 30), "")

    assert (duties.find(POLL).node, duties.find(POLL).due_at) == (FIRST, clock.now())


def test_a_duty_is_due_when_it_is_put_off_as_long_as_may_be(duties, clock):
    """To the second: further ahead only a wrong clock can have planned it."""
    for seconds, is_due in ((0, False), (1, True)):
        held = duties.take(POLL, FIRST, later(clock, LONGEST.total_seconds() + 9))
        duties.give_back(held, clock.now() + LONGEST + timedelta(seconds=seconds), "")

        assert (duties.take(POLL, SECOND, clock.now()) is not None) == is_due


def test_who_lost_a_duty_stores_nothing_of_it(duties, store, clock):
    """Whatever it is: each write looks at the fence in its own transaction."""
    held = duties.take(POLL, FIRST, clock.now())
    run = Run("desk", "reconcile_full", clock.now(), clock.now(), "ok", 1, 0)
    hook = ManagedWebhook(HookRegistration(ids=("1",), site="s", expires_at=datetime(2027, 1, 1, tzinfo=UTC)))
    with holding(held):
        store.runs.add(run)
    store.nodes.bury(FIRST, clock.now(), NodeEnd.SILENT, clock.now())
    duties.take(POLL, SECOND, clock.now())

    for store_it in (
        lambda: store.runs.add(run),
        lambda: store.webhooks.save_managed("desk", hook),
        lambda: store.configuration.save("a snapshot"),
        lambda: store.inbox.accept_events("acme", [], [], clock.now()).result(),
    ):
        with holding(held), pytest.raises(DutyLost):
            store_it()

    assert count(store, "run") == 1
    assert store.webhooks.managed("desk") is None
    store.runs.add(run)  # who does not work for it may
    assert count(store, "run") == 2


def test_a_place_is_known_by_the_file_that_was_read_there_last(store, clock, monkeypatch):
    """So that a file that did not change is told from one that did; of very many places the latest."""
    monkeypatch.setattr("connector_core.store.configuration.MOST_PLACES", 2)
    assert store.configuration.file_of("a:/x.yaml") is None
    for place, digest in (("a:/x.yaml", "1"), ("b:/x.yaml", "1"), ("a:/x.yaml", "2"), ("c:/x.yaml", "3")):
        store.configuration.note_file(place, digest, clock.now())
        clock.forward(1)

    assert [store.configuration.file_of(f"{host}:/x.yaml") for host in "abc"] == ["2", None, "3"]


def test_the_row_of_a_duty_that_nobody_does_any_more_is_forgotten(duties, store, clock):
    """Of an organization that is gone; what is done again and again stays."""
    duties.give_back(duties.take(POLL, FIRST, clock.now()), later(clock, 30), "")
    clock.forward(timedelta(days=29).total_seconds())
    kept = next(one for one in _rules() if one.table == "duty")
    store.forgetting.forget(kept, clock.now(), 10)
    assert sql(store, "SELECT name FROM duty") == [(POLL.name,)]
    clock.forward(timedelta(days=2).total_seconds())

    store.forgetting.forget(kept, clock.now(), 10)

    assert count(store, "duty") == 0


def _rules():
    from connector_core.store.forgetting import KEPT  # noqa: PLC0415 - beside its use

    return KEPT
