"""A database of a large deployment, 100,000 links and a million timeline entries: claims, commands, memory."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from threading import Event
from time import perf_counter

import psutil
import requests

from benchmarks.events import signed_event
from benchmarks.figures import line, quantile
from benchmarks.sites import Sites, open_sites
from connector_core.backoff import HORIZON_S
from connector_core.store import lanes
from connector_core.store.connection import connect

NAMES = ("a", "b", "c", "d", "e")
LINKS = 100_000
ENTRIES_A_LINK = 10
DUE = 5_000
CLAIMS = 200
REPEATS = 9
STATES = ("in_sync",) * 90 + ("waiting",) * 5 + ("blocked", "conflict", "paused", "gone", "waiting")


def measure() -> Iterator[str]:
    """Fill the database of a stopped daemon, measure claims, start it again, measure the rest."""
    with open_sites(*NAMES) as sites:
        sites.daemon.stop()
        file = sites.folder / "connector.db"
        took_s = _fill(file)
        yield line("(100,000 links, 1,000,000 timeline entries: file)", file.stat().st_size / 1e6, "MB")
        yield line("(  filled in)", took_s, "s")
        yield from _claims(file)
        yield line("daemon ready on it", sites.daemon.start() * 1000, "ms")
        _traffic(sites)
        rss = psutil.Process(sites.daemon.pid).memory_info().rss
        yield line("daemon on it after some traffic, resident", rss / 1e6, "MB", 200)
        yield from _commands(sites)


def _fill(file: Path) -> float:
    started = perf_counter()
    db = sqlite3.connect(file)
    db.execute("PRAGMA synchronous = OFF")
    now = datetime.now(UTC)
    text = now.isoformat(timespec="microseconds")
    with db:
        db.executemany("INSERT INTO incident VALUES (?, ?, ?, ?, ?, 0)", _incidents(text))
        db.executemany(
            "INSERT INTO link (id, organization, integration_id, incident_id, marker, settings, base, ticket,"
            " ticket_id, ticket_key, ticket_updated, is_open, state, code, reason, since, created_at, to_ticket_since)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            _links(text),
        )
        db.executemany("INSERT INTO lane (link_id, integration_id, due_at) VALUES (?, ?, ?)", _lanes(now))
        db.executemany(
            "INSERT INTO timeline (link_id, at, kind, side, text, detail) VALUES (?, ?, ?, ?, ?, ?)", _timeline(now)
        )
        db.executemany(
            "INSERT INTO event (organization, id, type, incident_id, occurred_at, received_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            ((_name(n), f"old-{n}", "incident.opened", f"inc-{n}", text, text) for n in range(LINKS)),
        )
    db.close()
    return perf_counter() - started


def _name(number: int) -> str:
    return NAMES[number % len(NAMES)]


def _state(number: int) -> str:
    return STATES[number // len(NAMES) % len(STATES)]


def _incidents(at: str) -> Iterator[tuple[object, ...]]:
    pattern = json.dumps(json.loads(signed_event((b"k" * 24,), "inc-0")[1])["incident"])
    for number in range(LINKS):
        yield _name(number), f"inc-{number}", pattern.replace("inc-0", f"inc-{number}"), "active", at


def _links(at: str) -> Iterator[tuple[object, ...]]:
    settings = json.dumps({"service_desk": "10", "request_type": "25", "close_status": "10002"})
    for number in range(LINKS):
        title, state = f"inc-{number}", _state(number)
        ticket = {
            "id": str(number + 10_000),
            "key": f"SUP-{number}",
            "url": f"https://acme.example.com/browse/SUP-{number}",
            "title": title,
            "description": "No heartbeat for 5 minutes.",
            "priority": "high",
            "priority_name": "High",
            "status": "Waiting for support",
            "done": False,
            "updated": at,
        }
        shown = {"title": title, "description": "No heartbeat for 5 minutes.", "priority": "high", "status": "active"}
        base = {field: {"incident": value, "ticket": value} for field, value in shown.items()}
        rests = state == "in_sync"
        yield (
            number + 1,
            _name(number),
            f"{_name(number)}-desk",
            title,
            f"cnx-{number:020x}",
            settings,
            json.dumps(base),
            json.dumps(ticket),
            ticket["id"],
            ticket["key"],
            at,
            number % 4 == 0,
            state,
            "" if rests else "retrying",
            "" if rests else "The site did not answer in time; it is tried again by itself.",
            at,
            at,
            None if rests else at,
        )


def _lanes(now: datetime) -> Iterator[tuple[object, ...]]:
    """Make every twentieth lane due."""
    for number in range(LINKS):
        due = now.timestamp() - number % 1000 if number // len(NAMES) % (LINKS // DUE) == 0 else None
        yield number + 1, f"{_name(number)}-desk", due


def _timeline(now: datetime) -> Iterator[tuple[object, ...]]:
    detail = json.dumps({"field": "priority", "incident": "high", "ticket": "moderate", "note": ""})
    for age in range(ENTRIES_A_LINK, 0, -1):
        at = (now - timedelta(hours=age)).isoformat(timespec="microseconds")
        for number in range(LINKS):
            yield number + 1, at, "ticket_written", "ticket", "The priority was written to the ticket.", detail


def _claims(file: Path) -> Iterator[str]:
    """Claim one lane after another, each in a transaction of its own, and put them all back."""
    db = connect(file, writer=True).conn
    inside, whole = [], []
    for _ in range(CLAIMS):
        started = perf_counter()
        db.execute("BEGIN IMMEDIATE")
        began = perf_counter()
        claimed = lanes.claim(db, "bench", datetime.now(UTC), 1, HORIZON_S, per_integration=8, running={})
        inside.append(perf_counter() - began)
        db.execute("COMMIT")
        whole.append(perf_counter() - started)
        assert len(claimed) == 1
    db.execute("UPDATE lane SET boot = NULL, due_at = NULL")
    db.close()
    yield line("claim of the next lane, without its commit, median", median(inside) * 1000, "ms", 1)
    yield line("  99 %", quantile(inside, 0.99) * 1000, "ms")
    yield line("  with its commit, median", median(whole) * 1000, "ms")
    yield line("  with its commit, 99 %", quantile(whole, 0.99) * 1000, "ms")


def _traffic(sites: Sites) -> None:
    """Open some incidents and ask for figures, as monitoring does."""
    session = requests.Session()
    for number in range(300):
        name = _name(number)
        headers, body = signed_event(sites.keys, f"new-{number}")
        session.post(sites.events_url(name), data=body, headers=headers, timeout=30).raise_for_status()
        if number % 50 == 0:
            session.get(f"{sites.daemon.url}/metrics", timeout=30).raise_for_status()
    Event().wait(10)


def _commands(sites: Sites) -> Iterator[str]:
    def command(*arguments: str) -> Callable[[], float]:
        return lambda: _seconds(sites, *arguments)

    yield line("connector status, whole process", _best(command("status")) * 1000, "ms", 500)
    yield line("connector links --limit 200", _best(command("links", "--limit", "200")) * 1000, "ms")
    yield line("connector explain", _best(command("explain", "inc-777")) * 1000, "ms")
    yield line("a Python that does nothing, for comparison", _best(_bare) * 1000, "ms")
    yield line("GET /metrics", _best(lambda: _get(f"{sites.daemon.url}/metrics")) * 1000, "ms")


def _best(work: Callable[[], float]) -> float:
    return median(work() for _ in range(REPEATS))


def _seconds(sites: Sites, *arguments: str) -> float:
    started = perf_counter()
    sites.daemon.command(*arguments).check_returncode()
    return perf_counter() - started


def _bare() -> float:
    started = perf_counter()
    subprocess.run([sys.executable, "-c", ""], check=True)
    return perf_counter() - started


def _get(url: str) -> float:
    started = perf_counter()
    requests.get(url, timeout=30).raise_for_status()
    return perf_counter() - started
