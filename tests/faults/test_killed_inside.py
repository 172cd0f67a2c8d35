"""Killed in the middle of a copy, or while everything is sealed anew: what was good before is good afterwards."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from connector_core import Grant
from connector_core.secrets import SecretBox
from connector_core.store import health
from connector_core.store.filelock import FileLock
from connector_core.store.opening import open_store
from tests.support.activation import active_record

OLD, NEW = "the old key, long enough", "the new key, long enough"
INTEGRATIONS = 20
NOW = datetime(2026, 11, 23, tzinfo=UTC)
GRANT = Grant(headers={"Authorization": SecretStr("Bearer t")}, account_name="Desk Agent")
CONFIG = """
database: sqlite:///{path}
secret_key: [{keys}]
server: {{port: 0}}
console: {{enabled: false}}
organizations: {{acme: {{}}}}
"""


def boxed(*keys):
    """Return a box."""
    return SecretBox([SecretStr(key) for key in keys])


@pytest.fixture
def path(tmp_path):
    """Make a database that has something sealed in many rows."""
    path = tmp_path / "connector.db"
    with closing(open_store(path, boxed(OLD))) as store:
        for number in range(INTEGRATIONS):
            store.integrations.put(active_record(f"desk-{number}", "acme", NOW))
            store.grants.save(f"desk-{number}", GRANT)
    return path


def killed(path, where, number, *arguments, keys=(OLD,)):
    """Run a command that is killed inside; assert that it was."""
    file = path.with_name("connector.yaml")
    file.write_text(CONFIG.format(path=path, keys=", ".join(f'"{key}"' for key in keys)))
    command = [sys.executable, "-m", "tests.support.faults.killed_inside", *where, str(number), "--config", str(file)]
    ended = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stdout + ended.stderr


def still_sealed(path, *keys):
    """Return how many stored secrets these keys do not open, and how many authorizations they do."""
    with closing(open_store(path, boxed(*keys), with_any_key=True)) as store:
        opened = [store.grants.get(f"desk-{number}") for number in range(INTEGRATIONS)]
        return len(store.secrets.unreadable()), opened.count(GRANT)


@pytest.mark.extended
@pytest.mark.parametrize("number", [1, INTEGRATIONS, 2 * INTEGRATIONS])
def test_killed_while_everything_is_sealed_anew(path, number):
    """The next start does it from the beginning; both before and after it no secret is lost."""
    killed(path, ("connector_core.secrets", "SecretBox.rotate"), number, "run", keys=(NEW, OLD))
    assert still_sealed(path, OLD) == (0, INTEGRATIONS)

    # The same again, killed when it was committed: the former key is not needed any more.
    killed(path, ("connector_core.store.secrets", "Secrets.take_up"), 1, "run", keys=(NEW, OLD))
    assert still_sealed(path, NEW) == (0, INTEGRATIONS)
    with closing(open_store(path, boxed(NEW))) as store:
        assert store.secrets.take_up(NOW).resealed == 0


MOMENTS = {
    "begun": ("connector_core.store.backup", "make_private"),
    "copied": ("connector_core.store.life", "mark_copy"),
    "checked": ("connector_core.store.health", "problems"),
    "on disk": ("connector_core.store.backup", "_to_disk"),
}


@pytest.mark.extended
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_copy_that_was_killed_is_none(path, moment, tmp_path):
    """No file of that name is left, and the next copy is made and clears away what was."""
    folder = tmp_path / "backups"
    folder.mkdir()
    killed(path, MOMENTS[moment], 1, "db", "backup", str(folder / "copy.db"))
    left = list(folder.iterdir())

    with closing(open_store(path, boxed(OLD))) as store:
        store.database.backup(folder / "copy.db")

    assert [one.name.endswith(".partial") for one in left] == [True]
    assert [one.name for one in folder.iterdir()] == ["copy.db"]
    with closing(sqlite3.connect(folder / "copy.db")) as db:
        assert health.problems(db) == []
        assert db.execute("SELECT COUNT(*) FROM integration").fetchone() == (INTEGRATIONS,)


def test_a_copy_killed_when_it_has_its_name_is_whole(path, tmp_path):
    """The name is given last: what has it can be restored."""
    killed(path, ("connector_core.store.backup", "_publish"), 1, "db", "backup", str(tmp_path / "copy.db"))

    with closing(open_store(tmp_path / "copy.db", boxed(OLD))) as store:
        assert store.database.check() == []
        assert len(store.integrations.every()) == INTEGRATIONS


def test_two_copies_at_once_do_not_clear_each_other_away(path, tmp_path):
    """What another process is at work on stays."""
    working = tmp_path / ".copy.db.another.partial"
    working.mkdir()
    with FileLock(working / "lock"), closing(open_store(path, boxed(OLD))) as store:
        store.database.backup(tmp_path / "copy.db")

    assert working.is_dir()


@pytest.mark.cases_in_test(1)
@pytest.mark.parametrize("what", ["nothing", "another program's", "half of ours"])
def test_what_is_no_database_of_ours_is_not_found_whole(path, what):
    """An empty file passed the check once; one that lacks a table is named by what it lacks."""
    if what != "half of ours":
        path.unlink()
        with closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE note (text TEXT)" if what == "another program's" else "PRAGMA user_version")
    else:
        with closing(sqlite3.connect(path)) as db:
            db.execute("DROP TABLE hook_token")
            db.execute("ALTER TABLE run DROP COLUMN detail")
    path.touch()
    file = path.with_name("connector.yaml")
    file.write_text(CONFIG.format(path=path, keys=f'"{OLD}"'))
    command = [sys.executable, "-m", "connector_core", "--config", str(file), "db", "check"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    said = {"half of ours": (1, "table hook_token is missing")}.get(what, (3, "is no database of the connector"))
    assert (ended.returncode, said[1] in ended.stderr) == (said[0], True), ended.stderr


@pytest.mark.extended
def test_a_place_that_cannot_be_written_is_said(tmp_path):
    """The daemon names the file and what to check, and ends with the code that no restart helps against."""
    file = tmp_path / "connector.yaml"
    file.write_text(CONFIG.format(path="/proc/nowhere/connector.db", keys=f'"{OLD}"'))
    for arguments in (("run",), ("db", "migrate"), ("db", "forget-secrets", "--yes")):
        command = [sys.executable, "-m", "connector_core", "--config", str(file), *arguments]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

        assert (ended.returncode, "Traceback" in ended.stderr) == (3, False), ended.stderr
        assert "/proc/nowhere/connector.db cannot be used as database" in ended.stderr
