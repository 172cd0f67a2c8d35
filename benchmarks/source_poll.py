"""Polling: what a look at a large organization costs, how soon a change is on its way, and what many cost together."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from threading import Event
from typing import Any

import psutil
import requests
from pydantic import SecretStr
from ruamel.yaml import YAML

import connector_xyte
from benchmarks.figures import Figure, Reading, require
from benchmarks.processes import serving
from connector_core import Source
from connector_core.clock import SystemClock
from connector_core.demo.daemon import Daemon
from connector_core.demo.stage import free_port, until
from connector_core.http.session import HTTPSession
from connector_core.secrets import SecretBox
from connector_core.store import Checkup
from connector_core.store.opening import open_store
from connector_core.testing import make_source
from connector_jira_jsm_sandbox import JiraSandbox

INCIDENTS = 10_000
LOOKS = 5
INTERVAL_S = 10
CHANGES = 3
ORGANIZATIONS = 1_000
WATCHED_S = 60.0
SETTLED_S = 20.0
KEY = "a passphrase that is long enough"
MIB = 1024 * 1024
EVERY_S = 30

CPU = Figure(f"look at {INCIDENTS:,} open incidents, nothing changed: processor time", "ms", 1000)
CALLS = Figure("… calls", "calls", 101)
CURSOR = Figure("… the cursor", "KiB")
SEEN = Figure(
    f"opened there to request created, polled every {INTERVAL_S} s, longest of {CHANGES}", "s", INTERVAL_S + 2
)
LARGE = Figure("… the daemon, resident", "MiB", 150)
SHARE = Figure(f"{ORGANIZATIONS:,} organizations polled every {EVERY_S} s, share of a core", "%", 50)
MEANWHILE = Figure("… calls of the daemon meanwhile", "/s")
OLDEST = Figure("… the oldest look", "s", 2 * EVERY_S)
MANY = Figure("… the daemon that polls them, resident", "MiB", 300)
FIGURES = (CPU, CALLS, CURSOR, SEEN, LARGE, SHARE, MEANWHILE, OLDEST, MANY)


def measure() -> Iterator[Reading]:
    """Look at ten thousand incidents; then let daemons do it, one large organization and many small ones."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with serving("benchmarks.hub", str(INCIDENTS), log=folder / "hub.log") as told:
            url, key = told.split()
            yield from _looks(url, key)
            yield from _large(folder, url, key)
        with serving("benchmarks.hub", "10", log=folder / "hub.log") as told:
            yield from _many(folder, *told.split())


def _looks(url: str, key: str) -> Iterator[Reading]:
    calls = 0

    def count(*_call: object) -> None:
        nonlocal calls
        calls += 1

    source = _source(url, key, HTTPSession("benchmark", observe=count))
    poll = connector_xyte.poll_incidents(source, None, source.clock.now())
    spent = []
    for _ in range(LOOKS):
        calls = 0
        before = time.process_time()
        poll = connector_xyte.poll_incidents(source, poll.cursor, source.clock.now())
        spent.append(time.process_time() - before)
    require(poll.open_incidents == INCIDENTS, f"{poll.open_incidents} incidents were seen")
    require(not poll.events, f"{len(poll.events)} events came where nothing had changed")
    yield CPU, median(spent) * 1000
    yield CALLS, calls
    yield CURSOR, len(poll.cursor) / 1024


def _source(url: str, key: str, session: requests.Session) -> Source:
    settings = {"organization_key": key, "base_url": url}
    return replace(make_source(connector_xyte.describe_plugin(), settings, clock=SystemClock()), session=session)


def _large(folder: Path, url: str, key: str) -> Iterator[Reading]:
    """Open incidents while a daemon polls, and see after how long each has a ticket."""
    with _desk() as desk, _daemon(folder / "large", desk, {"acme": _settings(url, key, INTERVAL_S)}) as daemon:
        until(lambda: _figure(daemon, "connector_source_open_incidents") >= INCIDENTS, within_s=60)
        took = []
        for number in range(CHANGES):
            tickets = len(desk.tickets())
            requests.post(f"{url}/incidents", data={"title": f"New {number}"}, timeout=20).raise_for_status()
            took.append(until(lambda known=tickets: len(desk.tickets()) > known, within_s=60))
            Event().wait(INTERVAL_S * 0.3)  # so that the next one meets another part of the interval
        resident = psutil.Process(daemon.pid).memory_info().rss
    yield SEEN, max(took)
    yield LARGE, resident / MIB


