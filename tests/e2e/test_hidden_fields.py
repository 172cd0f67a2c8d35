"""Sites that hide fields, and agents who finish tickets before we hear of it, with the daemon as a process."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector_core.demo.stage import until
from connector_jira_jsm_sandbox import DEFAULT, Fault, JiraSandbox, WebhookFault
from tests.support.linking import incident_shows, open_incident, ticket_shows


@pytest.fixture
def hiding():
    """Serve a site whose field configuration hides Priority."""
    with JiraSandbox(replace(DEFAULT, hidden_fields=frozenset({"priority"}))) as sandbox:
        yield sandbox


@pytest.mark.extended
def test_life_on_a_site_that_hides_priority(open_stage, hiding):
    """One request although its answer was lost, changes both ways, closed with its incident, and doctor says why."""
    stage = open_stage(sandbox=hiding)
    hiding.add_fault(Fault("lost_answer", method="POST", path="/servicedeskapi/request$", times=1))
    incident, ticket = open_incident(stage)
    hiding.clear_faults()

    stage.sandbox.edit_ticket(ticket, title="Seen to")
    incident_shows(stage, incident, title="Seen to")
    stage.platform.change(incident, title="Seen to twice", priority="low")
    ticket_shows(stage, ticket, title="Seen to twice")
    doctor = stage.daemon.command("doctor", "--json").stdout
    stage.daemon.command("reconcile")
    stage.platform.resolve(incident)
    ticket_shows(stage, ticket, done=True)

    assert len(hiding.tickets()) == 1
    assert "field_hidden_priority" in doctor
    assert "gone" not in stage.daemon.command("links", "--json").stdout


@pytest.mark.extended
def test_what_an_agent_canceled_unheard_is_not_touched(stage):
    """The agent's word of it is lost; when the incident is resolved nothing at all is written."""
    incident, ticket = open_incident(stage)
    until(lambda: "in_sync" in stage.daemon.command("links", "--json").stdout)
    stage.sandbox.add_fault(WebhookFault("dropped", times=5))
    stage.sandbox.workbench.move(ticket, "51")
    history = len(stage.sandbox.workbench.issue(ticket).history)
    before = len(stage.sandbox.calls)

    stage.platform.resolve(incident)
    until(lambda: any(call.method == "GET" and ticket in call.path for call in stage.sandbox.calls[before:]))
    until(lambda: '"in_sync"' in stage.daemon.command("links", "--json").stdout)

    written = [
        call for call in stage.sandbox.calls[before:] if call.method != "GET" and f"/issue/{ticket}" in call.path
    ]
    assert written == []
    assert stage.sandbox.workbench.issue(ticket).fields.status_id == "10003"
    assert len(stage.sandbox.workbench.issue(ticket).history) == history
