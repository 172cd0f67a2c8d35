"""Whether one site that hangs slows another: event to request on site B, with site A well and with site A hanging."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from statistics import median
from threading import Event
from time import perf_counter

import requests

from benchmarks.events import signed_event
from benchmarks.figures import line, quantile
from benchmarks.sites import Site, Sites, open_sites
from connector_core.demo.stage import until

ROUNDS = 4
EVENTS = 150
PER_SECOND = 15
HANGING_S = 30.0


def measure() -> Iterator[str]:
    """Alternate between both states of A; each round gives one 99 % value of B."""
    well: list[float] = []
    hanging: list[float] = []
    with open_sites("a", "b") as sites:
        _round(sites, "warm")
        for number in range(ROUNDS):
            well.append(_round(sites, f"well-{number}"))
            sites.sites["a"].slow_down(HANGING_S)
            hanging.append(_round(sites, f"hanging-{number}"))
            sites.sites["a"].recover()
            Event().wait(HANGING_S + 3)  # what hangs ends, and the pause that it caused
            until(lambda: not _is_paused(sites), within_s=120)
    growth = (median(hanging) / median(well) - 1) * 100
    yield line("event to request on site B, 99 %, site A well", median(well) * 1000, "ms")
    yield line("  the same, site A hanging", median(hanging) * 1000, "ms")
    yield line("  growth", growth, "%", 20)


def _round(sites: Sites, name: str) -> float:
    """Send events to both organizations at a steady rate; return the 99 % value of B's delays in seconds."""
    site: Site = sites.sites["b"]
    site.forget_calls()
    accepted: dict[str, datetime] = {}
    session = requests.Session()
    started = perf_counter()
    for number in range(EVENTS):
        for organization in ("a", "b"):
            headers, body = signed_event(sites.keys, f"{organization}-{name}-{number}")
            session.post(sites.events_url(organization), data=body, headers=headers, timeout=30).raise_for_status()
        accepted[f"b-{name}-{number}"] = datetime.now().astimezone()
        Event().wait(max(0.0, started + number / PER_SECOND - perf_counter()))
    until(lambda: len(_created(site)) >= EVENTS, within_s=60)
    created = _created(site)
    return quantile([(created[title] - at).total_seconds() for title, at in accepted.items()], 0.99)


def _created(site: Site) -> dict[str, datetime]:
    """Return when each request was created, by title."""
    return {
        call["request_json"]["requestFieldValues"]["summary"]: datetime.fromisoformat(call["time"])
        for call in site.calls()
        if call["path"] == "/rest/servicedeskapi/request" and call["status"] == 201
    }


def _is_paused(sites: Sites) -> bool:
    return '"paused": []' not in sites.daemon.command("status", "--json").stdout
