"""Ten thousand incidents at once: taken without an error, then synced as fast as eight lanes at a time allow."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from time import perf_counter

import requests

from benchmarks import wrk
from benchmarks.events import signed_event
from benchmarks.figures import Figure, Reading, require
from benchmarks.sites import Site, Sites, open_sites

EVENTS = 10_000
CONNECTIONS = 64
LANES = 8
ANSWER_S = 0.1
WARM_UP_S = 5.0
WINDOW_S = 45.0
BARE_S = 10.0

ACCEPTED = Figure(f"burst of {EVENTS:,} events, accepted", "/s")
CALLS = Figure(f"… drained by {LANES} lanes, {ANSWER_S * 1000:.0f} ms a call: calls", "/s")
TICKETS = Figure("… tickets", "/s")
BARE = Figure(f"… calls of {LANES} threads that do nothing else, just after", "/s")
SHARE = Figure("… share of these", "%", 90, at_least=True)
FIGURES = (ACCEPTED, CALLS, TICKETS, BARE, SHARE)


def measure(
    *, events: int = EVENTS, warm_up_s: float = WARM_UP_S, window_s: float = WINDOW_S, bare_s: float = BARE_S
) -> Iterator[Reading]:
    """Send all, then count the calls that the site answers within a window."""
    with open_sites("acme") as sites:
        site = sites.sites["acme"]
        site.slow_down(ANSWER_S)
        file = _write_events(sites, events)
        url = sites.events_url("acme")
        load = wrk.send(
            url,
            "events.lua",
            str(file),
            connections=CONNECTIONS,
            seconds=300,
            enough=lambda: _count(sites, "event") >= events,
        )
        stored = _count(sites, "event")
        require(stored == events, f"{stored} of {events} events are stored")
        Event().wait(warm_up_s)
        calls, tickets = _drain(sites, site, window_s)
        require(_tickets(sites) < events, "there was nothing left to drain before the window ended")
        sites.daemon.stop()
        bare = _bare_clients(site, bare_s)
    yield ACCEPTED, load.per_second
    yield CALLS, calls
    yield TICKETS, tickets
    yield BARE, bare
    yield SHARE, calls / bare * 100


def _write_events(sites: Sites, events: int) -> Path:
    path = sites.folder / "events.tsv"
    with path.open("w") as file:
        for number in range(events):
            headers, body = signed_event(sites.keys, f"burst-{number}")
            names = ("webhook-id", "webhook-timestamp", "webhook-signature")
            parts = (*(headers[name] for name in names), body.decode())
            file.write("\t".join(parts) + "\n")
    return path


def _drain(sites: Sites, site: Site, window_s: float) -> tuple[float, float]:
    """Return calls and tickets a second over the window."""
    site.forget_calls()
    tickets = _tickets(sites)
    started = perf_counter()
    Event().wait(window_s)
    took_s = perf_counter() - started
    calls, made = site.calls(), _tickets(sites) - tickets
    require(made > 0, "no ticket was made within the window")
    bad = sum(not 200 <= call["status"] < 300 for call in calls)
    require(not bad, f"{bad} of {len(calls)} calls were not answered well")
    return len(calls) / took_s, made / took_s


def _bare_clients(site: Site, bare_s: float) -> float:
    """Return how many calls a second the same number of threads get answered that do nothing else."""
    ends_at = perf_counter() + bare_s

    def work(_: int) -> int:
        count = 0
        with requests.Session() as session:
            while perf_counter() < ends_at:
                session.get(f"{site.url}/rest/servicedeskapi/info", timeout=30).raise_for_status()
                count += 1
        return count

    with ThreadPoolExecutor(LANES) as pool:
        return sum(pool.map(work, range(LANES))) / bare_s


def _tickets(sites: Sites) -> int:
    return _count(sites, "link WHERE ticket_id IS NOT NULL")


def _count(sites: Sites, what: str) -> int:
    db = sqlite3.connect(sites.folder / "connector.db")
    try:
        count: int = db.execute(f"SELECT COUNT(*) FROM {what}").fetchone()[0]  # noqa: S608 - our own words
    finally:
        db.close()
    return count
