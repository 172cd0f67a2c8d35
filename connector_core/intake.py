"""Intake: authenticate a request, store it, and only then say yes. No vendor is called here."""

from __future__ import annotations

import hmac
from concurrent.futures import Future
from dataclasses import dataclass

from pydantic import SecretStr
from structlog.typing import FilteringBoundLogger

from connector_core.errors import ConfigError, PluginError, WebhookRejected
from connector_core.hooks import ADDRESS, name_of
from connector_core.models import Delivery, InboundRequest
from connector_core.registry import Entry, Registry
from connector_core.store import Accepted, Store

SIGNATURE_MISMATCH = "signature_mismatch"


@dataclass(frozen=True)
class Intake:
    """What the web edge calls. The futures end when the request is committed to disk."""

    store: Store
    registry: Registry
    log: FilteringBoundLogger

    def take_events(self, organization: str, request: InboundRequest) -> Future[Accepted]:
        """Take incident events that a source pushed.

        Raises:
            WebhookRejected: no such source, or the request is not acceptable.
        """
        try:
            plugin, source = self.registry.source(organization)
        except ConfigError as exc:
            raise WebhookRejected(exc.message, status=404, reply="not found", code="source_unknown") from exc
        if not plugin.implements("on_source_push"):
            raise WebhookRejected("This source takes no pushed events.", status=404, reply="not found")
        events = plugin.call("on_source_push", source=source, request=request)
        return self.store.accept_events(organization, events, self.registry.targets(organization), request.received_at)

    def take_webhook(self, route: str, request: InboundRequest, integration_id: str | None = None) -> Future[Accepted]:
        """Take a delivery of a ticketing system: the first active integration whose secret matches wins.

        Raises:
            WebhookRejected: no such route (404), no secret matches, or one that two organizations share (403), or the
                plugin cannot read it.
        """
        if route not in self.registry.routes():
            raise WebhookRejected(f"No plugin has the route {route!r}.", status=404, reply="not found")
        if request.token is not None and self._knows(route, request.token):
            taken = self._take_hints(route, request.model_copy(update={"is_addressed": True}), integration_id)
            if taken is not None:
                return taken
        for entry in self.registry.listeners(route, integration_id):
            if not any(secret.get_secret_value() for secret in entry.handle.webhook_secrets):
                continue
            delivery = entry.plugin.call("on_inbound_webhook", integration=entry.handle, request=request)
            if delivery is None:
                continue
            if integration_id is None and self.registry.is_ambiguous(entry.record.id):
                raise WebhookRejected(
                    f"The secret that signed this is also one of another organization than that of {entry.record.id};"
                    " give each its own, or call the address that ends in the integration's id.",
                    status=403,
                    reply="forbidden",
                    code="secret_shared",
                )
            if not isinstance(delivery, Delivery):
                raise PluginError(f"Plugin {entry.plugin.name} gave back no delivery.")
            secret = _secret_of(entry, delivery)
            return self.store.accept_delivery(entry.record.id, delivery, request.received_at, secret)
        raise WebhookRejected(
            "No active integration has a secret that made this signature.",
            status=403,
            reply="forbidden",
            code=SIGNATURE_MISMATCH,
        )

    def _take_hints(self, route: str, request: InboundRequest, integration_id: str | None) -> Future[Accepted] | None:
        """Take a delivery that came to the address of our own webhooks, for each integration that it is about.

        What is stored last was stored after the others.
        """
        taken: Future[Accepted] | None = None
        for entry in self.registry.listeners(route, integration_id):
            if entry.handle.own_webhook is None:
                continue
            delivery = entry.plugin.call("on_inbound_webhook", integration=entry.handle, request=request)
            if isinstance(delivery, Delivery) and delivery.signed_by is None:
                hint = Delivery(id=delivery.id, event=delivery.event, hints=delivery.hints, ignored=delivery.ignored)
                taken = self.store.accept_delivery(entry.record.id, hint, request.received_at, ADDRESS)
        return taken

    def _knows(self, route: str, token: SecretStr) -> bool:
        """Tell whether an address holds the token that only the ticketing system was told."""
        known = self.store.hook_token(route)
        if known is None or not known.get_secret_value():
            return False
        given = token.get_secret_value().encode("utf-8", "replace")
        return hmac.compare_digest(known.get_secret_value().encode(), given)


def _secret_of(entry: Entry, delivery: Delivery) -> str:
    """Name the secret that signed a delivery."""
    secrets, position = entry.handle.webhook_secrets, delivery.signed_by
    return name_of(secrets[position]) if position is not None and 0 <= position < len(secrets) else ""
