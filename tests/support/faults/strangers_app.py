"""The whole connector in this process, served on loopback; nothing in it calls a vendor."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
import structlog

from connector_core.app import App, build_app
from connector_core.config import read_config
from connector_core.contract.models import IncidentEvent, TicketSnapshot
from connector_core.engine.backoff import HORIZON_S
from connector_core.http_source.signatures import sign, signing_keys
from connector_core.local_server import LocalServer
from connector_core.store import IntegrationState, Progress
from connector_core.web.connections import Connections
from connector_core.web.limits import Limits
from connector_core.web.server import build_web

EVENT_SECRETS = ("the former secret of events", "the present secret of events")
HOOK_SECRETS = ("the former secret of hooks", "the present secret of hooks")
NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)

# An organization whose events go nowhere, and one whose integration listens: no lane ever has a vendor to call.
_CONFIG = """
database: sqlite:///connector.db
secret_key: a passphrase that is long enough
server: {public_url: "http://127.0.0.1:9"}
plugins:
  jira_jsm: {oauth: {client_id: app, client_secret: app-secret}}
organizations:
  acme:
    source: {plugin: http, secret: EVENTS}
  globex:
    integrations:
      desk: {plugin: jira_jsm, service_desk: "10", request_type: "25", close_status: "10002", webhook_secret: HOOKS}
"""

# Thousands of refusals are expected; writing each down would take longer than making it.
_QUIET = structlog.wrap_logger(None, wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))

EVENT: dict[str, Any] = {
    "id": "evt_01",
    "type": "incident.updated",
    "occurred_at": "2026-11-23T10:00:00Z",
    "incident": {
        "id": "inc-1",
        "title": "Display offline",
        "description": "No heartbeat\nfor 5 minutes",
        "priority": "high",
        "status": "active",
        "issue": "offline",
        "url": "https://app.example.com/incidents/inc-1",
        "opened_at": "2026-11-23T09:59:30Z",
        "updated_at": "2026-11-23T09:59:30Z",
        "device": {"id": "dev-9", "name": "Lobby display", "mac": None},
        "location": {"id": "3220", "path": "Acme/US", "timezone": "America/New_York"},
    },
}
ISSUE: dict[str, Any] = {
    "id": "10040",
    "key": "SUP-41",
    "self": "https://example.test/rest/api/2/issue/10040",
    "fields": {
        "summary": "Fan failed",
        "description": "It is *hot*.\n\n----\nh3. Incident details\n\nReference: cnx-1",
        "priority": {"id": "2", "name": "High"},
        "status": {"id": "3", "name": "Open", "statusCategory": {"id": 2, "key": "new"}},
        "updated": "2026-03-02T18:30:00.123+0900",
    },
}
HOOK: dict[str, Any] = {"timestamp": 1, "webhookEvent": "jira:issue_updated", "issue": ISSUE}


@dataclass(frozen=True)
class Surface:
    """A served app, with ways to send it signed requests."""

    app: App
    url: str
    session: requests.Session

    def push(self, body: bytes, message_id: str = "msg_1", secret: str = EVENT_SECRETS[-1]) -> requests.Response:
        """Send a body to the events address, rightly signed."""
        signed = sign(signing_keys(secret), message_id, datetime.now(UTC), body)
        return self.session.post(f"{self.url}/v1/sources/acme/events", data=body, headers=signed, timeout=20)

    def hook(self, body: bytes, identifier: str = "", secret: str = HOOK_SECRETS[-1]) -> requests.Response:
        """Send a body to the webhook address, rightly signed."""
        named = {"X-Atlassian-Webhook-Identifier": identifier} if identifier else {}
        sent = {"X-Hub-Signature": hook_signature(body, secret), **named}
        return self.session.post(f"{self.url}/external/jira/webhook", data=body, headers=sent, timeout=20)


def hook_signature(body: bytes, secret: str) -> str:
    """Sign a body as the ticketing system does."""
    return "sha256=" + hmac.new(secret.encode("utf-8", "replace"), body, hashlib.sha256).hexdigest()


def make_app(folder: Path) -> App:
    """Build the app with its integration listening; the engine rests."""
    path = folder / "connector.yaml"
    config = _CONFIG.replace("EVENTS", json.dumps(EVENT_SECRETS)).replace("HOOKS", json.dumps(HOOK_SECRETS))
    path.write_text(config)
    loaded, plugins = read_config(path, environ={})
    app = build_app(loaded, plugins, log=_QUIET)
    app.configured.save()
    record = app.registry.entry("desk").record
    app.store.integrations.put(replace(record, state=IntegrationState.ACTIVE, activated_at=app.clock.now()))
    return app


def link_ticket(app: App) -> int:
    """Link the ticket of the sample delivery to an incident, and hold its lane for good; return the link's id."""
    event = IncidentEvent.model_validate({**EVENT, "type": "incident.opened"})
    app.store.inbox.accept_events("globex", [event], app.registry.targets("globex"), NOW).result()
    (held,) = app.store.lanes.claim("strangers", datetime.now(UTC), 1, HORIZON_S)
    ticket = TicketSnapshot(id=ISSUE["id"], key=ISSUE["key"], title="Fan failed")
    app.store.links.record(held, Progress(ticket=ticket), NOW)
    return held.link_id


@contextmanager
def open_app(folder: Path, *, working: bool = False) -> Iterator[Surface]:
    """Serve the app until the end of the block; its engine rests unless it is to be `working`."""
    app = make_app(folder)
    limits = Limits.of(app.config.server.limits)
    server = LocalServer(build_web(app), protocol=Connections(limits, app.metrics, app.log).protocol)
    server.start()
    if working:
        app.engine.start()
    try:
        with requests.Session() as session:
            session.trust_env = False
            yield Surface(app, server.url, session)
    finally:
        server.stop()
        if working:
            app.engine.stop(5)
        app.store.close()
