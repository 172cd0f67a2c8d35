"""Several nodes on one database: who is dead, what becomes of what it held, and what nobody may do any more."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
import structlog
from structlog.testing import capture_logs

from connector_core import EventType, Incident, IncidentEvent, RetryLater
from connector_core.clock import SharedClock
from connector_core.databases import PostgreSQL
from connector_core.demo.stage import until
from connector_core.engine import cluster_node as nodes_module
from connector_core.engine import life_sign
from connector_core.engine.cluster_node import GONE_FOR, JUDGES_AFTER_S, SILENT_FOR_S
from connector_core.health.clock_watch import SEEN_AFTER_LOOKS, ClockWatch
from connector_core.http.outbound import CALL_DEADLINE_S
from connector_core.http.session import HTTPSession
from connector_core.registry.fresh import Fresh
from connector_core.store import (
    LEASE_S,
    LinkState,
    LinkStatus,
    Node,
    NodeEnd,
    Progress,
    Rest,
    Target,
    different_files,
    lanes,
)
from connector_core.store.nouns import CLAIMS
from tests.core.conftest import PASSPHRASE
from tests.support.lanes_at_hand import open_links
from tests.support.nodes_at_hand import Hand
from tests.support.postgres import connected, own_server
from tests.support.rows import count, sql

ON_SERVER = pytest.mark.postgresql_only("there can be several nodes there only")
SOON_S = 30.0
DONE = Progress(status=LinkStatus(LinkState.IN_SYNC))


@pytest.fixture
def nodes(store, database_place):
    """Return a function that starts a node of a name; all are closed afterwards."""
    made = []

    def start(host):
        made.append(Hand(database_place, PASSPHRASE, host))
        return made[-1].start()

    yield start
    for hand in made:
        hand.close()


@pytest.fixture
def pair(nodes):
    """Start two nodes, of which the second has been there long enough to judge the first."""
    first, second = nodes("first"), nodes("second")
    second.node.live()
    second.clock.forward(JUDGES_AFTER_S)
    first.node.live()
    return first, second


@pytest.fixture
def sink():
    """Return a server that counts what it is sent, and takes all of it."""
    calls = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            calls.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}/", calls=calls)
        server.shutdown()


def seen_again(hand, seconds):
    """Let time pass for one who watches."""
    hand.clock.forward(seconds)
    hand.node.live()


def is_gone(hand, seen_by):
    """Return whether the server knows that the session of a node has ended."""
    return not any(one.node.id == hand.node.id and one.has_session for one in seen_by.presence.others(""))


# Who is dead


@ON_SERVER
def test_a_killed_node_is_lost_when_it_was_silent_for_a_moment(pair, clock):
    """Its lanes are free then, and not before: a connection may be lost and made again."""
    first, second = pair
    open_links(first.store, clock, 1)
    (claim,) = first.claim()
    second.node.live()
    first.be_cut_off()
    until(lambda: is_gone(first, second))
    seen_at = next(one.seen_at for one in second.store.nodes.every() if one.node.host == "first")
    second.clock.now = lambda: seen_at + GONE_FOR - timedelta(milliseconds=1)
    second.node.live()
    assert second.store.lanes.claimed(first.node.id) == [claim.link_id]

    second.clock.now = lambda: seen_at + GONE_FOR
    second.node.live()

    assert second.state(first) == "lost"
    assert second.store.lanes.claimed(first.node.id) == []
    assert second.heard  # it looks for lanes at once
    (taken,) = second.claim()
    assert (taken.link_id, taken.fence) == (claim.link_id, claim.fence + 1)


@ON_SERVER
def test_a_frozen_node_is_lost_after_its_lease(pair):
    """Its connection stays, so only silence tells."""
    first, second = pair
    second.node.live()

    seen_again(second, SILENT_FOR_S - 1)
    assert second.state(first) != "lost"
    seen_again(second, 1)

    assert second.state(first) == "lost"


@ON_SERVER
def test_a_node_that_beats_is_never_lost(pair):
    """However long it runs."""
    first, second = pair
    for _ in range(4):
        first.node.live()
        seen_again(second, SILENT_FOR_S - 1)

    assert second.state(first) != "lost"


@ON_SERVER
def test_a_database_whose_clock_is_set_buries_nobody(pair):
    """How long a node is silent that has its session is told by what passed, not by what clocks say."""
    first, second = pair
    second.node.live()
    second.clock.set_by(3600)
    second.node.live()

    assert second.state(first) != "lost"


@ON_SERVER
def test_who_has_just_begun_buries_nobody(nodes):
    """It cannot know whether sessions are gone because nodes are, or because the server was started again."""
    first = nodes("first")
    first.be_cut_off()
    second = nodes("second")
    second.clock.now = lambda: datetime.now(UTC) + timedelta(minutes=1)
    second.node.live()
    seen_again(second, JUDGES_AFTER_S - 1)
    assert second.state(first) != "lost"

    seen_again(second, 1)

    assert second.state(first) == "lost"


@ON_SERVER
def test_who_has_just_begun_buries_whom_it_saw_alive(nodes):
    """The server has been there since, so that only the node itself can have ended its session; silence is no proof."""
    first, frozen, second = nodes("first"), nodes("frozen"), nodes("second")
    second.node.live()
    first.be_killed()

    seen_again(second, GONE_FOR.total_seconds() + 1)

    assert second.state(first) == "lost"
    seen_again(second, JUDGES_AFTER_S - GONE_FOR.total_seconds() - 2)
    second.node._session = (second.node._session[0], second.clock.monotonic())  # a new one, as after a break
    seen_again(second, JUDGES_AFTER_S - 1)
    assert second.state(frozen) != "lost"


@pytest.mark.extended
@pytest.mark.parametrize(("judges_after_s", "is_buried"), [(JUDGES_AFTER_S, False), (0.0, True)])
def test_a_server_that_was_started_again_lets_nobody_be_buried(monkeypatch, judges_after_s, is_buried):
    """All sessions are gone, and one node is back before the other; without the rule that one would be buried."""
    monkeypatch.setattr(nodes_module, "JUDGES_AFTER_S", judges_after_s)
    with own_server() as server:
        first, second = (Hand(PostgreSQL(server.url), PASSPHRASE, host).start() for host in ("first", "second"))
        second.node.live()
        second.clock.forward(JUDGES_AFTER_S + 1)
        first.node.live()
        second.node.live()
        server.crash()
        second.node.live()
        assert not second.node.may_work
        server.start()

        # Its beats fail for longer than those of the other.
        second.clock.now = lambda: datetime.now(UTC) + timedelta(seconds=LEASE_S + 1)
        until(lambda: (second.node.live(), second.node.may_work)[1])
        second.node.live()

        assert (second.state(first) == "lost") == is_buried
        was = first.node.id
        until(lambda: (first.node.live(), first.node.may_work)[1])
        assert (first.node.id != was) == is_buried
        for one in (first, second):
            one.close()


# What becomes of what it held


@ON_SERVER
def test_a_node_that_was_buried_finds_out_and_begins_anew(pair, clock):
    """What it claimed before is lost: nothing of it is stored, and it calls nobody for it."""
    first, second = pair
    open_links(first.store, clock, 2)
    (claim,) = first.claim(1)
    second.node.live()
    seen_again(second, SILENT_FOR_S)
    was = first.node.id

    first.node.live()

    assert first.node.id != was
    assert not first.store.links.record(claim, DONE, clock.now())
    with first.node.working(claim.boot), pytest.raises(RetryLater) as refused:
        first.node.check()
    assert refused.value.code == "lane_taken_over"
    (another,) = first.claim(1)
    with first.node.working(another.boot):
        first.node.check()
    assert second.state(first) == "running"


@ON_SERVER
@pytest.mark.parametrize(("is_frozen", "is_calling"), [(True, True), (True, False), (False, True)])
def test_what_a_silent_node_may_be_writing_waits_until_that_has_ended(pair, clock, is_frozen, is_calling):
    """A process that is gone has no calls any more; a frozen one may still be in the middle of one."""
    first, second = pair
    open_links(first.store, clock, 1)
    (claim,) = first.claim()
    begun = first.clock.now() + timedelta(seconds=CALL_DEADLINE_S) if is_calling else None
    assert first.store.links.record(claim, replace(DONE, calling_until=begun), clock.now())
    second.node.live()
    if not is_frozen:
        first.be_cut_off()
        until(lambda: is_gone(first, second))
    seen_again(second, SILENT_FOR_S)
    second.store.lanes.wake(claim.link_id, second.clock.now())  # news are no reason to be earlier

    taken = second.claim()

    assert len(taken) == (0 if is_frozen and is_calling else 1)
    if not taken:
        second.clock.forward(LEASE_S + CALL_DEADLINE_S)
        taken = second.claim()
    until_then = taken[0].calling_until
    assert (until_then is not None) == is_calling
    if not is_calling:
        return
    assert abs((until_then - begun).total_seconds() - LEASE_S) < SOON_S
    second.store.lanes.release(taken[0], Rest(due=second.clock.now()), taken[0].calling_until - timedelta(seconds=1))
    (again,) = second.claim()
    assert again.calling_until == until_then  # whoever comes next knows it, too


@ON_SERVER
def test_goodbye_frees_at_once(pair, clock):
    """Who stops in good order is listed no more, and the others hear that there is work."""
    first, second = pair
    open_links(first.store, clock, 2)
    held = first.claim()
    heard = second.heard
    first.node.stopping()
    assert second.state(first) == "stopping"

    first.node.stop()

    assert second.state(first) is None
    assert {claim.link_id for claim in second.claim()} == {claim.link_id for claim in held}
    until(lambda: second.heard > heard)
    with pytest.raises(RetryLater):
        first.node.check()


@ON_SERVER
def test_a_node_that_begins_frees_what_is_of_the_dead_only(nodes, clock):
    """What the living hold stays; what was left by who is not listed is free, such as after a move from SQLite."""
    first = nodes("first")
    open_links(first.store, clock, 3)
    (of_the_living,) = first.claim(1)
    first.store.lanes.claim("nobody listed", first.clock.now(), 1, 7200)
    (of_the_dead,) = first.store.lanes.claim("buried", first.clock.now(), 1, 7200)
    first.store.nodes.register(Node("buried", "host", "1", "d", clock.now()), beats=True)
    first.store.nodes.say_goodbye("buried", clock.now())

    second = nodes("second")

    free = {claim.link_id for claim in second.claim()}
    assert of_the_living.link_id not in free
    assert of_the_dead.link_id in free
    assert len(free) == 2


def test_a_lone_node_frees_what_any_other_held(store, clock):
    """One daemon on a file: whoever was there before is dead."""
    open_links(store, clock, 2)
    store.lanes.claim("before", clock.now(), 1, 7200)
    for number, freed in ((1, 1), (2, 0)):
        about = Node(f"life {number}", "host", "1", "digest", clock.now())
        assert store.nodes.register_alone(about) == freed
    store.life.beat(clock.now())

    states = {one.node.id: one.state(clock.now()).value for one in store.nodes.every()}

    assert states == {"life 1": "lost", "life 2": "running"}
    clock.forward(31)
    assert store.nodes.every()[1].state(clock.now()).value == "not responding"


# What nobody may do who may be held for dead


@ON_SERVER
def test_who_cannot_beat_calls_nobody(pair, sink):
    """Not one byte goes out after the lease; the call was not made, for sure. With the next beat it goes on."""
    first, _ = pair
    session = HTTPSession("test", permit=first.node.check)
    assert session.post(sink.url).status_code == 204
    first.clock.forward(LEASE_S)

    with pytest.raises(RetryLater) as refused:
        session.post(sink.url)

    assert (refused.value.code, refused.value.outcome_unknown, len(sink.calls)) == ("node_cut_off", False, 1)
    first.node.live()
    assert session.post(sink.url).status_code == 204


@ON_SERVER
def test_a_command_is_no_node_and_may_call(database_place):
    """It never started one, and holds nothing that others could take over."""
    command = Hand(database_place, PASSPHRASE, "command")
    try:
        command.node.check()
        command.start()
        command.be_killed()
        with pytest.raises(RetryLater):
            command.node.check()
    finally:
        command.close()


@ON_SERVER
def test_who_has_lost_its_session_calls_nobody(pair):
    """The others see that it is gone, and may bury it within two seconds."""
    first, _ = pair
    first.be_cut_off()

    assert not first.node.may_work
    first.node.live()
    assert first.node.may_work


@ON_SERVER
def test_who_has_a_new_session_looks_where_its_server_is_before_it_works(pair):
    """It may be another one, which lacks what the former one stored last; until that is known nothing is done."""
    first, _ = pair
    assert first.breaks == 0
    first.be_killed()
    first.cannot_look = True
    first.node.live()
    assert (first.breaks, first.node.may_work) == (1, False)

    first.cannot_look = False
    first.node.live()
    first.node.live()

    assert (first.breaks, first.node.may_work) == (2, True)


@ON_SERVER
def test_who_cannot_beat_claims_nothing(pair, clock):
    """Due lanes wait until it can, or are another node's."""
    first, _ = pair
    ran = threading.Semaphore(0)
    engine = first.engine(lambda _: ran.release())
    first.clock.forward(LEASE_S)
    open_links(first.store, clock, 1)
    engine.start()

    assert not ran.acquire(timeout=1.0)
    first.node.live()
    assert ran.acquire(timeout=SOON_S)
    engine.stop(SOON_S)


