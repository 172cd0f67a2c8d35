"""A database of an earlier version, of a later one, of another program, and one that lacks something."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import SecretStr
from sqlite_utils import Database

from connector_core.cli.main import cli
from connector_core.contract.errors import ConfigError
from connector_core.databases import PostgreSQL
from connector_core.secrets import NoKey, SecretBox
from connector_core.store import private, schema
from connector_core.store.filelock import FileLock
from connector_core.store.opening import open_store
from connector_core.store.steps import migrations
from tests.support.postgres import connected

KEY = "a passphrase of many letters"
BOX = SecretBox([SecretStr(KEY)])
NAMES = [step.name for step in migrations._migrations]
CONFIG = f"database: sqlite:///connector.db\nsecret_key: {KEY}\norganizations: {{acme: {{}}}}\n"


@pytest.fixture
def path(tmp_path):
    """Return where a configuration has its database."""
    (tmp_path / "connector.yaml").write_text(CONFIG)
    return tmp_path / "connector.db"


def made_by(path, version):
    """Make a database as the version did whose last migration this was."""
    following = NAMES.index(version) + 1
    with closing(sqlite3.connect(path)) as db:
        migrations.apply(Database(db, execute_plugins=False), stop_before=NAMES[following:] or None)


def applied(path):
    """Return what a database has had."""
    with closing(sqlite3.connect(path)) as db:
        return [row[0] for row in db.execute("SELECT name FROM _sqlite_migrations ORDER BY rowid")]


def run(path, *words):
    """Run a command."""
    return CliRunner().invoke(cli, ["--config", str(path.with_name("connector.yaml")), *words])


@pytest.mark.cases_in_test(4)
@pytest.mark.parametrize("version", NAMES[:-1])
def test_each_earlier_version_is_brought_up_to_date(path, version):
    """By `run` and by `db migrate`; nothing is missing afterwards."""
    made_by(path, version)

    open_store(path, BOX, is_alone=True).close()

    with closing(sqlite3.connect(path)) as db:
        assert (applied(path), schema.missing(db)) == (NAMES, [])


def test_only_run_and_migrate_bring_up_to_date(path):
    """A command that looks, and one that changes something, say what to do; the rollback stays possible."""
    made_by(path, NAMES[-2])

    for words in (("status",), ("integrations", "list"), ("console", "end-logins"), ("retry", "1"), ("db", "check")):
        assert getattr(run(path, *words).exception, "code", "") == "database_older", words
        assert applied(path) == NAMES[:-1]

    result = run(path, "db", "migrate")
    assert (result.exit_code, applied(path)) == (0, NAMES)


def test_migrating_needs_no_key(path):
    """Nor does making: the first daemon then seals with its own."""
    path.with_name("connector.yaml").write_text(CONFIG.replace(KEY, "${env:NOT_SET_HERE}"))

    result = run(path, "db", "migrate")

    assert (result.exit_code, applied(path)) == (0, NAMES), result.output
    with pytest.raises(ConfigError):
        _ = NoKey()._fernets
    open_store(path, BOX).close()


@pytest.mark.parametrize(
    ("lost", "named"),
    [("DROP TABLE run", "table run"), ("ALTER TABLE breaker RENAME COLUMN reason TO why", "column breaker.reason")],
)
def test_a_daemon_refuses_what_lacks_something(path, lost, named):
    """It counts as up to date by its migrations, was whole at the last start, and would take work it cannot do."""
    open_store(path, BOX, is_alone=True).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute(lost)
        db.commit()

    with pytest.raises(ConfigError) as caught:
        open_store(path, BOX, is_alone=True)

    assert caught.value.code == "database_incomplete"
    assert named in caught.value.message
    assert "Restore a backup" in caught.value.fix


def test_a_daemon_compares_the_tables_once(path, monkeypatch):
    """Building all of them anew for comparison takes a tenth of a second; the next start has the database's word."""
    open_store(path, BOX, is_alone=True).close()

    monkeypatch.setattr(schema, "missing", pytest.fail)
    open_store(path, BOX, is_alone=True).close()


def test_what_somebody_adds_is_no_trouble(path):
    """It is compared again, and whole."""
    open_store(path, BOX, is_alone=True).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE INDEX for_reports ON link (organization)")
        assert not schema.is_known_whole(db)

    open_store(path, BOX, is_alone=True).close()

    with closing(sqlite3.connect(path)) as db:
        assert schema.is_known_whole(db)


def test_a_daemon_refuses_a_server_that_lacks_something(bare_postgresql_url):
    """On PostgreSQL too; and a command brings nothing up to date there."""
    place = PostgreSQL(bare_postgresql_url)
    open_store(place, BOX, is_alone=True).close()
    with connected(bare_postgresql_url) as db:
        db.execute("ALTER TABLE breaker RENAME COLUMN reason TO why")
    with pytest.raises(ConfigError) as incomplete:
        open_store(place, BOX, is_alone=True)
    with connected(bare_postgresql_url) as db:
        db.execute("DELETE FROM migration WHERE name = %s", (NAMES[-1],))
    with pytest.raises(ConfigError) as older:
        open_store(place, BOX, migrates=False)

    assert (incomplete.value.code, older.value.code) == ("database_incomplete", "database_older")
    assert "column breaker.reason" in incomplete.value.message


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "database_foreign"),
        (b"no database at all", "database_damaged"),
        ("CREATE TABLE customers (id)", "database_foreign"),
    ],
)
def test_what_is_none_of_ours_is_refused_by_a_look(path, content, code):
    """Nothing is made of it."""
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        with closing(sqlite3.connect(path)) as db:
            db.execute(content)
    before = path.read_bytes()

    assert getattr(run(path, "status").exception, "code", "") == code
    assert path.read_bytes() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_makes_first_is_the_service_users(path):
    """A first command as root leaves nothing that the daemon's user could not open."""
    os.chown(path.parent, 4711, 4711)

    open_store(path, BOX).close()
    FileLock(path.with_name("connector.db.daemon.lock")).try_acquire()

    made = [one for one in path.parent.iterdir() if one.name.startswith("connector.db")]
    assert len(made) >= 3
    assert {(one.stat().st_uid, one.stat().st_gid) for one in made} == {(4711, 4711)}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_was_there_is_not_given_away(path):
    """Who has the folder could have put a link to any file there."""
    os.chown(path.parent, 4711, 4711)
    theirs = Path(path.with_name("connector.db.daemon.lock"))
    theirs.touch()

    os.close(private.open_private(theirs, for_owner=True))
    private.make_private(path.with_name("backup.db"), is_new=True)

    assert theirs.stat().st_uid == path.with_name("backup.db").stat().st_uid == 0
