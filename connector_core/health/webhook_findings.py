"""Whether changes find their way back: what is known here of deliveries, refusals and our own address.

Nothing of it is a reason not to work: what no delivery tells is found when tickets are read again.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urlsplit

from connector_core.clock import Clock
from connector_core.contract.errors import ConnectorError
from connector_core.contract.handles import AnyIntegration
from connector_core.contract.models import Finding, Severity
from connector_core.contract.plugin_info import PluginInfo
from connector_core.health import webhook_health
from connector_core.health.refusals import PASTE, SECRET_FIX, Refused
from connector_core.http.outbound import Outbound
from connector_core.store import IntegrationRecord, IntegrationState, Store

SILENT_AFTER = timedelta(days=1)
UNPROVED_AFTER = timedelta(hours=1)
MOST_DELIVERIES = 50
TIMEOUT_S = 5.0


@dataclass(frozen=True)
class InboundCheck:
    """Looks at the way from the ticketing system to here."""

    store: Store
    clock: Clock
    public_url: str
    outbound: Outbound

    def findings(self, record: IntegrationRecord, info: PluginInfo, handle: AnyIntegration) -> Iterator[Finding]:
        """Yield what was found about one integration's deliveries."""
        is_ours = self.store.webhooks.managed(record.id) is not None
        refused = webhook_health.refused(self.store, record, info.webhook_route, self.clock.now())
        if refused:
            yield _of_refusals(refused)
        if info.webhook_route is None:
            return
        if not (record.webhook_secrets or is_ours):
            if not webhook_health.is_managed(record):
                yield self._without_secret(record)
            return
        yield from self._of_address(handle.webhook_url)
        if record.state is IntegrationState.ACTIVE:
            found = webhook_health.findings(self.store, record, self.clock.now()) or [self._of_deliveries(record)]
            # Nothing is well while deliveries are refused, whatever there is to say of those that are taken.
            yield from (one for one in found if not refused or one.severity is not Severity.OK)

    def _of_address(self, url: str) -> Iterator[Finding]:
        parts = urlsplit(self.public_url)
        host = parts.hostname or ""
        if parts.scheme != "https":
            yield _warning(
                "webhook_address_plain",
                "The webhook address is not https",
                f"{url}: most ticketing systems send to https only.",
                "Set server.public_url to the https address under which this server is reached.",
            )
        if _is_private(host):
            yield _warning(
                "webhook_address_private",
                "The webhook address is not reachable from the internet",
                f"{host} is a private or local address; deliveries from a cloud time out or get connection errors.",
                "Set server.public_url to a public address that leads here.",
            )
            return
        problem, asked_at = self._asked()
        if problem:
            yield _warning(
                "webhook_address_unreachable",
                "The webhook address could not be reached from here",
                f"GET {self.public_url}/healthz: {problem}",
                "Check name, proxy, firewall and certificate, and that the connector runs. Try it from outside, too.",
            )
            return
        text = f"{self.public_url}/healthz, tried from here."
        if parts.path and asked_at == "/healthz":
            text += f" The proxy takes {parts.path} away, which works; let it pass addresses on as they are."
        yield _ok("webhook_address", "The webhook address answers", text)

    def _asked(self) -> tuple[str, str]:
        """Say why our own address does not answer as ours, nothing when it does; and at which path it was asked."""
        # Slow to load, and seldom needed.
        from connector_core.http.session import HTTPSession, connections, user_agent  # noqa: PLC0415

        with HTTPSession(user_agent("doctor", "1"), adapter=connections(outbound=self.outbound)) as session:
            try:
                answer = session.get(f"{self.public_url}/healthz", timeout=(TIMEOUT_S, TIMEOUT_S))
            except ConnectorError as exc:
                return exc.message, ""
        if answer.status_code != HTTPStatus.OK:
            return f"it answers {answer.status_code}.", ""
        try:
            told = answer.json()
        except ValueError:
            return "", ""
        return "", str(told.get("path", "")) if isinstance(told, dict) else ""

    def _without_secret(self, record: IntegrationRecord) -> Finding:
        """Say by whose webhook deliveries come where an integration has none of its own, or that none come."""
        last, tellers = self.store.webhooks.last_delivery_at(record.id), webhook_health.told_by(self.store, record)
        if tellers and last is not None:
            names = _either(tellers)
            return _ok("webhook_deliveries", f"Deliveries arrive by the webhook of {names}", f"Last {_moment(last)}.")
        if record.has_unreadable:
            return _warning(
                "secrets_unreadable",
                "The stored webhook secret cannot be opened: secret_key is not the key that it was sealed with",
                "Deliveries are refused with 503. Changes are picked up with a delay.",
                "Put the former key back into secret_key, or enter the secret again in the step Webhook.",
            )
        others = [one for one in webhook_health.sharing(self.store, record) if one.webhook_secrets]
        shared = f" The webhook of {_either(others)} does as well if it is not limited to its project."
        return _warning(
            "webhook_missing",
            "No webhook secret is set",
            "Changes are picked up with a delay.",
            f"Do the step Webhook.{shared if others else ''}",
        )

    def _limit(self, record: IntegrationRecord) -> str:
        """Say to what a webhook can be limited, so that no integration that it serves is cut off."""
        others = " and ".join(one.id for one in webhook_health.sharing(self.store, record))
        if not others:
            return "Limit the webhook to the project of this integration."
        return f"If you limit the webhook, keep the projects of {others} in it too: one webhook serves them all."

    def _of_deliveries(self, record: IntegrationRecord) -> Finding:
        now = self.clock.now()
        last, changed = (
            self.store.webhooks.last_delivery_at(record.id),
            self.store.webhooks.secret_changed_at(record.id),
        )
        since = record.active_since or record.created_at
        if last is None and now - since > SILENT_AFTER:
            return _warning(
                "webhook_silent",
                "No delivery has ever come in",
                f"The integration is active since {_moment(since)}.",
                f"Check in the ticketing system that the webhook is enabled, its address and its events. {PASTE}",
            )
        if changed is not None and now - changed > UNPROVED_AFTER and (last is None or last < changed):
            return _warning(
                "webhook_secret_unproved",
                "No delivery has come in with the new secret",
                f"It was changed at {_moment(changed)}; the last delivery came "
                f"{'before' if last is not None else 'never'}.",
                SECRET_FIX,
            )
        seen, unlinked = self.store.webhooks.deliveries(record.id, MOST_DELIVERIES)
        if not seen:
            return _ok("webhook_deliveries", "No delivery has come in yet")
        detail = f"The last one came {_moment(last or now)}."
        ignored = "was about a ticket that is" if unlinked == 1 else "were about tickets that are"
        if unlinked:
            detail += f" Of the last {seen}, {unlinked} {ignored} not linked to an incident, and ignored."
        if seen == unlinked:
            return _warning(
                "webhook_unlinked",
                "All deliveries are about tickets that are not linked",
                detail,
                f"Only tickets that were created for incidents are synced. {self._limit(record)}",
            )
        return _ok("webhook_deliveries", "Deliveries arrive", detail)


