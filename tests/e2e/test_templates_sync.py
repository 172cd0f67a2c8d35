"""Templates of summary and description through the running daemon: what they add is taken off on the way back."""

from __future__ import annotations

import pytest
from ruamel.yaml import YAML

from connector_core.demo.stage import INTEGRATION, ORGANIZATION, Stage, sandbox_plugin, until
from connector_core.plugins import load_plugins
from tests.support.linking import incident_shows, open_incident, ticket_shows


@pytest.fixture
def shaped(tmp_path):
    """Return a function that opens a stage with settings and rules of fields."""
    opened = []

    def open_one(fields, **settings):
        stage = Stage(sandbox_plugin(load_plugins(), "jira_jsm"), tmp_path)
        opened.append(stage)
        tree = YAML().load(stage.config_path)
        tree["organizations"][ORGANIZATION]["integrations"][INTEGRATION] |= {"fields": fields, **settings}
        YAML().dump(tree, stage.config_path)
        stage.open()
        return stage

    yield open_one
    for stage in opened:
        stage.close()


@pytest.mark.extended
def test_three_edits_leave_what_a_template_adds_there_once(shaped):
    """Whoever edits, here or there, in turn: the incident has its own words, the ticket has them in the template."""
    stage = shaped(
        {"description": {"direction": "both"}},
        summary="[{{ incident.location.name }}] {{ incident.title }}",
        description="Place: {{ incident.location.path }}\n\n{{ incident.description }}",
    )
    incident, ticket = open_incident(stage, title="Fan failed", description="It is hot.")
    assert stage.sandbox.ticket(ticket)["title"] == "[Lobby] Fan failed"

    for number in range(3):
        stage.sandbox.edit_ticket(ticket, title=f"[Lobby] Fan failed, seen {number}")
        incident_shows(stage, incident, title=f"Fan failed, seen {number}")
        text = stage.sandbox.ticket(ticket)["description"]
        stage.sandbox.edit_ticket(ticket, description=text.replace("hot.", "hot. Very."))
        incident_shows(stage, incident, description=f"It is hot.{' Very.' * (number + 1)}")
        stage.platform.change(incident, title=f"Fan failed, told {number}")
        ticket_shows(stage, ticket, title=f"[Lobby] Fan failed, told {number}")

    stage.platform.change(incident, description="It is cold.")
    until(lambda: "It is cold." in stage.sandbox.ticket(ticket)["description"])
    assert stage.sandbox.ticket(ticket)["description"].startswith(
        "Place: Acme/US/New York/Lobby\n\nIt is cold.\n\n----"
    )


@pytest.mark.extended
def test_a_template_that_cannot_be_undone_syncs_to_the_ticket_only(shaped):
    """The incident keeps its title, and follows in everything else."""
    stage = shaped({}, summary="{{ incident.title | upper }}")
    incident, ticket = open_incident(stage, title="Fan failed")
    assert stage.sandbox.ticket(ticket)["title"] == "FAN FAILED"

    stage.sandbox.edit_ticket(ticket, title="Changed here", priority="low")
    incident_shows(stage, incident, priority="low")
    assert stage.platform.incident(incident)["title"] == "Fan failed"
    stage.platform.change(incident, title="Fan repaired")
    ticket_shows(stage, ticket, title="FAN REPAIRED")

    assert stage.platform.incident(incident)["title"] == "Fan repaired"
