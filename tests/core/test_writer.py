"""The writer: what waits shares a commit, and what fails fails alone."""

from __future__ import annotations

import sqlite3
import threading

import pytest

from connector_core import RetryLater
from connector_core.store.connection import connect
from connector_core.store.writer import MAX_BATCH, MAX_WAITING, Writer

SOON_S = 60.0


@pytest.fixture
def writer(tmp_path):
    """Open a writer on a file with one table."""
    opened = Writer(connect(tmp_path / "some.db", writer=True))
    opened.submit(lambda db: db.execute("CREATE TABLE thing (name TEXT PRIMARY KEY)")).result(SOON_S)
    yield opened
    opened.close()


def put(name):
    """Make a closure that stores a name and returns it."""

    def work(db):
        db.execute("INSERT INTO thing VALUES (?)", (name,))
        return name

    return work


def put_and_fail(db):
    """Store a name, then fail for a reason of the caller's."""
    put("half")(db)
    raise ValueError("the caller's own")


def batch_of(writer, *works):
    """Submit closures so that all of them wait at the same time."""
    gate = threading.Event()
    writer.submit(lambda _: gate.wait(SOON_S))
    futures = [writer.submit(work) for work in works]
    gate.set()
    return futures


def names(writer):
    """Return what is stored."""
    return writer.submit(lambda db: [row[0] for row in db.execute("SELECT name FROM thing ORDER BY name")]).result(
        SOON_S
    )


def test_what_fails_in_a_batch_fails_alone(writer):
    """Its neighbours are stored once, before and after it; nothing of it remains."""
    one, failing, doubled, two = batch_of(writer, put("one"), put_and_fail, put("one"), put("two"))

    assert (one.result(SOON_S), two.result(SOON_S)) == ("one", "two")
    with pytest.raises(ValueError, match="the caller's own"):
        failing.result(SOON_S)
    with pytest.raises(sqlite3.IntegrityError):
        doubled.result(SOON_S)
    assert names(writer) == ["one", "two"]


def test_trouble_of_the_database_fails_the_batch(writer):
    """Nobody of the batch is told that it is stored, and the next batch works."""
    one, broken = batch_of(writer, put("one"), lambda db: db.execute("INSERT INTO no_such_table VALUES (1)"))

    for future in (one, broken):
        with pytest.raises(RetryLater):
            future.result(SOON_S)
    assert writer.submit(put("later")).result(SOON_S) == "later"
    assert names(writer) == ["later"]


def test_full_queue_refuses_at_once_and_loses_nothing_that_it_took(writer):
    """Who comes when it is full is told to come again; what waited is done."""
    futures = batch_of(writer, *[lambda _: None] * (MAX_WAITING + MAX_BATCH + 50))

    refused = [future for future in futures if future.exception(SOON_S) is not None]

    assert 50 <= len(refused) <= MAX_BATCH + 50
    assert all(isinstance(future.exception(), RetryLater) for future in refused)
    assert {future.exception().code for future in refused} == {"store_busy"}
