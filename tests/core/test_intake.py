"""Which integration an inbound webhook is for."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import entry_points
from types import MappingProxyType, SimpleNamespace

import pytest
import structlog
from activation import activate
from fake_plugins import desk_entry_point, platform_entry_point
from pydantic import SecretStr

from connector_core import (
    Delivery,
    HookRegistration,
    InboundRequest,
    PluginError,
    TicketSnapshot,
    WebhookRejected,
)
from connector_core.app import build_app
from connector_core.config import load_config
from connector_core.intake import Intake
from connector_core.plugins import load_plugins
from connector_core.signatures import sign, signing_keys
from connector_core.store import Accepted
from connector_core.store.records import SIGNED
from connector_core.testing import FrozenClock
from connector_core.webhook_health import ADDRESS, name_of

REQUEST = InboundRequest(headers={"secret": "b"}, body=b"{}", received_at=datetime(2026, 11, 23, tzinfo=UTC))


class FakePlugin:
    """Takes a request whose header names one of the integration's secrets."""

    name = "fake"

    def __init__(self, shown):
        ticket = TicketSnapshot(id="1", key="T-1", url=shown, title="x", updated=REQUEST.received_at)
        self.delivery = Delivery(id="1", event="e", tickets=(ticket,))

    def call(self, hook, *, integration, request):
        """Play the webhook hook."""
        assert hook == "on_inbound_webhook"
        secrets = [secret.get_secret_value() for secret in integration.webhook_secrets]
        return self.delivery if request.headers["secret"] in secrets else None


def intake(*integrations, ambiguous=(), tickets=MappingProxyType({}), shown=None):
    """Make an intake for integrations given as (id, secrets), who have tickets of an id at an address.

    Return it and what is stored.
    """
    stored = []
    plugin = FakePlugin(shown)
    entries = [
        SimpleNamespace(
            record=SimpleNamespace(id=name, organization=f"org-{name}"),
            plugin=plugin,
            handle=SimpleNamespace(webhook_secrets=tuple(map(SecretStr, secrets))),
        )
        for name, secrets in integrations
    ]

    def accept(integration_id, delivery, at, _secret):
        stored.append((integration_id, delivery.id, at))
        future = Future()
        future.set_result(Accepted(new=1))
        return future

    registry = SimpleNamespace(
        routes=lambda: {"fake"},
        is_ambiguous=lambda name: name in ambiguous,
        listeners=lambda _, name=None: [entry for entry in entries if name in {None, entry.record.id}],
    )
    store = SimpleNamespace(accept_delivery=accept, ticket_url=lambda name, number: tickets.get((name, number)))
    return Intake(store, registry, structlog.get_logger("test")), stored


def test_the_first_integration_whose_secret_matches_wins():
    """The order is that in which they were made, and one is enough."""
    made, stored = intake(("one", ["a"]), ("two", ["x", "b"]), ("three", ["b"]))

    made.take_webhook("fake", REQUEST)

    assert [name for name, _, _ in stored] == ["two"]


SHARED = (("one", ["b"]), ("two", ["b"]))
HERE, THERE = "https://here.example.test/browse/T-1", "https://there.example.test/browse/T-1"


@pytest.mark.parametrize(
    ("tickets", "winner"),
    [
        ({}, "one"),
        ({("two", "1"): HERE}, "two"),
        ({("one", "1"): THERE, ("two", "1"): HERE}, "two"),
        ({("one", "1"): HERE, ("two", "1"): THERE}, "one"),
    ],
)
def test_a_secret_that_two_organizations_share_is_for_whose_ticket_it_is(tickets, winner):
    """Ids of tickets are the same on many sites: the site counts too. Nobody's ticket is the first one's to ignore."""
    made, stored = intake(*SHARED, ambiguous={"one", "two"}, tickets=tickets, shown=HERE)

    made.take_webhook("fake", REQUEST)

    assert [name for name, _, _ in stored] == [winner]


@pytest.mark.parametrize(
    ("tickets", "shown"),
    [
        ({("one", "1"): THERE}, HERE),
        ({("one", "1"): HERE, ("two", "1"): HERE}, HERE),
        ({("one", "1"): HERE}, None),
        ({("two", "1"): ""}, None),
    ],
)
def test_a_shared_secret_opens_no_door_when_it_cannot_be_told_whose_it_is(tickets, shown):
    """Another site's ticket with the same id, both have it, or no site is named; on its own address it can be told."""
    made, stored = intake(*SHARED, ambiguous={"one", "two"}, tickets=tickets, shown=shown)

    with pytest.raises(WebhookRejected) as caught:
        made.take_webhook("fake", REQUEST)
    made.take_webhook("fake", REQUEST, "two")

    assert (caught.value.status, caught.value.code) == (403, "secret_shared")
    assert [name for name, _, _ in stored] == ["two"]


