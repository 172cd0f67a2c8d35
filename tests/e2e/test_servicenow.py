"""ServiceNow's stand-in in Jira's place: both ways through the running daemon, with webhooks and without."""

from __future__ import annotations

import pytest
from ruamel.yaml import YAML

from connector_core.demo.stage import INTEGRATION, ORGANIZATION, Stage, sandbox_plugin, until
from connector_core.plugins import load_plugins
from connector_servicenow_sandbox import DIFFICULT, Fault, ServiceNowSandbox
from tests.support.linking import incident_shows, open_incident, ticket_shows

ON_DIFFICULT = {
    "new_fields": {"u_location_code": "{{ incident.location.id }}"},
    "close_fields": {"u_root_cause": "hardware"},
}


@pytest.fixture
def at_servicenow(tmp_path):
    """Return a function that opens a stage whose helpdesk is an instance."""
    opened = []

    def open_one(sandbox=None, settings=None, **options):
        stage = Stage(sandbox_plugin(load_plugins(), "servicenow"), tmp_path, sandbox=sandbox, **options)
        opened.append(stage)
        tree = YAML().load(stage.config_path)
        entry = tree["organizations"][ORGANIZATION]["integrations"][INTEGRATION]
        entry |= {"comments": {"to_ticket": "internal", "to_incident": "public"}, **(settings or {})}
        YAML().dump(tree, stage.config_path)
        stage.open()
        return stage

    yield open_one
    for stage in opened:
        stage.daemon.kill()
        stage.close()


def said_on(stage, ticket):
    """Return what stands on a ticket, as (text, internal)."""
    return [(one["text"], one["internal"]) for one in stage.sandbox.comments(ticket)]


def live(stage, *, resolved):
    """Lead an incident through its life, from both sides, and end another from the other side."""
    incident, ticket = open_incident(stage, description="No heartbeat", priority="high")
    stage.platform.change(incident, title="Display dark", priority="critical")
    ticket_shows(stage, ticket, title="Display dark", priority="critical")
    stage.sandbox.edit_ticket(ticket, title="Seen to", description="Cable was loose")
    incident_shows(stage, incident, title="Seen to", description="Cable was loose")
    stage.platform.comment(incident, "Ada", "It smells")
    until(lambda: any("It smells" in text and internal for text, internal in said_on(stage, ticket)))
    stage.sandbox.write_comment(ticket, "On our way")
    until(lambda: "On our way" in [one["text"] for one in stage.platform.comments(incident)])
    stage.platform.resolve(incident)
    ticket_shows(stage, ticket, done=True, status=resolved)
    finished, other = open_incident(stage)
    stage.sandbox.finish_ticket(other)
    incident_shows(stage, finished, status="closed")
    assert len(stage.sandbox.tickets()) == 2


def test_a_life_with_the_rule(at_servicenow):
    """Opened, changed, talked about, resolved and finished; the rule tells of each."""
    stage = at_servicenow()

    live(stage, resolved="Resolved")

    assert {one.status for one in stage.sandbox.deliveries} == {200}


@pytest.mark.extended
def test_a_killed_daemon_makes_one_incident(at_servicenow):
    """Kill -9 amid a create, whose answer nobody gets."""
    stage = at_servicenow()
    held = Fault("slow", method="POST", path="/table/incident", delay_s=1.0)
    stage.sandbox.add_fault(held)
    incident = stage.platform.open("Display offline")
    until(lambda: held.hits)

    stage.daemon.kill()
    stage.daemon.start()

    until(lambda: stage.ticket_of(incident) is not None)
    assert len(stage.sandbox.tickets()) == 1


@pytest.mark.extended
def test_a_life_by_reading_alone(at_servicenow):
    """Without a rule changes are seen when incidents are read; whole seconds and another zone lose none."""
    live(at_servicenow(with_webhook=False, reconcile="1s"), resolved="Resolved")


@pytest.mark.extended
def test_a_life_on_a_difficult_instance(at_servicenow):
    """Other words, other rules, fields that are asked for."""
    sandbox = ServiceNowSandbox(DIFFICULT)
    sandbox.administer(readers={**DIFFICULT.readers, "sys_journal_field": frozenset({"itil"})})
    sandbox.start()

    live(at_servicenow(sandbox, ON_DIFFICULT), resolved="Gelöst")
