"""Events of a platform, sent once by a test itself: what is answered is what the test is about."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import requests

from connector_core.http_source.signatures import sign, signing_keys


def event_named(name, now=None):
    """Return the event that an incident was opened, as a platform writes it."""
    return {
        "id": f"event-{name}",
        "type": "incident.opened",
        "occurred_at": (now or datetime.now(UTC)).isoformat(),
        "incident": {"id": name, "title": name},
    }


def send_event(stage, name, *, url=""):
    """Send that an incident was opened, as the platform of a stage would; return the answer."""
    now = datetime.now(UTC)
    event = event_named(name, now)
    body = json.dumps(event).encode()
    headers = sign(signing_keys(stage.environ["DEMO_EVENTS_SECRET"]), event["id"], now, body)
    return requests.post(url or stage.platform.events_url, data=body, headers=headers, timeout=60)
