"""What PostgreSQL has to keep by itself: turns, locks, what is said when it fails, and which servers are refused."""

from __future__ import annotations

import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import timedelta
from types import SimpleNamespace

import psycopg
import pytest
from pydantic import SecretStr

from connector_core import EventType, RetryLater
from connector_core.contract.errors import ConfigError
from connector_core.databases import PostgreSQL
from connector_core.demo.stage import until
from connector_core.loops import Loop
from connector_core.secrets import SecretBox
from connector_core.store import LinkFilter, Rest, lanes, meta, postgres_connections
from connector_core.store.daemon_lock import daemon_lock, take_daemon_lock
from connector_core.store.nouns import EVERYBODY, Scope
from connector_core.store.opening import open_store
from connector_core.store.read_only import open_read_only
from connector_core.store.shown_tickets import see_tickets
from connector_core.testing import FrozenClock
from tests.core.conftest import PASSPHRASE
from tests.support.database_line import opened_lines
from tests.support.lanes_at_hand import open_links
from tests.support.postgres import connected, own_server
from tests.support.rows import count, sql
from tests.support.sync_lab import happen, make_lab

pytestmark = pytest.mark.postgresql_only("it is about what this server does")

BOX = SecretBox([PASSPHRASE])
ACME, OTHER = Scope("organization", "acme"), Scope("organization", "other")


@pytest.fixture
def another(database_place):
    """Return what a second daemon has of the same database."""
    opened = open_store(database_place, BOX)
    yield opened
    opened.close()


@pytest.fixture
def watching(database_place):
    """Return a function that says how many wait for a lock in the database."""
    with connected(database_place.url) as connection:
        asked = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        yield lambda: connection.execute(asked).fetchone()[0]


class Held:
    """A transaction that stays open until it is told to go on."""

    def __init__(self, database, scope, work=lambda _: None):
        self.begun, self.may_end = threading.Event(), threading.Event()
        self._work = work
        self.future = database.submit(scope, self._run)
        assert self.begun.wait(30)

    def _run(self, db):
        result = self._work(db)
        self.begun.set()
        assert self.may_end.wait(30)
        return result

    def end(self):
        """Let it be committed; return what it returned."""
        self.may_end.set()
        return self.future.result(30)


class Pause:
    """A pause in a transaction, before the statement that begins so."""

    def __init__(self, statement):
        self.reached, self.over = threading.Event(), threading.Event()
        self._statement = statement

    def in_(self, db):
        """Return a connection that pauses there."""

        def execute(statement, values=()):
            if statement.startswith(self._statement):
                self.reached.set()
                assert self.over.wait(30)
            return db.execute(statement, values)

        return SimpleNamespace(execute=execute, executemany=db.executemany)


def test_a_server_that_is_cut_off_is_found_out_while_it_is_waited_for():
    """Where nothing comes back, not even what a network would say, a connection ends by itself, also in a query."""
    with own_server() as server, opened_lines(server, 1) as (line,):
        ours_to_say, theirs = line.url("connector", "connector"), "?keepalives_idle=60"
        for url, idle in ((ours_to_say, 5), (ours_to_say + theirs, 60)):
            with closing(postgres_connections.connect(url)) as raw, socket.socket(fileno=os.dup(raw.fileno())) as ours:
                kept = [ours.getsockopt(socket.IPPROTO_TCP, one) for one in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL)]

                assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
                assert kept == [idle, 2]
                assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 10_000


# Turns


@pytest.mark.parametrize(
    ("first", "second"), [(ACME, ACME), (ACME, EVERYBODY), (EVERYBODY, ACME), (EVERYBODY, EVERYBODY)]
)
def test_writes_that_may_meet_come_one_after_the_other(store, another, watching, first, second):
    """What one daemon read it relies on until its commit, whatever another one does."""
    held = Held(store.database, first, lambda db: meta.number(db, "n"))

    later = another.database.submit(second, lambda db: meta.number(db, "n"))
    until(lambda: watching() == 1 or later.done())
    assert not later.done()

    held.end()
    assert later.result(30) == 0


