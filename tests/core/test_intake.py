"""What comes in: which integration a webhook is for, and whose events are taken."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from types import MappingProxyType

import pytest
import structlog
from pydantic import SecretStr

from connector_core import (
    Delivery,
    EventType,
    HookRegistration,
    InboundRequest,
    Incident,
    IncidentEvent,
    PluginError,
    Push,
    TicketSnapshot,
    WebhookRejected,
    hookimpl,
)
from connector_core.engine.backoff import HORIZON_S
from connector_core.health.refusals import SIGNATURE_MISMATCH
from connector_core.health.webhook_health import ADDRESS, name_of
from connector_core.http_source.signatures import sign, signing_keys
from connector_core.inbound.intake import Intake
from connector_core.store import Accepted, ManagedWebhook, Progress, Rest, Target, deliveries, shown_tickets
from connector_core.store.records import SIGNED
from connector_core.testing import MemoryDesk, MemoryPlatform
from tests.support.configured import registry_of

ROUTE = "desk"


class OddDesk(MemoryDesk):
    """A desk that notes whose integration was asked about a delivery; `gives` has other answers, by integration."""

    gives = MappingProxyType({})

    def __init__(self, clock):
        super().__init__(clock)
        self.asked = []
        vars(self)["find_signature"] = None  # no hook: each integration is asked

    @hookimpl
    def on_inbound_webhook(self, integration, request):
        """Take a delivery."""
        self.asked.append((integration.id, request.is_addressed))
        if integration.id in self.gives:
            given = self.gives[integration.id]
            if isinstance(given, Exception):
                raise given
            return given
        return super().on_inbound_webhook(integration, request)


@pytest.fixture
def desk(clock):
    """Make the ticketing system whose webhooks come in."""
    return OddDesk(clock)


@pytest.fixture
def intake(store, clock, desk):
    """Return a function that makes an intake for integrations given as (id, secrets), each of its own organization.

    With `organization` they all belong to that one. `tickets` are the addresses of their ticket 1.
    """

    def make(*integrations, tickets=(), organization=None):
        (record,) = store.integrations.every()
        store.integrations.remove(record.id)
        for name, secrets in integrations:
            given = tuple(map(SecretStr, secrets))
            owner = organization or f"org-{name}"
            store.integrations.put(replace(record, id=name, organization=owner, webhook_secrets=given))
        for name, url in dict(tickets).items():
            link(store, clock, name, url)
        registry, _ = registry_of(store, clock, [desk.entry_point(), MemoryPlatform(clock).entry_point()])
        return Intake(store, registry, structlog.get_logger("test"))

    return make


def link(store, clock, name, url, organization=None):
    """Link ticket 1 of an integration, at an address."""
    now = clock.now()
    incident = Incident(id="inc-1", title="Offline")
    event = IncidentEvent(id=f"evt-{name}", type=EventType.OPENED, occurred_at=now, incident=incident)
    store.inbox.accept_events(organization or f"org-{name}", [event], [Target(name, {}, now)], now).result()
    (claim,) = store.lanes.claim("boot", now, 8, HORIZON_S)
    ticket = TicketSnapshot(id="1", key="T-1", url=url, title="x", updated=now)
    store.links.record(claim, Progress(ticket=ticket, base={}), now)
    store.lanes.release(claim, Rest(), now)


def signed(desk, secret="b", *, shown=None):
    """Return the delivery of a change of ticket 1 that is shown at an address."""
    ticket = TicketSnapshot(id="1", key="T-1", url=shown, title="x", updated=desk.clock.now())
    return desk.signed(Delivery(id="1", event="e", tickets=(ticket,)), secret)


def takers(store):
    """Return the integrations that a delivery was stored for."""
    return [
        record.id for record in store.integrations.every() if store.webhooks.last_delivery_at(record.id) is not None
    ]


def test_the_first_integration_whose_secret_matches_wins(intake, desk, store):
    """The order is that in which they were made, and one is enough: the others are not asked."""
    made = intake(("one", ["a"]), ("two", ["x", "b"]), ("three", ["b"]), organization="acme")

    made.take_webhook(ROUTE, signed(desk)).result()

    assert takers(store) == ["two"]
    assert desk.asked == [("one", False), ("two", False)]


def test_an_address_of_one_integration_is_for_that_one(intake, desk, store):
    """With its id in the address only that integration's secret counts."""
    made = intake(("two", ["b"]), ("three", ["b"]))

    made.take_webhook(ROUTE, signed(desk), "three").result()

    assert takers(store) == ["three"]


