"""Webhooks that plugins register by themselves: kept alive, renewed before they end, removed when not wanted any more.

They come to one address for each plugin, with a token in it that nobody but the ticketing system was told. What such a
delivery says is never believed: it only has the ticket read.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

from pydantic import SecretStr
from structlog.typing import FilteringBoundLogger

from connector_core.contract.errors import ConnectorError, PluginError
from connector_core.contract.models import HookRegistration
from connector_core.registry.entry import Entry
from connector_core.registry.integrations import Registry
from connector_core.store import IntegrationState, ManagedWebhook
from connector_core.store.webhooks import Webhooks


@dataclass(frozen=True)
class ManagedWebhooks:
    """Has plugins register, renew and remove the webhooks of their integrations."""

    webhooks: Webhooks
    registry: Registry
    log: FilteringBoundLogger

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
            present = entry.plugin.call(
                "keep_webhook", integration=entry.handle, address=self._address(entry), known=known.registration
            )
            if present is not None and not isinstance(present, HookRegistration):
                raise PluginError(f"Plugin {entry.plugin.name} gave back no registration of a webhook.")
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

    def drop(self, integration_id: str) -> None:
        """Remove the webhook of an integration that is disabled or removed; one that cannot be ends by itself."""
        known = self.webhooks.managed(integration_id)
        if known is not None and self.registry.usable(integration_id):
            self._forget(self.registry.entry(integration_id), known)

    def _forget(self, entry: Entry, known: ManagedWebhook) -> None:
        if known.registration is not None:
            try:
                entry.plugin.call("drop_webhook", integration=entry.handle, known=known.registration)
            except ConnectorError as exc:
                self.log.warning("webhook_not_dropped", integration=entry.record.id, code=exc.code, reason=exc.message)
        if known != ManagedWebhook():
            self.webhooks.save_managed(entry.record.id, None)

    def _address(self, entry: Entry) -> str:
        """Return the address of a plugin's deliveries; its token is on disk before anybody is told of it."""
        route = entry.plugin.info.webhook_route or entry.plugin.name
        token = self.webhooks.token(route)
        if token is None:
            self.webhooks.save_token(route, SecretStr(secrets.token_urlsafe(32)))
            token = self.webhooks.token(route)
        return f"{entry.webhook_url}?token={token.get_secret_value() if token else ''}"
