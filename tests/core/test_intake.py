"""Which integration an inbound webhook is for."""

from __future__ import annotations

from concurrent.futures import Future
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
import structlog
from pydantic import SecretStr

from connector_core import Delivery, InboundRequest, WebhookRejected
from connector_core.intake import Intake
from connector_core.store import Accepted

REQUEST = InboundRequest(headers={"secret": "b"}, body=b"{}", received_at=datetime(2026, 11, 23, tzinfo=UTC))


class FakePlugin:
    """Takes a request whose header names one of the integration's secrets."""

    name = "fake"

    def call(self, hook, *, integration, request):
        """Play the webhook hook."""
        assert hook == "on_inbound_webhook"
        secrets = [secret.get_secret_value() for secret in integration.webhook_secrets]
        return Delivery(id="1", event="e") if request.headers["secret"] in secrets else None


def intake(*integrations, ambiguous=()):
    """Make an intake for integrations given as (id, secrets); return it and what is stored."""
    stored = []
    plugin = FakePlugin()
    entries = [
        SimpleNamespace(
            record=SimpleNamespace(id=name),
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
    return Intake(SimpleNamespace(accept_delivery=accept), registry, structlog.get_logger("test")), stored


def test_the_first_integration_whose_secret_matches_wins():
    """The order is that in which they were made, and one is enough."""
    made, stored = intake(("one", ["a"]), ("two", ["x", "b"]), ("three", ["b"]))

    made.take_webhook("fake", REQUEST)

    assert [name for name, _, _ in stored] == ["two"]


def test_a_secret_that_two_organizations_share_opens_no_door():
    """Whose delivery it is cannot be told; on the integration's own address it can."""
    made, stored = intake(("one", ["b"]), ("two", ["b"]), ambiguous={"one", "two"})

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
