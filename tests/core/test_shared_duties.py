"""Duties over several nodes of one database: done once, spread, taken over, and refused of who comes back."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
import structlog
from structlog.testing import capture_logs

from connector_core import RetryLater
from connector_core.contract.errors import ConfigError
from connector_core.contract.models import Grant
from connector_core.demo.stage import until
from connector_core.engine import duties
from connector_core.engine.cluster_node import JUDGES_AFTER_S, SILENT_FOR_S
from connector_core.engine.duties import GRACE_S, QUIET_AFTER, OwnDuties, SharedDuties
from connector_core.polling.errands import Errands
from connector_core.polling.recurring import Recurring
from connector_core.shares import SharedCrew
from connector_core.store import Duty, Reading
from connector_core.store.fences import DutyLost
from tests.core.conftest import PASSPHRASE
from tests.support.hosts_at_hand import Host
from tests.support.nodes_at_hand import Hand
from tests.support.rows import count, sql

ON_SERVER = pytest.mark.postgresql_only("there can be several nodes there only")
EVERY_S = 30.0
POLL = Duty("poll:acme", "acme")


class Doer:
    """A node with its duties."""

    def __init__(self, hand) -> None:
        self.hand, self.node, self.store, self.clock = hand, hand.node, hand.store, hand.clock
        self.duties = SharedDuties(hand.store.duties, hand.node, hand.clock, structlog.get_logger("test"))

    def do(self, duty=POLL, **options):
        """Do a duty if that is ours; return whether it was, and in how many seconds to look again."""
        with self.duties.turn(duty, every_s=EVERY_S, **options) as turn:
            pass
        return turn.is_ours, turn.wait_s


@pytest.fixture
def nodes(store, database_place):
    """Return a function that starts nodes of some names, which know each other; all are closed afterwards."""
    made = []

    def start(*hosts):
        hands = [Hand(database_place, PASSPHRASE, host).start() for host in hosts]
        made.extend(hands)
        for hand in hands:
            hand.node.live()
        return [Doer(hand) for hand in hands]

    yield start
    for hand in made:
        hand.close()


@pytest.fixture
def pair(nodes):
    """Start two nodes, one of which prefers `POLL`; that one comes first."""
    first, second = nodes("first", "second")
    assert first.node.prefers(POLL.name) != second.node.prefers(POLL.name)
    return (first, second) if first.node.prefers(POLL.name) else (second, first)


def pass_time(seconds, *doers):
    """Let time pass for some nodes, which beat at its end."""
    for one in doers:
        one.clock.forward(seconds)
    for one in doers:
        one.node._beat()  # nobody was silent meanwhile
    for one in doers:
        one.node.live()


def elsewhere(act, *args):
    """Act as a thread that works for no duty."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(act, *args).result()


def bury(frozen, other):
    """Have one node found dead that is frozen since."""
    other.node.live()
    other.clock.forward(JUDGES_AFTER_S)
    other.node.live()
    other.clock.forward(SILENT_FOR_S)
    other.node.live()
    assert other.hand.state(frozen.hand) == "lost"


@ON_SERVER
def test_what_is_due_is_done_by_one(pair):
    """Whoever comes first; the other learns when it is due again, and looks then."""
    first, second = pair

    is_ours, wait_s = first.do()
    is_theirs, their_wait_s = second.do()

    assert (is_ours, is_theirs) == (True, False)
    assert wait_s == EVERY_S
    assert EVERY_S < their_wait_s <= EVERY_S + GRACE_S + 1


@ON_SERVER
def test_many_that_come_at_once_do_it_once(nodes):
    """However they meet: of three nodes one has the turn."""
    doers = nodes("a", "b", "c")
    doers[0].do()
    start, had = threading.Barrier(3), []

    def come(doer):
        start.wait()
        with doer.duties.turn(POLL, every_s=EVERY_S) as turn:
            if turn.is_ours:
                had.append(doer.node.id)

    for number in range(1, 21):
        sql(doers[0].store, "UPDATE duty SET due_at = 0, node = NULL")
        threads = [threading.Thread(target=come, args=(doer,)) for doer in doers]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert len(had) == number


@ON_SERVER
def test_the_other_comes_late_to_what_one_prefers(pair, monkeypatch):
    """So what a plugin remembers of a place stays on one node; it comes when that one does not."""
    monkeypatch.setattr(duties, "GRACE_S", EVERY_S / 2)  # real time passes too, by the server's clock
    first, second = pair
    first.do()
    pass_time(EVERY_S + 0.5, first, second)
    assert second.do()[0] is False
    assert first.do()[0] is True

    pass_time(EVERY_S * 1.5 + 0.5, first, second)

    assert second.do()[0] is True


