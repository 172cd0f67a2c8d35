"""What comes in while another process has changed settings, and nobody has told: it counts as they are now."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
import requests
import structlog
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.routing import Route

from connector_core.delivery_log.recorder import DeliveryLog, Keeping
from connector_core.inbound.intake import Intake
from connector_core.local_server import LocalServer
from connector_core.metrics import Metrics
from connector_core.secrets import SecretBox
from connector_core.store import IntegrationState
from connector_core.store.opening import open_store
from connector_core.testing import MemoryDesk, MemoryPlatform
from connector_core.web import receive
from connector_core.web.receive import Deliveries, Receiver
from tests.core.conftest import PASSPHRASE
from tests.support.configured import registry_of

PUSHED_WITH, NEW = "whsec_c2VjcmV0", "a secret that is new"
CONFIG = f"""
secret_key: a passphrase that is long enough
organizations: {{acme: {{source: {{plugin: platform, secret: {PUSHED_WITH}}}}}}}
"""


@pytest.fixture
def deaf(store, database_place, clock, monkeypatch):
    """Return the doors of a node that looks once an hour; its integration is active, and has a secret, since then."""
    monkeypatch.setattr(type(store.database), "look_again_s", 3600.0)
    monkeypatch.setattr(receive, "LOOKED_JUST_NOW_S", 0.0)
    other = open_store(database_place, SecretBox([PASSPHRASE]))
    (known,) = other.integrations.every()
    other.integrations.put(replace(known, state=IntegrationState.DRAFT))
    platform, desk = MemoryPlatform(clock), MemoryDesk(clock)
    registry, _ = registry_of(store, clock, [desk.entry_point(), platform.entry_point()], CONFIG)
    log, metrics = structlog.get_logger("test"), Metrics()
    assert registry.targets("acme") == []
    other.integrations.put(replace(known, webhook_secrets=(SecretStr(NEW),)))
    other.close()
    nothing_kept = Keeping(enabled=False, keep=timedelta(0), payloads=timedelta(0), most=0)
    receiver = Receiver(
        Intake(store, registry, log),
        metrics=metrics,
        nudge=lambda: None,
        clock=clock,
        log=log,
        delivery_log=DeliveryLog(store.delivery_log, nothing_kept, metrics=metrics, clock=clock, log=log),
    )
    web = Starlette(routes=[Route("/events/{source}", receiver.events, methods=["POST"])])
    web.add_middleware(Deliveries, receiver=receiver)
    server = LocalServer(web)
    server.start()

    def post(path, request):
        return requests.post(server.url + path, data=request.body, headers=request.headers, timeout=20)

    yield SimpleNamespace(post=post, platform=platform, desk=desk, registry=registry)
    server.stop()


def linked(store):
    """Return the integrations that incidents are linked with."""
    return [link.integration_id for link in store.links.find()]


def test_a_pushed_event_goes_to_what_is_active_by_now(deaf, store):
    """Else its incident would never get a ticket."""
    deaf.platform.open("Offline")
    request = deaf.platform.signed(*deaf.platform.told, secret=PUSHED_WITH)

    answer = deaf.post("/events/acme", request)

    assert (answer.status_code, answer.json()["accepted"]) == (200, 1)
    assert linked(store) == ["desk"]


def test_what_was_polled_goes_to_what_is_active_by_now(deaf, store, clock):
    """And it is read no further than that was written."""
    deaf.platform.open("Offline")
    reading = store.sources.reading("acme", "platform")
    given = []

    def accept(targets, as_of):
        given.append(len(targets))
        told = deaf.platform.told
        return store.inbox.accept_poll("acme", reading, told, targets, "1", clock.now(), as_of)

    assert deaf.registry.with_targets("acme", accept).new == 1
    assert given == [0, 1]
    assert linked(store) == ["desk"]
    assert store.sources.reading("acme", "platform").cursor == "1"


def test_a_delivery_signed_with_a_new_secret_is_taken(deaf):
    """Nobody is refused before it was looked whether the secret is new; what nobody signed still is."""
    deaf.desk.open("Asked for by a person")
    deaf.desk.edit("1", title="Seen to")
    good, bad = (deaf.desk.signed(deaf.desk.told[-1], secret) for secret in (NEW, "another"))

    answers = [deaf.post("/external/desk/webhook", one).status_code for one in (good, bad)]

    assert answers == [200, 403]


def test_deliveries_that_come_together_are_all_taken(deaf, monkeypatch):
    """Whoever looked first knows by then; the others are judged once more although that was just now."""
    monkeypatch.setattr(receive, "LOOKED_JUST_NOW_S", 60.0)
    fresh = deaf.registry._fresh
    fresh._seen = (fresh._seen[0], fresh._seen[1] - 100, fresh._seen[2])  # longer ago than just now
    deaf.desk.open("Asked for by a person")
    deaf.desk.edit("1", title="Seen to")
    request = deaf.desk.signed(deaf.desk.told[-1], NEW)

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: deaf.post("/external/desk/webhook", request).status_code, range(24)))

    assert set(answers) == {200}
