"""Shares of threads: a place whose calls hang leaves the others theirs."""

from __future__ import annotations

import threading

import pytest

from connector_core.shares import SharedCrew, Shares
from tests.support.hanging import Hanging

SOON_S = 30.0


def filled(shares, place):
    """Take for a place what it may hold; return how much that is."""
    taken = 0
    while shares.take(place):
        taken += 1
    return taken


def test_a_place_holds_several_while_few_need_any_and_fewer_when_many_do():
    """The first that hang hold eight each, later ones fewer, and three hundred that fill their shares leave some."""
    shares = Shares(512, 8)

    held = [filled(shares, f"site-{number}") for number in range(300)]

    assert held[:2] == [8, 8]
    assert held == sorted(held, reverse=True)
    assert held[-1] == 1
    assert shares.take("healthy")


@pytest.mark.parametrize("size", [32, 512])
def test_as_many_places_may_hang_as_there_are_threads_but_one(size):
    """In turn, as lanes are claimed, each comes to its one thread, and whoever comes last, too."""
    shares = Shares(size, 8)
    places = [f"site-{number}" for number in range(size - 1)]

    assert all(shares.take(place) for place in places)
    assert shares.take("healthy")
    assert not shares.take("one more")


@pytest.mark.parametrize("hanging", [4, 50, 200])
def test_however_many_hang_there_is_room_for_a_healthy_one(hanging):
    """Also after each of them has taken all that it is given."""
    shares = Shares(512, 8)
    for _ in range(8):
        for number in range(hanging):
            shares.take(f"site-{number}")

    assert shares.take("healthy")


def test_what_is_given_back_can_be_taken_again():
    """A place that hung and works again has its whole share."""
    shares = Shares(512, 8)
    taken = {place: filled(shares, place) for place in (f"site-{number}" for number in range(200))}
    for place, count in taken.items():
        for _ in range(count):
            shares.give_back(place)

    assert filled(shares, "site-199") == 8


def test_what_is_given_back_in_part_leaves_the_rest_counted():
    """A site of whose calls one ended still holds the others: it gets one more, not a whole share again."""
    shares = Shares(512, 8)
    assert filled(shares, "site") == 8
    shares.give_back("site")

    assert filled(shares, "site") == 1


def test_places_that_hold_nothing_are_forgotten():
    """Memory does not grow with every site that was ever called."""
    shares = Shares(512, 8)
    for number in range(100):
        shares.take(f"site-{number}")
        shares.give_back(f"site-{number}")

    assert len(shares._held) == 0


def test_the_last_thread_is_for_whoever_has_none():
    """A site that hangs does not take the thread that a healthy one is about to need."""
    shares = Shares(32, 8, held=[f"site-{number}" for number in range(31)])

    assert not shares.has_room("site-0")
    assert shares.has_room("healthy")


def test_one_place_may_hold_all_where_that_is_said():
    """A share as large as the whole leaves nothing to others: the sizes are the operator's."""
    assert filled(Shares(4, 4), "only") == 4


@pytest.fixture
def crew():
    """Make a hundred threads, four for each place, and end them afterwards."""
    made = SharedCrew("shared", 100, most=4)
    yield made
    made.shutdown()


def test_calls_of_a_place_that_hangs_wait_for_their_share_and_others_do_not(crew):
    """Nine calls to a site that hangs hold its share; a healthy one is called at once. In the end all are made."""
    hang = Hanging()
    calls = [crew.submit("slow", hang, number) for number in range(9)]
    for _ in range(4):
        assert hang.inside.acquire(timeout=SOON_S)

    assert not crew.has_room("slow")
    assert crew.has_room("well")
    assert crew.submit("well", lambda: "done").result(SOON_S) == "done"
    assert not hang.inside.acquire(timeout=0.05)
    hang.let_go.set()
    assert [call.result(SOON_S) for call in calls] == list(range(9))


def test_a_place_that_holds_its_share_has_no_room_although_none_of_its_calls_waits(crew):
    """Whoever asks before submitting a look for a page is told that it would wait."""
    hang = Hanging()
    calls = [crew.submit("slow", hang) for _ in range(4)]

    assert not crew.has_room("slow")
    hang.let_go.set()
    assert [call.result(SOON_S) for call in calls] == ["let go"] * 4


def test_a_place_whose_waiting_calls_are_made_is_as_any_other(crew):
    """A site that was slow for a minute has its whole share again afterwards, not one thread less each time."""
    hang = Hanging()
    calls = [crew.submit("slow", hang) for _ in range(5)]
    hang.let_go.set()
    assert [call.result(SOON_S) for call in calls] == ["let go"] * 5

    again = Hanging()
    calls = [crew.submit("slow", again) for _ in range(4)]
    assert all(again.inside.acquire(timeout=SOON_S) for _ in range(4))
    again.let_go.set()
    assert [call.result(SOON_S) for call in calls] == ["let go"] * 4


@pytest.fixture
def no_thread_starts():
    """Have no thread start; return what lets them start again."""
    patch = pytest.MonkeyPatch()

    def refuse(_):
        raise RuntimeError("can't start new thread")

    patch.setattr(threading.Thread, "start", refuse)
    yield patch.undo
    patch.undo()


def test_calls_are_made_when_threads_can_be_started_again(crew, no_thread_starts):
    """Meanwhile health says why sites are not called; afterwards nothing that was asked for is missing."""
    call = crew.submit("site", lambda: "done")
    assert [one.trouble() for one in crew.loops] == ["no thread can be started"]
    no_thread_starts()

    crew.grow()

    assert call.result(SOON_S) == "done"
    assert [one.trouble() for one in crew.loops] == [""]


@pytest.mark.usefixtures("no_thread_starts")
def test_a_crew_that_ends_cancels_what_no_thread_began(crew):
    """A page that waits for a look at a site ends with the process instead of hanging."""
    call = crew.submit("site", lambda: "never")

    crew.shutdown()

    assert call.cancelled()


def test_what_a_call_raises_belongs_to_whoever_asks_and_its_share_comes_back(crew):
    """Also where it would end a thread."""

    def broken():
        raise SystemExit

    calls = [crew.submit("site", broken) for _ in range(20)]

    assert [type(call.exception(SOON_S)) for call in calls] == [SystemExit] * 20
    assert crew.submit("site", lambda: "well").result(SOON_S) == "well"


def test_a_crew_that_ends_cancels_what_waits(crew):
    """What runs may end; what is submitted afterwards is cancelled, too."""
    hang = Hanging()
    running = [crew.submit("slow", hang) for _ in range(4)]
    for _ in running:
        assert hang.inside.acquire(timeout=SOON_S)
    waiting = crew.submit("slow", hang)

    crew.shutdown()

    assert waiting.cancelled()
    assert crew.submit("well", hang).cancelled()
    hang.let_go.set()
    assert [call.result(SOON_S) for call in running] == ["let go"] * 4
