"""An instance, simple or difficult, with a clock that stands still, and the integration at it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from connector_core import Integration
from connector_core.testing import FrozenClock
from connector_servicenow_sandbox import DEFAULT, DIFFICULT, ServiceNowSandbox
from tests.support.servicenow import at


@pytest.fixture
def clock() -> FrozenClock:
    """Return a clock that stands still."""
    return FrozenClock()


@pytest.fixture
def sandbox(clock: FrozenClock) -> Iterator[ServiceNowSandbox]:
    """Serve a simple instance."""
    with ServiceNowSandbox(DEFAULT, clock=clock.now) as running:
        yield running


@pytest.fixture
def difficult(clock: FrozenClock) -> Iterator[ServiceNowSandbox]:
    """Serve an instance with lists, rules and rights as customers have them."""
    with ServiceNowSandbox(DIFFICULT, clock=clock.now) as running:
        yield running


@pytest.fixture
def integration(sandbox: ServiceNowSandbox, clock: FrozenClock) -> Integration[Any]:
    """Return an integration with the simple instance."""
    return at(sandbox, clock)


@pytest.fixture
def hard(difficult: ServiceNowSandbox, clock: FrozenClock) -> Integration[Any]:
    """Return an integration with the difficult instance."""
    return at(
        difficult,
        clock,
        new_fields="u_location_code = {{ incident.location.id }}",
        close_fields="u_root_cause = hardware",
    )
