"""Whatever fails in the database fails in our words, whoever asks for what."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier, Event
from unittest.mock import Mock

import pytest

from connector_core import RetryLater
from connector_core.store import sqlite as sqlite_module
from connector_core.store.failures import server_failure, shortage, store_failure
from connector_core.store.sqlite import MOST_READERS

OPENING = [sqlite3.OperationalError("unable to open database file"), OSError(errno.EMFILE, "x"), MemoryError()]


def in_thread(act):
    """Call something in a thread that has read nothing yet; return what it raised."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(act).exception()


@pytest.mark.sqlite_only("its connections are files that are open")
@pytest.mark.parametrize("error", OPENING, ids=repr)
def test_a_reader_that_cannot_be_opened_is_trouble_that_passes(store, monkeypatch, error):
    """The thread that reads first is told as one that reads again, and opens it the next time."""
    real, left = vars(sqlite_module)["connect"], [None]

    def connect(path, **options):
        if left:
            left.pop()
            raise error
        return real(path, **options)

    monkeypatch.setattr(sqlite_module, "connect", connect)

    assert isinstance(in_thread(store.lanes.next_due), RetryLater)
    assert in_thread(store.lanes.next_due) is None


@pytest.mark.parametrize("error", OPENING, ids=repr)
@pytest.mark.parametrize("act", ["read", "backup", "check"])
@pytest.mark.sqlite_only("its errors are SQLite's, and it copies itself")
def test_what_fails_while_it_is_read_is_trouble_that_passes(store, tmp_path, error, act):
    """A query, a copy, a check: none lets through what SQLite or the system raised."""

    def broken(_):
        raise error

    acts = {
        "read": lambda: store.database.read(broken),
        "backup": lambda: store.database.backup(Unlucky(error, tmp_path / "copy.db")),
        "check": lambda: store.database.read(broken),
    }
    with pytest.raises(RetryLater):
        acts[act]()


class Unlucky:
    """A path at which nothing can even be looked up."""

    def __init__(self, error, path) -> None:
        self.error = error
        self.path = path

    def exists(self):
        """Fail."""
        raise self.error


@pytest.mark.sqlite_only("its locks are files")
@pytest.mark.parametrize("error", [OSError(errno.EMFILE, "x"), OSError(errno.ENOLCK, "x"), MemoryError()], ids=repr)
def test_a_lock_that_cannot_be_had_is_trouble_that_passes(store, monkeypatch, error):
    """What the block itself raises is its own; and the lock is free afterwards."""

    def broken(*_):
        raise error

    with monkeypatch.context() as patch, pytest.raises(RetryLater), store_lock(patch, store, broken):
        pass
    with pytest.raises(OSError, match="the caller's own"), store.database.exclusive("some"):
        raise OSError("the caller's own")
    with store.database.exclusive("some"):
        pass


def store_lock(patch, store, broken):
    """Return the lock of a store where the system gives none."""
    patch.setattr(fcntl, "flock", broken)
    return store.database.exclusive("some")


@pytest.mark.sqlite_only("what opens the file fails here")
@pytest.mark.parametrize("error", OPENING, ids=repr)
def test_a_database_that_cannot_be_read_is_not_ready(store, monkeypatch, error):
    """Readiness proves reading too: what is acknowledged has to be worked on."""

    def broken(*_, **__):
        raise error

    store.database.prove_writable()
    monkeypatch.setattr(sqlite_module, "connect", broken)

    with pytest.raises(RetryLater):
        store.database.prove_writable()


@contextmanager
def no_descriptors():
    """Let nothing be opened in this process."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.open(os.devnull, os.O_RDONLY)
    os.close(free)
    lowest = min(set(range(free + 1)) - {int(one.name) for one in Path("/proc/self/fd").iterdir()}, default=free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.sqlite_only("its connections are files that are open")
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs to know which descriptors are free")
def test_used_up_descriptors_are_named(store):
    """SQLite says that it cannot open the file; what to do is another matter than for a file that is not there."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: None).result()  # the thread itself is there before
        with no_descriptors():
            raised = pool.submit(store.lanes.next_due).exception()

    assert (type(raised), raised.code) == (RetryLater, "no_descriptors")
    assert "limit of open files" in raised.fix


def test_a_missing_file_is_not_a_lack_of_descriptors():
    """Where files can be opened, it is the database's own trouble."""
    with pytest.raises(sqlite3.OperationalError) as failure:
        sqlite3.connect("/no/such/folder/store.db")

    assert store_failure(failure.value).code == "read_only"
    assert store_failure(failure.value, reading=True).code == "not_opened"


