"""Whether there is room: on disks that are really full, of either database."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from connector_core import EventType, Incident, IncidentEvent, RetryLater
from connector_core.databases import PostgreSQL
from connector_core.secrets import SecretBox
from connector_core.store.opening import open_store
from tests.support.postgres import connected, own_server
from tests.support.postgres_guard import USER

BOX = SecretBox([SecretStr("a passphrase that is long enough")])
MIB = 1024 * 1024
LARGE, LITTLE = 300_000, 60_000


@contextmanager
def small_disk(folder, size, owner=None):
    """Mount a file system of a few MiB."""
    folder.mkdir()
    if os.geteuid() or run("mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)):
        pytest.skip("needs to mount a small file system, which root may")
    try:
        if owner:
            shutil.chown(folder, owner, owner)
        yield folder
    finally:
        run("umount", "--lazy", str(folder))


def run(*command):
    """Run a command of the system; return its exit code."""
    return subprocess.run(command, capture_output=True, check=False).returncode


@contextmanager
def sqlite_on_a_small_disk(tmp_path):
    """Open a store whose file is on a disk of a few MiB."""
    with small_disk(tmp_path / "disk", 6 * MIB) as disk:
        store = open_store(disk / "store.db", BOX)
        try:
            yield store, disk
        finally:
            store.close()


@contextmanager
def postgresql_on_a_small_disk(tmp_path):
    """Open a store whose tables are on a disk of a few MiB; what else the server has to write has room."""
    with own_server() as server, small_disk(server.folder / "small", 40 * MIB, USER) as disk:
        with connected(server.server.admin) as connection:
            connection.execute(f"CREATE TABLESPACE small LOCATION '{disk}'")
            connection.execute("CREATE DATABASE small OWNER connector TABLESPACE small")
        store = open_store(PostgreSQL(server.server.url("small")), BOX)
        try:
            yield store, disk
        finally:
            store.close()


ON_SMALL_DISKS = {"sqlite": sqlite_on_a_small_disk, "postgresql": postgresql_on_a_small_disk}


@pytest.fixture(params=ON_SMALL_DISKS)
def on_small_disk(request, tmp_path):
    """Return a store and the small disk that it is on."""
    with ON_SMALL_DISKS[request.param](tmp_path) as opened:
        yield opened


def take(store, number, size):
    """Store an event and wait for the commit."""
    now = datetime.now(UTC)
    # Of letters that do not repeat: PostgreSQL would keep it in little room.
    incident = Incident(id=f"inc-{number}", title="A fan", description=os.urandom(size // 2).hex())
    event = IncidentEvent(id=f"evt-{number}", type=EventType.OPENED, occurred_at=now, incident=incident)
    store.inbox.accept_events("acme", [event], [], now).result(60)


def fill(disk, leaving):
    """Leave so much room on a disk."""
    room = shutil.disk_usage(disk).free - leaving
    (disk / "filler").write_bytes(b"\0" * max(room, 0))


def give_back(disk, room):
    """Make some room on a full disk."""
    os.truncate(disk / "filler", (disk / "filler").stat().st_size - room)


def is_writable(store):
    """Return whether readiness would be told that changes can be stored."""
    return not runs_out_of_room(store.database.prove_writable)


def refused(store, number):
    """Return whether an event of some size is refused for want of room."""
    return runs_out_of_room(lambda: take(store, number, LARGE))


def runs_out_of_room(act):
    """Return whether something fails for want of room; for anything else it may not fail."""
    try:
        act()
    except RetryLater as exc:
        if exc.code != "disk_full":
            raise
        return True
    return False


def test_what_refuses_events_for_want_of_room_is_not_ready(on_small_disk):
    """Although something small can be stored; and it is ready again by itself once there is room."""
    store, disk = on_small_disk
    assert is_writable(store)
    fill(disk, leaving=LARGE // 3)
    number = next(number for number in range(100) if refused(store, number))
    give_back(disk, LITTLE)
    told = [(is_writable(store), refused(store, 200 + round_)) for round_ in range(5)]
    (disk / "filler").unlink()

    assert number < 99
    assert told == [(False, True)] * 5
    assert is_writable(store)
    assert not refused(store, 400)
    assert is_writable(store)
