"""One integration as the parts of the daemon have it."""

from __future__ import annotations

from dataclasses import dataclass, field

from connector_core.contract.handles import AnyIntegration
from connector_core.contract.models import Grant
from connector_core.plugins import Plugin
from connector_core.registry.grants import GrantKeeper
from connector_core.registry.handles import IntegrationHandles
from connector_core.store import NEEDS_AUTHORIZATION, IntegrationRecord, IntegrationState


@dataclass(frozen=True, slots=True)
class Entry:
    """One integration: its record, its plugin and its handle with today's settings, made when it is needed."""

    record: IntegrationRecord
    plugin: Plugin
    keeper: GrantKeeper
    handles: IntegrationHandles = field(repr=False, compare=False)

    @property
    def handle(self) -> AnyIntegration:
        """What hooks are given."""
        return self.handles.of(self.record, self.plugin, self.keeper)

    @property
    def authorizes(self) -> bool:
        """Whether access has to be authorized; a plugin without that proves itself with its settings."""
        return self.plugin.implements("authorize")

    def is_authorized(self, grant: Grant | None) -> bool:
        """Return whether there is access with a grant: it is for a site and for today's answers, or none is needed."""
        if not self.authorizes:
            return True
        return is_settled(grant) and self.record.problem_code != NEEDS_AUTHORIZATION

    @property
    def webhook_url(self) -> str:
        """Where its webhook is sent to."""
        return self.handles.webhook_url(self.plugin)

    @property
    def is_working(self) -> bool:
        """Whether it is active, nothing stands in its way, and its tickets can be read."""
        record = self.record
        is_active = record.state is IntegrationState.ACTIVE and not record.problem_code
        return is_active and self.plugin.implements("fetch_tickets")


def is_settled(grant: Grant | None) -> bool:
    """Return whether access was authorized, for today's answers, and for which site."""
    return grant is not None and not grant.is_outdated and (grant.site is not None or not grant.sites)