@pytest.mark.parametrize("secrets", [[], [""], ["a"]])
def test_nobody_matches_means_forbidden(intake, desk, store, secrets):
    """No secret, an empty one and a wrong one are all 403."""
    made = intake(("one", secrets))

    with pytest.raises(WebhookRejected) as caught:
        made.take_webhook(ROUTE, signed(desk))

    assert caught.value.status == 403
    assert takers(store) == []


@pytest.mark.parametrize(
    ("address", "code", "named"),
    [(None, SIGNATURE_MISMATCH, ""), ("one", SIGNATURE_MISMATCH, "one"), ("nobody", "integration_unknown", "")],
)
def test_a_refusal_names_the_integration_whose_address_was_called(intake, desk, address, code, named):
    """Who looks for the fault sees whether it is the secret of one integration, or an address that nobody has."""
    made = intake(("one", ["a"]))

    with pytest.raises(WebhookRejected) as caught:
        made.take_webhook(ROUTE, signed(desk), address)

    assert (caught.value.status, caught.value.code, caught.value.integration) == (403, code, named)


@pytest.mark.parametrize(("status", "named"), [(400, "one"), (413, "one"), (401, ""), (403, "")])
def test_what_a_plugin_refuses_is_its_integrations_once_the_sender_is_proven(intake, desk, store, status, named):
    """Otherwise strangers could have any integration look as if its webhooks were broken."""
    made = intake(("one", ["b"]))
    desk.gives = {"one": WebhookRejected("Odd.", status=status, reply="odd", code="odd")}

    with pytest.raises(WebhookRejected, match="Odd") as caught:
        made.take_webhook(ROUTE, signed(desk))

    refusal = caught.value
    assert (refusal.status, refusal.reply, refusal.code, refusal.integration) == (status, "odd", "odd", named)
    assert takers(store) == []


def test_another_integration_of_the_organization_reads_a_delivery_itself(intake, desk, store):
    """What the signer's plugin makes of it is not taken for what the one with the ticket would; that may want none."""
    made = intake(("one", ["b"]), ("two", []), organization="acme")
    link(store, desk.clock, "two", None, organization="acme")
    desk.gives = {"two": None}

    made.take_webhook(ROUTE, signed(desk)).result()

    assert desk.asked == [("one", False), ("two", False)]
    assert takers(store) == ["one"]


def test_a_route_that_no_plugin_has_is_not_found(intake, desk, store):
    """Nobody is asked."""
    made = intake(("one", ["b"]))

    with pytest.raises(WebhookRejected) as caught:
        made.take_webhook("unknown", signed(desk))

    assert (caught.value.status, caught.value.reply) == (404, "not found")
    assert (desk.asked, takers(store)) == ([], [])


@pytest.mark.parametrize(("secrets", "asked"), [(["", "a"], True), ([""], False), ([], False)])
def test_only_an_integration_with_a_secret_is_asked(intake, desk, secrets, asked):
    """Without any secret a plugin could believe a delivery that nobody signed; one beside an empty one is enough."""
    made = intake(("one", secrets))

    with pytest.raises(WebhookRejected):
        made.take_webhook(ROUTE, signed(desk))

    assert bool(desk.asked) is asked


def test_a_plugin_that_gives_no_delivery_is_at_fault(intake, desk, store):
    """What it gave is not stored."""
    made = intake(("one", ["b"]))
    desk.gives = {"one": "a delivery"}

    with pytest.raises(PluginError, match="gave back str from on_inbound_webhook, not Delivery"):
        made.take_webhook(ROUTE, signed(desk))

    assert takers(store) == []


@pytest.mark.parametrize(("position", "name"), [(0, "first"), (1, "second"), (2, None), (-1, None), (None, None)])
def test_the_secret_that_signed_is_counted_by_its_name(intake, desk, store, position, name):
    """Which of two secrets is still in use is known; a plugin that names none, or one too many, counts none."""
    made = intake(("one", ["first", "second"]))
    desk.gives = {"one": Delivery(id="1", event="e", signed_by=position)}

    made.take_webhook(ROUTE, signed(desk)).result()

    counted = [fact for fact in store.webhooks.facts("one") if fact.startswith(SIGNED)]
    assert counted == ([] if name is None else [SIGNED + name_of(SecretStr(name))])


