"""Power cuts: what was acknowledged was on the disk before, and survives whatever the disk makes of the rest."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from time import monotonic

import pytest

from tests.support.faults import taking_events
from tests.support.faults.campaign import LONG, opened_stage, push, report
from tests.support.faults.disk import Disk, recorded
from tests.support.faults.preload import compiled

EVENTS = 1000 if LONG else 240
CUTS = 600 if LONG else 60
SEED = 20261124


def acknowledged_by(operation):
    """Return the number that a write to the file of acknowledged ids holds."""
    return int(operation.data)


def lost_at_cuts(folder, synchronous):
    """Record a process that takes events, cut the power at random points, return at how many something was lost."""
    folder.mkdir()
    log, database = folder / "log", folder / "disk-db"
    environ = {
        **os.environ,
        "LD_PRELOAD": str(compiled("disk_recorder", folder)),
        "RECORDER_PREFIX": f"{folder}/disk-",
        "RECORDER_LOG": str(log),
    }
    script = Path(taking_events.__file__)
    command = [sys.executable, str(script), str(database), f"{folder}/disk-acks", str(EVENTS), synchronous]
    subprocess.run(command, env=environ, check=True, timeout=600)
    operations = list(recorded(log))
    begin = next(i for i, operation in enumerate(operations) if operation.name == "acks")
    chance = random.Random(SEED)
    cuts = sorted(chance.randrange(begin, len(operations)) for _ in range(CUTS))
    disk, acknowledged, lost = Disk(), [], 0
    for number, operation in enumerate(operations):
        while cuts and cuts[0] == number:
            cuts.pop(0)
            lost += bool(set(acknowledged) - survived(folder / "after", disk.cut(chance)))
        if operation.name == "acks":
            acknowledged.append(acknowledged_by(operation))
        else:
            disk.do(operation)
    return lost


def survived(folder, files):
    """Return the numbers of the events that a database holds after a cut; it must be whole."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for name in files.keys() - {"db-shm"}:  # made anew from the log
        content = files[name]
        (folder / name).write_bytes(content)
    with closing(sqlite3.connect(folder / "db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'event'").fetchone():
            return set()
        return {int(row[0].removeprefix("evt-")) for row in db.execute("SELECT id FROM event")}


@pytest.mark.extended
def test_no_acknowledged_event_is_lost_in_a_power_cut(tmp_path, capsys):
    """At no point of the write log is anything missing that was acknowledged before it."""
    lost = lost_at_cuts(tmp_path / "full", synchronous="")
    report(capsys, f"power cuts: seed={SEED} events={EVENTS} points={CUTS} with something lost={lost}")

    assert lost == 0


@pytest.mark.extended
def test_the_replay_of_power_cuts_can_fail(tmp_path):
    """With a weaker setting the same replay finds losses."""
    assert lost_at_cuts(tmp_path / "normal", synchronous="NORMAL") > 0


@pytest.mark.extended
def test_the_daemon_syncs_before_it_answers(tmp_path):
    """Between a request and its 2xx the write-ahead log of the daemon's database is synced."""
    log = tmp_path / "log"
    preloaded = {
        "LD_PRELOAD": str(compiled("disk_recorder", tmp_path)),
        "RECORDER_PREFIX": f"{tmp_path}/connector.db",
        "RECORDER_LOG": str(log),
    }
    spans = []
    prepare = lambda stage: stage.daemon._environ.update(preloaded)  # noqa: E731 - one line is enough
    with opened_stage(tmp_path, prepare=prepare, authorized=False) as stage:
        for number in range(5):
            begin = monotonic()
            assert push(stage, f"evt-{number}", id=f"inc-{number}", title="x").ok
            spans.append((begin, monotonic()))

    syncs = [operation.at_s for operation in recorded(log) if operation.kind == "s" and operation.name == "-wal"]
    assert all(any(begin < at < end for at in syncs) for begin, end in spans)
