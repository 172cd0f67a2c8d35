"""What every thread may meet: no memory, no descriptors, no further thread, a database that does not answer a read.

Nothing stops quietly: each event becomes one ticket when the trouble ends, and meanwhile health and readiness say so.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import socket
import sqlite3
import sys
import threading
import time
import traceback
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
import structlog
from pydantic import SecretStr

from connector_core import EventType, Incident, IncidentEvent, RetryLater
from connector_core.demo.stage import until
from connector_core.engine.engine import Engine
from connector_core.http_source.signatures import sign, signing_keys
from connector_core.metrics import Metrics
from connector_core.secrets import SecretBox
from connector_core.store import sqlite as sqlite_module
from connector_core.store.opening import open_store
from connector_core.testing import MemoryDesk, MemoryPlatform
from tests.support.activation import active_record
from tests.support.faults.campaign import LONG, opened_stage, push, report, wait_until_quiet
from tests.support.faults.strikes import striking
from tests.support.sync_lab import make_lab

SEED = int(os.environ.get("CONNECTOR_CAMPAIGN_SEED", "20261127"))
RUNS = 10 if LONG else 2
STRIKES = 200 if LONG else 25
BOX = SecretBox((SecretStr("a key only for tests, of good length"),))
SOON_S = 60.0
NO_THREADS = Path(__file__).parents[1] / "support/faults/no_threads"


class HastyClock:
    """The clock of this machine, two hundred times as fast: a wait of five minutes is one of a second and a half."""

    FACTOR = 200

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._at = datetime.now(UTC)

    def now(self):
        """Return the time."""
        return self._at + timedelta(seconds=self.monotonic())

    def monotonic(self):
        """Return the seconds since the beginning."""
        return (time.monotonic() - self._began) * self.FACTOR


class Site:
    """An engine that works on a real store between two sides in memory."""

    def __init__(self, folder) -> None:
        self.clock = HastyClock()
        self.store = open_store(folder / "store.db", BOX)
        self.store.integrations.put(active_record("desk", "acme", self.clock.now()))
        self.lab = make_lab(
            self.store,
            self.clock,
            changes_per_minute=10_000,
            desk=MemoryDesk(self.clock),
            platform=MemoryPlatform(self.clock),
        )
        self.metrics = Metrics()
        self.engine = Engine(
            self.store.lanes,
            self.lab.sync,
            workers=4,
            per_integration=4,
            clock=self.clock,
            log=structlog.get_logger("test"),
            metrics=self.metrics,
        )
        self.engine.start()

    def take(self, number):
        """Take an event as its sender would send it: again and again until it is acknowledged."""
        now = self.clock.now()
        incident = Incident(id=f"inc-{number}", title=f"N{number}")
        self.lab.platform.incidents[incident.id] = incident
        event = IncidentEvent(id=f"evt-{number}", type=EventType.OPENED, occurred_at=now, incident=incident)

        def is_taken():
            try:
                targets = self.lab.registry.targets("acme")
                self.store.inbox.accept_events("acme", [event], targets, now).result(SOON_S)
            except RetryLater:
                return False
            return True

        until(is_taken, within_s=SOON_S)
        self.engine.nudge()

    def titles(self):
        """Return the titles of the tickets that there are."""
        return sorted(ticket.title for ticket in self.lab.desk.shown)

    def close(self):
        """End."""
        self.engine.stop(SOON_S)
        self.store.close()


def wait_for_tickets(site, number):
    """Wait until each incident has a ticket and every lane is at rest."""
    wanted = sorted(f"N{one}" for one in range(number))

    def is_done():
        at_rest = site.store.lanes.next_due() is None and site.engine.running == 0
        return at_rest and site.titles() == wanted

    try:
        until(is_done, within_s=SOON_S)
    except TimeoutError:
        claimed = site.store.lanes.claimed(site.engine.boot)
        links = [(link.id, link.status.code) for link in site.store.links.find()]
        where = ["".join(traceback.format_stack(frame, 6)) for frame in sys._current_frames().values()]
        running = site.engine.running
        pytest.fail("\n".join([f"{number} wanted, claimed {claimed}, running {running}, {links[:20]}", *where]))


def test_an_error_at_any_line_loses_no_event_and_ends_no_thread(tmp_path, monkeypatch, capsys):
    """No memory, no descriptor, a call to end the process: at whatever line it comes, each incident gets one ticket."""
    struck = incidents = 0
    for run in range(RUNS):
        folder = tmp_path / str(run)
        folder.mkdir()
        with striking(monkeypatch, SEED + run, every=100) as strikes:
            site = Site(folder)
            strikes.is_on = True
            number = 0
            while len(strikes.struck) < STRIKES:
                site.take(number)
                number += 1
            strikes.is_on = False
            wait_for_tickets(site, number)
            loops = (*site.store.database.loops, *site.engine.loops)
            ended = [loop.name for loop in loops if loop.trouble() == "ended"]
            survived = sum(loop.failures for loop in loops)
            site.close()
        struck, incidents = struck + len(strikes.struck), incidents + number
        assert ended == [], strikes.struck
        assert survived > 0
    report(capsys, f"threads: seed={SEED} runs={RUNS} incidents={incidents} errors raised={struck}")


class Flaky:
    """A connection whose statements fail now and then, as they do without descriptors, memory or a healthy disk."""

    def __init__(self, conn, fails) -> None:
        self._conn = conn
        self._fails = fails

    def __getattr__(self, name):
        return getattr(self._conn, name)

    def execute(self, *arguments):
        """Execute a statement, or fail."""
        self._fails()
        return self._conn.execute(*arguments)


class Reads:
    """Reading that fails at random, from a seed, while `is_on`."""

    def __init__(self, seed, connect) -> None:
        self.is_on = False
        self.failed = 0
        self._connect = connect
        self._chance = random.Random(seed)
        self._lock = threading.Lock()

    def connect(self, path, *, writer=False):
        """Open a connection, or fail; what is written goes on."""
        if writer:
            return self._connect(path, writer=True)
        self._fail()
        return Flaky(self._connect(path), self._fail)

    def _fail(self):
        with self._lock:
            if not self.is_on or self._chance.random() > 0.2:
                return
            self.failed += 1
            error = self._chance.choice(
                [sqlite3.OperationalError("unable to open database file"), sqlite3.DatabaseError("x"), MemoryError()]
            )
        raise error


def test_reads_that_fail_lose_no_event(tmp_path, monkeypatch, capsys):
    """A database that takes events and cannot be read: lanes come back, and each incident gets one ticket."""
    reads = Reads(SEED, vars(sqlite_module)["connect"])
    monkeypatch.setattr(sqlite_module, "connect", reads.connect)
    site = Site(tmp_path)
    reads.is_on = True
    number = 0
    while reads.failed < STRIKES * 4:
        site.take(number)
        number += 1
    reads.is_on = False
    wait_for_tickets(site, number)
    survived = [loop.failures for loop in site.engine.loops]
    site.close()
    report(capsys, f"reads: seed={SEED} incidents={number} reads failed={reads.failed}")

    assert survived == [0, 0]  # nothing that nobody expects: it is told in our words


class Kept:
    """A connection that is kept open, as a proxy keeps one."""

    def __init__(self, url) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._url = url
        self.status("healthz")

    def status(self, page):
        """Ask for a page; return status and answer."""
        answer = self._session.get(f"{self._url}/{page}", timeout=20)
        return answer.status_code, answer.json()

    def push(self, stage, number):
        """Send a signed event."""
        now = datetime.now(UTC)
        incident = {"id": f"inc-{number}", "title": f"N{number}", "opened_at": now.isoformat(), "status": "active"}
        whole = {"id": f"evt-{number}", "type": "incident.opened", "occurred_at": now.isoformat(), "incident": incident}
        body = json.dumps(whole).encode()
        headers = sign(signing_keys(stage.environ["DEMO_EVENTS_SECRET"]), whole["id"], now, body)
        return self._session.post(stage.platform.events_url, data=body, headers=headers, timeout=20)


def descriptors(pid):
    """Count the open descriptors of a process."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@contextmanager
