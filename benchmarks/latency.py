"""From an event's acceptance to its request, at fifty events a second, without the sandbox's own time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from threading import Event
from time import perf_counter

import requests

from benchmarks.figures import Figure, Reading, quantile, require
from benchmarks.stages import open_stage
from connector_core.demo.stage import until
from connector_core.http_source.signatures import sign, signing_keys

EVENTS = 500
PER_SECOND = 50
MOST_LATE_S = 2.0  # more, and the events did not come at that rate

MEDIAN = Figure(f"accepted to request created, {PER_SECOND}/s, median", "ms", 15)
P99 = Figure("… 99 %", "ms", 60)
FIGURES = (MEDIAN, P99)


def measure(*, events: int = EVENTS, most_late_s: float = MOST_LATE_S) -> Iterator[Reading]:
    """Push events at a steady rate; pair each acceptance with the creation of its request."""
    with open_stage() as stage:
        keys = signing_keys(stage.environ["DEMO_EVENTS_SECRET"])
        session = requests.Session()
        accepted: dict[str, datetime] = {}
        started = perf_counter()
        for number in range(events):
            wait_s = started + number / PER_SECOND - perf_counter()
            if wait_s > 0:
                Event().wait(wait_s)
            accepted[f"bench {number}"] = _push(session, stage.platform.events_url, keys, number)
        took_s = perf_counter() - started
        until(lambda: len(stage.sandbox.tickets()) == events, within_s=60)
        calls = [call for call in stage.sandbox.calls if call.path == "/rest/servicedeskapi/request"]
        own_s = stage.sandbox.handling_seconds / stage.sandbox.call_count()
    require(all(call.status == 201 for call in calls), "a request was not created at the first try")
    created = {call.request_json["requestFieldValues"]["summary"]: call.time for call in calls}
    require(len(calls) == events, f"{len(calls)} requests were created for {events} events")
    require(created.keys() == accepted.keys(), "other requests were created than were asked for")
    late_s = took_s - events / PER_SECOND
    require(late_s <= most_late_s, f"the events took {took_s:.1f} s to send: that is no {PER_SECOND}/s")
    delays = [(created[name] - at).total_seconds() - own_s for name, at in accepted.items()]
    yield MEDIAN, quantile(delays, 0.5) * 1000
    yield P99, quantile(delays, 0.99) * 1000


def _push(session: requests.Session, url: str, keys: tuple[bytes, ...], number: int) -> datetime:
    moment = datetime.now(UTC)
    incident = {"id": f"bench-{number}", "title": f"bench {number}", "priority": "high"}
    event = {"id": f"evt-{number}", "type": "incident.opened", "occurred_at": moment.isoformat(), "incident": incident}
    body = json.dumps(event).encode()
    session.post(url, data=body, headers=sign(keys, event["id"], moment, body), timeout=30).raise_for_status()
    return datetime.now(UTC)
