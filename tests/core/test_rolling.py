"""Two versions on one database: what a later one added is left alone, what it removed is not missed by surprise."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing, contextmanager

import pytest
from sqlite_utils import Database

from connector_core import RetryLater
from connector_core.contract.errors import ConfigError
from connector_core.databases import PostgreSQL
from connector_core.secrets import SecretBox
from connector_core.store import postgres_steps, rolling, schema, steps
from connector_core.store.daemon_lock import daemon_lock
from connector_core.store.opening import open_store
from connector_core.store.read_only import open_read_only
from connector_core.store.sqlite import SQLiteDatabase
from connector_core.store.version import LATEST
from tests.core.conftest import PASSPHRASE
from tests.support.later_version import ADD, ADDED, REMOVE, REMOVED
from tests.support.nodes_at_hand import Hand
from tests.support.postgres import connected
from tests.support.rows import sql

BOX = SecretBox([PASSPHRASE])
#: From here on versions may work side by side.
FIRST_ROLLING = "m019_nodes"


@pytest.fixture
def file_place(tmp_path):
    """Return a file of this version."""
    return made(tmp_path / "connector.db")


@pytest.fixture
def server_place(bare_postgresql_url):
    """Return a database of this version on a server."""
    return made(PostgreSQL(bare_postgresql_url))


@pytest.fixture(params=["file_place", "server_place"])
def place(request):
    """Return a database of this version."""
    return request.getfixturevalue(request.param)


def made(place):
    """Make a database; return where it is."""
    with opened(place):
        return place


@pytest.fixture
def later(monkeypatch):
    """Return a context in which this process is of the next version."""

    @contextmanager
    def teach():
        with monkeypatch.context() as patch:
            patch.setattr("connector_core.store.version.LATEST", ADDED)
            patch.setitem(postgres_steps.MIGRATIONS, ADDED, lambda run: run(ADD))
            patch.setitem(postgres_steps.FINISHING, REMOVED, lambda run: run(REMOVE))
            for kind, name, statement in (
                (steps.migrations, ADDED, ADD),
                (steps.finishing, REMOVED, REMOVE),
            ):
                patch.setattr(kind, "_migrations", list(kind._migrations))
                kind(name=name)(lambda db, statement=statement: db.conn.execute(statement))
            yield

    return teach


@contextmanager
def opened(place, **options):
    """Open a store for a moment."""
    store = open_store(place, BOX, **options)
    try:
        yield store
    finally:
        store.close()


def columns(store, table):
    """Return the columns of a table."""
    if isinstance(store.database, SQLiteDatabase):
        return {row[0] for row in sql(store, f"SELECT name FROM pragma_table_info('{table}')")}  # noqa: S608 - ours
    with connected(store.database.place.url) as db:
        found = db.execute("SELECT column_name FROM information_schema.columns WHERE table_name = %s", [table])
        return {row[0] for row in found}


def test_what_a_later_version_added_is_left_alone(place, later):
    """This version opens, reads, checks and writes it, and can say what was added."""
    with later(), opened(place):
        pass

    with opened(place) as store:
        assert "of_tomorrow" in columns(store, "link")
        assert store.database.check() == []
    open_read_only(place, BOX).close()
    assert rolling.added_later(place) == [ADDED]


def test_what_was_not_removed_yet_is_named(place, later):
    """Until somebody says so it stays, whoever opens the database."""
    with later(), opened(place) as store:
        assert rolling.unfinished(place) == [REMOVED]
        assert "changed_at" in columns(store, "webhook_secret_change")


def test_what_a_later_version_removed_from_is_refused(place, later):
    """What this one needs may be gone."""
    with later():
        with opened(place):
            pass
        assert rolling.finish(place) == [REMOVED]
        assert rolling.finish(place) == rolling.unfinished(place) == []
        with opened(place) as store:
            assert "changed_at" not in columns(store, "webhook_secret_change")

    for use in (open_store, open_read_only):
        with pytest.raises(ConfigError) as caught:
            use(place, BOX)
        assert caught.value.code == "database_newer"
        assert REMOVED in caught.value.message


def test_the_daemon_of_a_file_removes_what_is_not_needed(file_place, later):
    """It is alone; a command beside it is not."""
    lock = daemon_lock(file_place)
    assert lock.try_acquire()
    with later(), opened(file_place):
        with pytest.raises(ConfigError, match="is running on") as caught:
            rolling.finish(file_place)
        assert caught.value.code == "already_running"
        assert rolling.unfinished(file_place) == [REMOVED]

        with opened(file_place, is_alone=True):
            assert rolling.unfinished(file_place) == []
    lock.release()


@pytest.fixture
def earlier(server_place):
    """Start a node of this version."""
    hand = Hand(server_place, PASSPHRASE, "one").start()
    yield hand
    hand.close()


def age(hand, statement):
    """Have a node be as it would be later."""
    sql(hand.store, f"UPDATE node SET {statement}")  # noqa: S608 - ours


def test_nothing_is_removed_while_a_node_of_an_earlier_version_lives(earlier, server_place, later):
    """It is named. One lives that has its session, however silent, or that was heard of within a minute."""
    with later():
        with opened(server_place):
            pass
        for change in ("stopping = 0", "seen_at = '2020-01-01T00:00:00.000000+00:00'"):
            age(earlier, change)
            with pytest.raises(ConfigError, match=r"one \(1\.0\)") as caught:
                rolling.finish(server_place)
            assert caught.value.code == "earlier_nodes"
        earlier.node._beat()
        earlier.presence.close()
        with pytest.raises(ConfigError, match=r"one \(1\.0\)"):
            rolling.finish(server_place)
        age(earlier, "seen_at = '2020-01-01T00:00:00.000000+00:00'")

        assert rolling.finish(server_place) == [REMOVED]


@pytest.mark.parametrize(
    "change", ["ended = 'goodbye'", "ended = 'gone'", f"knows = '{ADDED}'", "knows = 'm901_even_later'"]
)
def test_nodes_that_have_ended_or_know_better_are_in_nobodys_way(earlier, server_place, later, change):
    """Only who lives and needs what is removed counts."""
    age(earlier, change)
    with later(), opened(server_place):
        assert rolling.finish(server_place) == [REMOVED]


def test_a_node_that_comes_just_then_does_not_begin(server_place, later):
    """It opened the database before something was removed, and registers behind that."""
    hand = Hand(server_place, PASSPHRASE, "late")
    with later():
        with opened(server_place):
            pass
        assert rolling.finish(server_place) == [REMOVED]

    with pytest.raises(RetryLater) as caught:
        hand.start()
    assert caught.value.code == "database_newer"
    assert not hand.node.may_work
    hand.close()


def test_a_node_says_what_it_knows(earlier):
    """So that later versions can tell."""
    assert sql(earlier.store, "SELECT knows FROM node") == [(LATEST,)]


def parts(db):
    """Return what is there, and which columns have to be given a value."""
    found = set(schema._parts(db))
    for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for name, is_needed, default, key in db.execute(
            'SELECT name, "notnull", dflt_value, pk FROM pragma_table_info(?)', (table,)
        ):
            if is_needed and default is None and not key:
                found.add(f"needed {table}.{name}")
    return found


def test_a_migration_only_adds():
    """Since several versions may work on one database: nothing goes, and no row needs a value that it did not need."""
    names = [step.name for step in steps.migrations._migrations]
    for name in names[names.index(FIRST_ROLLING) + 1 :]:
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
            steps.migrations.apply(Database(db), stop_before=name)
            before = parts(db)
            steps.migrations.apply(Database(db), stop_before=names[names.index(name) + 1 :])
            after = parts(db)
        tables = {part.removeprefix("table ") for part in before if part.startswith("table ")}
        gone = {part for part in before - after if not part.startswith(("index ", "trigger "))}
        needed = {part for part in after - before if part.startswith("needed ") and part[7:].split(".")[0] in tables}
        assert (name, gone, needed) == (name, set(), set())


def test_steps_that_remove_are_the_same_for_both_databases():
    """Each has the number of a migration, whose version does not need any more what goes."""
    files = [step.name for step in steps.finishing._migrations]
    known = {step.name[:4] for step in steps.migrations._migrations}

    assert files == list(postgres_steps.FINISHING)
    assert {re.fullmatch(r"finish_(m\d{3})_\w+", name)[1] for name in files} <= known
