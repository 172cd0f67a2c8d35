"""A Xyte organization and a helpdesk, with the daemon between: what the product page says, polled."""

from __future__ import annotations

import json

import pytest

from connector_core.demo.stage import ORGANIZATION, Stage, sandbox_plugin, source_plugin, until
from connector_core.plugins import load_plugins
from tests.support.linking import incident_shows, open_incident, ticket_shows


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """Open a stage whose incidents are Xyte's."""
    plugins = load_plugins()
    folder = tmp_path_factory.mktemp("xyte")
    opened = Stage(sandbox_plugin(plugins, "jira_jsm"), folder, source=source_plugin(plugins, "xyte"))
    opened.open()
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def gateway(stage):
    """Let the gateway take changes, unless a test says otherwise."""
    stage.platform.api.takes_changes = True


def test_a_request_has_device_and_place(stage):
    """Full details, as the product page says, and no secret of the site."""
    _, ticket = open_incident(stage, "Display offline", description="No heartbeat", priority="critical")

    shown = stage.sandbox.ticket(ticket)

    assert shown["title"] == "Display offline"
    assert shown["priority"] == "Highest"
    for fact in ("No heartbeat", "Lobby display", "X-200", "SN1", "Acme/New York/Lobby", "New York, NY, USA"):
        assert fact in shown["description"]
    assert "s1te-secret" not in shown["description"]


def test_a_closed_incident_closes_its_request(stage):
    """Seen by polling."""
    incident, ticket = open_incident(stage)

    stage.platform.resolve(incident)

    ticket_shows(stage, ticket, done=True)


def test_a_finished_request_closes_its_incident(stage):
    """By Xyte's public call."""
    incident, ticket = open_incident(stage)

    stage.sandbox.finish_ticket(ticket)

    incident_shows(stage, incident, status="closed")


def test_without_a_gateway_a_new_title_is_on_the_ticket_only(stage):
    """`explain` and the command line say so; a later change in Xyte wins again."""
    stage.platform.api.takes_changes = False
    incident, ticket = open_incident(stage)
    stage.sandbox.edit_ticket(ticket, title="Fuse blown")

    until(lambda: _ticket_only(stage, incident) == {"title"})

    assert "The title is on the ticket only" in stage.daemon.command("explain", incident).stdout
    assert stage.platform.incident(incident)["title"] == "Display offline"
    stage.platform.change(incident, title="Display on fire")
    ticket_shows(stage, ticket, title="Display on fire")
    until(lambda: not _ticket_only(stage, incident))


def test_what_happens_while_the_daemon_is_away_is_caught_up(stage):
    """One that was opened, one that was changed, one that came and went."""
    known, ticket = open_incident(stage)
    stage.daemon.kill()
    stage.platform.change(known, title="Changed meanwhile")
    new = stage.platform.open("Opened meanwhile")
    short = stage.platform.open("Came and went")
    stage.platform.resolve(short)

    stage.daemon.start()

    ticket_shows(stage, ticket, title="Changed meanwhile")
    until(lambda: stage.ticket_of(new))
    until(lambda: (stage.ticket_of(short) or {"done": False})["done"])
    titles = [one["title"] for one in stage.sandbox.tickets()]
    assert [titles.count(title) for title in ("Opened meanwhile", "Came and went")] == [1, 1]


def test_a_key_that_is_revoked_while_running(stage):
    """It is said where people look, nothing is closed, and a good key goes on where it stopped."""
    incident, ticket = open_incident(stage)
    stage.platform.api.keys = set()
    until(lambda: _outcome(stage) == "key_refused")

    (shown,) = json.loads(stage.daemon.command("sources", "list", "--json").stdout)
    tested = stage.daemon.command("sources", "test", ORGANIZATION)

    assert shown["state"] == "problem"
    assert "does not accept the organization key" in shown["to_know"]
    assert "API Keys" in shown["fix"]
    assert tested.returncode == 1
    assert not stage.sandbox.ticket(ticket)["done"]
    stage.platform.api.keys = {stage.platform.key}
    assert stage.daemon.command("sources", "test", ORGANIZATION).returncode == 0
    stage.platform.resolve(incident)
    ticket_shows(stage, ticket, done=True)
    until(lambda: _outcome(stage) == "ok")
    said = [line for line in stage.daemon.log_path.read_text().splitlines() if "source_not_read" in line]
    assert len(said) == 1


def test_no_secret_is_in_the_log(stage):
    """Neither the key nor the gateway's secret."""
    log = stage.daemon.log_path.read_text()

    assert [value for value in stage.environ.values() if value in log] == []


def _outcome(stage):
    with stage.opened_store() as store:
        return store.sources.state(ORGANIZATION).outcome


def _ticket_only(stage, incident):
    with stage.opened_store() as store:
        (link,) = store.links.find(text=incident)
    return {name.value for name in link.ticket_only}