HINT = Delivery(id="d", event="e", hints=frozenset({"1"}), ignored="issue_thin")
REGISTERED = ManagedWebhook(HookRegistration(ids=("1",), site="https://site.example.test"))


@pytest.fixture
def repeat():
    """Hold what has the last delivery come again, once there was one."""
    return []


@pytest.fixture
def addressed(intake, desk, store, monkeypatch, repeat):
    """Return a function that takes a delivery at the address of webhooks of our own, and tells what was stored.

    `gives` is what the plugin makes of it, by integration; all have the ticket, and a webhook but those `without`.
    """

    def take(gives, *, without=(), token="the token", known="the token", to=None):
        made = intake(*((name, []) for name in gives), tickets=dict.fromkeys(gives))
        desk.gives = gives
        for name in gives.keys() - set(without):
            store.webhooks.save_managed(name, REGISTERED)
        if known is not None:
            store.webhooks.save_token(ROUTE, SecretStr(known))
        stored, accept = [], store.inbox.accept_deliveries

        def watched(organization, given, at):
            stored.extend(given)
            return accept(organization, given, at)

        monkeypatch.setattr(store.inbox, "accept_deliveries", watched)
        request = replace(signed(desk), token=SecretStr(token))
        repeat.clear()
        repeat.append(lambda: made.take_webhook(ROUTE, request, to).result())
        repeat[0]()
        return stored

    return take


def test_a_hint_is_stored_for_each_integration_that_it_is_about(addressed, desk, store):
    """The site has one webhook; whoever registered one there is asked, and no one else."""
    proven = HINT.model_copy(update={"signed_by": 0})
    gives = {"one": HINT, "none": HINT, "other": None, "proven": proven, "two": HINT}

    assert addressed(gives, without=["none"]) == [("one", HINT, ADDRESS), ("two", HINT, ADDRESS)]
    assert desk.asked == [("one", True), ("other", True), ("proven", True), ("two", True)]
    assert takers(store) == ["one", "two"]


def test_a_hint_for_several_is_answered_when_all_are_stored_or_none_is(addressed, store, monkeypatch, repeat):
    """One of them cannot be stored: nobody is told that it was, and the same delivery is taken when it comes again."""
    see, failing = shown_tickets.hint, ["two"]

    def hint(db, integration_id, ticket_id, at, **told_by):
        if integration_id in failing:
            raise sqlite3.IntegrityError("it was removed meanwhile")
        return see(db, integration_id, ticket_id, at, **told_by)

    monkeypatch.setattr(deliveries, "hint", hint)

    with pytest.raises(sqlite3.IntegrityError):
        addressed({"one": HINT, "two": HINT, "three": HINT})
    assert takers(store) == []

    failing.clear()
    repeat[0]()
    assert takers(store) == ["one", "two", "three"]


def test_of_what_came_to_an_address_only_the_hint_is_taken(addressed):
    """What it shows of tickets is nobody's word."""
    shown = TicketSnapshot(id="1", key="T-1", title="x")
    told = {"tickets": (shown,), "deleted": frozenset({"1"}), "commented": {"1": frozenset({"c"})}}

    assert addressed({"one": HINT.model_copy(update=told)}) == [("one", HINT, ADDRESS)]


def test_a_hint_to_an_address_with_an_id_is_for_that_integration(addressed, desk):
    """Others on the same site are not asked."""
    assert [name for name, *_ in addressed({"one": HINT, "two": HINT}, to="two")] == ["two"]
    assert desk.asked == [("two", True)]


@pytest.mark.parametrize("known", [None, "", "another token"])
@pytest.mark.parametrize("token", ["the token", ""])
def test_a_token_that_is_not_known_is_no_address(addressed, desk, token, known):
    """Without one of ours, or with another, what comes is a delivery that nobody signed."""
    with pytest.raises(WebhookRejected) as caught:
        addressed({"one": HINT}, token=token, known=known)

    assert caught.value.status == 403
    assert desk.asked == []


def test_a_token_is_no_reason_to_refuse_what_was_signed(intake, desk, store):
    """When no integration takes it as a hint, its signature counts as usual."""
    made = intake(("one", ["b"]))
    store.webhooks.save_token(ROUTE, SecretStr("t"))

    made.take_webhook(ROUTE, replace(signed(desk), token=SecretStr("t"))).result()

    assert takers(store) == ["one"]
    assert desk.asked == [("one", False)]


