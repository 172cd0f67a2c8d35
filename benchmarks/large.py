"""A database of a large deployment, 100,000 links and a million timeline entries: claims, commands, memory."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter

import psutil
import requests

from benchmarks.events import signed_event
from benchmarks.figures import Figure, Reading, quantile, require
from benchmarks.sites import Sites, open_sites
from benchmarks.startup import help_seconds
from connector_core.demo.stage import until
from connector_core.engine.backoff import HORIZON_S
from connector_core.store import lanes
from connector_core.store.connection import connect

NAMES = ("a", "b", "c", "d", "e")
LINKS = 100_000
ENTRIES_A_LINK = 10
DUE = 5_000
CLAIMS = 200
REPEATS = 9
OPENED = 300
FIRST_TICKET = 1_000_000  # above all that a sandbox makes: a ticket has one link
LISTED = 200
STATES = ("in_sync",) * 90 + ("waiting",) * 5 + ("blocked", "conflict", "paused", "gone", "waiting")

FILE = Figure(f"{LINKS:,} links, {LINKS * ENTRIES_A_LINK:,} timeline entries: file", "MB")
CLAIM = Figure("claim of the next lane, without its commit, median", "ms", 1)
CLAIM_99 = Figure("… 99 %", "ms")
COMMIT = Figure("… with its commit, median", "ms")
COMMIT_99 = Figure("… with its commit, 99 %", "ms")
READY = Figure("daemon ready on it", "ms")
RESIDENT = Figure("daemon on it after some traffic, resident", "MB", 200)
HELP = Figure("connector --help, for comparison", "ms")
STATUS = Figure("connector status, whole process", "ms")
STATUS_SHARE = Figure("… multiple of connector --help", "times", 5)
LIST = Figure(f"connector links --limit {LISTED}", "ms")
EXPLAIN = Figure("connector explain", "ms")
METRICS = Figure("GET /metrics", "ms")
FIGURES = (
    *(FILE, CLAIM, CLAIM_99, COMMIT, COMMIT_99, READY, RESIDENT),
    *(HELP, STATUS, STATUS_SHARE, LIST, EXPLAIN, METRICS),
)


def measure() -> Iterator[Reading]:
    """Fill the database of a stopped daemon, measure claims, start it again, measure the rest."""
    with open_sites(*NAMES) as sites:
        sites.daemon.stop()
        file = sites.folder / "connector.db"
        fill(file)
        yield FILE, file.stat().st_size / 1e6
        yield from _claims(file)
        yield READY, sites.daemon.start() * 1000
        _traffic(sites)
        yield RESIDENT, psutil.Process(sites.daemon.pid).memory_info().rss / 1e6
        yield from _commands(sites)


def fill(file: Path, links: int = LINKS) -> None:
    """Put so many links into an empty database, each with its ticket, its event and ten entries of its timeline."""
    db = sqlite3.connect(file)
    db.execute("PRAGMA synchronous = OFF")
    now = datetime.now(UTC)
    text = now.isoformat(timespec="microseconds")
    with db:
        db.executemany(
            "INSERT INTO incident (organization, id, body, status, occurred_at, event_rank) VALUES (?, ?, ?, ?, ?, 0)",
            _incidents(text, links),
        )
        db.executemany(
            "INSERT INTO link (id, organization, integration_id, incident_id, marker, settings, base, ticket,"
            " ticket_id, ticket_key, ticket_updated, is_open, state, code, reason, since, created_at, to_ticket_since)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            _links(text, links),
        )
        db.executemany("INSERT INTO lane (link_id, integration_id, due_at) VALUES (?, ?, ?)", _lanes(now, links))
        db.executemany(
            "INSERT INTO timeline (link_id, at, kind, side, text, detail) VALUES (?, ?, ?, ?, ?, ?)",
            _timeline(now, links),
        )
        db.executemany(
            "INSERT INTO event (organization, id, type, incident_id, occurred_at, received_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            ((_name(n), f"old-{n}", "incident.opened", f"inc-{n}", text, text) for n in range(links)),
        )
    db.close()


def _name(number: int) -> str:
    return NAMES[number % len(NAMES)]


def _state(number: int) -> str:
    return STATES[number // len(NAMES) % len(STATES)]


def _incidents(at: str, links: int) -> Iterator[tuple[object, ...]]:
    pattern = json.dumps(json.loads(signed_event((b"k" * 24,), "inc-0")[1])["incident"])
    for number in range(links):
        yield _name(number), f"inc-{number}", pattern.replace("inc-0", f"inc-{number}"), "active", at


def _links(at: str, links: int) -> Iterator[tuple[object, ...]]:
    settings = json.dumps({"service_desk": "10", "request_type": "25", "close_status": "10002"})
    for number in range(links):
        title, state = f"inc-{number}", _state(number)
        ticket = {
            "id": str(number + FIRST_TICKET),
            "key": f"SUP-{number + FIRST_TICKET}",
            "url": f"https://acme.example.com/browse/SUP-{number + FIRST_TICKET}",
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
            False,  # no sandbox has these tickets: the look at start would spend the run on marking them gone
            state,
            "" if rests else "retrying",
            "" if rests else "The site did not answer in time; it is tried again by itself.",
            at,
            at,
            None if rests else at,
        )


def _lanes(now: datetime, links: int) -> Iterator[tuple[object, ...]]:
    """Make every twentieth lane due."""
    for number in range(links):
        due = now.timestamp() - number % 1000 if number // len(NAMES) % (LINKS // DUE) == 0 else None
        yield number + 1, f"{_name(number)}-desk", due


def _timeline(now: datetime, links: int) -> Iterator[tuple[object, ...]]:
    detail = json.dumps({"field": "priority", "incident": "high", "ticket": "moderate", "note": ""})
    for age in range(ENTRIES_A_LINK, 0, -1):
        at = (now - timedelta(hours=age)).isoformat(timespec="microseconds")
        for number in range(links):
            yield number + 1, at, "ticket_written", "ticket", "The priority was written to the ticket.", detail


def _claims(file: Path) -> Iterator[Reading]:
    """Claim one lane after another, each in a transaction of its own, and put them all back."""
    db = connect(file, writer=True)
    inside, whole = [], []
    for _ in range(CLAIMS):
        started = perf_counter()
        db.execute("BEGIN IMMEDIATE")
        began = perf_counter()
        claimed = lanes.claim(db, "bench", datetime.now(UTC), 1, HORIZON_S, per_integration=8, running={})
        inside.append(perf_counter() - began)
        db.execute("COMMIT")
        whole.append(perf_counter() - started)
        require(len(claimed) == 1, f"{len(claimed)} lanes were claimed where one was asked for")
    db.execute("UPDATE lane SET boot = NULL, due_at = NULL")
    db.close()
    yield CLAIM, median(inside) * 1000
    yield CLAIM_99, quantile(inside, 0.99) * 1000
    yield COMMIT, median(whole) * 1000
    yield COMMIT_99, quantile(whole, 0.99) * 1000


def _traffic(sites: Sites) -> None:
    """Open some incidents and ask for figures, as monitoring does, until each has its ticket."""
    session = requests.Session()
    for number in range(OPENED):
        name = _name(number)
        headers, body = signed_event(sites.keys, f"new-{number}")
        session.post(sites.events_url(name), data=body, headers=headers, timeout=30).raise_for_status()
        if number % 50 == 0:
            session.get(f"{sites.daemon.url}/metrics", timeout=30).raise_for_status()
    until(lambda: _made(sites) >= OPENED, within_s=120)


def _made(sites: Sites) -> int:
    """Count the incidents of the traffic that have a ticket."""
    db = sqlite3.connect(sites.folder / "connector.db")
    try:
        rows = db.execute("SELECT COUNT(*) FROM link WHERE id > ? AND ticket_id IS NOT NULL", (LINKS,))
        count: int = rows.fetchone()[0]
    finally:
        db.close()
    return count


def _commands(sites: Sites) -> Iterator[Reading]:
    asked, status = _median(help_seconds), _median(lambda: _seconds(sites, "status", shows="a-desk"))
    listed = _median(lambda: _seconds(sites, "links", "--limit", str(LISTED), shows="SUP-", times=LISTED))
    yield HELP, asked * 1000
    yield STATUS, status * 1000
    yield STATUS_SHARE, status / asked
    yield LIST, listed * 1000
    yield EXPLAIN, _median(lambda: _seconds(sites, "explain", "inc-777", shows=f"SUP-{FIRST_TICKET + 777}")) * 1000
    yield METRICS, _median(lambda: _get(f"{sites.daemon.url}/metrics", shows="connector_links")) * 1000


def _median(work: Callable[[], float]) -> float:
    return median(work() for _ in range(REPEATS))


def _seconds(sites: Sites, *arguments: str, shows: str, times: int = 1) -> float:
    """Run a command, see that it shows what it should, tell how long it took."""
    started = perf_counter()
    done = sites.daemon.command(*arguments)
    took_s = perf_counter() - started
    done.check_returncode()
    require(done.stdout.count(shows) >= times, f"connector {' '.join(arguments)} shows {done.stdout[:500]}")
    return took_s


def _get(url: str, *, shows: str) -> float:
    started = perf_counter()
    answer = requests.get(url, timeout=30)
    took_s = perf_counter() - started
    answer.raise_for_status()
    require(shows in answer.text, f"{url} does not show {shows}")
    return took_s