def told_by_sqlite(code):
    """Return an error as SQLite raises it."""
    error = sqlite3.OperationalError("some words of SQLite's")
    error.sqlite_errorcode = code
    return error


WRITING_AND_READING = [
    (told_by_sqlite(sqlite3.SQLITE_CORRUPT), "database_damaged", "database_damaged"),
    (told_by_sqlite(sqlite3.SQLITE_CORRUPT_INDEX), "database_damaged", "database_damaged"),
    (told_by_sqlite(sqlite3.SQLITE_NOTADB), "database_damaged", "database_damaged"),
    (told_by_sqlite(sqlite3.SQLITE_FULL), "disk_full", "disk_full"),
    (told_by_sqlite(sqlite3.SQLITE_CANTOPEN), "read_only", "not_opened"),
    (told_by_sqlite(sqlite3.SQLITE_CANTOPEN_ISDIR), "read_only", "not_opened"),
    (told_by_sqlite(sqlite3.SQLITE_READONLY), "read_only", "read_only"),
    (told_by_sqlite(sqlite3.SQLITE_READONLY_DBMOVED), "read_only", "read_only"),
    (told_by_sqlite(sqlite3.SQLITE_PERM), "read_only", "read_only"),
    (told_by_sqlite(sqlite3.SQLITE_IOERR), "store_failed", "store_failed"),
    (told_by_sqlite(sqlite3.SQLITE_BUSY), "store_failed", "store_failed"),
    (sqlite3.Warning("without a code"), "store_failed", "store_failed"),
    (OSError(errno.ENOSPC, "x"), "store_failed", "store_failed"),
    (OSError(errno.ENOMEM, "x"), "out_of_memory", "out_of_memory"),
    (OSError(errno.EMFILE, "x"), "no_descriptors", "no_descriptors"),
    (OSError(errno.ENFILE, "x"), "no_descriptors", "no_descriptors"),
    (MemoryError(), "out_of_memory", "out_of_memory"),
    (RuntimeError("can't start new thread"), "no_threads", "no_threads"),
    (RuntimeError("something else"), "store_failed", "store_failed"),
]


@pytest.mark.parametrize(("error", "writing", "reading"), WRITING_AND_READING, ids=lambda one: repr(one)[:60])
def test_each_failure_is_named_for_what_has_to_be_done(error, writing, reading):
    """A person is sent to the disk, to the permissions or to a backup, and never to the wrong one of them."""
    failures = [store_failure(error), store_failure(error, reading=True)]

    assert [one.code for one in failures] == [writing, reading]
    assert all(str(error) in one.detail for one in failures)


def test_what_could_not_be_read_is_not_told_as_a_lost_change():
    """Who looks at a page that fails need not fear for what they entered before."""
    busy = told_by_sqlite(sqlite3.SQLITE_BUSY)

    assert str(store_failure(busy, reading=True)) == "The database could not be read."
    assert str(store_failure(busy)) == "The database did not take the change."


@pytest.mark.parametrize(
    ("opening", "sqlite", "code"),
    [
        (errno.EMFILE, sqlite3.SQLITE_CANTOPEN, "no_descriptors"),
        (errno.ENFILE, sqlite3.SQLITE_IOERR, "no_descriptors"),
        (errno.EMFILE, sqlite3.SQLITE_IOERR_SHMOPEN, "no_descriptors"),
        (errno.EMFILE, sqlite3.SQLITE_BUSY, None),
        (errno.EACCES, sqlite3.SQLITE_CANTOPEN, None),
        (None, sqlite3.SQLITE_CANTOPEN, None),
    ],
)
def test_descriptors_are_blamed_only_when_none_is_left(monkeypatch, opening, sqlite, code):
    """Nobody raises the limit of open files for a file that is not there, or for a lock."""

    def refuse(*_):
        raise OSError(opening, "x")

    if opening is not None:
        monkeypatch.setattr(os, "open", refuse)

    found = shortage(told_by_sqlite(sqlite))
    assert (found and found.code) == code


def test_looking_for_a_descriptor_uses_none_up():
    """A database that stays away for a day does not cost the process its files."""

    def next_free():
        number = os.open(os.devnull, os.O_RDONLY)
        os.close(number)
        return number

    before = next_free()
    for _ in range(3):
        shortage(told_by_sqlite(sqlite3.SQLITE_CANTOPEN))

    assert next_free() == before


