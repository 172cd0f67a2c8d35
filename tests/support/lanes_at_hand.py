"""Links and their lanes, made on the spot."""

from __future__ import annotations

from connector_core import EventType, Incident, IncidentEvent
from connector_core.store import Target


def open_links(store, clock, count, integration="desk", organization="acme"):
    """Open incidents of one integration, each with a due lane."""
    now = clock.now()
    events = [
        IncidentEvent(
            id=f"{integration}-{number}",
            type=EventType.OPENED,
            occurred_at=now,
            incident=Incident(id=f"{integration}-{number}", title="Offline"),
        )
        for number in range(count)
    ]
    store.inbox.accept_events(organization, events, [Target(integration, {}, now)], now).result()
