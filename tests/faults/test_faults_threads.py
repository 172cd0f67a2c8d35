"""What every thread may meet: no memory, no descriptors, no further thread, a database that does not answer a read.

Nothing stops quietly: each event becomes one ticket when the trouble ends, and meanwhile health and readiness say so.
"""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from pydantic import SecretStr

from connector_core import EventType, Incident, IncidentEvent, RetryLater
from connector_core.demo.stage import until
from connector_core.engine.engine import Engine
from connector_core.metrics import Metrics
from connector_core.secrets import SecretBox
from connector_core.store import sqlite as sqlite_module
from connector_core.store.opening import open_store
from connector_core.testing import MemoryDesk, MemoryPlatform
from tests.support.activation import active_record
from tests.support.faults.campaign import LONG, report
from tests.support.faults.strikes import striking
from tests.support.sync_lab import make_lab

SEED = int(os.environ.get("CONNECTOR_CAMPAIGN_SEED", "20261127"))
RUNS = 20 if LONG else 2
STRIKES = 200 if LONG else 25
BOX = SecretBox((SecretStr("a key only for tests, of good length"),))
SOON_S = 60.0


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
        return site.titles() == wanted and site.store.lanes.next_due() is None and site.engine.running == 0

    try:
        until(is_done, within_s=SOON_S)
    except TimeoutError:
        claimed = site.store.lanes.claimed(site.engine.boot)
        links = [(link.id, link.status.code) for link in site.store.links.find()]
        pytest.fail(f"{site.titles()} of {number}; claimed {claimed}, running {site.engine.running}, {links}")


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
            ended = [loop.name for loop in (*site.store.database.loops, *site.engine.loops) if loop.trouble() == "ended"]
            survived = sum(loop.failures for loop in (*site.store.database.loops, *site.engine.loops))
            site.close()
        struck, incidents = struck + len(strikes.struck), incidents + number
        assert ended == [], strikes.struck
        assert survived > 0
    report(capsys, f"threads: seed={SEED} runs={RUNS} incidents={incidents} errors raised={struck}")
