"""Whether sites that hang slow another: event to request on site B, with site A well and hanging, and beside many.

The many hold every call until they are let go, so they hang as long as a round takes.
"""

from __future__ import annotations

import json
import sqlite3
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
HANGING_S = 30.0
LANES = 8  # of one integration, each waiting for one call at most

WELL = Figure("event to request on site B, 99 %, site A well", "ms")
HANGING = Figure("… the same, site A hanging", "ms")
GROWTH = Figure("… growth", "%", 20)
MANY = 50
ADDED = {count: Figure(f"… what {count} sites that hold every call add to it", "ms", 1000) for count in (4, MANY)}
FIGURES = (WELL, HANGING, GROWTH, *ADDED.values())


def measure() -> Iterator[Reading]:
    """Alternate between both states of A; each round gives one 99 % value of B."""
    well: list[float] = []
    hanging: list[float] = []
    with open_sites("a", "b") as sites:
        _round(sites, "warm")
        for number in range(ROUNDS):
            well.append(_round(sites, f"well-{number}"))
            sites.sites["a"].slow_down(HANGING_S)
            before = sites.sites["a"].call_count()
            hanging.append(_round(sites, f"hanging-{number}"))
            answered = sites.sites["a"].call_count() - before
            require(_unfinished(sites) > 0, "site A was to hang, and all of its tickets are there")
            require(answered <= LANES, f"site A was to hang, and answered {answered} calls")
            sites.sites["a"].recover()
            Event().wait(HANGING_S + 3)  # what hangs ends, and the pause that it caused
            until(lambda: not _is_paused(sites), within_s=120)
    yield WELL, median(well) * 1000
    yield HANGING, median(hanging) * 1000
    yield GROWTH, (median(hanging) / median(well) - 1) * 100
    with open_sites("b", held=MANY) as sites:
        _round(sites, "warm", ("b",))
        alone = median(_round(sites, f"alone-{number}", ("b",)) for number in range(ROUNDS))
        for count, figure in ADDED.items():
            yield figure, (_beside(sites, count) - alone) * 1000


def _beside(sites: Sites, count: int) -> float:
    """Have some sites hold calls while they have much to do; return the 99 % value of B's delays meanwhile."""
    assert sites.relays is not None
    names = list(sites.held)[:count]
    sites.relays.hold(*(sites.held[name] for name in names))
    for number in range(LANES * 2):
        for name in names:
            _send(sites, name, f"{name}-beside-{count}-{number}")
    until(lambda: all(sites.held[name].held for name in names), within_s=60)
    delay = _round(sites, f"beside-{count}", ("b",))
    holding = sum(sites.held[name].held > 0 for name in names)
    require(holding == count, f"{count} sites were to hold calls, and {holding} did")
    sites.relays.release(*(sites.held[name] for name in names))
    return delay


def _send(sites: Sites, organization: str, title: str) -> None:
    headers, body = signed_event(sites.keys, title)
    requests.post(sites.events_url(organization), data=body, headers=headers, timeout=30).raise_for_status()


def _round(sites: Sites, name: str, organizations: tuple[str, ...] = ("a", "b")) -> float:
    """Send events to organizations at a steady rate; return the 99 % value of B's delays in seconds."""
    site: Site = sites.sites["b"]
    site.forget_calls()
    accepted: dict[str, datetime] = {}
    session = requests.Session()
    started = perf_counter()
    for number in range(EVENTS):
        for organization in organizations:
            headers, body = signed_event(sites.keys, f"{organization}-{name}-{number}")
            session.post(sites.events_url(organization), data=body, headers=headers, timeout=30).raise_for_status()
        accepted[f"b-{name}-{number}"] = datetime.now().astimezone()
        Event().wait(max(0.0, started + number / PER_SECOND - perf_counter()))
    until(lambda: accepted.keys() <= _created(site).keys(), within_s=60)
    created = _created(site)
    return quantile([(created[title] - at).total_seconds() for title, at in accepted.items()], 0.99)


def _created(site: Site) -> dict[str, datetime]:
    """Return when each request was created, by title."""
    return {
        call["request_json"]["requestFieldValues"]["summary"]: datetime.fromisoformat(call["time"])
        for call in site.calls()
        if call["path"] == "/rest/servicedeskapi/request" and call["status"] == 201
    }


def _unfinished(sites: Sites) -> int:
    """Count the incidents of A that have no ticket yet."""
    db = sqlite3.connect(sites.folder / "connector.db")
    try:
        rows = db.execute("SELECT COUNT(*) FROM link WHERE organization = 'a' AND ticket_id IS NULL")
        count: int = rows.fetchone()[0]
    finally:
        db.close()
    return count


def _is_paused(sites: Sites) -> bool:
    told = sites.daemon.command("status", "--json")
    told.check_returncode()
    return bool(json.loads(told.stdout)["paused"])