SECRET, ANOTHER = "whsec_c2VjcmV0", "whsec_b3RoZXI="
SOURCES = f"""
secret_key: a passphrase that is long enough
organizations:
  acme: {{source: {{plugin: platform, secret: {SECRET}}}}}
  quiet: {{source: {{plugin: quiet, secret: {SECRET}}}}}
  plain: {{source: {{plugin: plain, secret: {SECRET}}}}}
  bare: {{}}
"""


class PlainPlatform(MemoryPlatform):
    """A platform whose plugin gives back events, and nothing about those that cannot be taken."""

    @hookimpl
    def on_source_push(self, source, request):
        """Read events."""
        return list(super().on_source_push(source, request))


@pytest.fixture
def platform(clock):
    """Make the platform whose events come in: one incident was opened there."""
    made = MemoryPlatform(clock)
    made.open("Offline")
    return made


@pytest.fixture
def events(store, clock, desk, platform):
    """Make an intake for two sources that push, one that does not, and an organization without any."""
    quiet = MemoryPlatform(clock, name="quiet").entry_point(without=["on_source_push"])
    plain = PlainPlatform(clock, name="plain").entry_point()
    registry, _ = registry_of(store, clock, [desk.entry_point(), platform.entry_point(), quiet, plain], SOURCES)
    return Intake(store, registry, structlog.get_logger("test"))


def test_pushed_events_are_stored_for_their_organization(events, platform, store):
    """The future tells how many were new, once they are on disk; one of them becomes a link of its integration."""
    request = platform.signed(*platform.told, secret=SECRET)

    assert events.take_events("acme", request).result() == Accepted(new=1)
    assert events.take_events("acme", request).result() == Accepted(duplicate=1)

    assert [(link.organization, link.integration_id) for link in store.links.find()] == [("acme", "desk")]


def test_what_cannot_be_taken_of_pushed_events_is_told(events, platform, clock):
    """The sender hears which of its events were refused; the others are stored."""
    good, bad = platform.told[0].model_dump_json(), '{"id": "evt-9", "type": "incident.exploded"}'
    body = f"[{good}, {bad}]".encode()
    headers = sign(signing_keys(SECRET), "msg-1", clock.now(), body)

    taken = events.take_events("acme", InboundRequest(headers=headers, body=body, received_at=clock.now()))

    assert taken.result() == Accepted(new=1)
    assert [(one.position, one.id) for one in taken.push.refused] == [(1, "evt-9")]


def test_a_plugin_may_give_back_a_plain_list_of_events(events, platform):
    """Then all of them could be read; this organization has no integration that would want them."""
    taken = events.take_events("plain", platform.signed(*platform.told, secret=SECRET))

    assert taken.result().ignored == 1
    assert taken.push == Push(tuple(platform.told))


@pytest.mark.parametrize(
    ("organization", "code"), [("nobody", "source_unknown"), ("bare", "source_unknown"), ("quiet", "")]
)
def test_events_are_taken_where_a_source_pushes_only(events, platform, organization, code):
    """To strangers an organization without a source, and one whose source pushes nothing, look like none at all."""
    with pytest.raises(WebhookRejected) as caught:
        events.take_events(organization, platform.signed(*platform.told, secret=SECRET))

    assert (caught.value.status, caught.value.reply) == (404, "not found")
    assert caught.value.code == code or not code


def test_events_that_nobody_signed_are_refused(events, platform, store):
    """Nothing of them is stored."""
    with pytest.raises(WebhookRejected) as caught:
        events.take_events("acme", platform.signed(*platform.told, secret=ANOTHER))

    assert caught.value.status == 401
    assert store.links.find() == []


def test_a_ticket_is_followed_while_a_link_has_it_or_may_get_it(store, clock):
    """Of its own organization; one that is just being created may be any."""
    (record,) = store.integrations.every()
    now = clock.now()
    link(store, clock, record.id, None, record.organization)
    assert store.links.follows(record.organization, "1")
    assert not store.links.follows(record.organization, "2")
    assert not store.links.follows("another", "1")

    event = IncidentEvent(id="e2", type=EventType.OPENED, occurred_at=now, incident=Incident(id="inc-2", title="x"))
    store.inbox.accept_events(record.organization, [event], [Target(record.id, {}, now)], now).result()
    (claim,) = store.lanes.claim("boot", now, 8, HORIZON_S)
    store.links.record(claim, Progress(attempted_at=now, attempted_incident=event.incident), now)

    assert store.links.follows(record.organization, "2")
    assert not store.links.follows("another", "2")