def _many(folder: Path, url: str, key: str) -> Iterator[Reading]:
    """Let one daemon poll many organizations and see how much of a core that takes."""
    sources = {f"org-{number}": _settings(url, key, EVERY_S) for number in range(ORGANIZATIONS)}
    with _desk() as desk, _daemon(folder / "many", desk, sources) as daemon:
        until(lambda: _count(daemon, "connector_source_open_incidents") == ORGANIZATIONS, within_s=120)
        daemon.stop()
        _note_checks(folder / "many/connector.db", list(sources))
        daemon.start()
        until(lambda: _count(daemon, "connector_source_open_incidents") == ORGANIZATIONS, within_s=120)
        Event().wait(SETTLED_S)  # each ticketing system is asked once after a start
        process = psutil.Process(daemon.pid)
        before, began = process.cpu_times(), time.monotonic()
        polled = _figure(daemon, "connector_calls_total")
        Event().wait(WATCHED_S)
        after, took_s = process.cpu_times(), time.monotonic() - began
        calls = _figure(daemon, "connector_calls_total") - polled
        oldest = max(_values(daemon, "connector_source_answer_age_seconds"))
        bad = _failed_calls(daemon)
        resident = process.memory_info().rss
    require(not bad, f"{bad:.0f} calls of the daemon were not answered well")
    looks = calls / took_s * EVERY_S / ORGANIZATIONS
    require(looks >= 1, f"each organization was asked {looks:.2f} times in {EVERY_S} s")
    spent = after.user + after.system - before.user - before.system
    yield SHARE, spent / took_s * 100
    yield MEANWHILE, calls / took_s
    yield OLDEST, oldest
    yield MANY, resident / MIB


def _note_checks(database: Path, organizations: list[str]) -> None:
    """Note that all were checked lately: soon after it became active each is, and that is not what polling takes."""
    store = open_store(database, SecretBox([SecretStr(KEY)]))
    try:
        for name in organizations:
            store.checkups.record(Checkup(f"{name}-desk", SystemClock().now(), ()))
    finally:
        store.close()


def _settings(url: str, key: str, every_s: int) -> dict[str, Any]:
    return {"plugin": "xyte", "organization_key": key, "base_url": url, "poll_every": f"{every_s}s"}


@contextmanager
def _desk() -> Iterator[JiraSandbox]:
    desk = JiraSandbox()
    desk.start()
    try:
        yield desk
    finally:
        desk.stop()


@contextmanager
def _daemon(folder: Path, desk: JiraSandbox, sources: dict[str, dict[str, Any]]) -> Iterator[Daemon]:
    """Run a daemon whose organizations each have a source and an integration that needs no person."""
    folder.mkdir()
    integration = {
        "plugin": "jira_jsm",
        **desk.integration_settings(),
        "site": desk.url,
        "email": desk.email,
        "api_token": desk.api_token,
    }
    port = free_port()
    tree = {
        "secret_key": KEY,
        "server": {"port": port},
        "console": {"enabled": False},
        "reconcile": {"every": "10m"},
        "organizations": {
            name: {"source": source, "integrations": {f"{name}-desk": dict(integration)}}
            for name, source in sources.items()
        },
    }
    path = folder / "connector.yaml"
    with path.open("w") as file:
        YAML().dump(tree, file)
    daemon = Daemon(path, f"http://127.0.0.1:{port}", folder / "daemon.log", {})
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.stop()


def _failed_calls(daemon: Daemon) -> float:
    """Count the calls since the start that were not answered, or not well."""
    text = requests.get(f"{daemon.url}/metrics", timeout=20).text
    rows = [row for row in text.splitlines() if row.startswith("connector_calls_total{")]
    return sum(float(row.rpartition(" ")[2]) for row in rows if 'answer="2xx"' not in row)


def _values(daemon: Daemon, metric: str) -> list[float]:
    text = requests.get(f"{daemon.url}/metrics", timeout=20).text
    return [float(row.rpartition(" ")[2]) for row in text.splitlines() if row.startswith(f"{metric}{{")]


def _figure(daemon: Daemon, metric: str) -> float:
    return sum(_values(daemon, metric))


def _count(daemon: Daemon, metric: str) -> int:
    return len(_values(daemon, metric))