def test_the_scope_of_an_integration_or_link_is_its_organization(store, another, watching, clock):
    """Whoever names it by another name waits as well."""
    open_links(store, clock, 1)
    link_id = 1
    held = Held(store.database, ACME)

    waiting = [
        another.database.submit(scope, lambda _: None)
        for scope in (Scope("integration_id", "desk"), Scope("link_id", link_id))
    ]
    until(lambda: watching() == 2 or any(one.done() for one in waiting))
    assert not any(one.done() for one in waiting)

    held.end()
    for one in waiting:
        one.result(30)


@pytest.mark.parametrize("scope", [OTHER, None])
def test_one_organization_does_not_wait_for_another(store, another, scope):
    """Nor does anybody for what is nobody's."""
    held = Held(store.database, ACME)

    for database in (store.database, another.database):
        database.submit(scope, lambda db: meta.add(db, "elsewhere")).result(30)

    assert not held.future.done()
    held.end()


def test_two_daemons_count_exactly(store, another):
    """A number that is read and then written, many times, from both."""

    def one_more(db):
        meta.put(db, "n", str(meta.number(db, "n") + 1))

    waiting = [one.database.submit(ACME, one_more) for _ in range(60) for one in (store, another)]
    for future in waiting:
        future.result(60)

    assert store.database.read(lambda db: meta.number(db, "n")) == 120


def test_two_daemons_agree_on_the_newest_snapshot(store, another, watching, clock):
    """One has read what is known and is about to replace it when another one comes with what is newer still."""
    ticket = happen(make_lab(store, clock)).ticket
    older, newest = (
        ticket.model_copy(update={"title": f"Title {number}", "updated": clock.now() + timedelta(seconds=number)})
        for number in (1, 2)
    )
    clock.forward(100)
    pause = Pause("UPDATE link SET ticket =")

    first = store.database.submit(ACME, lambda db: see_tickets(pause.in_(db), "desk", [older], clock.now()))
    assert pause.reached.wait(30)
    second = another.database.submit(ACME, lambda db: see_tickets(db, "desk", [newest], clock.now()))
    until(lambda: watching() == 1 or second.done())
    pause.over.set()
    first.result(30), second.result(30)

    assert store.links.get(1).ticket.title == "Title 2"


def test_two_daemons_at_work_on_one_link_fail_nowhere(store, another, clock):
    """Tickets and work on lanes at once, in transactions that each take several locks."""
    lab = make_lab(store, clock)
    ticket = happen(lab).ticket
    looks = [
        ticket.model_copy(update={"title": f"Title {number}", "updated": clock.now() + timedelta(seconds=number)})
        for number in range(1, 61)
    ]
    clock.forward(100)

    def see(number):
        daemon = (store, another)[number % 2]
        daemon.inbox.see_tickets("desk", [looks[number * 37 % 60]], clock.now())
        for claim in daemon.lanes.claim(f"boot-{number % 2}", clock.now(), 1, 7200):
            daemon.lanes.release(claim, Rest(), clock.now())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(see, range(60)))

    assert store.links.get(1).ticket.title == "Title 60"
    assert sql(store, "SELECT SUM(links) FROM link_count")[0][0] == count(store, "link") == 1


def test_nobody_takes_a_lane_over_while_its_claim_is_relied_on(store, another, watching, clock):
    """Between the check of a claim and the commit of what was done under it there is no other holder."""
    open_links(store, clock, 1)
    (claim,) = store.lanes.claim("boot", clock.now(), 1, 7200)
    held = Held(store.database, ACME, lambda db: lanes.is_held(db, claim))

    takeover = another.database.submit(
        None, lambda db: db.execute("UPDATE lane SET boot = 'other', fence = fence + 1").rowcount
    )
    until(lambda: watching() == 1 or takeover.done())
    assert not takeover.done()

    assert held.end()
    assert takeover.result(30) == 1
    assert not store.database.write(ACME, lambda db: lanes.is_held(db, claim))


