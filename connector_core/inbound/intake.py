"""Intake: authenticate a request, store it, and only then say yes. No vendor is called here."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime
from http import HTTPStatus
from itertools import islice

from pydantic import SecretStr
from structlog.typing import FilteringBoundLogger

from connector_core.contract.errors import ConfigError, WebhookRejected
from connector_core.contract.handles import AnyIntegration
from connector_core.contract.models import Delivery, InboundRequest, Push, Signature
from connector_core.health.refusals import (
    ADDRESS_UNKNOWN,
    INTEGRATION_DISABLED,
    NOT_PUSHED,
    SIGNATURE_MISMATCH,
    SIGNATURE_MISSING,
)
from connector_core.health.webhook_health import ADDRESS, name_of
from connector_core.inbound.belief import as_hint, ignored, only_hint, to_be_read
from connector_core.inbound.places import Place, places_of
from connector_core.inbound.senders import Senders
from connector_core.registry.entry import Entry
from connector_core.registry.integrations import Registry
from connector_core.registry.listeners import Listeners
from connector_core.registry.sources import SecretsUnreadable
from connector_core.store import SECRETS_UNREADABLE, Accepted, Holders, Store

RETRY_UNREADABLE_S = 60.0  # a person has to act first
#: So many disabled integrations are looked at for whose secret signed a delivery that no active one takes.
MOST_DISABLED = 64
_UNPROVEN = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


@dataclass(frozen=True)
class Read:
    """A delivery as the plugin of one integration reads it."""

    entry: Entry
    delivery: Delivery


@dataclass(frozen=True)
class Inquiry:
    """A delivery that is looked into: whom it may be for, and who may have sent it; None where no plugin says that."""

    route: str
    request: InboundRequest
    listeners: Listeners
    #: The one that the address names.
    integration_id: str | None
    signature: Signature | None = None
    #: The one that signed, if it was among the likely ones.
    secret: SecretStr | None = None

    @property
    def is_settled(self) -> bool:
        """Whether no secret is left to be tried."""
        return self.secret is not None or self.signature is None or not self.signature.is_given


@dataclass(frozen=True)
class Given:
    """A delivery as it is to be stored: for which integrations, what it shows each, and which secret signed it."""

    organization: str
    deliveries: Sequence[tuple[str, Delivery, str]]
    received_at: datetime
    #: The same as it was read, where nothing of it is stored because nobody has its ticket yet.
    whole: Sequence[tuple[str, Delivery, str]] = ()


@dataclass(frozen=True)
class Taken:
    """A request that is being stored; of pushed events also what could not be taken."""

    pending: Future[Accepted]
    push: Push | None = None

    def result(self, timeout: float | None = None) -> Accepted:
        """Wait until what can be taken is committed to disk; as the future, it may fail with `SettingsMoved`."""
        return self.pending.result(timeout)


@dataclass(frozen=True)
class Intake:
    """What the web edge calls. The futures end when the request is committed to disk."""

    store: Store
    registry: Registry
    log: FilteringBoundLogger
    senders: Senders = field(default_factory=Senders)

    def take_events(self, organization: str, request: InboundRequest) -> Taken:
        """Take incident events that a source pushed, as many of them as can be taken.

        The future fails with `SettingsMoved` when the integrations changed unheard: look, and take them once more.

        Raises:
            WebhookRejected: no such source, or the request is not acceptable.
        """
        try:
            plugin, source = self.registry.sources.handle(organization)
        except SecretsUnreadable as exc:
            raise _later(exc.message) from exc
        except ConfigError as exc:
            raise WebhookRejected(exc.message, status=404, reply="not found", code="source_unknown") from exc
        if not plugin.implements("on_source_push"):
            raise WebhookRejected("This source takes no pushed events.", status=404, reply="not found", code=NOT_PUSHED)
        given = plugin.on_source_push(source, request)
        push = given if isinstance(given, Push) else Push(tuple(given))
        targets, as_of = self.registry.targets_as_of(organization)
        accept = self.store.inbox.accept_events
        return Taken(accept(organization, push.events, targets, request.received_at, as_of), push)

    def take_webhook(self, route: str, request: InboundRequest, integration_id: str | None = None) -> Taken:
        """Take a delivery of a ticketing system; see `read` for whose it is and what is raised."""
        given = self.read(self.inquire(route, request, integration_id))
        return Taken(self.store.inbox.accept_deliveries(given.organization, given.deliveries, given.received_at))

    def inquire(self, route: str, request: InboundRequest, integration_id: str | None = None) -> Inquiry:
        """Begin with a delivery: look whether one of those signed it that are likely.

        Raises:
            WebhookRejected: no such route (404).
        """
        if route not in self.registry.routes():
            raise unknown_address()
        listeners = self.registry.listeners(route)
        if integration_id is not None:
            listeners = listeners.only(integration_id)
        first = listeners.first()
        if first is None or not first.plugin.implements("find_signature"):
            return Inquiry(route, request, listeners, integration_id)
        signature = first.plugin.find_signature(request)
        secret = self.senders.likely(listeners, signature) if signature.is_given else None
        return Inquiry(route, request, listeners, integration_id, signature, secret)

    def refuse_unsigned(self, route: str, headers: InboundRequest, integration_id: str | None = None) -> None:
        """Refuse, before its body is read, a delivery that nobody signed and that did not come to a secret address.

        Raises:
            WebhookRejected: as `inquire` and `read` would.
        """
        inquiry = self.inquire(route, headers, integration_id)
        may_be_signed = inquiry.listeners.first() and (inquiry.signature is None or inquiry.signature.is_given)
        if may_be_signed or (headers.token is not None and self._knows(route, headers.token)):
            return
        try:
            self.read(inquiry)
        except WebhookRejected as exc:
            if exc.status in _UNPROVEN:  # else it is about the body
                raise

    def read(self, inquiry: Inquiry) -> Given:
        """Read a delivery, and say for which integrations it is.

        The first active integration whose secret matches says of which organization it is; inside that it is for the
        integration that has the ticket.

        Raises:
            WebhookRejected: no secret matches, or one that several organizations share and whose delivery it is cannot
                be told (403), or the plugin cannot read it. Too many of those that nobody likely signed came (429).
        """
        token = inquiry.request.token
        if token is not None and self._knows(inquiry.route, token):
            given = self._hints(inquiry)
            if given is not None:
                return given
        if inquiry.integration_id is not None and inquiry.listeners.first() is None:
            self._refuse_disabled(inquiry)
            raise _forbidden("No active integration has this address.", "integration_unknown")
        signed = self._signed(inquiry)
        if not signed:
            if locked := inquiry.listeners.index.locked:
                raise _later(
                    f"No secret here made this signature, and those of {locked} cannot be opened:"
                    " secret_key is not the key that they were sealed with.",
                    inquiry.integration_id or "",
                )
            self._refuse_disabled(inquiry)
            raise _forbidden(
                "No active integration has a secret that made this signature.",
                SIGNATURE_MISMATCH,
                inquiry.integration_id or "",
            )
        return self._given(self._signer_of(signed, inquiry.listeners), inquiry.listeners, inquiry.request)

    def _signed(self, inquiry: Inquiry) -> list[Read]:
        """Return the first integration whose secret signed, or all of them where several organizations share it."""
        listeners, request, signature = inquiry.listeners, inquiry.request, inquiry.signature
        if signature is None:
            return self._asked(listeners, request)
        if not signature.is_given and listeners.index.by_secret:
            raise _forbidden("The delivery has no signature.", SIGNATURE_MISSING)
        secret = inquiry.secret or self.senders.search(listeners, signature, len(request.body))
        holders = [] if secret is None else listeners.holders(secret)
        is_shared = len({entry.record.organization for entry in holders}) > 1
        reads: list[Read] = []
        for entry in holders if is_shared else holders[:1]:
            delivery = _read(entry, entry.handle, request)
            if delivery is not None:
                reads.append(Read(entry, delivery))
        return reads

    def _refuse_disabled(self, inquiry: Inquiry) -> None:
        """Refuse a delivery by its reason if a disabled integration's secret signed it: that is no wrong secret."""
        for entry in islice(self.registry.disabled(inquiry.route), MOST_DISABLED):
            if inquiry.integration_id not in {None, entry.record.id} or not entry.plugin.implements("find_signature"):
                continue
            signature = inquiry.signature or entry.plugin.find_signature(inquiry.request)
            if signature.is_given and any(signature.is_by(secret) for secret in entry.record.webhook_secrets):
                raise _forbidden(
                    "The integration whose secret signed it is disabled.", INTEGRATION_DISABLED, entry.record.id
                )

    @staticmethod
    def _asked(listeners: Listeners, request: InboundRequest) -> list[Read]:
        """Return the same where only the plugin can tell: each integration is asked, one after the other."""
        for entry in listeners.every():
            if any(secret.get_secret_value() for secret in entry.record.webhook_secrets):
                delivery = _read(entry, entry.handle, request)
                if delivery is not None:
                    return _with_others(Read(entry, delivery), listeners, request)
        return []

    def _signer_of(self, signed: Sequence[Read], listeners: Listeners) -> Read:
        """Return by whose secret a delivery came; of several organizations that share it, the one with that site.

        Where that does not tell them apart, the one with that very ticket. The first one wins only while none of them
        has a ticket of that id, and nothing comes of it.

        Raises:
            WebhookRejected: a ticket has that id, but whose delivery it is cannot be told.
        """
        if len({read.entry.record.organization for read in signed}) == 1:
            return signed[0]
        places = places_of([read.entry for read in signed], listeners, signed[0].delivery.site)
        held = self._held([read.entry for read in signed], signed[0].delivery).linked
        here = [read for read in signed if places[read.entry.record.id] is Place.SAME]
        owners = [read for read in here if read.entry.record.id in held]
        for found in (here, owners):
            if len({read.entry.record.organization for read in found}) == 1:
                return found[0]
        if not any(places[name] is not Place.OTHER for name in held):
            return signed[0]
        names = " and ".join(read.entry.record.id for read in signed)
        raise _forbidden(
            f"The secret that signed this is that of {names}, which belong to several organizations; give each its"
            " own, or call the address that ends in the integration's id.",
            "secret_shared",
        )

    def _given(self, signer: Read, listeners: Listeners, request: InboundRequest) -> Given:
        """Return a delivery for those integrations of the signer's organization that it is about.

        The signature has proved who speaks, for the whole organization; the ticket says for which integration it is.
        """
        organization = signer.entry.record.organization
        entries = listeners.of(organization)
        places = places_of(entries, listeners, signer.delivery.site)
        secrets = signer.entry.handle.webhook_secrets
        given: list[tuple[str, Delivery, str]] = []
        for entry in self._chosen(entries, places, signer.delivery):
            delivery: Delivery | None = signer.delivery
            if entry is not signer.entry:
                delivery = _read(entry, replace(entry.handle, webhook_secrets=secrets), request)
            if delivery is not None:
                kept = delivery if places[entry.record.id] is Place.SAME else as_hint(delivery)
                if not entry.plugin.info.times_are_exact:
                    kept = to_be_read(kept)
                given.append((entry.record.id, kept, _secret_of(secrets, delivery)))
        if given:
            return Given(organization, given, request.received_at)
        is_elsewhere = Place.OTHER in places.values()
        nothing = ignored(signer.delivery, "other_site" if is_elsewhere else "not_linked")
        name, secret = signer.entry.record.id, _secret_of(secrets, signer.delivery)
        shown = signer.delivery if signer.entry.plugin.info.times_are_exact else to_be_read(signer.delivery)
        whole = () if is_elsewhere else ((name, shown if places[name] is Place.SAME else as_hint(shown), secret),)
        return Given(organization, [(name, nothing, secret)], request.received_at, whole)

    def _hints(self, inquiry: Inquiry) -> Given | None:
        """Read a delivery that came to the address of our own webhooks, for each integration that it is about."""
        reads = self._hinted(inquiry)
        if not reads:
            return None
        places = places_of([read.entry for read in reads], inquiry.listeners, reads[0].delivery.site)
        named = [read for read in reads if places[read.entry.record.id] is Place.SAME]
        if not named:  # of a site that nobody knows, or not by this name: only who has the ticket reads it
            near = [read for read in reads if places[read.entry.record.id] is Place.UNKNOWN]
            held = self._held([read.entry for read in near], reads[0].delivery)
            named = [read for read in near if read.entry.record.id in held.linked | held.creating] or near[:1]
        if not named:
            return None
        given = [(read.entry.record.id, only_hint(read.delivery), ADDRESS) for read in named]
        return Given(named[0].entry.record.organization, given, inquiry.request.received_at)

    def _hinted(self, inquiry: Inquiry) -> list[Read]:
        """Return what the integrations read that have a webhook of their own: those at its site, or all of them."""
        listeners, site = inquiry.listeners, inquiry.signature.site if inquiry.signature is not None else ""
        request = replace(inquiry.request, is_addressed=True)
        having = self.store.webhooks.registered()
        for entries in (listeners.at(site) if site else (), listeners.every()):
            asked = [(entry, entry.handle) for entry in entries if entry.record.id in having]
            given = [(entry, _read(entry, handle, request)) for entry, handle in asked]
            reads = [Read(entry, one) for entry, one in given if one is not None and one.signed_by is None]
            if reads:
                return reads
        return []

    def _chosen(self, entries: Sequence[Entry], places: Mapping[str, Place], delivery: Delivery) -> list[Entry]:
        """Return the integrations that have the ticket, else those that are just creating one, which it may be."""
        near = [entry for entry in entries if places[entry.record.id] is not Place.OTHER]
        if len(near) <= 1:
            return near
        held = self._held(near, delivery)
        linked = [entry for entry in near if entry.record.id in held.linked]
        certain = [entry for entry in linked if places[entry.record.id] is Place.SAME]
        return certain or linked or [entry for entry in near if entry.record.id in held.creating]

    def _held(self, entries: Sequence[Entry], delivery: Delivery) -> Holders:
        shown = {ticket.id for ticket in delivery.tickets}
        ids = shown | delivery.deleted | delivery.hints | delivery.commented.keys()
        return self.store.links.holders([entry.record.id for entry in entries], ids)

    def _knows(self, route: str, token: SecretStr) -> bool:
        """Return whether an address holds the token that only the ticketing system was told."""
        known = self.store.webhooks.token(route)
        if known is None or not known.get_secret_value():
            return False
        given = token.get_secret_value().encode("utf-8", "replace")
        return hmac.compare_digest(known.get_secret_value().encode(), given)