def test_an_address_of_one_integration_is_for_that_one():
    """With its id in the address only that integration's secret counts."""
    made, stored = intake(("two", ["b"]), ("three", ["b"]))

    made.take_webhook("fake", REQUEST, "three")

    assert [name for name, _, _ in stored] == ["three"]


@pytest.mark.parametrize("secrets", [[], [""], ["a"]])
def test_nobody_matches_means_forbidden(secrets):
    """No secret, an empty one and a wrong one are all 403."""
    made, stored = intake(("one", secrets))

    with pytest.raises(WebhookRejected) as caught:
        made.take_webhook("fake", REQUEST)

    assert caught.value.status == 403
    assert stored == []


def test_a_route_that_no_plugin_has_is_not_found():
    """Nobody is asked."""
    made, stored = intake(("one", ["b"]))

    with pytest.raises(WebhookRejected) as caught:
        made.take_webhook("unknown", REQUEST)

    assert (caught.value.status, caught.value.reply) == (404, "not found")
    assert stored == []


@pytest.mark.parametrize(("secrets", "asked"), [(["", "a"], True), ([""], False), ([], False)])
def test_only_an_integration_with_a_secret_is_asked(secrets, asked):
    """Without any secret a plugin could believe a delivery that nobody signed; one beside an empty one is enough."""
    made, _ = intake(("one", secrets))
    (entry,) = made.registry.listeners("fake")
    calls = []
    entry.plugin.call = lambda *_, **__: calls.append("asked")

    with pytest.raises(WebhookRejected):
        made.take_webhook("fake", REQUEST)

    assert bool(calls) is asked


def test_a_plugin_that_gives_no_delivery_is_at_fault():
    """What it gave is not stored."""
    made, stored = intake(("one", ["b"]))
    (entry,) = made.registry.listeners("fake")
    entry.plugin.call = lambda *_, **__: "a delivery"

    with pytest.raises(PluginError, match="gave back no delivery"):
        made.take_webhook("fake", REQUEST)

    assert stored == []


@pytest.mark.parametrize(("position", "name"), [(0, "first"), (1, "second"), (2, None), (-1, None), (None, None)])
def test_the_secret_that_signed_is_counted_by_its_name(store, clock, position, name):
    """Which of two secrets is still in use is known; a plugin that names none, or one too many, counts none."""
    secrets = (SecretStr("first"), SecretStr("second"))
    made, _ = intake(("desk", ["first", "second"]))
    (entry,) = made.registry.listeners("fake")
    entry.plugin.call = lambda *_, **__: Delivery(id="1", event="e", signed_by=position)

    replace(made, store=store).take_webhook("fake", REQUEST).result()

    counted = [fact for fact in store.hook_facts("desk") if fact.startswith(SIGNED)]
    assert counted == ([] if name is None else [SIGNED + name_of(secrets[position])])


class Hooked:
    """An integration with a webhook of its own; `gives` is what its plugin makes of a request."""

    def __init__(self, name, gives, *, registered=True):
        self.record = SimpleNamespace(id=name, organization="acme")
        self.plugin = SimpleNamespace(name="fake", call=self._call)
        own = HookRegistration(ids=("1",), site="https://site.example.test") if registered else None
        self.handle = SimpleNamespace(webhook_secrets=(), own_webhook=own)
        self._gives = gives
        self.asked = []

    def _call(self, _, *, integration, request):
        assert integration is self.handle
        self.asked.append(request.is_addressed)
        return self._gives


def addressed(*entries, token="the token", known="the token", addressed_to=None):
    """Take a delivery at the address of webhooks of our own; return for whom what was stored."""
    made, _ = intake()
    stored = []

    def accept(name, delivery, at, secret):
        stored.append((name, delivery, at, secret))
        future = Future()
        future.set_result(Accepted(new=1))
        return future

    made.registry.listeners = lambda _, name=None: [one for one in entries if name in {None, one.record.id}]
    made.store.accept_delivery = accept
    made.store.hook_token = lambda route: None if known is None else SecretStr(f"{known}" if route == "fake" else "")
    request = REQUEST.model_copy(update={"token": SecretStr(token)})
    assert made.take_webhook("fake", request, addressed_to).result() == Accepted(new=1)
    return stored