def trouble(store: Store, record: IntegrationRecord, route: str | None, now: datetime) -> Finding | None:
    """Return what is wrong with the deliveries of an active integration as things are now, the worst first."""
    refused = webhook_health.refused(store, record, route, now)
    found = webhook_health.findings(store, record, now)
    if refused and not any(one.code == "webhook_not_kept" for one in found):
        return _of_refusals(refused)
    return next((one for one in found if one.severity is not Severity.OK), None)


def trouble_in_words(store: Store, record: IntegrationRecord, route: str | None, now: datetime) -> str:
    """Return what is wrong with the deliveries of an integration and what to do, in a line; empty where nothing is."""
    found = trouble(store, store.integrations.opened(record.id) or record, route, now)
    return "" if found is None else f"{found.title}. {found.fix}".strip()


def _of_refusals(refused: Sequence[Refused]) -> Finding:
    """Tell of deliveries that were turned away: of the latest reason first, of the others with their figures."""
    first, *others = refused
    detail = f"Last at {_moment(first.last_at)}, {first.count} so far."
    for one in others:
        detail += f" {one.reason.title}: {one.count} so far, last at {_moment(one.last_at)}."
    return _warning("webhook_refused", first.reason.title, detail, first.reason.fix)


def _either(records: Sequence[IntegrationRecord]) -> str:
    return " or ".join(one.id for one in records)


def _is_private(host: str) -> bool:
    """Return whether an address, or all that a name leads to, is out of the internet's reach."""
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return False  # a name that is not known here is told as unreachable
    return bool(found) and all(not ip_address(one.partition("%")[0]).is_global for one in found)


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _ok(code: str, title: str, detail: str = "") -> Finding:
    return Finding(code=code, severity=Severity.OK, title=title, detail=detail)


def _warning(code: str, title: str, detail: str, fix: str) -> Finding:
    return Finding(code=code, severity=Severity.WARNING, title=title, detail=detail, fix=fix)
