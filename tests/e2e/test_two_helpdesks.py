"""One organization with two helpdesks at once, in one daemon: Jira's stand-in and a real Roundup tracker."""

from __future__ import annotations

from contextlib import closing

import pytest
from ruamel.yaml import YAML

from connector_core.demo.stage import INTEGRATION, ORGANIZATION, Stage, sandbox_plugin, until
from connector_core.plugins import load_plugins
from connector_roundup_sandbox import RoundupSandbox

TRACKER = "acme-tracker"


@pytest.fixture
def tracker():
    """Serve a tracker."""
    with RoundupSandbox() as sandbox:
        yield sandbox


@pytest.fixture
def stage(tmp_path, tracker, monkeypatch):
    """Open a stage whose file has the tracker beside the helpdesk."""
    settings = tracker.integration_settings()
    monkeypatch.setenv("DEMO_TRACKER_PASSWORD", settings["password"].get_secret_value())
    opened = Stage(sandbox_plugin(load_plugins(), "jira"), tmp_path, reconcile="1s")
    tree = YAML().load(opened.config_path)
    tree["organizations"][ORGANIZATION]["integrations"][TRACKER] = {
        "plugin": "roundup",
        **settings,
        "password": "${env:DEMO_TRACKER_PASSWORD}",
    }
    YAML().dump(tree, opened.config_path)
    with closing(opened):
        opened.open()
        yield opened


def both(stage, tracker, incident):
    """Return the tickets of an incident, one in each, once they are known."""

    def known():
        with stage.opened_store() as store:
            links = store.links.find(text=incident)
        return {link.integration_id: link.ticket.id for link in links if link.ticket is not None}

    until(lambda: len(known()) == 2)
    found = known()
    return lambda: (stage.sandbox.ticket(found[INTEGRATION]), tracker.ticket(found[TRACKER])), found


def test_each_has_a_ticket_and_all_three_follow(stage, tracker):
    """A change of the incident or of either ticket reaches the other two, and a second incident has its own pair."""
    first = stage.platform.open("Display offline", priority="high")
    shown, ids = both(stage, tracker, first)
    second = stage.platform.open("Sensor silent", priority="low")
    others, _ = both(stage, tracker, second)
    assert [ticket["title"] for ticket in (*shown(), *others())] == ["Display offline"] * 2 + ["Sensor silent"] * 2

    stage.platform.change(first, title="Lobby display offline")
    until(lambda: {ticket["title"] for ticket in shown()} == {"Lobby display offline"})
    tracker.edit_ticket(ids[TRACKER], title="Power supply dead")
    until(lambda: stage.platform.incident(first)["title"] == "Power supply dead")
    until(lambda: shown()[0]["title"] == "Power supply dead")
    assert {ticket["title"] for ticket in others()} == {"Sensor silent"}


@pytest.mark.extended
def test_closing_works_from_each_side(stage, tracker):
    """Resolved on the platform, both tickets are closed; finished in either, so are the incident and the other one."""
    resolved = stage.platform.open("One", priority="high")
    of_resolved, _ = both(stage, tracker, resolved)
    in_tracker = stage.platform.open("Two", priority="high")
    of_tracker, ids_there = both(stage, tracker, in_tracker)
    at_desk = stage.platform.open("Three", priority="high")
    of_desk, ids_here = both(stage, tracker, at_desk)

    stage.platform.resolve(resolved)
    tracker.finish_ticket(ids_there[TRACKER])
    stage.sandbox.finish_ticket(ids_here[INTEGRATION])

    until(lambda: all(ticket["done"] for shown in (of_resolved, of_tracker, of_desk) for ticket in shown()))
    incidents = (resolved, in_tracker, at_desk)
    until(lambda: {stage.platform.incident(one)["status"] for one in incidents} <= {"closed", "resolved"})
    assert len(stage.sandbox.tickets()) == len(tracker.tickets()) == 3
