"""The core behind a handle, in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from connector_core.contract.errors import AuthError
from connector_core.contract.models import Grant


def _refuse(_: Grant) -> Grant:
    raise AuthError("This test does not renew grants.")


@dataclass
class MemoryCore:
    """Keeps the grant of an integration, and what its plugin told the core.

    core = MemoryCore(grant, renewer=lambda old: new)
    integration = make_integration(info, settings, core=core)
    ...
    assert core.renewals == 1
    assert core.labels["queue", "7"] == "Second line"
    """

    #: The present grant; None when nobody has authorized yet.
    present: Grant | None = None
    #: Makes a new grant of an old one; it refuses unless the test says otherwise.
    renewer: Callable[[Grant], Grant] = _refuse
    #: How often the grant was renewed.
    renewals: int = 0
    #: What answers are called, by their keys and values.
    labels: dict[tuple[str, str], str] = field(default_factory=dict)
    #: The times until which the site was said to be near its limit.
    near_limits: list[datetime] = field(default_factory=list)
    #: The ids of tickets that links have.
    linked: set[str] = field(default_factory=set)
    #: The ids of tickets that deliveries matter of; None for all.
    followed: set[str] | None = None

    def grant(self) -> Grant | None:
        """Return the present grant; none is renewed before it was refused."""
        return self.present

    def renew(self, refused: Grant) -> Grant:
        """Renew the grant, unless that was done since."""
        if self.present is None or self.present == refused:
            self.renewals += 1
            self.present = self.renewer(refused)
        return self.present

    def near_limit(self, until: datetime) -> None:
        """Note until when calls are to be spared."""
        self.near_limits.append(until)

    def tell_label(self, key: str, value: str, label: str) -> None:
        """Note what an answer is called."""
        self.labels[key, value] = label

    def is_linked(self, ticket_id: str) -> bool:
        """Return whether a link has a ticket."""
        return ticket_id in self.linked

    def follows(self, ticket_id: str) -> bool:
        """Return whether a delivery about a ticket may matter."""
        return self.followed is None or ticket_id in self.followed