def test_who_claims_waits_for_nobody(store, another, clock):
    """A lane that somebody writes at the moment is left to the next look."""
    open_links(store, clock, 2)
    first, second = 1, 2
    held = Held(store.database, ACME, lambda db: lanes.wake(db, first, clock.now()))

    claims = another.lanes.claim("boot", clock.now(), 8, 7200)

    assert [claim.link_id for claim in claims] == [second]
    held.end()
    assert [claim.link_id for claim in another.lanes.claim("boot", clock.now(), 8, 7200)] == [first]


def test_two_daemons_never_have_one_lane(store, another, clock):
    """However many claim at once, each lane is given out once."""
    open_links(store, clock, 40)

    def claim(number):
        return (store, another)[number % 2].lanes.claim(f"boot-{number}", clock.now(), 5, 7200)

    with ThreadPoolExecutor(8) as pool:
        claims = [one.link_id for some in pool.map(claim, range(24)) for one in some]

    assert sorted(claims) == list(range(1, 41))


def test_a_transaction_that_ran_into_a_circle_is_run_again(store, another):
    """Two that wait for each other: the server ends one of them, and nobody hears of it."""
    met = threading.Barrier(2, timeout=30)

    def both(first, second):
        tries = []

        def work(db):
            tries.append(first)
            meta.add(db, first)
            if len(tries) == 1:
                met.wait()
            meta.add(db, second)

        return work

    one = store.database.submit(ACME, both("a", "b"))
    two = another.database.submit(OTHER, both("b", "a"))
    one.result(30)
    two.result(30)

    assert store.database.read(lambda db: (meta.number(db, "a"), meta.number(db, "b"))) == (2, 2)


def test_what_one_caller_gets_wrong_concerns_no_other(store):
    """In a batch that one of them spoils, the others are stored."""
    held = Held(store.database, ACME)
    good = store.database.submit(ACME, lambda db: meta.put(db, "good", "1"))
    bad = store.database.submit(ACME, lambda db: db.execute("INSERT INTO lane (link_id) VALUES (77)"))
    odd = store.database.submit(ACME, lambda db: db.execute("SELECT CAST('x' AS BIGINT)"))
    last = store.database.submit(ACME, lambda db: meta.put(db, "last", "1"))
    held.end()

    good.result(30)
    last.result(30)
    assert isinstance(bad.exception(30), psycopg.IntegrityError)
    assert isinstance(odd.exception(30), RetryLater)
    assert store.database.read(lambda db: (meta.get(db, "good"), meta.get(db, "last"))) == ("1", "1")


def test_a_closed_store_has_stored_what_was_handed_in(database_place):
    """Those who wait are answered; whoever comes later is told."""
    opened = open_store(database_place, BOX)
    waiting = [opened.database.submit(ACME, lambda db: meta.add(db, "n")) for _ in range(50)]
    opened.close()

    assert [one.exception(0) for one in waiting] == [None] * 50
    with pytest.raises(RetryLater) as caught:
        opened.life.beat(FrozenClock().now())
    assert caught.value.code == "store_closed"
    assert [loop.trouble() for loop in opened.database.loops] == [""] * len(opened.database.loops)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_nobody_waits_when_every_thread_that_writes_has_ended(store, monkeypatch):
    """Should they end all the same: whoever waited is told, and so is whoever comes."""

    def broken(*_):
        raise MemoryError

    writer = store.database._writer
    monkeypatch.setattr(Loop, "note", broken)
    monkeypatch.setattr(writer, "_commit", broken)

    waiting = [store.database.submit(Scope("organization", str(number)), lambda _: None) for number in range(20)]

    assert all(isinstance(one.exception(30), RetryLater) for one in waiting)
    for loop in writer.loops:
        loop.join(30)
    with pytest.raises(RetryLater) as caught:
        store.configuration.wish()
    assert caught.value.code == "store_closed"
    assert [loop.trouble() for loop in store.database.loops] == ["ended"] * 4


