"""A real tracker for this folder, and handles to call hooks with."""

from __future__ import annotations

import pytest

import connector_roundup
from connector_core import CreateTicket, Incident, Priority
from connector_core.testing import FrozenClock, make_integration
from connector_roundup_sandbox import RoundupSandbox


@pytest.fixture(scope="session")
def desk():
    """Serve one tracker for all of them."""
    with RoundupSandbox() as sandbox:
        yield sandbox


@pytest.fixture
def integration(desk):
    """Return a handle of an integration with it, of a process that has just started."""
    return make_integration(connector_roundup.describe_plugin(), desk.integration_settings(), clock=FrozenClock())


@pytest.fixture
def incident():
    """Return an incident."""
    return Incident(id="inc-1", title="Fan failed", description="It is hot.", priority=Priority.HIGH)


@pytest.fixture
def ticket(integration, incident):
    """Make an issue of it; return that as its receipt shows it."""
    return connector_roundup.on_incident_event(
        integration, CreateTicket(incident=incident, marker="cnx-" + "0" * 20)
    ).ticket