def crowd(stage, number):
    """Hold idle connections that nobody signed in on."""
    host, port = stage.daemon.url.removeprefix("http://").split(":")
    with ExitStack() as held:
        for _ in range(number):
            held.enter_context(socket.create_connection((host, int(port)), timeout=10))
        yield


def tickets(stage):
    """Return the titles of the tickets."""
    return sorted(ticket["title"] for ticket in stage.sandbox.tickets())


@pytest.mark.extended
@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs to limit another process")
@pytest.mark.parametrize("events", [48 if LONG else 6])
def test_idle_connections_that_use_up_the_descriptors_lose_nothing(tmp_path, events):
    """What is acknowledged meanwhile becomes tickets, readiness says why nothing goes on, and nothing is restarted."""
    with opened_stage(tmp_path) as stage:
        pid, door = stage.daemon.pid, Kept(stage.daemon.url)
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        at_most = descriptors(pid) + 10
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (at_most, before[1]))
        with crowd(stage, at_most):  # more than there are, whatever the daemon closes after they were counted
            until(lambda: door.status("readyz")[0] == 503)
            said = door.status("readyz")[1]
            health = door.status("healthz")[0]
            answers = [door.push(stage, number) for number in range(events)]
        acknowledged = [number for number, answer in enumerate(answers) if answer.ok]
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        until(stage.daemon.is_ready, within_s=60)
        for number in set(range(events)) - set(acknowledged):  # as its sender would
            assert push(stage, f"evt-{number}", id=f"inc-{number}", title=f"N{number}").ok
        until(lambda: len(tickets(stage)) >= events, within_s=60)
        wait_until_quiet(stage, within_s=60)

        assert "more files or connections" in said["reason"]
        assert health == 200
        assert {answer.status_code for answer in answers} <= {200, 202, 503}
        assert tickets(stage) == sorted(f"N{number}" for number in range(events))
        assert stage.daemon.pid == pid


