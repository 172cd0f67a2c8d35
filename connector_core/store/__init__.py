"""Everything durable, behind one protocol; all SQL of the connector is in this package."""

from __future__ import annotations

from connector_core.store.protocol import Store
from connector_core.store.records import (
    DISCARDED,
    GONE_FIX,
    GONE_REASON,
    Accepted,
    Backlog,
    Breaker,
    Claim,
    IntegrationRecord,
    IntegrationState,
    Link,
    LinkState,
    LinkStatus,
    OpenTickets,
    Origin,
    OurWrite,
    Progress,
    Rest,
    Run,
    Stats,
    Target,
    TimelineEntry,
)

__all__ = [
    "DISCARDED",
    "GONE_FIX",
    "GONE_REASON",
    "Accepted",
    "Backlog",
    "Breaker",
    "Claim",
    "IntegrationRecord",
    "IntegrationState",
    "Link",
    "LinkState",
    "LinkStatus",
    "OpenTickets",
    "Origin",
    "OurWrite",
    "Progress",
    "Rest",
    "Run",
    "Stats",
    "Store",
    "Target",
    "TimelineEntry",
]
