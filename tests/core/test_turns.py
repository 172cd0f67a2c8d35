"""Turns: one thread for each name, and so many names at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from connector_core.demo.stage import until
from connector_core.store.postgres import MOST_LOCKS
from connector_core.store.turns import NoTurn, Turns
from tests.support.postgres import connected

LONG_S = 30.0
_LOCKS = (
    "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND database ="
    " (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid IN"
    " (SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT pg_advisory_lock%')"
)


def test_a_name_has_one_turn_at_a_time():
    """Those who wait come one after the other, and nothing is kept of a name afterwards."""
    turns, present, most = Turns(8), [], []

    def come(number):
        with turns.of("one", LONG_S):
            present.append(number)
            most.append(len(present))
            present.remove(number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(come, range(200)))

    assert set(most) == {1}
    assert turns._lines == {}


def test_who_waits_for_a_name_takes_no_room():
    """Many that want the same keep nobody else from a turn."""
    turns, goes = Turns(2), threading.Event()

    def hold():
        with turns.of("busy", LONG_S):
            goes.wait(LONG_S)

    with ThreadPoolExecutor(8) as pool:
        held = [pool.submit(hold) for _ in range(8)]
        until(lambda: turns._lines["busy"].threads == 8)

        with turns.of("another", LONG_S):
            goes.set()

        assert [one.result(LONG_S) for one in held] == [None] * 8


def test_no_more_than_so_many_at_once():
    """The next is told after its patience, and comes once there is room; what went wrong inside frees it."""
    turns = Turns(1)
    with turns.of("one", LONG_S), pytest.raises(NoTurn), turns.of("two", 0.0):
        pass
    with pytest.raises(ZeroDivisionError), turns.of("one", LONG_S):
        raise ZeroDivisionError

    with turns.of("two", 0.0):
        assert set(turns._lines) == {"two"}


@pytest.mark.postgresql_only("a lock is a connection there")
def test_renewals_that_hang_leave_connections_to_others(store):
    """However many there are, and all of them come to their turn."""
    goes, ended = threading.Event(), []

    def hold(number):
        with store.database.exclusive(f"grant-{number}"):
            goes.wait(LONG_S)
        ended.append(number)

    def held():
        with connected(store.database.place.url) as connection:
            return connection.execute(_LOCKS).fetchone()[0]

    threads = [threading.Thread(target=hold, args=(number,)) for number in range(3 * MOST_LOCKS)]
    for one in threads:
        one.start()
    until(lambda: held() == MOST_LOCKS)
    until(lambda: len(store.database._turns._lines) == len(threads))

    assert held() == MOST_LOCKS
    goes.set()
    for one in threads:
        one.join(LONG_S)
    assert sorted(ended) == list(range(len(threads)))
