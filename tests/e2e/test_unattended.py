"""A deployment without a person: an API token in the file, no consent, no webhook."""

from __future__ import annotations

import json

import pytest
import requests
from ruamel.yaml import YAML

from connector_core.demo.stage import INTEGRATION, ORGANIZATION, Stage, sandbox_plugin, until
from connector_core.plugins import load_plugins
from tests.support.jira.at_stage import sandbox_of
from tests.support.linking import incident_shows, open_incident, ticket_shows


class TokenStage(Stage):
    """A stage whose integration has an API token."""

    token = ""

    def _write_config(self, port, url, **options):
        super()._write_config(port, url, **options)
        yaml = YAML()
        tree = yaml.load(self.config_path)
        del tree["plugins"]["jira_jsm"]["oauth"]
        tree["organizations"][ORGANIZATION]["integrations"][INTEGRATION].update(
            site=self.sandbox.url, email=sandbox_of(self).email, api_token="${env:TOKEN}"
        )
        yaml.dump(tree, self.config_path)
        self.environ["TOKEN"] = self.token or sandbox_of(self).api_token


@pytest.fixture
def stage(tmp_path):
    """Open a stage that polls often."""
    opened = TokenStage(sandbox_plugin(load_plugins(), "jira_jsm"), tmp_path, with_webhook=False, reconcile="300ms")
    opened.open_unauthorized()
    yield opened
    opened.close()


def test_it_works_from_the_first_start(stage):
    """Nobody authorizes anything; incidents become requests and changes are polled."""
    incident, ticket = open_incident(stage)

    stage.platform.change(incident, priority="critical")
    ticket_shows(stage, ticket, priority="Highest")
    stage.sandbox.finish_ticket(ticket)
    incident_shows(stage, incident, status="closed")


@pytest.mark.extended
def test_wrong_token_is_said_and_the_right_one_is_taken_at_the_next_start(stage):
    """What came in with a wrong token is synced once the right one is there."""
    stage.daemon.stop()
    stage.daemon._environ["TOKEN"] = "not the token"
    stage.daemon.start()
    incident = stage.platform.open("Waits for the token")
    until(lambda: "waiting" in stage.daemon.command("links", "--json").stdout or "problem" in _status(stage))
    (row,) = json.loads(stage.daemon.command("status", "--json").stdout)["integrations"]
    assert row["problem"]

    stage.daemon.stop()
    stage.daemon._environ["TOKEN"] = stage.sandbox.api_token
    stage.daemon.start()

    until(lambda: stage.ticket_of(incident))


def test_deleted_ticket_is_gone_after_a_full_look(stage):
    """A ticket that no longer exists is marked, with a reason and a way out."""
    incident, ticket = open_incident(stage)
    stage.sandbox.delete_ticket(ticket)

    assert stage.daemon.command("reconcile", INTEGRATION, "--full").returncode == 0

    (story,) = json.loads(stage.daemon.command("explain", incident, "--json").stdout)
    assert (story["state"], story["code"]) == ("gone", "ticket_deleted")
    assert story["fix"]


def test_figures_are_there_for_monitoring(stage):
    """Prometheus sees counts of links and of what came in."""
    open_incident(stage)

    def shows(line):
        return line in requests.get(f"{stage.daemon.url}/metrics", timeout=10).text

    # The request is there a moment before the answer about it is stored.
    until(lambda: shows('connector_links{integration="acme-helpdesk",state="in_sync"} 1.0'))
    assert shows('connector_received_total{kind="events",outcome="new"} 1.0')


def _status(stage):
    return stage.daemon.command("status", "--json").stdout
