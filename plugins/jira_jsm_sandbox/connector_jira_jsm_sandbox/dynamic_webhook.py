"""A dynamic webhook as the site keeps it; what its app may do with it is in `dynamic_operations`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class DynamicWebhook:
    """A registration by an app."""

    id: int
    url: str
    events: tuple[str, ...]
    jql: str
    fields: tuple[str, ...]
    ends: datetime
