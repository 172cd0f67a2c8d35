"""Ten thousand incidents at once: taken without an error, then carried as fast as eight lanes at a time allow."""

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
from benchmarks.figures import line
from benchmarks.sites import Site, Sites, open_sites

EVENTS = 10_000
CONNECTIONS = 64
LANES = 8
ANSWER_S = 0.1
WARM_UP_S = 5.0
WINDOW_S = 60.0
BARE_S = 10.0


def measure() -> Iterator[str]:
    """Send all, then count the calls that the site answers within a window."""
    if not wrk.is_there():
        yield wrk.HOW_TO_GET
        return
    with open_sites("acme") as sites:
        site = sites.sites["acme"]
        site.slow_down(ANSWER_S)
        file = _write_events(sites)
        url = sites.events_url("acme")
        load = wrk.send(
            url,
            "events.lua",
            str(file),
            connections=CONNECTIONS,
            seconds=300,
            enough=lambda: _count(sites, "event") >= EVENTS,
        )
        stored = _count(sites, "event")
        Event().wait(WARM_UP_S)
        calls, tickets = _drain(sites, site)
        sites.daemon.stop()
        bare = _bare_clients(site)
    yield line(f"burst of {EVENTS} events, accepted", load.per_second, "/s")
    yield line("  errors", load.errors, "", 0)
    yield line("  events not stored", EVENTS - stored, "", 0)
    yield line(f"drained by {LANES} lanes, {ANSWER_S * 1000:.0f} ms a call: calls", calls, "/s")
    yield line("  tickets", tickets, "/s")
    yield line(f"  (calls of {LANES} threads that do nothing else, just after)", bare, "/s")
    yield line("  share of what the lanes allow", calls / (LANES / ANSWER_S) * 100, "%", 90, at_least=True)


def _write_events(sites: Sites) -> Path:
    path = sites.folder / "events.tsv"
    with path.open("w") as file:
        for number in range(EVENTS):
            headers, body = signed_event(sites.keys, f"burst-{number}")
            names = ("webhook-id", "webhook-timestamp", "webhook-signature")
            parts = (*(headers[name] for name in names), body.decode())
            file.write("\t".join(parts) + "\n")
    return path


def _drain(sites: Sites, site: Site) -> tuple[float, float]:
    """Return calls and tickets a second over the window."""
    site.forget_calls()
    tickets = _tickets(sites)
    started = perf_counter()
    Event().wait(WINDOW_S)
    took_s = perf_counter() - started
    return site.call_count() / took_s, (_tickets(sites) - tickets) / took_s


def _bare_clients(site: Site) -> float:
    """Return how many calls a second the same number of threads get answered that do nothing else."""
    ends_at = perf_counter() + BARE_S

    def work(_: int) -> int:
        count = 0
        with requests.Session() as session:
            while perf_counter() < ends_at:
                session.get(f"{site.url}/rest/servicedeskapi/info", timeout=30)
                count += 1
        return count

    with ThreadPoolExecutor(LANES) as pool:
        return sum(pool.map(work, range(LANES))) / BARE_S


def _tickets(sites: Sites) -> int:
    return _count(sites, "link WHERE ticket_id IS NOT NULL")


def _count(sites: Sites, what: str) -> int:
    db = sqlite3.connect(sites.folder / "connector.db")
    try:
        count: int = db.execute(f"SELECT COUNT(*) FROM {what}").fetchone()[0]  # noqa: S608 - our own words
    finally:
        db.close()
    return count
