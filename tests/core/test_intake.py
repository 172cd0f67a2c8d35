"""Which integration an inbound webhook is for."""

from __future__ import annotations

from dataclasses import replace

import pytest
import structlog
from pydantic import SecretStr

from connector_core import Delivery, EventType, Incident, IncidentEvent, TicketSnapshot, WebhookRejected
from connector_core.backoff import HORIZON_S
from connector_core.intake import Intake
from connector_core.store import Progress, Rest, Target
from connector_core.testing import MemoryDesk, MemoryPlatform
from tests.support.configured import registry_of

ROUTE = "desk"


@pytest.fixture
def desk(clock):
    """Make the ticketing system whose webhooks come in."""
    return MemoryDesk(clock)


@pytest.fixture
def intake(store, clock, desk):
    """Return a function that makes an intake for integrations given as (id, secrets), each of its own organization.

    With `organization` they all belong to that one. `tickets` are the addresses of their ticket 1.
    """

    def make(*integrations, tickets=(), organization=None):
        (record,) = store.integrations()
        store.remove_integration(record.id)
        for name, secrets in integrations:
            given = tuple(map(SecretStr, secrets))
            owner = organization or f"org-{name}"
            store.put_integration(replace(record, id=name, organization=owner, webhook_secrets=given))
        for name, url in dict(tickets).items():
            link(store, clock, name, url)
        registry, _ = registry_of(store, clock, [desk.entry_point(), MemoryPlatform(clock).entry_point()])
        return Intake(store, registry, structlog.get_logger("test"))

    return make


def link(store, clock, name, url):
    """Link ticket 1 of an integration, at an address."""
    now = clock.now()
    incident = Incident(id="inc-1", title="Offline")
    event = IncidentEvent(id=f"evt-{name}", type=EventType.OPENED, occurred_at=now, incident=incident)
    store.accept_events(f"org-{name}", [event], [Target(name, {}, now)], now).result()
    (claim,) = store.claim_lanes("boot", now, 8, HORIZON_S)
    ticket = TicketSnapshot(id="1", key="T-1", url=url, title="x", updated=now)
    store.record(claim, Progress(ticket=ticket, base={}), now)
    store.release_lane(claim, Rest(), now)


def signed(desk, secret="b", *, shown=None):
    """Return the delivery of a change of ticket 1 that is shown at an address."""
    ticket = TicketSnapshot(id="1", key="T-1", url=shown, title="x", updated=desk.clock.now())
    return desk.signed(Delivery(id="1", event="e", tickets=(ticket,)), secret)


def takers(store):
    """Return the integrations that a delivery was stored for."""
    return [record.id for record in store.integrations() if store.last_delivery_at(record.id) is not None]


def test_the_first_integration_whose_secret_matches_wins(intake, desk, store):
    """The order is that in which they were made, and one is enough."""
    made = intake(("one", ["a"]), ("two", ["x", "b"]), ("three", ["b"]), organization="acme")

    made.take_webhook(ROUTE, signed(desk)).result()

    assert takers(store) == ["two"]


SHARED = (("one", ["b"]), ("two", ["b"]))
HERE, THERE = "https://here.example.test/browse/T-1", "https://there.example.test/browse/T-1"


@pytest.mark.parametrize(
    ("tickets", "winner"),
    [
        ({}, "one"),
        ({"two": HERE}, "two"),
        ({"one": THERE, "two": HERE}, "two"),
        ({"one": HERE, "two": THERE}, "one"),
    ],
)
def test_a_secret_that_two_organizations_share_is_for_whose_ticket_it_is(intake, desk, store, tickets, winner):
    """Ids of tickets are the same on many sites: the site counts too. Nobody's ticket is the first one's to ignore."""
    made = intake(*SHARED, tickets=tickets)

    made.take_webhook(ROUTE, signed(desk, shown=HERE)).result()

    assert takers(store) == [winner]


@pytest.mark.parametrize(
    ("tickets", "shown"),
    [
        ({"one": THERE}, HERE),
        ({"one": HERE, "two": HERE}, HERE),
        ({"one": HERE}, None),
        ({"two": None}, None),
    ],
)
def test_a_shared_secret_opens_no_door_when_it_cannot_be_told_whose_it_is(intake, desk, store, tickets, shown):
    """Another site's ticket with the same id, both have it, or no site is named; on its own address it can be told."""
    made = intake(*SHARED, tickets=tickets)

    with pytest.raises(WebhookRejected) as caught:
        made.take_webhook(ROUTE, signed(desk, shown=shown))
    made.take_webhook(ROUTE, signed(desk, shown=shown), "two").result()

    assert (caught.value.status, caught.value.code) == (403, "secret_shared")
    assert takers(store) == ["two"]


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
