"""Signed incident events, as a platform sends them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from connector_core.demo.platform import SAMPLE_DEVICE, SAMPLE_LOCATION
from connector_core.http_source.signatures import sign


def signed_event(keys: tuple[bytes, ...], name: str) -> tuple[dict[str, str], bytes]:
    """Return headers and body of an event that opens an incident; its title is its name."""
    moment = datetime.now(UTC)
    incident = {
        "id": name,
        "title": name,
        "description": "No heartbeat for 5 minutes.",
        "priority": "high",
        "status": "active",
        "issue": "offline",
        "url": f"https://platform.example.com/incidents/{name}",
        "opened_at": moment.isoformat(),
        "updated_at": moment.isoformat(),
        "device": SAMPLE_DEVICE,
        "location": SAMPLE_LOCATION,
    }
    event = {"id": f"evt-{name}", "type": "incident.opened", "occurred_at": moment.isoformat(), "incident": incident}
    body = json.dumps(event).encode()
    return dict(sign(keys, event["id"], moment, body)), body
