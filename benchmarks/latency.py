"""From an event's acceptance to its request, at fifty events a second, without the sandbox's own time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from threading import Event
from time import perf_counter

import requests

from benchmarks.figures import line, quantile
from benchmarks.stages import open_stage
from connector_core.demo.stage import until
from connector_core.signatures import sign, signing_keys

EVENTS = 500
PER_SECOND = 50


def measure() -> Iterator[str]:
    """Push events at a steady rate; pair each acceptance with the creation of its request."""
    with open_stage() as stage:
        keys = signing_keys(stage.environ["DEMO_EVENTS_SECRET"])
        session = requests.Session()
        accepted: dict[str, datetime] = {}
        started = perf_counter()
        for number in range(EVENTS):
            wait_s = started + number / PER_SECOND - perf_counter()
            if wait_s > 0:
                Event().wait(wait_s)
            accepted[f"bench {number}"] = _push(session, stage.platform.events_url, keys, number)
        until(lambda: len(stage.sandbox.tickets()) == EVENTS, within_s=60)
        created = [call for call in stage.sandbox.calls if call.path == "/rest/servicedeskapi/request"]
        own_s = stage.sandbox.handling_seconds / stage.sandbox.call_count()
    delays = [
        (call.time - accepted[call.request_json["requestFieldValues"]["summary"]]).total_seconds() - own_s
        for call in created
    ]
    yield line(f"accepted to request created, {PER_SECOND}/s, median", quantile(delays, 0.5) * 1000, "ms", 15)
    yield line(f"accepted to request created, {PER_SECOND}/s, 99 %", quantile(delays, 0.99) * 1000, "ms", 60)


def _push(session: requests.Session, url: str, keys: tuple[bytes, ...], number: int) -> datetime:
    moment = datetime.now(UTC)
    incident = {"id": f"bench-{number}", "title": f"bench {number}", "priority": "high"}
    event = {"id": f"evt-{number}", "type": "incident.opened", "occurred_at": moment.isoformat(), "incident": incident}
    body = json.dumps(event).encode()
    session.post(url, data=body, headers=sign(keys, event["id"], moment, body)).raise_for_status()
    return datetime.now(UTC)
