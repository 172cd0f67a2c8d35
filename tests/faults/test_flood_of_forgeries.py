"""Forged deliveries by the hundred while a known sender goes on: he is taken, and they cost what is bounded."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from pydantic import SecretStr

from connector_core import Delivery
from connector_core.inbound.senders import Allowance
from connector_core.store import IntegrationRecord, IntegrationState, Origin
from connector_core.testing import MemoryDesk
from tests.support.served import Served

IS_LONG = os.environ.get("CONNECTOR_CAMPAIGN") == "long"
TENANTS = 3000 if IS_LONG else 300
FORGED = 2000 if IS_LONG else 150


@pytest.fixture
def served(tmp_path):
    """Serve many organizations from one address."""
    one = Served(tmp_path)
    yield one
    one.stop()


def add_tenants(app):
    """Store integrations with a secret each."""
    for number in range(TENANTS):
        app.store.integrations.put(
            IntegrationRecord(
                id=f"desk-{number}",
                organization=f"org-{number}",
                plugin="desk",
                origin=Origin.SETUP,
                state=IntegrationState.ACTIVE,
                answers={"desk": "1"},
                secret_answers={},
                webhook_secrets=(SecretStr(f"secret of {number}"),),
                created_at=app.clock.now(),
                activated_at=app.clock.now(),
            )
        )


def deliver(served, number, secret):
    """Send a delivery that a secret signed; return the answer."""
    made = MemoryDesk(served.clock).signed(Delivery(id=f"{secret}-{number}", event="e"), secret)
    address = f"{served.url}/external/desk/webhook"
    return requests.post(address, data=made.body, headers=dict(made.headers), timeout=60)


def test_a_flood_of_forgeries_refuses_no_known_sender(served):
    """What nobody signed is answered 403 as long as there is time to look, then 429 with when to come again."""
    add_tenants(served.app)
    served.app.intake.senders.allowance = Allowance(served.clock, TENANTS * 10 * 3000, TENANTS * 10 * 3000)
    assert deliver(served, 0, f"secret of {TENANTS - 1}").status_code == 200

    with ThreadPoolExecutor(8) as pool:
        forged = [pool.submit(deliver, served, number, "nobody's") for number in range(FORGED)]
        known = [deliver(served, number, f"secret of {TENANTS - 1}") for number in range(1, 20)]
        answers = [one.result() for one in forged]

    assert {one.status_code for one in known} == {200}
    assert {one.status_code for one in answers} == {403, 429}
    assert all(int(one.headers["Retry-After"]) >= 1 for one in answers if one.status_code == 429)
    told = requests.get(f"{served.url}/metrics", timeout=10).text
    limited = sum(one.status_code == 429 for one in answers)
    assert f'connector_rejected_total{{code="search_limit",kind="webhook"}} {limited}.0' in told
