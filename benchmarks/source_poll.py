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
from ruamel.yaml import YAML

import connector_xyte
from benchmarks.figures import line
from benchmarks.processes import free_port, serving
from connector_core import Source
from connector_core.clock import SystemClock
from connector_core.demo.daemon import Daemon
from connector_core.demo.stage import until
from connector_core.http import HTTPSession
from connector_core.testing import make_source
from connector_jira_jsm.sandbox import JiraSandbox

INCIDENTS = 10_000
LOOKS = 5
INTERVAL_S = 10
CHANGES = 3
ORGANIZATIONS = 200
WATCHED_S = 60.0
MIB = 1024 * 1024


def measure() -> Iterator[str]:
    """Look at ten thousand incidents; then let daemons do it, one large organization and many small ones."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with serving("benchmarks.hub", str(INCIDENTS), log=folder / "hub.log") as told:
            url, key = told.split()
            yield from _looks(url, key)
            yield from _large(folder, url, key)
        with serving("benchmarks.hub", "10", log=folder / "hub.log") as told:
            yield from _many(folder, *told.split())


def _looks(url: str, key: str) -> Iterator[str]:
    calls = 0

    def count(_method: str, _status: int | None) -> None:
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
    assert poll.open_incidents == INCIDENTS
    assert not poll.events
    yield line("look at 10,000 open incidents, nothing changed: CPU", median(spent) * 1000, "ms", 1000)
    yield line("  calls", calls, "calls", 101)
    yield line("  the cursor", len(poll.cursor) / 1024, "KiB")


def _source(url: str, key: str, session: requests.Session) -> Source:
    settings = {"organization_key": key, "base_url": url}
    return replace(make_source(connector_xyte.describe_plugin(), settings, clock=SystemClock()), session=session)


def _large(folder: Path, url: str, key: str) -> Iterator[str]:
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
    yield line(f"opened there to request created, polled every {INTERVAL_S} s, longest", max(took), "s", INTERVAL_S + 2)
    yield line("  the daemon, resident", resident / MIB, "MiB", 150)


def _many(folder: Path, url: str, key: str) -> Iterator[str]:
    """Let one daemon poll many organizations and see how much of a core that takes."""
    sources = {f"org-{number}": _settings(url, key, 30) for number in range(ORGANIZATIONS)}
    with _desk() as desk, _daemon(folder / "many", desk, sources) as daemon:
        until(lambda: _count(daemon, "connector_source_open_incidents") == ORGANIZATIONS, within_s=120)
        process = psutil.Process(daemon.pid)
        before, began = process.cpu_times(), time.monotonic()
        polled = _figure(daemon, "connector_calls_total")
        Event().wait(WATCHED_S)
        after, took_s = process.cpu_times(), time.monotonic() - began
        calls = _figure(daemon, "connector_calls_total") - polled
        oldest = max(_values(daemon, "connector_source_answer_age_seconds"))
        resident = process.memory_info().rss
    spent = after.user + after.system - before.user - before.system
    yield line(f"{ORGANIZATIONS} organizations polled every 30 s, share of a core", spent / took_s * 100, "%", 50)
    yield line("  calls of the daemon meanwhile", calls / took_s, "/s")
    yield line("  the oldest look", oldest, "s")
    yield line("  the daemon, resident", resident / MIB, "MiB", 150)


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
        "secret_key": "a passphrase that is long enough",
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


def _values(daemon: Daemon, metric: str) -> list[float]:
    text = requests.get(f"{daemon.url}/metrics", timeout=20).text
    return [float(row.rpartition(" ")[2]) for row in text.splitlines() if row.startswith(f"{metric}{{")]


def _figure(daemon: Daemon, metric: str) -> float:
    return sum(_values(daemon, metric))


def _count(daemon: Daemon, metric: str) -> int:
    return len(_values(daemon, metric))
