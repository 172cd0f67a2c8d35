"""An app whose organization `acme` has one integration, and notifiers that lead to real receivers."""

from __future__ import annotations

import structlog

from connector_core.app import build_app
from connector_core.plugins import load_plugins
from connector_core.store import NEEDS_AUTHORIZATION
from connector_core.testing import MemoryDesk, MemoryPlatform
from tests.support.configured import config_of

CONFIG = """
secret_key: a passphrase that is long enough
server: {public_url: "https://connector.example.com"}
organizations: {acme: {name: Acme Inc., source: {plugin: platform}}, globex: {source: {plugin: platform}}}
"""
SECRET = "s3cret of eight and more"


def make_app(store, clock, config=CONFIG):
    """Put the whole connector together over an open store; nothing is started."""
    desk, platform = MemoryDesk(), MemoryPlatform()
    plugins = load_plugins(entry_points=[desk.entry_point(), platform.entry_point()])
    log = structlog.get_logger("test")
    return build_app(config_of(plugins, config), plugins, log=log, clock=clock, store=store)


class Teller:
    """A webhook notifier `ops` of `acme`, whose turns come when the test says so."""

    def __init__(self, app, clock, url, **answers):
        self.app, self.clock = app, clock
        given = {"channel": "webhook", "url": f"{url}/hook", "secret": SECRET, **answers}
        app.notifier_setup.add("acme", "ops", given)

    @property
    def notifying(self):
        """What tells."""
        return self.app.by_the_clock.notifying

    @property
    def sending(self):
        """How it fares."""
        return self.app.store.notifiers.sending("acme", "ops")

    def go_on(self, minutes):
        """Let time pass, with a turn each half minute."""
        for _ in range(int(minutes * 2)):
            self.notifying.do_turn("acme/ops")
            self.clock.forward(30)


def lose_authorization(app, name="desk"):
    """Have the other side take the access back."""
    app.store.integrations.note_problem(name, NEEDS_AUTHORIZATION, "Access was revoked.")


def authorize(app, name="desk"):
    """Have it back."""
    app.store.integrations.note_problem(name, "", "")


def told(requests):
    """Return what messages said: of each a list of state, kind and integration."""
    return [
        [(one["state"], one["kind"], one["integration"]) for one in request.json["conditions"]] for request in requests
    ]
