"""Webhooks that plugins register by themselves: kept alive, renewed before they end, removed when not wanted any more.

They come to one address for each plugin, with a token in it that nobody but the ticketing system was told. What such a
delivery says is never believed: it only has the ticket read.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

from pydantic import SecretStr
from structlog.typing import FilteringBoundLogger

from connector_core.contract.comment_rules import ToIncident
from connector_core.contract.errors import ConnectorError
from connector_core.health.webhook_health import is_managed
from connector_core.registry.entry import Entry
from connector_core.registry.integrations import Registry
from connector_core.store import IntegrationState, ManagedWebhook
from connector_core.store.webhooks import Webhooks

KEEP_EVERY_S = 3600.0


@dataclass(frozen=True)
class ManagedWebhooks:
    """Has plugins register, renew and remove the webhooks of their integrations."""

    webhooks: Webhooks
    registry: Registry
    log: FilteringBoundLogger

    def intervals(self) -> dict[str, float]:
        """Return the seconds between two looks at each that may have a webhook, or one to be dropped since it rests."""
        return {
            entry.record.id: KEEP_EVERY_S
            for entry in self.registry.entries()
            if entry.record.state is not IntegrationState.ACTIVE or not entry.record.problem_code
        }

    def mark(self, integration_id: str) -> str:
        """Return what a webhook depends on: another answer or consent, or another address of ours, is acted on at once.

        The token in the address is no part of it: that is for nobody to read.
        """
        entry = self.registry.entry(integration_id)
        record = entry.record
        if not is_managed(record):
            return f"by hand, since {record.active_since}"
        grant = entry.keeper.present()
        tells_of_comments = record.comments.to_incident is not ToIncident.NONE
        consent = grant.consented_at if grant is not None else None
        return f"{entry.webhook_url}, comments {tells_of_comments}, {consent}, since {record.active_since}"

    def keep(self, integration_id: str) -> None:
        """See to it that the webhook is there if it is wanted; what stands in the way is kept as a finding.

        An integration that the file disabled has none any more.
        """
        entry = self.registry.entry(integration_id)
        if entry.record.state is not IntegrationState.ACTIVE:
            self.drop(integration_id)
            return
        if not entry.plugin.implements("keep_webhook"):
            return
        known = self.webhooks.managed(integration_id) or ManagedWebhook()
        try:
            present = entry.plugin.keep_webhook(entry.handle, self._address(entry), known.registration)
        except ConnectorError as exc:
            if known.problem != exc.message:
                self.log.warning("webhook_not_kept", integration=integration_id, code=exc.code, reason=exc.message)
            self.webhooks.save_managed(integration_id, replace(known, problem=exc.message, fix=exc.fix))
            return
        if present is None:
            self._forget(entry, known)
        elif known != ManagedWebhook(present):
            self.webhooks.save_managed(integration_id, ManagedWebhook(present))
            self.log.info("webhook_kept", integration=integration_id, until=present.expires_at)

    def drop(self, integration_id: str) -> bool:
        """Remove the webhook of an integration that is disabled or removed; False where one may be left behind.

        One that cannot be removed ends by itself.
        """
        known = self.webhooks.managed(integration_id)
        if known is None:
            return True
        if not self.registry.usable(integration_id):
            return known.registration is None
        return self._forget(self.registry.entry(integration_id), known)

    def _forget(self, entry: Entry, known: ManagedWebhook) -> bool:
        is_gone = True
        if known.registration is not None:
            try:
                entry.plugin.drop_webhook(entry.handle, known.registration)
            except ConnectorError as exc:
                self.log.warning("webhook_not_dropped", integration=entry.record.id, code=exc.code, reason=exc.message)
                is_gone = False
        if known != ManagedWebhook():
            self.webhooks.save_managed(entry.record.id, None)
        return is_gone

    def _address(self, entry: Entry) -> str:
        """Return the address of a plugin's deliveries; its token is on disk before anybody is told of it."""
        route = entry.plugin.info.webhook_route or entry.plugin.name
        token = self.webhooks.token(route)
        if token is None:
            self.webhooks.save_token(route, SecretStr(secrets.token_urlsafe(32)))
            token = self.webhooks.token(route)
        return f"{entry.webhook_url}?token={token.get_secret_value() if token else ''}"