@pytest.mark.sqlite_only("its connections are files that are open")
def test_threads_that_read_share_connections(store):
    """A thousand may wait for vendors, and each reads now and then: a connection costs memory and descriptors."""
    store.lanes.next_due()
    for _ in range(5):
        assert in_thread(store.lanes.next_due) is None

    assert store.database.readers.opened == 1


@pytest.mark.sqlite_only("its connections are files that are open")
def test_so_many_read_at_once(store, monkeypatch):
    """Whoever comes when all connections are lent waits for one, and not without end."""
    monkeypatch.setattr(sqlite_module, "BUSY_TIMEOUT_S", 0.01)
    entered, go_on = Barrier(MOST_READERS + 1), Event()

    def stay(_):
        entered.wait(10)
        go_on.wait(10)

    with ThreadPoolExecutor(MOST_READERS) as threads:
        reads = [threads.submit(store.database.read, stay) for _ in range(MOST_READERS)]
        entered.wait(10)
        with pytest.raises(RetryLater, match="too many at once"):
            store.lanes.next_due()
        go_on.set()
        assert [one.result() for one in reads] == [None] * MOST_READERS

    assert store.lanes.next_due() is None
    assert store.database.readers.opened == MOST_READERS


@pytest.mark.sqlite_only("its connections are files that are open")
def test_a_read_inside_a_read_takes_no_second_connection(store):
    """Otherwise all who read could wait for each other."""
    read = store.database.read

    assert read(lambda outer: read(lambda inner: inner is outer))
    assert store.database.readers.opened == 1


@pytest.mark.sqlite_only("its connections are files that are open")
def test_what_was_never_given_back_goes_with_its_thread(store, monkeypatch):
    """An error may come just before it is given back; others read on, and closing does not wait for it."""
    with monkeypatch.context() as patch:
        patch.setattr(sqlite_module.Readers, "_take_back", Mock(side_effect=MemoryError))
        for _ in range(MOST_READERS):
            assert isinstance(in_thread(store.lanes.next_due), RetryLater)

    assert store.lanes.next_due() is None
    assert store.database.readers.opened == 1


@pytest.mark.sqlite_only("its connections are files that are open")
def test_a_connection_that_cannot_be_opened_leaves_its_place_free(store, monkeypatch):
    """When there are descriptors again, as many may read as before."""
    with monkeypatch.context() as patch:
        patch.setattr(sqlite_module, "connect", Mock(side_effect=OSError(24, "Too many open files")))
        for _ in range(MOST_READERS + 1):
            with pytest.raises(RetryLater, match="cannot open more files"):
                store.lanes.next_due()

    assert store.lanes.next_due() is None


@pytest.mark.sqlite_only("it can be told how large a file may be")
def test_a_change_that_finds_no_room_is_told_so(store):
    """SQLite itself has ended the transaction then; the reason is still the disk, and the next change works."""

    def limit(pages):
        return lambda db: db.execute(f"PRAGMA max_page_count={pages}").fetchone()

    def grow(db):
        db.execute("INSERT INTO large VALUES (zeroblob(1000000))")

    store.database.write(None, lambda db: db.execute("CREATE TABLE large (content)"))
    store.database.write(None, limit(1))
    with pytest.raises(RetryLater) as caught:
        store.database.write(None, grow)
    store.database.write(None, limit(1_000_000))
    store.database.write(None, grow)

    assert caught.value.code == "disk_full"


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (None, "database_unreachable"),
        ("08006", "database_unreachable"),
        ("57P01", "database_unreachable"),
        ("57P03", "database_unreachable"),
        ("53100", "disk_full"),
        ("53200", "store_busy"),
        ("53300", "store_busy"),
        ("40P01", "store_busy"),
        ("55P03", "store_busy"),
        ("57014", "store_busy"),
        ("25006", "read_only"),
        ("XX001", "database_damaged"),
        ("42P01", "store_failed"),
    ],
)
@pytest.mark.parametrize("reading", [True, False])
def test_what_the_server_says_is_said_in_our_words(state, code, reading):
    """Every one of them is trouble that may pass."""
    told = server_failure(RuntimeError("the server's\n  own words"), state, reading=reading)

    assert isinstance(told, RetryLater)
    assert (told.code, told.detail) == (code, "the server's own words")
    assert told.message.endswith(".")
    if code == "store_failed":
        assert ("read" in told.message) is reading


def test_what_this_process_is_short_of_is_not_the_servers_trouble():
    """It is told before any code of the server."""
    short = MemoryError()

    assert server_failure(short, "08006").code == shortage(short).code != "database_unreachable"
