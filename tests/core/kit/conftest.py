"""A desk over HTTP, and an integration with it."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from connector_core import Grant, PluginInfo, Settings
from connector_core.kit.answers import Answers
from connector_core.kit.rest import Rest
from connector_core.testing import FrozenClock, MemoryCore, make_integration
from tests.support.scripted_desk import scripted_desk

RULES = Answers("Helpdesk")


class NoSettings(Settings):
    """Nothing can be set."""


@pytest.fixture
def desk():
    """Serve a desk of its own for each test."""
    with scripted_desk() as served:
        yield served


@pytest.fixture
def core():
    """Have a grant that can be renewed."""
    return MemoryCore(granted("1"), renewer=lambda _: granted("2"))


@pytest.fixture
def integration(core):
    """Have an integration with a clock that is set."""
    info = PluginInfo(name="desk", title="Helpdesk", settings=NoSettings)
    made = make_integration(info, {}, core=core, clock=FrozenClock())
    yield made
    made.session.close()


@pytest.fixture
def rest(desk, integration):
    """Call the API of the desk, which is not at its root."""
    return Rest(integration, f"{desk.url}/api", RULES)


def granted(number):
    """Make the grant of a number."""
    return Grant(headers={"Authorization": SecretStr(f"Bearer {number}")})
