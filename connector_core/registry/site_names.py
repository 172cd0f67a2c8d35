"""What sites are called now: they are renamed, and what is kept of their addresses follows."""

from __future__ import annotations

from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from connector_core.contract.errors import ConnectorError
from connector_core.registry.integrations import Registry
from connector_core.store import IntegrationState


@dataclass(frozen=True)
class SiteNames:
    """Has plugins look up the sites of their integrations."""

    registry: Registry
    log: FilteringBoundLogger

    def refresh(self, integration_id: str) -> None:
        """Keep what the site of an active integration is called now; what cannot be told now is told an hour later."""
        entry = self.registry.entry(integration_id)
        if entry.record.state is not IntegrationState.ACTIVE or not entry.plugin.implements("find_site"):
            return
        try:
            site = entry.plugin.find_site(entry.handle)
        except ConnectorError as exc:
            self.log.info("site_not_looked_up", integration=integration_id, code=exc.code)
            return
        before = entry.keeper.found_at(site) if site is not None else None
        if site is not None and before is not None and before.url != site.url:
            self.log.info("site_renamed", integration=integration_id, before=before.url, now=site.url)