@ON_SERVER
def test_the_load_is_spread(nodes):
    """Each of three nodes prefers about a third, and nobody's share is nobody's; one that ends leaves its to both."""
    doers = nodes("a", "b", "c")
    names = [f"poll:org-{number}" for number in range(300)]

    def whose():
        return {name: [one.node.id for one in doers if one.node.prefers(name)] for name in names}

    before = whose()
    assert all(len(one) == 1 for one in before.values())
    assert min(Counter(one[0] for one in before.values()).values()) > 60
    gone = doers.pop()
    gone.node.stop()
    for one in doers:
        one.node.live()
    after = whose()

    assert {name: one for name, one in after.items() if before[name] != [gone.node.id]} == {
        name: one for name, one in before.items() if one != [gone.node.id]
    }
    assert len(Counter(one[0] for one in after.values())) == 2


@ON_SERVER
def test_a_dead_nodes_duty_is_anothers_when_it_is_buried_and_not_before(pair):
    """In the middle of it; whoever lives is told at once that something is left."""
    first, second = pair
    told = []
    second.node.when_one_ends(lambda: told.append(second.duties.left_behind()))
    first.do()
    second.clock.forward(EVERY_S + GRACE_S)
    first.clock.forward(EVERY_S)
    first.node.live()
    second.node.live()
    with first.duties.turn(POLL, every_s=EVERY_S) as turn:
        assert turn.is_ours
        assert second.do() == (False, EVERY_S)
        assert second.duties.left_behind() == []

        bury(first, second)

        assert told == [[POLL.name]]
        assert second.do()[0] is True


@ON_SERVER
def test_who_was_frozen_in_the_middle_spoils_nothing(pair):
    """It comes back, and is refused: it starts no call, stores nothing, and does not give back what is another's."""
    first, second = pair
    read = Reading("hub", None, "")
    with capture_logs() as said, first.duties.turn(POLL, every_s=EVERY_S) as turn:
        assert turn.is_ours
        bury(first, second)
        assert elsewhere(second.do)[0] is True
        accepted = elsewhere(second.store.inbox.accept_poll, "acme", read, [], [], "newer", second.clock.now())
        assert accepted is not None

        with pytest.raises(DutyLost):
            first.store.inbox.accept_poll("acme", replace(read, cursor="newer"), [], [], "older", first.clock.now())
        first.node.live()
        assert first.node.may_work
        with pytest.raises(RetryLater) as refused:
            first.node.check()
        assert refused.value.code == "lane_taken_over"

    assert second.store.sources.cursor("acme", "hub") == "newer"
    assert [line["duty"] for line in said if line["event"] == "duty_lost"] == [POLL.name]
    first.node.check()  # outside of it this node may work again


@ON_SERVER
def test_a_cursor_is_never_set_back(pair):
    """Also without a duty, as when a person has a source looked at: who read from an older cursor is refused."""
    first, second = pair
    start = Reading("hub", None, "")
    assert second.store.inbox.accept_poll("acme", start, [], [], "2", second.clock.now()) is not None

    assert first.store.inbox.accept_poll("acme", start, [], [], "1", first.clock.now()) is None

    assert first.store.sources.cursor("acme", "hub") == "2"


@ON_SERVER
def test_what_writes_to_a_vendor_waits_until_the_last_call_has_ended(pair):
    """A node that ended in the middle may have sent a call whose effect is to come; reading waits for nothing."""
    first, second = pair
    hook = Duty("hook:desk", "acme")
    with first.duties.turn(hook, every_s=EVERY_S, is_writing=True) as turn:
        assert turn.is_ours
        bury(first, second)

        assert second.do(hook, is_writing=True)[0] is False
        second.clock.forward(QUIET_AFTER.total_seconds())
        second.node.live()
        assert second.do(hook, is_writing=True)[0] is True


@ON_SERVER
def test_a_goodbye_frees_what_was_being_done_at_once(pair):
    """Nobody has to be found dead."""
    first, second = pair
    with first.duties.turn(POLL, every_s=EVERY_S) as turn:
        assert turn.is_ours
        first.node.stop()
        second.node.live()

        assert second.duties.left_behind() == [POLL.name]
        assert second.do()[0] is True


@ON_SERVER
def test_when_it_is_due_survives_all_nodes(nodes):
    """Whoever starts first later keeps to it."""
    first, second = nodes("first", "second")
    first.do()
    for one in (first, second):
        one.node.stop()

    (third,) = nodes("third")

    is_ours, wait_s = third.do()
    assert not is_ours
    assert EVERY_S - 10 < wait_s <= EVERY_S
    third.clock.forward(wait_s)
    third.node.live()
    assert third.do()[0] is True


