"""The console in this process, on a clock that the test sets, and a visitor without a browser."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache

import requests
import structlog
from argon2 import PasswordHasher

from connector_core import Grant, Incident, IncidentEvent
from connector_core.app import build_app
from connector_core.config import read_config
from connector_core.contract.models import EventType
from connector_core.local_server import LocalServer
from connector_core.store import Target
from connector_core.testing import FrozenClock, MemoryDesk, MemoryPlatform
from connector_core.web.server import build_web
from tests.support.activation import activate

ADMIN, VIEWER, GUEST = "admin's password", "viewer's password", "guest's password"
AT = datetime(2026, 11, 23, 10, tzinfo=UTC)

CONFIG = """
secret_key: a passphrase of many letters
server: {{public_url: "{public_url}"}}
console:
  users:
    ada: {{password_hash: "{admin}", role: admin}}
    vic: {{password_hash: "{viewer}"}}
    gus: {{password_hash: "{guest}", role: admin, organizations: [globex]}}
{oidc}
organizations:
  acme: {{name: Acme Inc.}}
  globex: {{name: Globex}}
"""


def entry_points(*, without=()):
    """Return a ticketing plugin with a long list of desks, and a source that only takes changes.

    Hooks that are left out are abilities that the ticketing plugin has not.
    """
    desk = MemoryDesk()
    desk.desks = {str(number): f"Desk {number}" for number in range(30)}
    others = {"configure_source", "check_source", "on_source_push", "poll_incidents"}
    return [desk.entry_point(without=without), MemoryPlatform().entry_point(without=others)]


@cache
def hashes():
    """Hash the passwords once, and cheaply: the real cost is slow on purpose."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    return {name: hasher.hash(text) for name, text in (("admin", ADMIN), ("viewer", VIEWER), ("guest", GUEST))}


class Served:
    """A console at `url` on the configuration above; its engine does not run."""

    def __init__(self, folder, *, public_url="http://127.0.0.1", without=(), points=None, oidc="", clock=None):
        path = folder / "connector.yaml"
        path.write_text(CONFIG.format(public_url=public_url, oidc=f"  oidc: {oidc}" if oidc else "", **hashes()))
        self.clock = clock or FrozenClock()
        self.path = path
        self._points = entry_points(without=without) if points is None else points
        self._open()

    def _open(self):
        config, plugins = read_config(self.path, self._points)
        self.app = build_app(config, plugins, log=structlog.get_logger("test"), clock=self.clock)
        self.web = build_web(self.app)
        self._server = LocalServer(self.web)
        self._server.start()
        self.url = self._server.url

    def restart(self):
        """Begin again with what the file says now."""
        self.stop()
        self._open()

    def stop(self):
        """End it."""
        self._server.stop()
        self.app.store.close()

    def add(self, name, organization, *titles):
        """Store an active integration with a link for each title; return the numbers of the links."""
        now = self.clock.now()
        activate(self.app, name, organization, secret="")
        self.app.store.grants.save(name, Grant(headers={}, account_id="1", account_name="Desk Agent"))
        events = [
            IncidentEvent(
                id=f"{name}-{number}",
                type=EventType.OPENED,
                occurred_at=now,
                incident=Incident(id=f"inc-{name}-{number}", title=title),
            )
            for number, title in enumerate(titles)
        ]
        if events:
            targets = [Target(name, {"desk": "1"}, now)]
            self.app.store.inbox.accept_events(organization, events, targets, now).result()
        return [link.id for link in reversed(self.app.store.links.find(integration_id=name))]


class ServedLink(Served):
    """A console with one link, whose number is `number`."""

    def __init__(self, folder, *, public_url="http://127.0.0.1"):
        super().__init__(folder, public_url=public_url)
        (self.number,) = self.add("acme-desk", "acme", "Display is dark")


class Visitor:
    """Somebody with cookies who fills in forms; no script runs here."""

    def __init__(self, url):
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False

    def get(self, path, **options):
        """Open a page."""
        return self.session.get(self.url + path, timeout=20, **options)

    def post(self, path, *, seen_on=None, headers=None, **fields):
        """Send a form with the token of the page that it stands on."""
        form = {"form_token": self.form_token(seen_on or path), **fields}
        return self.session.post(self.url + path, data=form, headers=headers, timeout=20, allow_redirects=False)

    def form_token(self, path):
        """Return the token of a page's forms."""
        token = re.search(r'name="form_token" value="([^"]+)"', self.get(path).text)
        return token[1] if token else ""

    def log_in(self, name, password, *, wanted="/"):
        """Log in; return the answer."""
        form = {"name": name, "password": password, "next": wanted}
        return self.session.post(f"{self.url}/login", data=form, timeout=20, allow_redirects=False)
