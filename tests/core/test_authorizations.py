"""The end of an authorization, said before it comes."""

from __future__ import annotations

from datetime import timedelta
from importlib import metadata

import structlog
from structlog.testing import capture_logs

from connector_core import Grant, RetryLater, hookimpl
from connector_core.app import build_app
from connector_core.config import load_config
from connector_core.engine.duties import OwnDuties
from connector_core.health.ending_authorizations import EndingAuthorizations
from connector_core.plugins import load_plugins
from connector_core.registry.authorizations import ending
from connector_core.testing import FrozenClock, MemoryDesk, MemoryPlatform
from tests.support.configured import registry_of

FILE = """
secret_key: a passphrase that is long enough
organizations: {acme: {source: {plugin: http, secret: whsec_c2VjcmV0}, integrations: {desk: {plugin: desk, desk: "1"}}}}
"""


def ending_of(store, clock, grant):
    """Make what warns, which knows one integration with a grant."""
    store.grants.save("desk", grant)
    registry, _ = registry_of(store, clock, [MemoryDesk(clock).entry_point(), MemoryPlatform(clock).entry_point()])
    return EndingAuthorizations(store, registry, OwnDuties(clock), clock, structlog.get_logger("test"))


def test_the_log_warns_once_a_day(store, clock):
    """Every hour is looked, every day is said."""
    grant = Grant(headers={}, renewable_until=clock.now() + timedelta(days=10))
    with capture_logs() as said:
        ending = ending_of(store, clock, grant)
        for _ in range(49):
            ending.warn()
            clock.forward(3600)

    assert [line["event"] for line in said] == ["authorization_ends"] * 3
    assert said[0]["integration"] == "desk"
    assert "in 10 days" in said[0]["reason"]


def test_nothing_is_said_while_there_is_time(store, clock):
    """A grant that is good for long, or for ever, or is not there, warns of nothing."""
    far = Grant(headers={}, renewable_until=clock.now() + timedelta(days=60))

    assert ending("desk", far, clock.now()) is None
    assert ending("desk", Grant(headers={}), clock.now()) is None
    assert ending("desk", None, clock.now()) is None


def test_the_last_day_is_one_day(clock):
    """A single day is told as one."""
    grant = Grant(headers={}, renewable_until=clock.now() + timedelta(days=1, hours=1))

    soon = ending("desk", grant, clock.now())

    assert soon is not None
    assert soon.title.endswith("in 1 day")


class Unreachable(MemoryDesk):
    """A desk whose authorization cannot be given at the moment."""

    tries = 0

    @hookimpl
    def authorize(self, integration, request):
        """Ask for a wait of nothing."""
        self.tries += 1
        raise RetryLater("Slow down.", after_s=0)


def test_an_authorization_that_cannot_be_had_is_tried_less_and_less(tmp_path):
    """The schedule comes by every half a minute; a site that cannot answer is asked a handful of times in an hour."""
    path = tmp_path / "connector.yaml"
    path.write_text(FILE)
    clock = FrozenClock()
    desk = Unreachable(clock)
    plugins = load_plugins(entry_points=[desk.entry_point(), *_http()])
    app = build_app(load_config(path, plugins), plugins, log=structlog.get_logger("test"), clock=clock)
    app.configured.apply()
    for _ in range(120):
        clock.forward(30)
        for name in app.configured.to_authorize():
            app.configured.authorize(name)
    app.store.close()

    assert 5 < desk.tries < 14


def _http():
    return [one for one in metadata.entry_points(group="connector_core.plugins") if one.name == "http"]