@ON_SERVER
def test_who_starts_when_nobody_was_at_work_has_all_of_a_kind_done(nodes):
    """What changed while nobody listened was told to nobody; who joins others has it left as it is."""
    (first,) = nodes("first")
    marked = Duty("reconcile:desk", "acme", "since then")
    assert first.do(marked)[0] is True
    (second,) = nodes("second")
    second.duties.begin("reconcile")
    assert second.do(marked)[0] is False
    for one in (first, second):
        one.node.stop()

    (third,) = nodes("third")
    third.duties.begin("reconcile")

    with third.duties.turn(marked, every_s=EVERY_S) as turn:
        assert (turn.is_ours, turn.is_new) == (True, True)


@ON_SERVER
def test_a_node_that_is_cut_off_takes_nothing(pair):
    """Others may hold it for dead."""
    first, _ = pair
    first.clock.forward(SILENT_FOR_S)

    assert first.do() == (False, 1.0)


@ON_SERVER
def test_what_was_not_done_is_done_later_and_not_noted(pair):
    """An error leaves the mark as it was, and the next turn at its time."""
    first, _ = pair
    marked = Duty("hook:desk", "acme", "as of today")
    with pytest.raises(ConfigError), first.duties.turn(marked, every_s=EVERY_S):
        raise ConfigError("It cannot be.")

    row = first.store.duties.find(marked)

    assert (row.mark, row.node) == ("", None)
    assert row.due_at - first.clock.now() > timedelta(seconds=EVERY_S - 10)
    with first.duties.turn(marked, every_s=EVERY_S) as turn:
        assert turn.is_new


@ON_SERVER
def test_who_could_not_give_it_back_does_it_again(pair, monkeypatch):
    """The database was away at the end of a turn: the row is still ours, and nobody else may have it."""
    first, second = pair
    with monkeypatch.context() as away:

        def fail(*_):
            raise RetryLater("The database is away.")

        away.setattr(first.store.duties, "give_back", fail)
        first.do()
    assert second.do()[0] is False

    assert first.do()[0] is True


# Rounds and errands


class Called:
    """What is called for names."""

    def __init__(self) -> None:
        self.names = []

    def __call__(self, name, *_):
        """Note who was called for."""
        self.names.append(name)


def rounds_of(doer, called, names, **options):
    """Make rounds over some organizations on a node."""
    crew = SharedCrew("poll", 8, most=8)
    made = Recurring(
        "poll",
        lambda: dict.fromkeys(names, EVERY_S),
        called,
        duties=doer.duties,
        crew=crew,
        clock=doer.clock,
        log=structlog.get_logger("test"),
        **options,
    )
    made.follow()
    return made


def step(rounds, doer):
    """Hand out what is due and wait for its end."""
    rounds.rounds.step()
    until(lambda: all(not turn.is_running for turn in rounds.rounds._turns.values()))


@pytest.mark.extended
@ON_SERVER
def test_over_time_each_is_done_as_often_as_by_one_node(nodes):
    """Three nodes go round twelve sources for ten minutes: each of these is polled as often as one node would."""
    doers, names = nodes("a", "b", "c"), [f"org-{number}" for number in range(12)]
    called = [Called() for _ in doers]
    rounds = [rounds_of(doer, one, names) for doer, one in zip(doers, called, strict=True)]
    for _ in range(200):
        pass_time(3.0, *doers)
        for doer, one in zip(doers, rounds, strict=True):
            step(one, doer)

    polls = Counter(name for one in called for name in one.names)
    assert set(polls) == set(names)
    expected = 200 * 3.0 / EVERY_S
    assert all(expected * 0.8 <= polls[name] <= expected + 2 for name in names), polls
    assert all(len(one.names) > 0 for one in called)


@ON_SERVER
def test_what_is_left_behind_is_looked_at_at_once(pair):
    """Not when its time comes round: who did it is dead."""
    first, second = pair
    called = Called()
    rounds = rounds_of(second, called, ["acme"])
    with first.duties.turn(POLL, every_s=EVERY_S) as turn:
        assert turn.is_ours
        step(rounds, second)
        assert called.names == []
        bury(first, second)
        rounds.take_over(second.duties.left_behind())
        step(rounds, second)

    assert called.names == ["acme"]


