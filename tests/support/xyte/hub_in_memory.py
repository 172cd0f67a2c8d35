"""A hub without a network: the sandbox's organization behind something that looks like a session.

Between any two calls people may do something; pages are as long as the hub likes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

import connector_xyte
from connector_core.testing import FrozenClock, make_source
from connector_xyte_sandbox import Quirks
from connector_xyte_sandbox.organization import Organization


@dataclass
class Answer:
    """What a session gives back."""

    status_code: int
    content: bytes
    headers: dict
    reason: str = ""


@dataclass
class HubInMemory:
    """An organization, and what is done to it before which call of a look."""

    quirks: Quirks = field(default_factory=Quirks)
    size: int = 3
    clock: FrozenClock = field(default_factory=FrozenClock)
    doings: dict = field(default_factory=dict)
    calls: int = 0

    def __post_init__(self):
        self.organization = Organization(self.quirks, self.clock.now)

    def source(self, **settings):
        """Return a source that reads this hub."""
        given = {"organization_key": "a-key", **settings}
        return replace(make_source(connector_xyte.describe_plugin(), given, clock=self.clock), session=self)

    def request(self, _method, url, *, params=None, **_):
        """Answer a call, after whatever is to be done before it."""
        for doing in self.doings.pop(self.calls, ()):
            doing(self.organization)
        self.calls += 1
        path = urlsplit(url).path.removeprefix("/core/v1/organization")
        if path == "/info":
            return self._answer({"id": self.organization.id, "name": "Acme"})
        found = []
        if path == "/incidents":
            found = self.organization.listed(params["status"], float(params["from"]), float(params["to"]))
        page = (params or {}).get("page", 1)
        items = found[(page - 1) * self.size : page * self.size]
        told: dict[str, Any] = {"items": items}
        if self.quirks.paging == "has_next_page":
            told["has_next_page"] = page * self.size < len(found)
        if self.quirks.paging == "next_page":
            told["next_page"] = page + 1 if page * self.size < len(found) else None
        return self._answer(told)

    def _answer(self, told):
        date = format_datetime(self.clock.now().astimezone(UTC), usegmt=True)
        return Answer(200, json.dumps(told).encode(), {"Date": date})
