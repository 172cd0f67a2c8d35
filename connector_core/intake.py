"""Intake: authenticate a request, store it, and only then say yes. No vendor is called here."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

from pydantic import SecretStr
from structlog.typing import FilteringBoundLogger

from connector_core.errors import ConfigError, PluginError, WebhookRejected
from connector_core.models import Delivery, InboundRequest
from connector_core.refusals import ADDRESS_UNKNOWN, SIGNATURE_MISMATCH
from connector_core.registry import Entry, Registry
from connector_core.store import Accepted, Store
from connector_core.webhook_health import ADDRESS, name_of

_UNPROVEN = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


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
            WebhookRejected: no such route (404), no secret matches, or one that several organizations share and whose
                delivery it is cannot be told (403), or the plugin cannot read it.
        """
        if route not in self.registry.routes():
            raise unknown_address()
        if request.token is not None and self._knows(route, request.token):
            taken = self._take_hints(route, request.model_copy(update={"is_addressed": True}), integration_id)
            if taken is not None:
                return taken
        listeners = self.registry.listeners(route, integration_id)
        if integration_id is not None and not listeners:
            raise _forbidden("No active integration has this address.", "integration_unknown")
        shared: list[tuple[Entry, Delivery]] = []
        for entry in listeners:
            if not any(secret.get_secret_value() for secret in entry.handle.webhook_secrets):
                continue
            delivery = _read(entry, request)
            if delivery is None:
                continue
            if integration_id is not None or not self.registry.is_ambiguous(entry.record.id):
                return self._accept(entry, delivery, request)
            shared.append((entry, delivery))
        if shared:
            return self._accept(*self._whose(shared), request)
        raise _forbidden(
            "No active integration has a secret that made this signature.", SIGNATURE_MISMATCH, integration_id or ""
        )

    def _accept(self, entry: Entry, delivery: Delivery, request: InboundRequest) -> Future[Accepted]:
        return self.store.accept_delivery(entry.record.id, delivery, request.received_at, _secret_of(entry, delivery))

    def _whose(self, shared: Sequence[tuple[Entry, Delivery]]) -> tuple[Entry, Delivery]:
        """Return for whom a delivery is whose secret several organizations have: the one with that very ticket.

        The first one wins only while none of them has a ticket of that id, and nothing comes of it.

        Raises:
            WebhookRejected: a ticket has that id, but it is not told, or not known, of which site the delivery is.
        """
        owners = [(entry, delivery) for entry, delivery in shared if self._has(entry, delivery, anywhere=False)]
        if len({entry.record.organization for entry, _ in owners}) == 1:
            return owners[0]
        if owners or any(self._has(entry, delivery, anywhere=True) for entry, delivery in shared):
            names = " and ".join(entry.record.id for entry, _ in shared)
            raise _forbidden(
                f"The secret that signed this is that of {names}, which belong to several organizations; give each its"
                " own, or call the address that ends in the integration's id.",
                "secret_shared",
            )
        entry, delivery = shared[0]
        return entry, delivery.model_copy(
            update={"tickets": (), "deleted": frozenset(), "commented": {}, "ignored": "not_linked"}
        )

    def _has(self, entry: Entry, delivery: Delivery, *, anywhere: bool) -> bool:
        """Tell whether an integration has a ticket of the delivery, on the site that it names or on any."""
        shown = {ticket.id: ticket.url for ticket in delivery.tickets}
        for ticket_id in shown.keys() | delivery.deleted | delivery.commented.keys():
            url = self.store.ticket_url(entry.record.id, ticket_id)
            if url is not None and (anywhere or _site(url) == _site(shown.get(ticket_id)) != ""):
                return True
        return False

    def _take_hints(self, route: str, request: InboundRequest, integration_id: str | None) -> Future[Accepted] | None:
        """Take a delivery that came to the address of our own webhooks, for each integration that it is about.

        What is stored last was stored after the others.
        """
        taken: Future[Accepted] | None = None
        for entry in self.registry.listeners(route, integration_id):
            if entry.handle.own_webhook is None:
                continue
            delivery = _read(entry, request)
            if delivery is not None and delivery.signed_by is None:
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


def unknown_address() -> WebhookRejected:
    """Refuse what came to an address that nobody has; which one is in the log."""
    return WebhookRejected("No plugin has this address.", status=404, reply="not found", code=ADDRESS_UNKNOWN)


def _read(entry: Entry, request: InboundRequest) -> Delivery | None:
    """Have an integration's plugin verify and read a request; what is proven to be its own is refused as its own."""
    try:
        delivery = entry.plugin.call("on_inbound_webhook", integration=entry.handle, request=request)
    except WebhookRejected as exc:
        if exc.status in _UNPROVEN:
            raise
        raise WebhookRejected(
            exc.message, status=exc.status, reply=exc.reply, code=exc.code, integration=entry.record.id
        ) from exc
    if delivery is not None and not isinstance(delivery, Delivery):
        raise PluginError(f"Plugin {entry.plugin.name} gave back no delivery.")
    return delivery


def _forbidden(message: str, code: str, integration: str = "") -> WebhookRejected:
    return WebhookRejected(message, status=HTTPStatus.FORBIDDEN, reply="forbidden", code=code, integration=integration)


def _site(url: str | None) -> str:
    return urlsplit(url or "").netloc.casefold()


def _secret_of(entry: Entry, delivery: Delivery) -> str:
    """Name the secret that signed a delivery."""
    secrets, position = entry.handle.webhook_secrets, delivery.signed_by
    return name_of(secrets[position]) if position is not None and 0 <= position < len(secrets) else ""