@ON_SERVER
def test_a_setting_that_changed_is_acted_on_once(pair):
    """All nodes see it within a moment; one of them does what it asks for."""
    first, second = pair
    mark, called = {"acme": "before"}, [Called(), Called()]
    rounds = [
        rounds_of(doer, one, ["acme"], mark=mark.__getitem__) for doer, one in zip((first, second), called, strict=True)
    ]
    for doer, one in zip((first, second), rounds, strict=True):
        step(one, doer)
    assert sum(len(one.names) for one in called) == 1

    mark["acme"] = "after"
    for doer, one in zip((first, second), rounds, strict=True):
        one.follow(["acme"])
        step(one, doer)

    assert sum(len(one.names) for one in called) == 2


def _is_back(errands):
    return not errands.under_way


@ON_SERVER
def test_an_errand_that_all_nodes_are_sent_on_is_done_once(pair):
    """Each finds out by itself that something is due."""
    called, crew = Called(), SharedCrew("call", 4, most=4)
    errands = [
        Errands(
            "checkup",
            called,
            every_s=EVERY_S,
            duties=doer.duties,
            crew=crew,
            log=structlog.get_logger("test"),
            organization_of=lambda _: "acme",
        )
        for doer in pair
    ]
    for one in errands:
        one.send(["desk"])
        until(partial(_is_back, one))

    assert called.names == ["desk"]


# What a daemon does


@ON_SERVER
def test_what_is_old_is_forgotten_and_what_ends_soon_is_said_by_one_node(store, database_place, tmp_path):
    """Each looks by its own clock; one does it, and the others learn when it is due again."""
    store.integrations.remove("desk")
    hosts = [Host(tmp_path / name, database_place).has("1").start() for name in ("first", "second", "third")]
    first = hosts[0].app
    grant = Grant(headers={}, renewable_until=first.clock.now() + timedelta(days=10))
    first.store.grants.save("desk", grant)
    with capture_logs() as said:
        waits = [host.app.schedule.jobs["forget"].run() for host in hosts]
        for host in hosts:
            host.app.schedule.jobs["warn"].run()
    for host in hosts:
        host.stop()

    assert Counter(line["event"] for line in said) == {"forgotten": 1, "authorization_ends": 1}
    assert all(3600 - 60 < wait_s <= 3600 + GRACE_S + 1 for wait_s in waits)


# A node that is alone


def test_a_node_that_is_alone_stores_nothing_of_its_duties(store, clock):
    """It has no other to agree with: what it costs is what it cost before."""
    duties, commits = OwnDuties(clock), store.database.commits
    with duties.turn(Duty("hook:desk", "acme", "as of today"), every_s=EVERY_S) as turn:
        assert (turn.is_ours, turn.is_new) == (True, True)
    with duties.turn(Duty("hook:desk", "acme", "as of today"), every_s=EVERY_S) as turn:
        assert (turn.is_ours, turn.is_new) == (True, False)

    assert turn.wait_s == EVERY_S
    assert store.database.commits == commits
    assert count(store, "duty") == 0


def test_what_fails_on_a_node_that_is_alone_is_still_to_be_done(clock):
    """As where there are several."""
    duties = OwnDuties(clock)
    with pytest.raises(ConfigError), duties.turn(Duty("hook:desk", "acme", "today"), every_s=EVERY_S):
        raise ConfigError("It cannot be.")

    with duties.turn(Duty("hook:desk", "acme", "today"), every_s=EVERY_S) as turn:
        assert turn.is_new


@ON_SERVER
def test_a_clock_that_was_far_ahead_puts_nothing_off(store, database_place):
    """It was set right while no node lived, so that nobody could tell: no duty is put off longer than it ever is."""
    ahead = Hand(database_place, PASSPHRASE, "ahead")
    ahead.clock.set_by(20 * 86_400.0)
    ahead.start().node.live()
    assert Doer(ahead).do()[0] is True
    ahead.node.stop()
    ahead.close()
    right = Hand(database_place, PASSPHRASE, "right").start()
    right.node.live()

    assert Doer(right).do()[0] is True

    right.close()


@ON_SERVER
def test_a_clock_set_back_as_a_node_dies_keeps_its_duties_from_nobody(pair):
    """Its last beat lies ahead then: it is quiet from the moment at which that was seen."""
    first, second = pair
    hook = Duty("hook:desk", "acme")
    assert first.store.duties.take(hook, first.node.id, first.clock.now()) is not None
    first.hand.be_killed()
    second.clock.set_by(-86_400.0)
    second.store.life.clock_was_set(-86_400.0, second.clock.now())
    for _ in range(2):
        second.clock.forward(JUDGES_AFTER_S + 1)
        second.node.live()
    second.clock.forward(QUIET_AFTER.total_seconds() + 1)
    second.node.live()

    with second.duties.turn(hook, every_s=600.0, is_writing=True) as turn:
        assert turn.is_ours
