"""Set-up of the built-in source: the events address, a secret of our making, and events that are taken with it."""

from __future__ import annotations

import json

import pytest
import structlog
from standardwebhooks import Webhook

from connector_core import WebhookRejected, http_source
from connector_core.app import build_app
from connector_core.config import load_config
from connector_core.contract.models import InboundRequest
from connector_core.contract.setup_steps import AnswerUnfit
from connector_core.plugins import load_plugins
from connector_core.testing import FrozenClock, PluginContract
from tests.support.activation import activate
from tests.support.fake_plugins import desk_entry_point

FILE = """
secret_key: a passphrase that is long enough
server: {public_url: https://connector.example.com}
organizations: {acme: {}}
"""
EVENT = {
    "id": "evt-1",
    "type": "incident.opened",
    "occurred_at": "2026-11-23T10:00:00Z",
    "incident": {"id": "inc-1", "title": "Display offline"},
}


class TestHttp(PluginContract):
    """The contract that every plugin keeps."""

    module = http_source
    settings = {"secret": "whsec_c2VjcmV0"}  # noqa: RUF012 - as documented


class _Http:
    """The built-in source's entry point."""

    name = "http"
    dist = None

    def load(self):
        return http_source


@pytest.fixture
def app(tmp_path):
    """Build an app whose organization has an integration and a source that is begun."""
    path = tmp_path / "connector.yaml"
    path.write_text(FILE)
    plugins = load_plugins(entry_points=[_Http(), desk_entry_point()])
    built = build_app(load_config(path, plugins), plugins, log=structlog.get_logger("test"), clock=FrozenClock())
    activate(built, "desk", "acme")
    built.source_setup.create("acme", "http")
    yield built
    built.store.close()


def request_of(app, secret):
    """Return an event as the platform sends it, signed by the specification's own library."""
    body, now = json.dumps(EVENT), app.clock.now()
    headers = {
        "webhook-id": "msg-1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg-1", now, body),
    }
    return InboundRequest(headers=headers, body=body.encode(), received_at=now)


def test_events_are_taken_with_the_secret_that_was_made(app):
    """The address to copy is the one that takes them; before there is a secret, and with another, nothing is taken."""
    (step,) = app.source_setup.steps("acme")
    maker = next(asked.generate for asked in step.fields if asked.key == "secret")
    secret, other = maker(), maker()
    with pytest.raises(WebhookRejected):
        app.intake.take_events("acme", request_of(app, secret))

    app.source_setup.answer("acme", {"secret": secret})

    assert [value.value for value in step.values] == ["https://connector.example.com/v1/sources/acme/events"]
    with pytest.raises(WebhookRejected):
        app.intake.take_events("acme", request_of(app, other))
    assert app.intake.take_events("acme", request_of(app, secret)).result().new == 1
    assert len(app.store.links.find(integration_id="desk")) == 1
    assert app.poller.standing("acme").word == "told"


@pytest.mark.parametrize(
    ("given", "key"), [({"secret": "whsec_%"}, "secret"), ({"callback_url": "platform.example.com"}, "callback_url")]
)
def test_what_cannot_be_used_is_refused(app, given, key):
    """With its question; the secret itself is not in the message."""
    app.source_setup.answer("acme", {"secret": "whsec_c2VjcmV0"})

    with pytest.raises(AnswerUnfit) as caught:
        app.source_setup.answer("acme", given)

    assert caught.value.key == key
    assert "whsec_%" not in caught.value.message


def test_what_is_wrong_is_refused_though_something_is_missing_too(app):
    """It would be refused later, with an answer that is good."""
    with pytest.raises(AnswerUnfit) as caught:
        app.source_setup.answer("acme", {"callback_url": "platform.example.com"})

    assert caught.value.key == "callback_url"
    assert app.source_setup.answered("acme").answers == {}
