"""Webhooks that plugins register by themselves: kept, dropped, and deliveries whose word is not enough."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import structlog
from pydantic import SecretStr

from connector_core import (
    Delivery,
    HookRegistration,
    InboundRequest,
    RetryLater,
    TicketSnapshot,
    WebhookRejected,
    hookimpl,
)
from connector_core.contract.comment_rules import CommentRules, ToIncident, ToTicket
from connector_core.demo.stage import until
from connector_core.engine.duties import OwnDuties
from connector_core.health.webhook_health import findings, health
from connector_core.inbound.intake import Intake
from connector_core.inbound.managed_webhooks import ManagedWebhooks
from connector_core.polling.recurring import Recurring
from connector_core.shares import SharedCrew
from connector_core.store import IntegrationState, LinkState, LinkStatus, ManagedWebhook, Progress
from connector_core.testing import MemoryDesk, MemoryPlatform, recorded
from tests.support.configured import registry_of
from tests.support.forgetting import forget
from tests.support.lanes_at_hand import open_links
from tests.support.rows import everything
from tests.support.sync_lab import edited, happen, kinds, make_lab, run

pytestmark = pytest.mark.lengthy_on_postgresql

REGISTERED = HookRegistration(ids=("1000",), site="https://site.example.test")


class HookingDesk(MemoryDesk):
    """Registers whatever it is told to; what comes to the address is a hint, unless `believed` is given back."""

    gives: HookRegistration | None = REGISTERED
    believed: Delivery | None = None

    @hookimpl
    @recorded
    def keep_webhook(self, integration, address, known):
        """Register."""
        return self.gives

    @hookimpl
    @recorded
    def drop_webhook(self, integration, known):
        """Find it removed."""
        return True

    @hookimpl
    def on_inbound_webhook(self, integration, request):
        """Take what came to the address."""
        hint = Delivery(id="d", event="e", hints=frozenset({"1"}))
        return (self.believed or hint) if request.is_addressed else None


@pytest.fixture
def plugin(clock):
    """Make a plugin that registers webhooks."""
    return HookingDesk(clock)


@pytest.fixture
def registry(store, clock, plugin):
    """Make a registry of the stored integration."""
    return registry_of(store, clock, [plugin.entry_point(), MemoryPlatform(clock).entry_point()])[0]


def called(plugin):
    """Return the hooks that were called."""
    return [call.hook for call in plugin.calls]


def token_of(plugin):
    """Return the token in the address that was registered last."""
    address, _ = plugin.called("keep_webhook")[-1].about
    return address.partition("?token=")[2]


@pytest.fixture
def hooks(store, registry):
    """Make what keeps webhooks."""
    return ManagedWebhooks(store.webhooks, registry, structlog.get_logger("test"))


def test_a_webhook_is_kept_at_an_address_that_nobody_can_guess(hooks, plugin, store):
    """The token in the address is on disk, sealed, and stays the same; what was registered is given back."""
    hooks.keep("desk")
    hooks.keep("desk")

    (first, known_first), (second, known_second) = [call.about for call in plugin.calls]
    assert first == second
    token = token_of(plugin)
    assert len(token) > 40
    assert (known_first, known_second) == (None, REGISTERED)
    assert store.webhooks.managed("desk") == ManagedWebhook(REGISTERED)
    assert token.encode() not in everything(store)


def test_what_stands_in_the_way_is_a_finding_until_it_works(hooks, plugin, store, clock):
    """The registration that there is stays known."""
    hooks.keep("desk")
    plugin.down = RetryLater("The site is down.", fix="Wait.")
    hooks.keep("desk")
    (record,) = store.integrations.every()

    (finding,) = findings(store, record, clock.now())
    assert (finding.code, finding.detail, finding.fix) == ("webhook_not_kept", "The site is down.", "Wait.")
    assert store.webhooks.managed("desk").registration == REGISTERED
    plugin.down = None
    hooks.keep("desk")
    assert store.webhooks.managed("desk").problem == ""


def test_one_that_is_not_wanted_any_more_is_dropped(hooks, plugin, store):
    """The plugin says so, and is then asked to remove it."""
    hooks.keep("desk")
    plugin.gives = None
    hooks.keep("desk")

    assert called(plugin) == ["keep_webhook", "keep_webhook", "drop_webhook"]
    assert store.webhooks.managed("desk") is None


def test_one_of_a_resting_integration_is_dropped_even_if_the_site_is_down(hooks, plugin, store):
    """It ends by itself where nobody can remove it."""
    hooks.keep("desk")
    plugin.down = RetryLater("down")
    hooks.drop("desk")
    hooks.drop("desk")

    assert store.webhooks.managed("desk") is None
    assert called(plugin).count("drop_webhook") == 1


def test_nothing_is_kept_for_an_integration_that_is_not_active(hooks, plugin, store):
    """A disabled one has none."""
    (record,) = store.integrations.every()
    store.integrations.put(replace(record, state=IntegrationState.DISABLED))
    hooks.keep("desk")

    assert plugin.calls == []


def test_one_that_the_file_disabled_loses_its_webhook(hooks, plugin, store):
    """Nobody pressed a button; the hourly look removes it."""
    hooks.keep("desk")
    (record,) = store.integrations.every()
    store.integrations.put(replace(record, state=IntegrationState.DISABLED))
    hooks.keep("desk")

    assert called(plugin) == ["keep_webhook", "drop_webhook"]
    assert store.webhooks.managed("desk") is None


def asked(token, clock):
    """Make a request to an address with a token."""
    return InboundRequest(
        headers={}, body=b"{}", received_at=clock.now(), token=None if token is None else SecretStr(token)
    )


def test_only_the_right_token_is_an_address(hooks, plugin, store, registry, clock):
    """Without it, or with another, nothing is taken; the secrets of signatures are no tokens."""
    (record,) = store.integrations.every()
    store.integrations.put(replace(record, webhook_secrets=()))
    intake = Intake(store, registry, structlog.get_logger("test"))
    with pytest.raises(WebhookRejected):
        intake.take_webhook("desk", asked("anything", clock))
    hooks.keep("desk")
    token = token_of(plugin)

    for wrong in (None, "", token[:-1], token + "x", token.upper(), "\udcff"):
        with pytest.raises(WebhookRejected):
            intake.take_webhook("desk", asked(wrong, clock))
    assert intake.take_webhook("desk", asked(token, clock)).result().ignored == 1
    (record,) = store.integrations.every()
    found = health(store, record)
    assert [(use.which, use.count) for use in found.secrets] == [("address", 1)]
    assert found.state == "arriving"


def test_what_an_unsigned_delivery_shows_is_left_out_by_the_core_too(hooks, plugin, store, registry, clock):
    """A plugin that believes it changes nothing: only the hint is kept."""
    hooks.keep("desk")
    token = token_of(plugin)
    plugin.believed = Delivery(id="d", event="e", deleted=frozenset({"1"}), hints=frozenset({"1"}))
    open_links(store, clock, 1)
    (claim,) = store.lanes.claim("boot", clock.now(), 8, 7200)
    ticket = TicketSnapshot(id="1", key="T-1", title="Offline", updated=clock.now())
    store.links.record(claim, Progress(ticket=ticket, base={}, status=LinkStatus(LinkState.IN_SYNC)), clock.now())
    Intake(store, registry, structlog.get_logger("test")).take_webhook("desk", asked(token, clock)).result()

    link = store.links.get(claim.link_id)
    assert (link.status.state, link.hints) == (LinkState.IN_SYNC, 1)


def test_a_hint_has_the_ticket_read_and_is_not_believed(store, clock):
    """The lane reads what the ticketing system shows; many hints are one read."""
    lab = make_lab(store, clock)
    happen(lab)
    clock.forward(1)
    edited(lab, title="true")
    before = len(lab.calls)
    for number in range(3):
        store.inbox.accept_delivery(
            "desk", Delivery(id=f"h{number}", event="e", hints=frozenset({"1"})), clock.now()
        ).result()

    link = run(lab)

    assert (link.ticket.title, link.incident.title, link.hints) == ("true", "true", 0)
    assert [call.hook for call in lab.calls[before:]] == ["fetch_tickets", "apply_change"]


def test_a_hint_that_could_not_be_followed_is_followed_later(store, clock):
    """The site is down; the hint stays."""
    lab = make_lab(store, clock)
    happen(lab)
    store.inbox.accept_delivery("desk", Delivery(id="h", event="e", hints=frozenset({"1"})), clock.now()).result()
    lab.desk.refuse_with(RetryLater("down"))

    assert (run(lab).hints, run(lab).status.state) == (1, LinkState.WAITING)
    clock.forward(600)
    assert (run(lab).hints, run(lab).status.state) == (0, LinkState.IN_SYNC)


def test_a_hint_about_a_stranger_is_ignored(store, clock):
    """Tickets that are not linked are nobody's concern."""
    delivery = Delivery(id="h", event="e", hints=frozenset({"99"}))

    assert store.inbox.accept_delivery("desk", delivery, clock.now()).result().ignored == 1


