"""One integration as the parts of the daemon have it."""

from __future__ import annotations

from dataclasses import dataclass, field

from connector_core.contract.handles import Integration
from connector_core.plugins import Plugin
from connector_core.registry.grants import GrantKeeper
from connector_core.registry.handles import IntegrationHandles
from connector_core.store import IntegrationRecord


@dataclass(frozen=True, slots=True)
class Entry:
    """One integration: its record, its plugin and its handle with today's settings, made when it is needed."""

    record: IntegrationRecord
    plugin: Plugin
    keeper: GrantKeeper
    handles: IntegrationHandles = field(repr=False, compare=False)

    @property
    def handle(self) -> Integration:
        """What hooks are given."""
        return self.handles.of(self.record, self.plugin, self.keeper)

    @property
    def webhook_url(self) -> str:
        """Where its webhook is sent to."""
        return self.handles.webhook_url(self.plugin)