@contextmanager
def no_further_thread(stage, sign):
    """Let the daemon start no thread: by the system's limit, which does not hold for root, or by its own Python."""
    if os.geteuid():
        before = resource.prlimit(stage.daemon.pid, resource.RLIMIT_NPROC)
        resource.prlimit(stage.daemon.pid, resource.RLIMIT_NPROC, (1, before[1]))
    sign.touch()
    yield
    sign.unlink()
    if os.geteuid():
        resource.prlimit(stage.daemon.pid, resource.RLIMIT_NPROC, before)


@pytest.mark.extended
@pytest.mark.parametrize("events", [48 if LONG else 6])
def test_threads_that_cannot_be_started_lose_nothing(tmp_path, events):
    """No worker is to be had: events wait on disk, readiness is red, a hang-up ends nothing, and then all goes on."""
    sign = tmp_path / "no threads"

    def prepare(stage):
        stage.daemon._environ |= {"PYTHONPATH": str(NO_THREADS), "NO_THREADS": str(sign)}

    with opened_stage(tmp_path, prepare=prepare) as stage:
        pid, door = stage.daemon.pid, Kept(stage.daemon.url)
        with no_further_thread(stage, sign):
            answers = [door.push(stage, number).status_code for number in range(events)]
            until(lambda: door.status("readyz")[0] == 503)
            os.kill(pid, signal.SIGHUP)
            until(lambda: "thread_not_started" in stage.daemon.log_path.read_text())
            health = door.status("healthz")
            made = tickets(stage)
        until(stage.daemon.is_ready, within_s=60)
        until(lambda: len(tickets(stage)) >= events, within_s=60)
        wait_until_quiet(stage, within_s=60)

        assert set(answers) <= {200, 202}
        assert health == (200, {"status": "ok"})
        assert made == []
        assert tickets(stage) == sorted(f"N{number}" for number in range(events))
        assert stage.daemon.pid == pid
