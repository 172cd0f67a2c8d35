"""The disk: full, not writable, damaged; and copies of the database taken under load and put back."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import threading
from contextlib import closing, contextmanager
from datetime import UTC, datetime

import pytest
import requests
from pydantic import SecretStr

from connector_core import EventType, Incident, IncidentEvent
from connector_core.contract.errors import ConfigError, RemoteError, RetryLater
from connector_core.demo.stage import until
from connector_core.secrets import SecretBox
from connector_core.store import life
from connector_core.store.opening import open_store
from tests.support.faults.campaign import Traffic, opened_stage, push, wait_until_quiet

BOX = SecretBox((SecretStr("a key only for tests, of good length"),))
FULL = 2
DISK_BYTES = 6 * 1024 * 1024
LITTLE_BYTES = 50_000


@contextmanager
def small_disk(folder):
    """Mount a small file system of its own."""
    folder.mkdir()
    if os.geteuid() or run("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", str(folder)):
        pytest.skip("needs to mount a small file system, which root may")
    try:
        yield folder
    finally:
        run("umount", "--lazy", str(folder))


def run(*command):
    """Run a command of the system; return its exit code."""
    return subprocess.run(command, capture_output=True, check=False).returncode


@pytest.fixture
def store(tmp_path):
    """Open a store."""
    opened = open_store(tmp_path / "store.db", BOX)
    yield opened
    opened.close()


def take(store, number, size=100):
    """Store an event and wait for the commit."""
    now = datetime.now(UTC)
    incident = Incident(id=f"inc-{number}", title="x" * size)
    event = IncidentEvent(id=f"evt-{number}", type=EventType.OPENED, occurred_at=now, incident=incident)
    return store.inbox.accept_events("acme", [event], [], now).result(60)


def taken(path):
    """Return the numbers of the events in a database file."""
    with closing(sqlite3.connect(path)) as db:
        return {int(row[0].removeprefix("evt-")) for row in db.execute("SELECT id FROM event")}


def damage(path, *, at):
    """Overwrite a page's header somewhere in a file, as a part of the file's length."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(int(size * at) // 4096 * 4096)
        file.write(b"\xde\xad\xbe\xef" * 64)


SOME_MORE = 10