def unknown_address() -> WebhookRejected:
    """Refuse what came to an address that nobody has; which one is in the log."""
    return WebhookRejected("No plugin has this address.", status=404, reply="not found", code=ADDRESS_UNKNOWN)


def _with_others(first: Read, listeners: Listeners, request: InboundRequest) -> list[Read]:
    """Return the first that a delivery is of, and where other organizations have a secret of its, all it may be of."""
    sharing = {name for secret in first.entry.record.webhook_secrets for name in listeners.ids_of(secret)}
    holders = [entry for entry in listeners.every() if entry.record.id in sharing]
    if len({entry.record.organization for entry in holders}) == 1:
        return [first]
    given = [(entry, _read(entry, entry.handle, request)) for entry in holders]
    return [Read(entry, delivery) for entry, delivery in given if delivery is not None]


def _read(entry: Entry, handle: AnyIntegration, request: InboundRequest) -> Delivery | None:
    """Have an integration's plugin verify and read a request; what is proven to be its own is refused as its own.

    The handle may have the secrets of another of the same organization in place of its own.
    """
    try:
        return entry.plugin.on_inbound_webhook(handle, request)
    except WebhookRejected as exc:
        if exc.status in _UNPROVEN:
            raise
        raise WebhookRejected(
            exc.message, status=exc.status, reply=exc.reply, code=exc.code, integration=entry.record.id
        ) from exc


def _forbidden(message: str, code: str, integration: str = "") -> WebhookRejected:
    return WebhookRejected(message, status=HTTPStatus.FORBIDDEN, reply="forbidden", code=code, integration=integration)


def _later(message: str, integration: str = "") -> WebhookRejected:
    """Refuse what could not be verified now and may be later, so that it is sent again."""
    return WebhookRejected(
        message,
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        reply="try again later",
        code=SECRETS_UNREADABLE,
        integration=integration,
        after_s=RETRY_UNREADABLE_S,
    )


def _secret_of(secrets: Sequence[SecretStr], delivery: Delivery) -> str:
    """Name the secret that signed a delivery."""
    position = delivery.signed_by
    return name_of(secrets[position]) if position is not None and 0 <= position < len(secrets) else ""
