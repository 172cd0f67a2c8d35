"""Moving a file to PostgreSQL: everything arrives as it is, or nothing does."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import tracemalloc
from contextlib import closing

import psycopg
import pytest
from click.testing import CliRunner
from pydantic import SecretStr
from sqlite_utils import Database

from connector_core import ConnectorError
from connector_core.cli.main import cli
from connector_core.contract.errors import ConfigError
from connector_core.databases import PostgreSQL
from connector_core.secrets import SecretBox
from connector_core.store import steps
from connector_core.store.moving import Moved, move
from connector_core.store.opening import open_store
from connector_core.store.postgres_steps import LATER, TABLES
from connector_core.store.version import LATEST
from connector_core.testing import FrozenClock
from tests.core.conftest import PASSPHRASE
from tests.support.lanes_at_hand import open_links
from tests.support.postgres import connected, shared_server, worker_name

pytestmark = pytest.mark.sqlite_only("it is where a move begins")

BOX = SecretBox([PASSPHRASE])
NOW = FrozenClock().now()
ODD = "Größe ☃ \U0001f600 \t\\N \\. \"'\n\r\x7f"
# What is settled once the copy was checked, and what only stands in the file.
SETTLED = {
    *(("node", name) for name in ("ended", "ended_at")),
    *(("lane", name) for name in ("boot", "calling_until")),
    *(("breaker", name) for name in ("trying_by", "trying_until")),
}


@pytest.fixture
def target(bare_postgresql_url):
    """Return an empty database."""
    return PostgreSQL(bare_postgresql_url)


@pytest.fixture
def full(store, database_place, clock):
    """Return a file that has rows in every table, with every kind of value in them."""
    open_links(store, clock, 3)
    store.lanes.claim("boot", clock.now(), 2, 7200)
    store.close()
    with closing(sqlite3.connect(database_place, isolation_level=None)) as db:
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA foreign_keys = ON")
        for table in (*TABLES, *LATER):
            fill(db, table)
        db.execute("DELETE FROM run WHERE id = (SELECT MAX(id) FROM run)")
    return database_place


def fill(db, table):
    """Add rows to a table, each with other values; what names a row of another table names one that is there."""
    columns = db.execute("SELECT name, type, pk FROM pragma_table_info(?)", (table,)).fetchall()
    named = {}
    for number, _, other, own, its, *_ in db.execute("SELECT * FROM pragma_foreign_key_list(?)", (table,)):
        named.setdefault((number, other), []).append((own, its))
    for number in range(3):
        row = {}
        for (_, other), pairs in named.items():
            whole = db.execute(f'SELECT * FROM "{other}" ORDER BY 1, 2 LIMIT 1 OFFSET ?', (number,)).fetchone()  # noqa: S608 - ours
            row.update({own: whole[its] for own, its in pairs})
        for name, kind, is_key in columns:
            if name in row:
                continue
            if kind == "TEXT":
                row[name] = '{"title": "x"}' if name in {"body", "ticket"} else f"{name} {number}{ODD}"
            elif not (is_key and kind == "INTEGER" and sum(bool(one) for _, _, one in columns) == 1):
                row[name] = {"REAL": number / 3 - 1e-9, "BLOB": bytes(range(256)), "INTEGER": 2**60 - number}[kind]
        if table == "handover":
            row["organization"] = None
        if table == "meta":
            row["value"] = str(number)
        places = ", ".join("?" for _ in row)
        names = ", ".join(f'"{name}"' for name in row)
        db.execute(f'INSERT OR IGNORE INTO "{table}" ({names}) VALUES ({places})', list(row.values()))  # noqa: S608 - ours


def rows_of_file(path):
    """Return every row of every table of a file."""
    with closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        return {
            table: as_set(table, map(dict, db.execute(f'SELECT * FROM "{table}"')))  # noqa: S608 - ours
            for table in (*TABLES, *LATER)
        }


def rows_of_server(place):
    """Return every row of every table of a database on a server."""
    with psycopg.connect(place.url, row_factory=psycopg.rows.dict_row) as db:
        return {table: as_set(table, db.execute(f'SELECT * FROM "{table}"')) for table in (*TABLES, *LATER)}  # noqa: S608 - ours


def as_set(table, rows):
    """Return rows without what is settled, to be compared in any order."""
    kept = [{name: value for name, value in row.items() if (table, name) not in SETTLED} for row in rows]
    return {repr(sorted(row.items())) for row in kept if row.get("key") not in {"life_copied", "life_home"}}


def moved(source, place, box=BOX, tell=lambda _: None) -> Moved:
    """Move a file."""
    return move(source, place, box, NOW, tell)


def relations(place):
    """Count what is in a database."""
    with connected(place.url) as db:
        return db.execute("SELECT COUNT(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace").fetchone()[0]


def test_everything_arrives(full, target):
    """Each row of each table, with its counts and texts to search for; numbers go on behind those of deleted rows."""
    before = rows_of_file(full)
    with closing(sqlite3.connect(full)) as db:
        (last_run,) = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'run'").fetchone()
    assert [table for table, rows in before.items() if not rows] == []

    done = moved(full, target)

    assert rows_of_server(target) == before
    assert rows_of_file(full) == before
    assert (done.tables, done.cut) == (len(before), {})
    assert done.rows >= sum(map(len, before.values()))
    store = open_store(target, BOX)
    assert store.database.check() == []
    with connected(target.url) as db:
        assert db.execute("SELECT COUNT(*) FROM lane WHERE boot IS NOT NULL").fetchone() == (0,)
        assert db.execute("SELECT COUNT(*) FROM node WHERE ended = ''").fetchone() == (0,)
        assert db.execute("SELECT nextval(pg_get_serial_sequence('run', 'id'))").fetchone() == (last_run + 1,)
        counted = db.execute("SELECT SUM(links) FROM link_count WHERE integration_id = 'desk'").fetchone()[0]
    open_links(store, FrozenClock(), 4)  # three are there already
    with connected(target.url) as db:  # triggers are at work again
        after = db.execute("SELECT SUM(links) FROM link_count WHERE integration_id = 'desk'").fetchone()[0]
    assert after == counted + 1
    store.close()


@pytest.mark.extended
def test_what_postgresql_cannot_hold_is_left_out_and_told(full, target):
    """U+0000, text by text, with where it was."""
    with closing(sqlite3.connect(full)) as db:
        db.execute("UPDATE timeline SET text = 'a' || char(0) || 'b' || char(0)")
        db.execute(
            "UPDATE source_state SET reason = char(0) WHERE organization = (SELECT MIN(organization) FROM source_state)"
        )
        db.commit()
        (texts,) = db.execute("SELECT COUNT(*) FROM timeline").fetchone()

    done = moved(full, target)

    assert done.cut == {"timeline.text": texts, "source_state.reason": 1}
    with connected(target.url) as db:
        assert db.execute("SELECT DISTINCT text FROM timeline").fetchall() == [("ab",)]


# What is refused


def refused(source, place, box=BOX):
    """Return the code of the refusal; nothing was done."""
    with pytest.raises(ConnectorError) as caught:
        moved(source, place, box)
    return caught.value.code


@pytest.mark.extended
def test_a_target_that_is_not_empty_is_refused(full, target):
    """Whatever is in it; what an extension brought is not counted."""
    with connected(shared_server().admin_url(worker_name())) as db:
        db.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        db.execute("CREATE TABLE someone_elses (id int)")

    assert refused(full, target) == "target_not_empty"

    with connected(shared_server().admin_url(worker_name())) as db:
        db.execute("DROP TABLE someone_elses")
    moved(full, target)
    assert refused(full, target) == "target_not_empty"


@pytest.mark.extended
def test_a_target_whose_encoding_lacks_letters_is_refused(full, target):
    """A text that cannot be stored would hold up all that come with it."""
    server, name = shared_server(), f"{worker_name()}_latin"
    server.drop(name)
    with connected(server.admin) as db:
        db.execute(f"CREATE DATABASE \"{name}\" ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0")
    try:
        assert refused(full, PostgreSQL(server.admin_url(name))) == "database_encoding"
    finally:
        server.drop(name)


def test_a_target_that_forgets_is_refused(full, target):
    """As at the start of a daemon."""
    assert refused(full, PostgreSQL(f"{target.url}&options=-csynchronous_commit%3Doff")) == "database_forgetful"


def test_a_target_that_is_not_there_is_refused(full, target):
    """With what the server says."""
    assert refused(full, PostgreSQL(target.url.replace(worker_name(), "none_such"))) == "database_not_made"


def test_another_key_is_refused(full, target):
    """It could not open there what it cannot open here."""
    assert refused(full, target, SecretBox([SecretStr("quite another passphrase")])) == "wrong_secret_key"


def test_a_file_that_is_not_there_is_refused(tmp_path, target):
    """There is nothing to move, and none is made."""
    assert refused(tmp_path / "none.db", target) == "database_missing"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("change", "code"), [("older", "database_older"), ("newer", "database_newer")])
def test_a_file_of_another_version_is_refused(tmp_path, target, change, code):
    """An older one is brought up to date first; of a newer one something would be left behind."""
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        database = Database(raw)
        steps.migrations.apply(database, stop_before=LATEST if change == "older" else None)
        if change == "newer":
            raw.execute(
                "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('connector_core', 'm999', '')"
            )

    assert refused(path, target) == code


def test_a_damaged_file_is_refused(full, target):
    """Nothing of it is moved."""
    with closing(sqlite3.connect(full)) as db:
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute("DELETE FROM incident WHERE id = 'desk-0'")
        db.commit()

    assert refused(full, target) == "database_damaged"
    assert relations(target) == 0


# What may go wrong

KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from connector_core.databases import PostgreSQL
from connector_core.secrets import SecretBox
from connector_core.store.moving import move

source, url, passphrase, at = sys.argv[1:]
steps = []


def tell(step):
    steps.append(step)
    if len(steps) == int(at):
        os.kill(os.getpid(), signal.SIGKILL)


move(Path(source), PostgreSQL(url), SecretBox([SecretStr(passphrase)]), datetime.now(UTC), tell)
"""