# Claims of all nodes together


class CountedFirst:
    """A connection that goes on, once it has counted what runs, when somebody else has committed."""

    def __init__(self, db, counted, committed):
        self._db, self._counted, self._committed = db, counted, committed

    def execute(self, statement, *values):
        """Run a statement."""
        found = self._db.execute(statement, *values)
        if statement == lanes.RUNNING:
            self._counted.set()
            assert self._committed.wait(SOON_S)
        return found


@ON_SERVER
def test_the_share_of_an_integration_is_counted_over_all_nodes(nodes, database_place, clock):
    """Who claims at the same time waits its turn, and then sees what the other took; without that there would be 8."""
    first, second = nodes("first"), nodes("second")
    open_links(first.store, clock, 20)
    begun, may_end, counted, committed = (threading.Event() for _ in range(4))

    def claim(db, hand):
        return lanes.claim(db, hand.node.id, hand.clock.now(), 8, 7200, per_integration=4, running=None)

    def claim_slowly(db):
        found = claim(db, first)
        begun.set()
        assert may_end.wait(SOON_S)
        return found

    of_first = first.store.database.submit(CLAIMS, claim_slowly)
    assert begun.wait(SOON_S)
    of_second = second.store.database.submit(CLAIMS, lambda db: claim(CountedFirst(db, counted, committed), second))
    with connected(database_place.url) as watching:
        waiting = (
            "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        until(lambda: counted.is_set() or watching.execute(waiting).fetchone() != (0,))
    may_end.set()
    assert len(of_first.result(SOON_S)) == 4
    committed.set()

    assert of_second.result(SOON_S) == []


@pytest.mark.extended
@ON_SERVER
def test_engines_of_several_nodes_hold_the_share_together(nodes, clock):
    """Three nodes with work for all of them: never more at once than one integration may have, and all is done."""
    hands = [nodes(name) for name in ("first", "second", "third")]
    lock, inside, most, done = threading.Lock(), set(), [0], threading.Semaphore(0)
    over = threading.Event()

    def run(claim):
        with lock:
            inside.add(claim.link_id)
            most[0] = max(most[0], len(inside))
        over.wait(0.005)
        with lock:
            inside.remove(claim.link_id)
        done.release()

    def beat():
        while not over.wait(0.2):
            for hand in hands:
                hand.node.live()

    open_links(hands[0].store, clock, 60)
    engines = [hand.engine(run, workers=8, per_integration=4) for hand in hands]
    beater = threading.Thread(target=beat)
    beater.start()
    for engine in engines:
        engine.start()
    assert all(done.acquire(timeout=SOON_S) for _ in range(60))
    over.set()
    beater.join()
    for engine in engines:
        engine.stop(SOON_S)

    assert 1 <= most[0] <= 4


@pytest.mark.extended
@ON_SERVER
def test_nodes_hammer_one_database_without_a_circle_of_waits(nodes, database_place, clock):
    """Events, claims, results, burials and take-overs from two nodes at once: all is done, and counts are exact."""
    hands = [nodes("first"), nodes("second")]

    def tell(hand, number):
        name = f"{hand.about.host} {number}"
        body = Incident(id=f"inc-{number % 7}", title=name)
        event = IncidentEvent(id=name, type=EventType.OPENED, occurred_at=clock.now(), incident=body)
        hand.store.inbox.accept_events("acme", [event], [Target("desk", {}, clock.now())], clock.now()).result(SOON_S)

    def work(hand, _):
        for claim in hand.claim(4, per_integration=4, running=None):
            hand.store.links.record(claim, replace(DONE, calling_until=clock.now()), clock.now())
            hand.store.lanes.release(claim, Rest(due=clock.now()), clock.now())

    def bury(hand, number):
        boot = f"dead {hand.about.host} {number}"
        hand.store.nodes.register(Node(boot, "host", "1", "d", clock.now()), beats=True)
        hand.store.lanes.claim(boot, hand.clock.now(), 2, 7200, running=None)
        assert hand.store.nodes.bury(boot, clock.now(), NodeEnd.GONE, clock.now())
        for left in hand.store.lanes.left_behind():
            hand.store.lanes.take_over(left, clock.now())
        hand.store.lanes.wake_blocked(clock.now())

    acts = [(act, hand, number) for number in range(40) for hand in hands for act in (tell, work, bury, work)]
    circles = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    with ThreadPoolExecutor(12) as pool, connected(database_place.url) as watching:
        before = watching.execute(circles).fetchone()
        for one in [pool.submit(act, hand, number) for act, hand, number in acts]:
            one.result(2 * SOON_S)
        events, links = count(hands[0].store, "event"), sql(hands[0].store, "SELECT SUM(links) FROM link_count")
        held = "SELECT COUNT(*) FROM lane WHERE boot IS NOT NULL"
        for hand in hands:
            hand.store.close()  # whoever is connected tells the server's figures late

        assert watching.execute(circles).fetchone() == before
        assert (events, links[0][0], watching.execute(held).fetchone()) == (80, 7, (0,))


# What nodes tell each other


@ON_SERVER
def test_nodes_hear_of_each_other_and_not_of_themselves(pair):
    """A nudge reaches the other node; who told it does nothing."""
    first, second = pair
    until(lambda: second.listens() and first.listens())
    own, heard = first.heard, second.heard

    first.node.tell()

    until(lambda: second.heard > heard)
    assert first.heard == own


@ON_SERVER
def test_telling_is_gathered(pair):
    """However many lanes are woken, the server is told every 20 ms at most."""
    first, second = pair
    until(second.listens)
    heard, begun = second.heard, first.clock.monotonic()
    for _ in range(5000):
        first.node.tell()
    first.node._signals.stop()
    until(lambda: second.heard > heard)

    assert second.heard - heard <= (first.clock.monotonic() - begun) / 0.02 + 3


@ON_SERVER
def test_work_is_found_where_nobody_tells_of_it(pair, clock, monkeypatch):
    """A nudge that is lost costs half a second: the engine looks by itself."""
    first, second = pair
    ran = threading.Semaphore(0)
    monkeypatch.setattr(first.node._signals, "tell", lambda _: None)
    engine = second.engine(lambda _: ran.release())
    second.node.live()
    until(second.listens)
    engine.start()
    heard = second.heard

    open_links(first.store, clock, 1)
    first.node.tell()

    assert ran.acquire(timeout=SOON_S)
    assert second.heard == heard
    engine.stop(SOON_S)


def _count(integrations, _):
    return integrations.version(), len(integrations.ids())


@ON_SERVER
def test_changed_settings_are_told(pair, clock):
    """Who sees them first tells the others, which look at once though they would look by themselves later."""
    first, second = pair
    views = [Fresh(hand.store, partial(_count, hand.store.integrations)) for hand in pair]
    until(second.listens)
    assert [view.get() for view in views] == [1, 1]
    heard = second.store.database.settings_heard
    (desk,) = first.store.integrations.every()
    first.store.integrations.put(replace(desk, id="another"))

    assert views[0].get() == 2
    until(lambda: second.store.database.settings_heard > heard)
    assert views[1].get() == 2


# Time


def test_the_shared_clock_follows_the_server():
    """What it said half way between question and answer, and the seconds since; a moment's doubt moves nothing."""
    clock = SharedClock()
    said = datetime(2030, 1, 1, tzinfo=UTC)
    at = clock.monotonic()
    clock.heard(said, at - 1, at + 1)

    shown = clock.now()
    assert timedelta(0) <= shown - said < timedelta(seconds=SOON_S)
    clock.heard(said + timedelta(seconds=0.9), at - 1, at + 1)
    assert clock.now() - shown < timedelta(seconds=0.8) + timedelta(seconds=clock.monotonic() - at)
    clock.heard(said - timedelta(hours=1), at - 1, at + 1)
    assert clock.now() < said


@ON_SERVER
def test_a_node_has_the_time_of_the_database(database_place, store):
    """Whatever its own machine says."""
    clock = store.database.clock()
    with connected(database_place.url) as connection:
        before = connection.execute("SELECT clock_timestamp()").fetchall()[0][0]
        shown = clock.now()
        after = connection.execute("SELECT clock_timestamp()").fetchall()[0][0]

    assert before - timedelta(seconds=1) < shown < after + timedelta(seconds=1)


def watched(hand, told):
    """Watch the clock of a node, which adds to `told` when it has followed."""
    log = structlog.get_logger("test")
    return ClockWatch(hand.store.life, hand.clock, log, after=[lambda: told.append(1)], is_alone=False)


@pytest.fixture
def watching(nodes, clock):
    """Have two nodes that watch the clock; return them, their watches, and what tells how far a lane was moved."""
    hands = [nodes("first"), nodes("second")]
    open_links(hands[0].store, clock, 1)
    (claim,) = hands[0].claim()
    planned = hands[0].clock.now() + timedelta(hours=20)
    hands[0].store.lanes.release(claim, Rest(due=planned), hands[0].clock.now())
    told = []
    watches = [watched(hand, told) for hand in hands]
    moved = lambda: round((hands[0].store.lanes.next_due() - planned.timestamp()) / 60)  # noqa: E731 - a word
    return SimpleNamespace(hands=hands, watches=watches, told=told, minutes_moved=moved)


def seen_quiet(*watches):
    """Let watches look until they have taken over what others told before."""
    for _ in range(2 * SEEN_AFTER_LOOKS + 2):
        for watch in watches:
            watch.look()


@ON_SERVER
@pytest.mark.parametrize("later_s", [0, 600])
def test_a_clock_that_was_set_is_followed_once(watching, later_s):
    """Each node sees it, one of them much later; what was planned is moved along by the first of them."""
    for hand in watching.hands:
        hand.clock.set_by(-3600)
    watching.watches[0].look()
    for hand in watching.hands:
        hand.clock.forward(later_s)

    watching.watches[1].look()

    assert (len(watching.told), watching.minutes_moved()) == (2, -60)


@ON_SERVER
@pytest.mark.parametrize("later_s", [10, 600])
@pytest.mark.parametrize("first_sees_first", [True, False])
def test_a_clock_that_was_set_twice_is_followed_twice(watching, later_s, first_sees_first):
    """By as much each time: it is another step, however soon; also for whoever sees both at once, first or last."""
    first, second = watching.watches
    for hand in watching.hands:
        hand.clock.set_by(-3600)
    first.look()
    for hand in watching.hands:
        hand.clock.forward(later_s)
        hand.clock.set_by(-3600)
    for watch in (first, second) if first_sees_first else (second, first):
        watch.look()

    assert (len(watching.told), watching.minutes_moved()) == (3, -120)


@ON_SERVER
def test_a_step_that_ends_another_is_followed(watching):
    """A clock that was set back and right again: nothing is left moved."""
    first, second = watching.watches
    for by_s in (-3600, 3600):
        for hand in watching.hands:
            hand.clock.set_by(by_s)
        first.look()
    second.look()
    for hand in watching.hands:
        hand.clock.set_by(-7200)
    second.look()
    first.look()

    assert watching.minutes_moved() == -60 - 120  # a lane set forward only runs early: it is left


@ON_SERVER
@pytest.mark.parametrize("began", ["before_it_was_told", "after"])
def test_a_node_that_begins_after_a_step_does_not_take_it_for_one_to_come(watching, began):
    """Whether the others have told of it by then or not."""
    first, _ = watching.watches
    for hand in watching.hands:
        hand.clock.set_by(-3600)
    if began == "after":
        first.look()
    late = watched(watching.hands[1], watching.told)  # its clock was set before it began
    first.look()
    seen_quiet(first, late)
    for hand in watching.hands:
        hand.clock.set_by(-1800)
    first.look()
    late.look()

    assert watching.minutes_moved() == -90


# Who is dead on the same host


@ON_SERVER
def test_a_node_that_begins_knows_at_once_who_was_killed_on_its_host(nodes, clock):
    """A daemon that is started again after a kill waits for nothing: its lanes are free before it claims."""
    first, living = nodes("host"), nodes("host")
    open_links(first.store, clock, 2)
    (of_the_dead,), (of_the_living,) = first.claim(1), living.claim(1)
    first.be_killed()
    until(lambda: is_gone(first, living))

    second = nodes("host")

    assert (second.state(first), second.state(living)) == ("lost", "running")
    assert [claim.link_id for claim in second.claim()] == [of_the_dead.link_id]
    assert second.store.lanes.claimed(living.node.id) == [of_the_living.link_id]


@ON_SERVER
def test_who_was_killed_on_another_host_is_waited_for(nodes, monkeypatch):
    """Its kernel tells us nothing: a free name here does not mean that it is gone there."""
    first = nodes("first")
    first.be_killed()
    monkeypatch.setattr(life_sign, "_place", lambda: "another place")

    second = nodes("second")

    assert second.state(first) == "running"
    seen_again(second, JUDGES_AFTER_S)
    seen_again(second, SILENT_FOR_S)
    assert second.state(first) == "lost"


@pytest.mark.cases_in_test(1)
@pytest.mark.parametrize(("is_alive", "state"), [(True, "running"), (False, "lost")])
@pytest.mark.parametrize("end", [pytest.param("crash", marks=pytest.mark.extended), "crash of a part"])
def test_who_begins_after_the_server_was_started_again_buries_the_killed_only(is_alive, state, end):
    """All sessions are free, of the living too, and those may come back later than whoever begins.

    When one process of the server crashes, it ends all sessions and goes on with the time of its start as it was: that
    time is no proof.
    """
    with own_server() as server:
        first = Hand(PostgreSQL(server.url), PASSPHRASE, "first").start()
        if end == "crash":
            server.crash()
            server.start()
        else:
            server.crash_a_part()
        if not is_alive:
            first.node._life_sign.end()

        second = Hand(PostgreSQL(server.url), PASSPHRASE, "second").start()

        assert second.state(first) == state
        for one in (first, second):
            one.close()


def test_a_sign_of_life_is_there_as_long_as_its_process():
    """One that is frozen has it yet; one that was killed does not."""
    code = "import sys, time; from connector_core.engine.life_sign import LifeSign; sign = LifeSign(); sign.show();"
    code += "print(sign.name, flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        name = other.stdout.readline().decode().strip()
        assert name
        assert not life_sign.has_ended(name)
        other.send_signal(signal.SIGSTOP)
        assert not life_sign.has_ended(name)
        other.kill()
        other.wait(SOON_S)

    assert life_sign.has_ended(name)
    assert not life_sign.has_ended("")
    assert not life_sign.has_ended(f"elsewhere/{name.partition('/')[2]}")


# Who has which configuration file


@ON_SERVER
def test_nodes_with_different_files_say_so_once(nodes):
    """Which has which; and when they agree again. Whoever is lost, or of another version, is no part of it."""
    hands = {name: nodes(name) for name in ("first", "second", "third")}
    first = hands["first"]
    with capture_logs() as logged:
        for _ in range(3):
            first.node.live()
        assert logged == []

        hands["second"].digest = "newer"
        hands["second"].node.live()
        for _ in range(3):
            first.node.live()
        told, of_second = [one for one in logged if one["event"] == "nodes_have_different_files"]
        assert told["files"] == of_second["files"]
        assert told["files"] == {"digest": ["first:8080", "third:8080"], "newer": ["second:8080"]}
        assert {one.node.config_digest for one in first.store.nodes.every()} == {"digest", "newer"}

        for hand in hands.values():
            hand.digest = "newer"
            hand.node.live()
        first.node.live()
        assert logged[-1]["event"] == "nodes_have_the_same_file"


def test_files_are_compared_within_a_version(clock):
    """Another version may name the same file in another way; several on one host are told apart by their ports."""
    old, new = (Node("1", "host", version, version, clock.now(), 80) for version in ("1", "2"))

    assert different_files([old, new]) == {}
    assert different_files([old, replace(old, id="2", port=81), replace(old, id="3", config_digest="x", port=82)]) == {
        "1": ["host:80", "host:81"],
        "x": ["host:82"],
    }


@ON_SERVER
def test_a_clock_set_back_as_a_node_hangs_holds_its_lane_no_longer_than_a_call(pair, clock):
    """Its last beat lies ahead then: what it may be writing has ended a while after now."""
    first, second = pair
    open_links(first.store, clock, 1)
    (claim,) = first.claim()
    begun = first.clock.now() + timedelta(seconds=CALL_DEADLINE_S)
    assert first.store.links.record(claim, replace(DONE, calling_until=begun), clock.now())
    second.node.live()
    second.clock.set_by(-86_400.0)
    second.store.life.clock_was_set(-86_400.0, second.clock.now())
    seen_again(second, SILENT_FOR_S)
    second.store.lanes.wake(claim.link_id, second.clock.now())
    assert second.claim() == []

    seen_again(second, LEASE_S + CALL_DEADLINE_S + 1)

    assert [one.link_id for one in second.claim()] == [claim.link_id]