HINT = Delivery(id="d", event="e", hints=frozenset({"1"}), ignored="issue_thin")


def test_a_hint_is_stored_for_each_integration_that_it_is_about():
    """The site has one webhook; whoever registered one there is asked, and no one else."""
    one, two = Hooked("one", HINT), Hooked("two", HINT)
    none, other, signed = (
        Hooked("none", HINT, registered=False),
        Hooked("other", None),
        Hooked("signed", HINT.model_copy(update={"signed_by": 0})),
    )

    stored = addressed(one, none, other, signed, two)

    assert [(name, delivery, secret) for name, delivery, _, secret in stored] == [
        ("one", HINT, ADDRESS),
        ("two", HINT, ADDRESS),
    ]
    assert one.asked == two.asked == other.asked == signed.asked == [True]
    assert none.asked == []


def test_a_hint_to_an_address_with_an_id_is_for_that_integration():
    """Others on the same site are not asked."""
    one, two = Hooked("one", HINT), Hooked("two", HINT)

    assert [name for name, *_ in addressed(one, two, addressed_to="two")] == ["two"]
    assert one.asked == []


@pytest.mark.parametrize("known", [None, "", "another token"])
def test_a_token_that_is_not_known_is_no_address(known):
    """Without one of ours, or with another, what comes is a delivery that nobody signed."""
    one = Hooked("one", HINT)

    for token in ("the token", ""):
        with pytest.raises(WebhookRejected) as caught:
            addressed(one, token=token, known=known)
        assert caught.value.status == 403
    assert one.asked == []


def test_a_token_is_no_reason_to_refuse_what_was_signed():
    """When no integration takes it as a hint, its signature counts as usual."""
    made, stored = intake(("one", ["b"]))
    made.store.hook_token = lambda _: SecretStr("t")
    (entry,) = made.registry.listeners("fake")
    entry.handle.own_webhook = None

    made.take_webhook("fake", REQUEST.model_copy(update={"token": SecretStr("t")}))

    assert [name for name, _, _ in stored] == ["one"]


@pytest.fixture
def app(tmp_path):
    """Build an app with a source that pushes and one that does not."""
    path = tmp_path / "connector.yaml"
    path.write_text(
        "secret_key: a passphrase that is long enough\n"
        "organizations:\n"
        "  acme: {source: {plugin: http, secret: whsec_c2VjcmV0}}\n"
        "  quiet: {source: {plugin: platform, secret: s}}\n"
        "  bare: {}\n"
    )
    http = [point for point in entry_points(group="connector_core.plugins") if point.name == "http"]
    plugins = load_plugins(entry_points=[*http, desk_entry_point(), platform_entry_point()])
    built = build_app(load_config(path, plugins), plugins, log=structlog.get_logger("test"), clock=FrozenClock())
    activate(built, "desk", "acme")
    yield built
    built.store.close()


def pushed(app, secret="whsec_c2VjcmV0"):
    """Make a signed request with one event."""
    body = (
        b'{"id": "evt-1", "type": "incident.opened", "occurred_at": "2026-11-23T10:00:00Z",'
        b' "incident": {"id": "inc-1", "title": "Offline"}}'
    )
    headers = sign(signing_keys(secret), "msg-1", app.clock.now(), body)
    return InboundRequest(headers=headers, body=body, received_at=app.clock.now())


def test_pushed_events_are_stored_for_their_organization(app):
    """The future tells how many were new, once they are on disk; one of them becomes a link of its integration."""
    assert app.intake.take_events("acme", pushed(app)).result() == Accepted(new=1)
    assert app.intake.take_events("acme", pushed(app)).result() == Accepted(duplicate=1)

    assert [(link.organization, link.integration_id) for link in app.store.find_links()] == [("acme", "desk")]


@pytest.mark.parametrize(
    ("organization", "code"), [("nobody", "source_unknown"), ("bare", "source_unknown"), ("quiet", "")]
)
def test_events_are_taken_where_a_source_pushes_only(app, organization, code):
    """To strangers an organization without a source, and one whose source pushes nothing, look like none at all."""
    with pytest.raises(WebhookRejected) as caught:
        app.intake.take_events(organization, pushed(app))

    assert (caught.value.status, caught.value.reply) == (404, "not found")
    assert caught.value.code == code or not code


def test_events_that_nobody_signed_are_refused(app):
    """Nothing of them is stored."""
    with pytest.raises(WebhookRejected) as caught:
        app.intake.take_events("acme", pushed(app, secret="whsec_b3RoZXI="))

    assert caught.value.status == 401
    assert app.store.find_links() == []
