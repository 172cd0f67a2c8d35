"""The writer: what waits shares a commit, and what fails fails alone."""

from __future__ import annotations

import errno
import sqlite3
import threading
from concurrent.futures import Future

import pytest

from connector_core import RetryLater
from connector_core.loops import Loop
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


class Stumbling:
    """A connection that raises something once, when a statement begins in a way."""

    def __init__(self, conn, beginning, error) -> None:
        self._conn = conn
        self._trouble = [(beginning, error)]

    def __getattr__(self, name):
        return getattr(self._conn, name)

    def execute(self, text, *values):
        """Execute a statement, unless it is the one."""
        if self._trouble and text.startswith(self._trouble[0][0]):
            raise self._trouble.pop()[1]
        return self._conn.execute(text, *values)


@pytest.mark.parametrize("error", [MemoryError, SystemExit, RecursionError, OSError])
@pytest.mark.parametrize("beginning", ["BEGIN", "COMMIT"])
def test_an_error_that_nobody_expects_does_not_end_the_writer(writer, monkeypatch, beginning, error):
    """Whoever waits is told, nothing of the batch is stored, the loop goes on and has counted it."""
    monkeypatch.setattr(writer, "_db", Stumbling(writer._db, beginning, error()))
    futures = [writer.submit(put("one")), writer.submit(put("two"))]

    told = [future.exception(5) for future in futures]

    assert isinstance(told[0], RetryLater)
    assert writer.submit(put("later")).result(5) == "later"
    assert names(writer) == ["later", *(["two"] if told[1] is None else [])]
    assert (writer.loop.failures, writer.loop.trouble()) == (1, "")


def test_a_batch_that_was_committed_and_not_told_is_told_to_be_tried_again(writer, monkeypatch):
    """No memory is left when the first result is told: nobody waits for ever."""
    real, left = Future.set_result, [None]

    def set_result(future, result):
        if result == "one" and left:
            left.pop()
            raise MemoryError
        real(future, result)

    monkeypatch.setattr(Future, "set_result", set_result)
    first, second = batch_of(writer, put("one"), put("two"))

    assert [(type(one), one.code) for one in (first.exception(5), second.exception(5))] == [
        (RetryLater, "out_of_memory")
    ] * 2
    assert names(writer) == ["one", "two"]


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.EMFILE, "Too many open files")])
def test_trouble_of_the_process_inside_a_closure_is_told_in_our_words(writer, error):
    """It is no fault of whoever asked, who may try again."""

    def short_of_something(_):
        raise error

    failing, one = batch_of(writer, short_of_something, put("one"))

    assert isinstance(failing.exception(5), RetryLater)
    assert one.result(5) == "one"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_writer_that_is_gone_fails_what_waits_and_what_comes(writer, monkeypatch):
    """Should its thread end all the same, nobody waits for it."""
    inside, go_on = threading.Semaphore(0), threading.Event()

    def broken(*_):
        raise MemoryError

    def hang(_):
        inside.release()
        go_on.wait(5)

    monkeypatch.setattr(writer, "_commit_batch", lambda db, batch: batch[0][0](db) or broken())
    monkeypatch.setattr(Loop, "note", broken)
    first = writer.submit(hang)
    assert inside.acquire(timeout=5)
    waiting = writer.submit(put("one"))
    go_on.set()
    writer.loop.join(5)
    late = writer.submit(put("two"))

    assert writer.loop.trouble() == "ended"
    codes = [one.exception(5).code for one in (first, waiting, late)]
    assert codes == ["out_of_memory", "store_closed", "store_closed"]