def test_a_hint_that_comes_before_the_answer_to_a_create_is_followed_afterwards(store, clock):
    """A rule changes the ticket in the second it is made: it is read once, as soon as the link is there."""
    lab = make_lab(store, clock)

    def changed_by_a_rule(call, receipt):
        if call.hook == "on_incident_event":
            for name in ("h1", "h2"):
                hint = Delivery(id=name, event="e", hints=frozenset({receipt.ticket.id, "99"}))
                store.inbox.accept_delivery("desk", hint, clock.now()).result()
            edited(lab, title="ruled")

    lab.desk.during = changed_by_a_rule
    happen(lab)

    link = run(lab)

    assert (link.incident.title, link.hints, link.status.state) == ("ruled", 0, LinkState.IN_SYNC)
    assert [call.hook for call in lab.calls] == ["on_incident_event", "fetch_tickets", "apply_change"]
    clock.forward(3600)
    forget(store, clock.now())
    assert store.overview.stats().early_dropped == 1


def test_a_hint_is_kept_only_while_something_is_created(store, clock):
    """At any other time an unknown ticket is nobody's."""
    lab = make_lab(store, clock)
    store.inbox.accept_delivery("desk", Delivery(id="h", event="e", hints=frozenset({"1"})), clock.now()).result()
    happen(lab)

    assert (run(lab).hints, kinds(lab)) == (0, [("on_incident_event", "CreateTicket")])


