"""Whether sites that hang slow another: event to request on site B alone, and while others hold every call.

What hangs is one site, then 4, then 50, each with more to do than it may call at once, and as long as a round takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from statistics import median
from threading import Event
from time import perf_counter

import requests

from benchmarks.events import signed_event
from benchmarks.figures import Figure, Reading, quantile, require
from benchmarks.sites import Site, Sites, open_sites
from connector_core.demo.stage import until

ROUNDS = 3
EVENTS = 150
PER_SECOND = 15
LANES = 8  # of one integration, each waiting for one call at most
MANY = 50

WELL = Figure("event to request on site B, 99 %, site A well", "ms")
HANGING = Figure("… the same, site A hanging", "ms")
GROWTH = Figure("… growth", "%", 20)
ADDED = {count: Figure(f"… what {count} sites that hang add to it", "ms", 1000) for count in (4, MANY)}
FIGURES = (WELL, HANGING, GROWTH, *ADDED.values())


def measure() -> Iterator[Reading]:
    """Alternate between both states of A; each round gives one 99 % value of B."""
    well: list[float] = []
    hanging: list[float] = []
    with open_sites("b", held=MANY) as sites:
        _round(sites, "warm")
        for number in range(ROUNDS):
            well.append(_round(sites, f"well-{number}"))
            hanging.append(_beside(sites, 1, number))
        alone = median(well)
        yield WELL, alone * 1000
        yield HANGING, median(hanging) * 1000
        yield GROWTH, (median(hanging) / alone - 1) * 100
        for count, figure in ADDED.items():
            yield figure, (median(_beside(sites, count, number) for number in range(ROUNDS)) - alone) * 1000


def _beside(sites: Sites, count: int, number: int) -> float:
    """Have some sites hold calls while they have much to do; return the 99 % value of B's delays meanwhile."""
    names = list(sites.held)[:count]
    sites.hold(names)
    for incident in range(LANES * 2):
        for name in names:
            _send(sites, name, f"{name}-{count}-{number}-{incident}")
    until(lambda: all(sites.held[name].held for name in names), within_s=60)
    delay = _round(sites, f"beside-{count}-{number}")
    holding = sum(sites.held[name].held + sites.held[name].given_up > 0 for name in names)
    require(holding == count, f"{count} sites were to hold calls, and {holding} did")
    sites.release(names)
    until(lambda: not any(sites.held[name].held for name in names))
    return delay


def _round(sites: Sites, name: str) -> float:
    """Send events to B's organization at a steady rate; return the 99 % value of the delays in seconds."""
    site: Site = sites.sites["b"]
    site.forget_calls()
    accepted: dict[str, datetime] = {}
    started = perf_counter()
    for number in range(EVENTS):
        title = f"b-{name}-{number}"
        _send(sites, "b", title)
        accepted[title] = datetime.now().astimezone()
        Event().wait(max(0.0, started + number / PER_SECOND - perf_counter()))
    until(lambda: accepted.keys() <= _created(site).keys(), within_s=60)
    created = _created(site)
    return quantile([(created[title] - at).total_seconds() for title, at in accepted.items()], 0.99)


def _send(sites: Sites, organization: str, title: str) -> None:
    headers, body = signed_event(sites.keys, title)
    requests.post(sites.events_url(organization), data=body, headers=headers, timeout=30).raise_for_status()


def _created(site: Site) -> dict[str, datetime]:
    """Return when each request was created, by title."""
    return {
        call["request_json"]["requestFieldValues"]["summary"]: datetime.fromisoformat(call["time"])
        for call in site.calls()
        if call["path"] == "/rest/servicedeskapi/request" and call["status"] == 201
    }
