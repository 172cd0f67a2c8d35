"""The PostgreSQL of the tests: quickly there, without what others left, and gone when the run is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.support.postgres import PREFIX, connected, own_server

pytestmark = pytest.mark.extended

ROOT = Path(__file__).parents[1]
TABLES = (
    "CREATE TABLE parent (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);"
    "CREATE TABLE child (parent bigint NOT NULL REFERENCES parent ON DELETE RESTRICT);"
    "CREATE TABLE migration (name text)"
)
ROWS = (
    "INSERT INTO parent DEFAULT VALUES; INSERT INTO child SELECT id FROM parent; INSERT INTO migration VALUES ('first')"
)


@pytest.fixture(scope="module")
def server():
    """Start a server of our own."""
    with own_server() as started:
        yield started


def values(url, statement):
    """Return the first column of what a statement finds."""
    with connected(url) as connection:
        return [row[0] for row in connection.execute(statement)]


@pytest.mark.parametrize("again", [1, 2])
def test_a_database_has_nothing_in_it(bare_postgresql_url, again):
    """What one test made, the next one does not see."""
    with connected(bare_postgresql_url) as connection:
        connection.execute(TABLES)
        connection.execute("CREATE SCHEMA other; CREATE TABLE other.thing (id int)")

    assert values(bare_postgresql_url, "SELECT count(*) FROM parent") == [0]


def test_rows_go_and_tables_stay(server):
    """Foreign keys and triggers are no hindrance, numbers begin with one again, and migrations are remembered."""
    database = server.server.make("rows")
    with connected(database.url) as connection:
        connection.execute(TABLES)
        connection.execute(ROWS)
        connection.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;"
            "CREATE TRIGGER refuse BEFORE DELETE ON child FOR EACH ROW EXECUTE FUNCTION refuse()"
        )

    database.empty()

    assert values(database.url, "SELECT count(*) FROM child") == [0]
    assert values(database.url, "INSERT INTO parent DEFAULT VALUES RETURNING id") == [1]
    assert values(database.url, "SELECT name FROM migration") == ["first"]


def test_who_was_left_connected_is_no_hindrance(server):
    """An earlier test may have left a transaction open that holds what is to be removed."""
    database = server.server.make("left")
    with connected(database.url) as connection:
        connection.execute(TABLES)
    with psycopg.connect(database.url) as left:
        left.execute("LOCK TABLE parent")
        database.clear()

        assert values(database.url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [0]
        with pytest.raises(psycopg.OperationalError):
            left.execute("SELECT 1")
        left.close()


def test_who_works_with_it_is_no_superuser(server):
    """The product needs no more than a database of its own."""
    assert values(server.url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == [False]


def test_texts_are_sorted_as_people_do(server):
    """A statement that wants the order of bytes has to say so, as a customer's server may sort otherwise."""
    assert values(server.url, "SELECT x FROM (VALUES ('a'), ('B'), ('c')) AS v (x) ORDER BY x") == ["a", "B", "c"]


def test_nobody_reaches_it_over_the_network(server):
    """It listens on a socket in a folder that only its user may enter."""
    assert values(server.server.admin, "SHOW listen_addresses") == [""]
    assert values(server.server.admin, "SHOW unix_socket_directories") == [str(server.folder)]
    assert server.folder.stat().st_mode & 0o077 == 0


def test_a_server_of_ones_own_can_crash_and_start_again(server):
    """What was committed is there afterwards, and who was connected has to connect again."""
    with connected(server.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
        server.crash()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        values(server.url, "SELECT 1")

    server.start()

    assert values(server.url, "SELECT number FROM kept") == [7]
    assert "was not properly shut down" in (server.folder / "log").read_text()


def test_a_server_can_be_stopped_in_good_order(server):
    """Then nothing has to be recovered."""
    server.stop()
    server.start()

    last = (server.folder / "log").read_text().rpartition("starting PostgreSQL")[2]
    assert values(server.url, "SELECT 1") == [1]
    assert "was not properly shut down" not in last


@pytest.mark.parametrize("fsync", [True, pytest.param(False, marks=pytest.mark.extended)], ids=["fsync", "no fsync"])
def test_whether_it_writes_through_can_be_chosen(fsync):
    """A commit counts as one in either case: `synchronous_commit` is on."""
    with own_server(fsync=fsync) as server:
        told = [*values(server.url, "SHOW fsync"), *values(server.url, "SHOW synchronous_commit")]

    assert told == ["on" if fsync else "off", "on"]
    assert not server.folder.exists()


def test_a_server_that_does_not_start_says_why(server):
    """Its log is in the message, and it can be started when the reason is gone."""
    settings = server.folder / "data" / "postgresql.conf"
    fine = settings.read_text()
    server.stop()
    settings.write_text(f"{fine}\nno_such_setting = 1\n")

    with pytest.raises(AssertionError, match="no_such_setting"):
        server.start()
    settings.write_text(fine)
    server.start()

    assert values(server.url, "SELECT 1") == [1]


# What a run is made of: its main process, and workers that ask for the server.
WORKER = """
import sys
from tests.support.postgres import shared_server
print(shared_server().admin, flush=True)
sys.stdin.read()
"""
RUN = f"""
import os, subprocess, sys
environ = os.environ | {{"PYTEST_XDIST_TESTRUNUID": "ab" * 16, "PYTEST_XDIST_WORKER": "gw0"}}
workers = [
    subprocess.Popen([sys.executable, "-c", {WORKER!r}], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for _ in range(3)
]
for worker in workers:
    print(worker.stdout.readline().decode(), end="", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def short():
    """Return a folder for temporary files that the server's user may enter, and in which sockets have short names."""
    folder = Path(tempfile.mkdtemp(prefix="run-"))
    folder.chmod(0o755)
    yield folder
    folder.rmdir()


@pytest.fixture
def start_run(short):
    """Return a function that starts a run of three workers; it returns the run and the server's address for each."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "CONNECTOR_TEST"))}
    runs = []

    def start():
        run = subprocess.Popen(
            [sys.executable, "-c", RUN],
            env=environ | {"TMPDIR": str(short)},
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        runs.append(run)
        return run, [run.stdout.readline().strip() for _ in range(3)]

    yield start
    for run in runs:
        run.kill()
        run.communicate()


def the_guard(folder):
    """Return the guard of the one server with a folder in this one, and the server."""
    (made,) = folder.glob(f"{PREFIX}*/data/postmaster.pid")
    server = psutil.Process(int(made.read_text().split()[0]))
    return server.parent(), server


@pytest.mark.parametrize("number", [pytest.param(signal.SIGTERM, marks=pytest.mark.extended), signal.SIGKILL])
def test_workers_share_a_server_which_ends_with_their_run(start_run, short, number):
    """Also when the run is killed: no process and no file stays."""
    run, addresses = start_run()
    guard, server = the_guard(short)

    run.send_signal(number)
    guard.wait(60)

    assert len(set(addresses)) == 1
    assert not server.is_running()
    assert list(short.iterdir()) == []


@pytest.mark.extended
def test_a_server_ends_with_its_guard(start_run, short):
    """Whoever kills all Pythons leaves no server, and the next run removes the folder."""
    killed, (address, *_) = start_run()
    guard, server = the_guard(short)
    guard.kill()
    server.wait(60)
    killed.kill()
    killed.communicate()
    left = list(short.iterdir())

    run, (new_address, *_) = start_run()
    guard, _ = the_guard(short)
    found = list(short.iterdir())
    run.kill()
    guard.wait(60)

    assert address != new_address
    assert len(left) == len(found) == 1
    assert left != found