def test_a_copy_that_differs_is_thrown_away(full, target, monkeypatch):
    """One value that is another over there is found, and nothing is left."""
    write_row, others = psycopg.Copy.write_row, []

    def write_another(copy, row):
        other = [1 / 3 if value == 1 / 3 - 1e-9 else value for value in row]
        others.append(other != row)
        write_row(copy, other)

    monkeypatch.setattr(psycopg.Copy, "write_row", write_another)

    assert refused(full, target) == "copy_differs"
    assert any(others)
    assert relations(target) == 0


@pytest.mark.parametrize("at", [20, *(pytest.param(at, marks=pytest.mark.extended) for at in (1, 40, 60))])
def test_a_move_that_is_killed_leaves_nothing(full, target, at):
    """At any moment: the file is as it was, the database empty, and the move begins again."""
    before = rows_of_file(full)
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, full, target.url, PASSPHRASE.get_secret_value(), str(at)],
        check=False,
        timeout=120,
    )

    assert ended.returncode == -signal.SIGKILL
    assert rows_of_file(full) == before
    assert moved(full, target).tables == len(before)
    assert rows_of_server(target) == before


@pytest.mark.extended
def test_nobody_writes_the_file_meanwhile(full, target):
    """What was stored after it was read would be lost."""
    seen = set()

    def tell(_):
        with closing(sqlite3.connect(full, timeout=0)) as db:
            try:
                db.execute("INSERT INTO meta VALUES ('late', '1')")
            except sqlite3.OperationalError as exc:
                seen.add(str(exc))

    moved(full, target, tell=tell)

    assert seen == {"database is locked"}