# Locks by name


def test_a_lock_by_name_is_one_for_all_daemons(store, another, watching):
    """Who comes second waits, however long, and has it then; another name is free."""
    had = []

    def take():
        with another.database.exclusive("grant-desk"):
            had.append("second")

    with store.database.exclusive("grant-desk"):
        thread = threading.Thread(target=take)
        thread.start()
        until(lambda: watching() == 1)
        with store.database.exclusive("grant-other"):
            assert had == []
    thread.join(30)

    assert had == ["second"]


def test_daemons_share_their_lock_and_a_command_has_it_alone(store, database_place):
    """Who has to be alone learns that a daemon runs; no daemon begins meanwhile."""
    first, second, command = (daemon_lock(database_place) for _ in range(3))

    assert first.try_share()
    assert second.try_share()
    assert not command.try_acquire()
    first.release()
    assert not command.try_acquire()
    second.release()
    assert command.try_acquire()
    with pytest.raises(ConfigError, match=r"A command has postgresql://.* for itself\.") as refused:
        take_daemon_lock(database_place)
    assert refused.value.code == "database_in_use"
    command.release()


# What is said when it fails


def test_a_server_that_takes_no_changes_is_told_from_one_that_cannot_be_read(store, database_place):
    """A standby, or a primary that was told to only read: nothing can be stored, all can be shown."""

    def change(db):
        db.raw.execute("SET TRANSACTION READ ONLY")
        meta.add(db, "n")

    with pytest.raises(RetryLater) as caught:
        store.database.write(None, change)

    assert caught.value.code == "read_only"
    assert store.lanes.next_due() is None
    store.database.prove_writable()


def test_reading_and_writing_go_on_after_the_server_went_down(clock, monkeypatch):
    """While it is down both are told so; when it is back nobody has to be started again, and nothing is lost."""
    monkeypatch.setattr(postgres_connections, "WAIT_S", 0.5)
    with own_server() as server:
        opened = open_store(PostgreSQL(server.url), BOX)
        opened.life.beat(clock.now())
        server.stop()
        for act in (opened.lanes.next_due, lambda: opened.life.beat(clock.now()), opened.database.prove_writable):
            with pytest.raises(RetryLater) as caught:
                act()
            assert caught.value.code == "database_unreachable"
        server.start()
        until(lambda: works(opened.database.prove_writable))

        opened.life.beat(clock.now())
        assert opened.database.read(lambda db: meta.number(db, "life_count")) == 2
        assert opened.database.check() == []
        opened.close()


def works(act):
    """Return whether something can be done by now."""
    try:
        act()
    except RetryLater:
        return False
    return True


def test_a_connection_that_is_cut_is_nobodys_trouble(store, database_place):
    """What was not committed is done again on another one, and what only reads is read again."""
    store.lanes.next_due()
    store.database.write(ACME, lambda db: meta.add(db, "n"))
    cuts = []

    def cut(db):
        if not cuts:
            cuts.append(db.raw.info.backend_pid)
            with connected(database_place.url) as connection:
                connection.execute("SELECT pg_terminate_backend(%s)", cuts)
        meta.add(db, "n")
        return meta.number(db, "n")

    assert store.database.write(ACME, cut) == 2
    cuts.clear()
    assert store.database.read(lambda db: cut_off(db, cuts, database_place)) == 2


def cut_off(db, cuts, database_place):
    """Read a number on a connection that the server ends before, once."""
    if not cuts:
        cuts.append(db.raw.info.backend_pid)
        with connected(database_place.url) as connection:
            connection.execute("SELECT pg_terminate_backend(%s)", cuts)
    return meta.number(db, "n")


# Which databases are opened


@contextmanager
def opened(database_place, box=BOX):
    """Open a store for a moment."""
    store = open_store(database_place, box)
    try:
        yield store
    finally:
        store.close()


