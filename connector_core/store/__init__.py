"""Everything durable, behind one protocol; all SQL of the connector is in this package."""

from __future__ import annotations

from connector_core.store.protocol import Store
from connector_core.store.records import (
    GONE_FIX,
    GONE_REASON,
    Accepted,
    Claim,
    Handover,
    IntegrationRecord,
    IntegrationState,
    Link,
    LinkFilter,
    LinkState,
    LinkStatus,
    OpenLinks,
    OpenTickets,
    Origin,
    Progress,
    Run,
    SessionRecord,
    Standing,
    Stats,
    Target,
    TimelineEntry,
)

__all__ = [
    "GONE_FIX",
    "GONE_REASON",
    "Accepted",
    "Claim",
    "Handover",
    "IntegrationRecord",
    "IntegrationState",
    "Link",
    "LinkFilter",
    "LinkState",
    "LinkStatus",
    "OpenLinks",
    "OpenTickets",
    "Origin",
    "Progress",
    "Run",
    "SessionRecord",
    "Standing",
    "Stats",
    "Store",
    "Target",
    "TimelineEntry",
]
