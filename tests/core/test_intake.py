"""Which integration an inbound webhook is for."""

from __future__ import annotations

from concurrent.futures import Future
from datetime import UTC, datetime
from types import MappingProxyType, SimpleNamespace

import pytest
import structlog
from pydantic import SecretStr

from connector_core import Delivery, InboundRequest, TicketSnapshot, WebhookRejected
from connector_core.intake import Intake
from connector_core.store import Accepted

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