@pytest.mark.parametrize(
    ("comments", "is_kept"),
    [
        (CommentRules(), False),
        (CommentRules(to_ticket=ToTicket.INTERNAL), False),
        (CommentRules(to_incident=ToIncident.PUBLIC, since=datetime(2026, 1, 1, tzinfo=UTC)), True),
    ],
)
def test_what_changes_the_webhook_is_acted_on_at_once(store, clock, registry, comments, is_kept):
    """Comments that are switched on are told of from then on, not an hour later; nothing else asks for a call."""
    (record,) = store.integrations.every()
    record = replace(record, state=IntegrationState.ACTIVE, answers={**record.answers, "managed_webhook": True})
    store.integrations.put(record)
    kept, log = threading.Event(), structlog.get_logger("test")
    webhooks = ManagedWebhooks(store.webhooks, registry, log)
    hooks = Recurring(
        "hook",
        webhooks.intervals,
        lambda *_: kept.set(),
        mark=webhooks.mark,
        duties=OwnDuties(clock),
        crew=SharedCrew("call", 4, most=4),
        clock=clock,
        log=log,
    )
    hooks.follow()
    hooks.rounds.step()
    assert kept.wait(10)
    until(lambda: hooks.rounds.waits()["desk"] > 0)

    store.integrations.put(replace(record, comments=comments))
    hooks.follow(["desk"])

    assert (hooks.rounds.waits()["desk"] == 0) is is_kept
