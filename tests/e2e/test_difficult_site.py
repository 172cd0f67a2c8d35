"""A whole life on the difficult site, with the daemon as a process and signed webhooks both ways."""

from __future__ import annotations

import pytest

from connector_core.demo.stage import until
from connector_jira_jsm_sandbox import DIFFICULT, JiraSandbox
from tests.support.linking import incident_shows, open_incident, ticket_shows


@pytest.fixture(scope="module")
def difficult(tmp_path_factory):
    """Serve the difficult site for this module's one stage."""
    sandbox = JiraSandbox(DIFFICULT)
    sandbox.start()
    yield sandbox
    sandbox.stop()


def link_of(stage, incident):
    """Return an incident's link as it is stored, with its timeline."""
    with stage.opened_store() as store:
        (link,) = store.links.find(text=incident)
        return link, store.timelines.read(link.id)


@pytest.mark.extended
def test_life_over_three_transitions_leaves_no_trace_of_our_own_steps(open_stage, difficult):
    """Opened with all fields, changed in part, closed over two statuses in between: nothing of it comes back."""
    stage = open_stage(sandbox=difficult)
    incident, ticket = open_incident(stage)
    custom = dict(difficult.workbench.issue(ticket).fields.custom)

    stage.platform.change(incident, title="Renamed", priority="critical")
    ticket_shows(stage, ticket, title="Renamed")
    stage.platform.resolve(incident)
    until(lambda: stage.sandbox.ticket(ticket)["done"])
    assert difficult.wait_for_deliveries()
    until(lambda: link_of(stage, incident)[0].status.state == "in_sync")

    shown = stage.sandbox.ticket(ticket)
    _, entries = link_of(stage, incident)
    kinds = [entry.kind for entry in entries]
    assert custom["customfield_10106"]["value"] == "Berlin"
    assert (shown["title"], shown["status"]) == ("Renamed", "Geschlossen")
    assert shown["priority"] != "Notfall"
    assert kinds.count("ticket_refused") == 1
    assert not {"incident_written", "agreed", "conflict"} & set(kinds)
    assert "In Prüfung → In Arbeit → Geschlossen" in " ".join(str(entry.values.get("note")) for entry in entries)

    second, other = open_incident(stage)
    stage.sandbox.finish_ticket(other)
    incident_shows(stage, second, status="closed")
