"""Incidents that wait for an integration to be active, or for a look elsewhere: they are linked once that is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.registry.integrations import Registry
from connector_core.store import RouteState, Store, Target
from connector_core.store.routing import AT_ONCE

#: So often they are looked for at least: another node may have sent one that did not know yet who is active.
LOOK_EVERY_S = 60.0


@dataclass
class WaitingIncidents:
    """Looks for them when integrations changed; each node does: whoever comes second finds none."""

    store: Store
    registry: Registry
    clock: Clock
    log: FilteringBoundLogger
    after: Callable[[], None]
    _known: tuple[int, int] | None = field(default=None, init=False)
    _looked_at: float = field(default=0.0, init=False)

    def release(self) -> None:
        """Link those whose integration is active by now, and that certainly have no ticket elsewhere."""
        looked = [self.store.routing.end_looks(one) for one in self._those(RouteState.LOOKING)]
        read, now = self.registry.times_read(), self.clock.monotonic()
        if not any(looked) and read == self._known and now - self._looked_at < LOOK_EVERY_S:
            return
        for organization in self._those(RouteState.WAITING):
            for target in self.registry.targets(organization):
                self._release(organization, target)
        self._known, self._looked_at = read, now

    def _those(self, state: RouteState) -> list[str]:
        return self.store.routing.organizations(state)

    def _release(self, organization: str, target: Target) -> None:
        released, more = 0, True
        while more:
            count = self.store.routing.release(organization, target, self.clock.now())
            released, more = released + count, count == AT_ONCE
        if released:
            self.log.info("waiting_incidents_sent", integration=target.integration_id, count=released)
            self.after()