def test_a_database_is_made_once_however_many_open_it(bare_postgresql_url):
    """Hosts that start together do not stand in each other's way."""
    database_place = PostgreSQL(bare_postgresql_url)

    def open_and_check(_):
        with opened(database_place) as store:
            return store.database.check()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(open_and_check, range(4))) == [[]] * 4


def test_what_is_missing_is_named(bare_postgresql_url):
    """A database of which somebody removed something."""
    with opened(PostgreSQL(bare_postgresql_url)) as store, connected(bare_postgresql_url) as connection:
        connection.execute("DROP INDEX lane_ready; DROP TRIGGER link_made ON link; ALTER TABLE link DROP COLUMN hints")
        connection.execute("DROP TABLE hook_token")

        found = store.database.check()

    assert {"index lane_ready is missing", "trigger link_made is missing", "column link.hints is missing"} < set(found)
    assert "table hook_token is missing" in found


@pytest.mark.parametrize("use", [open_store, open_read_only])
def test_a_database_of_a_later_version_is_refused(bare_postgresql_url, use):
    """It may hold what this one would not understand."""
    database_place = PostgreSQL(bare_postgresql_url)
    with opened(database_place), connected(database_place.url) as connection:
        connection.execute("INSERT INTO migration VALUES ('finish_m999_of_the_future', now())")

    with pytest.raises(ConfigError, match="newer version") as caught:
        use(database_place, BOX)
    assert caught.value.code == "database_newer"


def test_an_empty_database_is_only_looked_at(bare_postgresql_url):
    """A command that only reads makes nothing."""
    with pytest.raises(ConfigError) as caught:
        open_read_only(PostgreSQL(bare_postgresql_url), BOX)

    assert caught.value.code == "database_missing"
    with connected(bare_postgresql_url) as connection:
        assert connection.execute("SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)


def test_a_server_that_forgets_is_refused(bare_postgresql_url):
    """What it acknowledges may be gone after a crash."""
    with pytest.raises(ConfigError, match="synchronous_commit is off") as caught:
        open_store(PostgreSQL(f"{bare_postgresql_url}&options=-csynchronous_commit%3Doff"), BOX)

    assert caught.value.code == "database_forgetful"


@pytest.mark.parametrize(
    ("ours", "seen", "is_refused"),
    [
        (11, [11], False),  # PostgreSQL itself
        (900, [11, 11, 11, 11], True),  # one for both
        (900, [11, 12, 12, 11], True),  # another one each time
        (900, [11, 12, 11, 12], False),  # a session each
    ],
)
def test_a_pool_that_shares_connections_is_refused(monkeypatch, ours, seen, is_refused):
    """Locks that last, and settings of a connection, would be somebody else's."""
    raw = SimpleNamespace(info=SimpleNamespace(backend_pid=ours), close=lambda: None)
    answers = [seen[0], *seen]
    monkeypatch.setattr(postgres_connections, "_process", lambda _: answers.pop(0))
    monkeypatch.setattr(postgres_connections, "connect", lambda _: raw)

    if is_refused:
        with pytest.raises(ConfigError, match="transaction mode") as caught:
            postgres_connections._refuse_shared(raw, "url", "the database")
        assert caught.value.code == "database_pooled"
    else:
        postgres_connections._refuse_shared(raw, "url", "the database")


@pytest.mark.parametrize(
    ("change", "says"),
    [(("connector@", "nobody:secret@"), '"nobody"'), (("/connector_test", "/none_such"), "none_such")],
)
def test_a_database_that_lets_us_not_in_is_told(database_place, change, says):
    """The person is told what the server says, without a password."""
    with pytest.raises(ConfigError, match="cannot be used as database") as caught:
        open_store(PostgreSQL(database_place.url.replace(*change)), BOX)

    assert says in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_key_that_is_not_the_databases_is_none_for_who_reads(store, database_place):
    """As with a file: what needs no secret works."""
    looking = open_read_only(database_place, SecretBox([SecretStr("quite another passphrase")]))

    assert [record.id for record in looking.integrations.every()] == ["desk"]
    assert not looking.can_open_secrets
    assert looking.configuration.wish() == 1
    with pytest.raises(ConfigError, match="only reads"):
        looking.lanes.wake_blocked(FrozenClock().now())
    looking.close()
    assert store.configuration.wishes() == 1


def test_the_server_copies_itself(store, tmp_path):
    """There is no file to copy; the way is named."""
    with pytest.raises(ConfigError) as caught:
        store.database.backup(tmp_path / "copy")

    assert "pg_dump" in caught.value.fix


# Lives


def test_a_daemon_that_starts_again_owes_nobody_a_look(database_place, clock):
    """The place is the same, and it was away for a moment only; after long it may have missed a life."""
    for expected, pause in (("new", 1), ("", 1), ("", 3600), ("long_away", 0)):
        with opened(database_place) as store:
            assert store.life.begin(clock.now()) == expected
        clock.forward(pause)


def test_a_copy_that_was_brought_back_is_told(postgresql_database, postgresql_url, clock):
    """A database made of another one is where no daemon has been before."""
    with opened(PostgreSQL(postgresql_url)) as store:
        store.life.begin(clock.now())
    server, name = postgresql_database.server, f"{postgresql_database.name}_copy"
    copy = server.make(name)
    with connected(server.admin) as connection:
        connection.execute(f'DROP DATABASE "{name}"')
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{postgresql_database.name}" OWNER connector')
    try:
        with opened(PostgreSQL(copy.url)) as store:
            assert store.life.begin(clock.now()) == "moved"
    finally:
        server.drop(name)


def put_elsewhere(url):
    """Let the database be another one, as one is that took the place of the former, and end all connections."""
    with connected(url) as connection:
        connection.execute("CREATE TABLE copied (LIKE meta INCLUDING ALL)")
        connection.execute("INSERT INTO copied SELECT * FROM meta")
        connection.execute("DROP TABLE meta")
        connection.execute("ALTER TABLE copied RENAME TO meta")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid != pg_backend_pid()"
        )