@pytest.mark.extended
def test_a_long_table_is_not_in_memory(store, database_place, target, clock):
    """However many rows there are, few are held at a time."""
    open_links(store, clock, 1)
    store.close()
    with closing(sqlite3.connect(database_place)) as db:
        db.executemany(
            "INSERT INTO timeline (link_id, at, kind, side, text, detail) VALUES (1, '2026-11-27', 'k', 's', ?, '{}')",
            (["x" * 2000] for _ in range(15_000)),
        )
        db.commit()
    steps = []

    tracemalloc.start()
    try:
        moved(database_place, target, tell=steps.append)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < 8 * 2**20  # the rows are 30 MB
    assert [step.done for step in steps if step.table == "timeline" and not step.is_check][:2] == [1000, 2000]
    assert all(step.done <= step.of for step in steps)


def test_without_the_extra_it_says_what_to_install(monkeypatch, tmp_path):
    """As wherever PostgreSQL is named."""
    path = tmp_path / "connector.yaml"
    path.write_text("secret_key: a passphrase that is long enough")
    monkeypatch.setitem(sys.modules, "psycopg", None)

    said = CliRunner().invoke(cli, ["--config", str(path), "db", "move", "--to", "postgresql://connector@host/db"])

    assert isinstance(said.exception, ConfigError)
    assert said.exception.code == "database_driver_missing"
    assert "pip install '.[postgresql]'" in said.exception.fix


KILLED_AT_THE_END = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from connector_core.databases import PostgreSQL
from connector_core.secrets import SecretBox
from connector_core.store import moving

source, url, passphrase = sys.argv[1:]
moving._mark_copy = lambda _: os.kill(os.getpid(), signal.SIGKILL)
moving.move(Path(source), PostgreSQL(url), SecretBox([SecretStr(passphrase)]), datetime.now(UTC), lambda step: None)
"""


@pytest.mark.extended
def test_a_move_that_is_killed_when_all_is_copied_is_ended_by_the_next(full, target):
    """The copy is there as a whole; it is said so, the file counts as a backup, and nothing is copied twice."""
    with closing(open_store(full, BOX)) as store:
        store.life.begin(NOW)
    before = rows_of_file(full)
    ended = subprocess.run(
        [sys.executable, "-c", KILLED_AT_THE_END, full, target.url, PASSPHRASE.get_secret_value()],
        check=False,
        timeout=120,
    )
    assert ended.returncode == -signal.SIGKILL
    assert rows_of_server(target) == before
    assert rows_of_file(full) == before

    assert refused(full, target) == "moved_already"

    assert rows_of_server(target) == before
    assert rows_of_file(full) == before
    with closing(sqlite3.connect(full)) as db:
        assert db.execute("SELECT value FROM meta WHERE key = 'life_copied'").fetchall() == [("1",)]
    assert refused(full, target) == "moved_already"


@pytest.mark.extended
def test_a_database_that_went_on_after_a_move_is_not_taken_for_a_copy(full, target, clock):
    """A daemon has begun there: it is one of its own by now."""
    moved(full, target)
    with closing(open_store(target, BOX)) as store:
        store.life.begin(clock.now())

    assert refused(full, target) == "target_not_empty"
