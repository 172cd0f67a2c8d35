"""The plugin that a page shows: it loads, its integration is active without more, and an incident gets a ticket."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest
import structlog

from connector_core import CreateTicket, Incident
from connector_core.app import build_app
from connector_core.config import read_config
from connector_core.plugins import load_plugins
from connector_core.store import IntegrationState
from tests.support.fake_plugins import FakeEntryPoint

PAGE = Path(__file__).parents[1] / "docs" / "plugin-contract.md"
CONFIG = (
    "secret_key: a passphrase of many letters\n"
    "organizations: {acme: {integrations: {my-desk: {plugin: my_desk, queue: support}}}}\n"
)


@pytest.fixture
def points():
    """Make a module of what the page shows, and lead an entry point to it."""
    (shown,) = [
        code for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL) if "PluginInfo" in code
    ]
    module = ModuleType("my_desk")
    exec(compile(shown, str(PAGE), "exec"), vars(module))  # noqa: S102 - our own page
    return [FakeEntryPoint("my_desk", lambda: module)]


@pytest.fixture
def app(tmp_path, points):
    """Put together a connector whose file has an integration of it."""
    path = tmp_path / "connector.yaml"
    path.write_text(CONFIG)
    app = build_app(*read_config(path, points), log=structlog.get_logger("test"))
    app.configured.apply()
    yield app
    app.store.close()


def test_it_is_ready(points):
    """Nothing of it is refused."""
    assert [record.reason for record in load_plugins(entry_points=points).records] == [""]


def test_an_incident_gets_a_ticket(app, requests_mock):
    """Its integration is active from the file alone, and the hook does what it says."""
    requests_mock.post("https://desk.example.com/tickets", json={"id": "7", "key": "D-7"})
    entry = app.registry.entry("my-desk")
    assert (entry.record.state, entry.record.problem) == (IntegrationState.ACTIVE, "")
    incident = Incident(id="1", title="Fan failed")
    change = CreateTicket(incident=incident, marker="m-1")

    receipt = entry.plugin.on_incident_event(entry.handle, change)

    assert receipt.ticket.key == "D-7"
    assert requests_mock.last_request.json() == {"title": "Fan failed"}