def test_nothing_is_done_on_another_server_before_it_is_known(postgresql_url, clock):
    """One that took the place of the former may lack tickets: whoever comes first there has them looked for."""
    with opened(PostgreSQL(postgresql_url)) as store:
        store.life.begin(clock.now())
        doubts = store.database.read(lambda db: meta.get(db, "life_doubts"))
        assert not store.life.has_moved()
        put_elsewhere(postgresql_url)

        seen = store.database.write(ACME, lambda db: meta.get(db, "life_doubts"))

        assert seen != doubts
        assert [store.life.has_moved(), store.life.has_moved()] == [True, False]


def test_each_node_is_told_once_that_the_server_is_another_one(postgresql_url, clock):
    """However many connections find it at once; only the first of all begins once more."""
    place = PostgreSQL(postgresql_url)
    with opened(place) as first, opened(place) as second:
        first.life.begin(clock.now())
        second.life.begin(clock.now())
        put_elsewhere(postgresql_url)
        with ThreadPoolExecutor(8) as threads:
            names = set(threads.map(lambda _: first.database.read(lambda db: meta.get(db, "life")), range(8)))

        assert [first.life.has_moved(), first.life.has_moved()] == [True, False]
        assert [second.life.has_moved(), second.life.has_moved()] == [True, False]
        assert names == {first.database.read(lambda db: meta.get(db, "life"))}


# Texts


def test_a_text_with_nothing_in_its_middle_is_stored(store, clock):
    """U+0000 is left out, which PostgreSQL has no database_place for; what it is in is stored, found and shown."""
    lab = make_lab(store, clock)
    link = happen(lab, title="Fan\0 failed", description="a\\u0000b \0")
    happen(lab, EventType.UPDATED, title="Fan\0 2 failed", description="a\\u0000b \0")

    (found,) = store.overview.search(LinkFilter(text="fan 2"))
    assert found.id == link.id
    assert "\\u0000b" in found.incident.description
