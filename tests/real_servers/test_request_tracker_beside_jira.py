"""One organization with Jira and a real Request Tracker in one daemon, and rules that decide between them."""

from __future__ import annotations

from contextlib import closing

import pytest
from ruamel.yaml import YAML

from connector_core.demo.stage import INTEGRATION, ORGANIZATION, Stage, sandbox_plugin, until
from connector_core.plugins import load_plugins
from connector_request_tracker_sandbox import RequestTrackerSandbox
from tests.support.needed import require

pytestmark = pytest.mark.request_tracker

TRACKER = "acme-tracker"
RULES = [
    {"when": {"priority": "critical"}, "to": [INTEGRATION, TRACKER]},
    {"when": {"title": "printer"}, "to": TRACKER},
    {"to": INTEGRATION},
]


@pytest.fixture(scope="module")
def tracker():
    """Serve a site."""
    require("request-tracker")
    with RequestTrackerSandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def stage(tmp_path_factory, tracker):
    """Open a stage whose file has the site beside the helpdesk, and rules between them."""
    opened = Stage(sandbox_plugin(load_plugins(), "jira"), tmp_path_factory.mktemp("beside"), reconcile="1s")
    settings = {"plugin": "request_tracker", **tracker.integration_settings(), "token": "${env:TRACKER_TOKEN}"}
    opened.environ["TRACKER_TOKEN"] = tracker.token
    opened.daemon = opened.daemon_class(opened.config_path, opened.daemon.url, opened.daemon.log_path, opened.environ)
    tree = YAML().load(opened.config_path)
    acme = tree["organizations"][ORGANIZATION]
    acme["integrations"][TRACKER] = settings
    acme["routing"] = RULES
    YAML().dump(tree, opened.config_path)
    with closing(opened):
        opened.open()
        yield opened


def tickets_of(stage, incident):
    """Return the tickets of an incident by integration."""
    with stage.opened_store() as store:
        links = store.links.find(text=incident)
    return {link.integration_id: link.ticket.id for link in links if link.ticket is not None}


def test_rules_decide_who_gets_an_incident_and_each_side_follows(stage, tracker):
    """One for both, one for each; changes go through all, and a ticket that is finished in one closes both."""
    urgent = stage.platform.open("Core switch down", priority="critical")
    printer = stage.platform.open("Lobby printer jammed", priority="high")
    other = stage.platform.open("Sensor silent", priority="low")
    until(lambda: len(tickets_of(stage, urgent)) == 2)
    until(lambda: tickets_of(stage, printer) and tickets_of(stage, other))
    assert list(tickets_of(stage, printer)) == [TRACKER]
    assert list(tickets_of(stage, other)) == [INTEGRATION]
    at_jira, at_tracker = (tickets_of(stage, urgent)[name] for name in (INTEGRATION, TRACKER))

    tracker.edit_ticket(at_tracker, title="Power supply dead")
    until(lambda: stage.platform.incident(urgent)["title"] == "Power supply dead")
    until(lambda: stage.sandbox.ticket(at_jira)["title"] == "Power supply dead")
    tracker.finish_ticket(at_tracker)

    until(lambda: stage.sandbox.ticket(at_jira)["done"])
    until(lambda: stage.platform.incident(urgent)["status"] in {"closed", "resolved"})
    assert {stage.platform.incident(one)["status"] for one in (printer, other)} == {"active"}
    assert (len(stage.sandbox.tickets()), len(tracker.tickets())) == (2, 2)