def damaged_everywhere(path):
    """Damage every page but the first ones, which hold what is needed to open the file at all."""
    empty = path.with_name("empty.db")
    open_store(empty, BOX).close()
    pages = path.stat().st_size // 4096
    for page in range(empty.stat().st_size // 4096 + SOME_MORE, pages):
        damage(path, at=(page + 0.5) / pages)


def test_full_disk_refuses_and_resumes_by_itself(tmp_path):
    """On a full disk senders are told to come again, readiness is red, and all goes on when there is room."""
    with (
        small_disk(tmp_path / "disk") as disk,
        opened_stage(tmp_path, settings="", prepare=lambda stage: on_disk(stage, "disk/connector.db")) as stage,
    ):
        process = stage.daemon.pid
        stage.platform.open("Before")
        until(lambda: len(stage.sandbox.tickets()) == 1)
        fill(disk)
        accepted, refused = [], None
        for number in range(400):
            answer = push(stage, f"evt-{number}", id=f"inc-{number}", title=f"N{number}", description="x" * 4000)
            if not answer.ok:
                refused = answer
                break
            accepted.append(f"N{number}")
        os.truncate(disk / "filler", (disk / "filler").stat().st_size - LITTLE_BYTES)
        large = push(stage, "evt-large", id="inc-large", title="Large", description="x" * 10 * LITTLE_BYTES)
        at_once = requests.get(f"{stage.daemon.url}/readyz", timeout=10).status_code
        late = stage.platform.open("Opened while full")

        assert (large.status_code, at_once) == (503, 503)
        assert refused is not None
        assert (refused.status_code, bool(refused.headers["Retry-After"])) == (503, True)
        assert requests.get(f"{stage.daemon.url}/healthz", timeout=10).ok
        assert "full" in requests.get(f"{stage.daemon.url}/readyz", timeout=10).json()["reason"]

        (disk / "filler").unlink()
        until(stage.daemon.is_ready)
        until(lambda: len(stage.sandbox.tickets()) == len(accepted) + 2, within_s=120)

        assert sorted(t["title"] for t in stage.sandbox.tickets()) == sorted(["Before", "Opened while full", *accepted])
        assert stage.platform.incident(late)["status"] == "active"
        assert stage.daemon.pid == process
        assert stage.daemon.command("db", "check").returncode == 0


def on_disk(stage, path):
    """Move the stage's database."""
    text = stage.config_path.read_text()
    stage.config_path.write_text(text.replace("sqlite:///connector.db", f"sqlite:///{path}"))


def fill(disk):
    """Leave no room on a disk."""
    with (disk / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(b"\0" * 4096):
                pass
        except OSError:
            return


def test_commits_are_synced(store):
    """The writer's connection has the settings that durability rests on."""
    connection = store.database._writer._db

    assert connection.execute("PRAGMA synchronous").fetchone()[0] == FULL
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_full_database_keeps_every_acknowledged_event(store, tmp_path):
    """SQLITE_FULL fails the change with its own code; what was acknowledged is there, and writing resumes."""
    connection = store.database._writer._db
    take(store, 0)
    connection.execute("PRAGMA max_page_count = 60")
    acknowledged = {0}
    with pytest.raises(RetryLater) as failure:  # noqa: PT012 - until it is full
        for number in range(1, 500):
            take(store, number, size=1000)
            acknowledged.add(number)
    with pytest.raises(RetryLater):
        take(store, 999, size=3000)
    connection.execute("PRAGMA max_page_count = 100000")
    take(store, 1000)

    assert (failure.value.code, bool(failure.value.fix)) == ("disk_full", True)
    assert taken(tmp_path / "store.db") == {*acknowledged, 1000}
    assert store.database.check() == []


def test_read_only_database_is_said_when_it_happens(store):
    """A database that can no longer be written fails changes and readiness with a code of its own."""
    store.database._writer._db.execute("PRAGMA query_only = ON")
    with pytest.raises(RetryLater) as failure:
        store.database.prove_writable()
    store.database._writer._db.execute("PRAGMA query_only = OFF")
    store.database.prove_writable()

    assert (failure.value.code, bool(failure.value.fix)) == ("read_only", True)


def test_read_only_disk_is_said_at_the_start(tmp_path):
    """A database on a disk that cannot be written is refused at the start, in a sentence."""
    with small_disk(tmp_path / "disk") as disk:
        open_store(disk / "store.db", BOX).close()
        run("mount", "-o", "remount,ro", str(disk))
        with pytest.raises(ConfigError) as existing:
            open_store(disk / "store.db", BOX)
        with pytest.raises(ConfigError) as new:
            open_store(disk / "new" / "store.db", BOX)

    for failure in (existing, new):
        assert failure.value.code == "database_unusable"
        assert "writable" in failure.value.fix


def test_who_no_longer_waits_does_not_stop_the_writer(store):
    """A caller that gives up while its change is queued changes nothing for the others."""
    go_on = threading.Event()
    store.database.submit(None, lambda _: go_on.wait(60))
    given_up = store.database.submit(None, lambda _: None)
    given_up.cancel()
    go_on.set()

    assert take(store, 1).new + take(store, 1).duplicate


def test_damage_is_found_and_said(tmp_path):
    """Check, copy, reading and opening each say that the file is damaged, and what to do; no bad copy is left."""
    path = tmp_path / "store.db"
    store = open_store(path, BOX)
    for number in range(300):
        take(store, number, size=500)
    store.close()
    damaged_everywhere(path)

    store = open_store(path, BOX)
    problems = store.database.check()
    with pytest.raises(RemoteError) as no_copy:
        store.database.backup(tmp_path / "copy.db")
    with pytest.raises(RetryLater) as at_work:  # noqa: PT012 - until it comes upon a damaged page
        for number in range(300):
            take(store, number)
    store.close()
    damage(path, at=0)
    with pytest.raises(ConfigError) as at_start:
        open_store(path, BOX)

    assert problems
    assert not (tmp_path / "copy.db").exists()
    for failure in (no_copy, at_work, at_start):
        assert failure.value.code == "database_damaged"
        assert "restore a backup" in failure.value.fix


@pytest.mark.parametrize("name", ["there.db", "no folder/copy.db", "a folder"])
def test_a_copy_that_cannot_be_made_is_said(store, tmp_path, name):
    """An existing file is never overwritten, and a place that cannot be written is named."""
    (tmp_path / "there.db").write_text("precious")
    (tmp_path / "a folder").mkdir()
    with pytest.raises(ConfigError) as failure:
        store.database.backup(tmp_path / name)

    assert failure.value.fix
    assert (tmp_path / "there.db").read_text() == "precious"


def test_copy_under_load_is_whole_and_holds_up_nobody(store, tmp_path, monkeypatch):
    """A copy taken while events come in holds all that was acknowledged before, and commits go on meanwhile."""
    acknowledged, ending, during = [], threading.Event(), []
    mark_copy = life.mark_copy

    def mark_after_another_commit(copied):
        """Have the copy take until others have been acknowledged, however quick the disk is."""
        taken_before = len(acknowledged)
        until(lambda: len(acknowledged) > taken_before + 1)  # the first may have been committed already
        during.append("acknowledged")
        mark_copy(copied)

    def send():
        while not ending.is_set():
            take(store, number := len(acknowledged), size=2000)
            acknowledged.append(number)

    sender = threading.Thread(target=send)
    sender.start()
    until(lambda: len(acknowledged) > 200, within_s=120)
    before = set(acknowledged)
    monkeypatch.setattr(life, "mark_copy", mark_after_another_commit)
    try:
        store.database.backup(tmp_path / "copy.db")
    finally:
        ending.set()
        sender.join()

    assert before <= taken(tmp_path / "copy.db")
    assert [path.name for path in tmp_path.glob("copy.db*")] == ["copy.db"]
    assert during == ["acknowledged"]


@pytest.mark.extended
def test_backup_by_command_and_its_restoration(tmp_path):
    """A copy taken from the live daemon under load passes the check, and the daemon works on with it."""
    with opened_stage(tmp_path) as stage:
        kept = {f"N{number} kept": stage.platform.open(f"N{number} kept") for number in range(9001, 9006)}
        with Traffic(stage, 7, pause_s=0.04):
            until(lambda: len(stage.platform.acknowledged) > 20)
            before = set(stage.platform.acknowledged)
            copied = stage.daemon.command("db", "backup", str(tmp_path / "copy.db"))
        wait_until_quiet(stage, within_s=120)
        checked = stage.daemon.command("db", "check")
        stage.daemon.stop()
        with closing(sqlite3.connect(tmp_path / "copy.db")) as db:
            known = {row[0] for row in db.execute("SELECT id FROM event")}
        restore(tmp_path / "copy.db", tmp_path / "connector.db")
        stage.daemon.start()
        for incident in kept.values():
            stage.platform.change(incident, priority="planning")
        wait_until_quiet(stage, within_s=120)

        assert (copied.returncode, checked.returncode) == (0, 0), copied.stderr + checked.stderr
        assert before <= known
        found = sorted((t["title"], t["priority"]) for t in stage.sandbox.tickets() if "kept" in t["title"])
        assert found == [(title, "Lowest") for title in sorted(kept)]


def restore(copy, database):
    """Put a copy in a database's place, as docs/backup.md says."""
    for companion in ("-wal", "-shm"):
        database.with_name(database.name + companion).unlink(missing_ok=True)
    shutil.copy(copy, database)


def test_check_by_command_names_the_damage(tmp_path):
    """`connector db check` on a damaged file ends with 1, says so, and what to do; the daemon ends with 3 on one."""
    with opened_stage(tmp_path, authorized=False) as stage:
        for number in range(12):
            assert push(stage, f"evt-{number}", id=f"inc-{number}", title=f"N{number}", description="x" * 20_000).ok
        stage.daemon.stop()
        damaged_everywhere(tmp_path / "connector.db")
        checked = stage.daemon.command("db", "check")
        copied = stage.daemon.command("db", "backup", str(tmp_path / "copy.db"))
        damage(tmp_path / "connector.db", at=0)
        started = stage.daemon.command("run")

        for ended, code in ((checked, 1), (copied, 1), (started, 3)):  # with 3 no service starts it again and again
            assert (ended.returncode, "damaged" in ended.stderr) == (code, True), ended.stderr
            assert "restore a backup" in ended.stderr
