"""The product page's tables, row by row, through the running daemon."""

from __future__ import annotations

import hashlib
import hmac
import json
import re

import pytest
import requests

from connector_core.demo.stage import INTEGRATION, until
from tests.support.linking import incident_shows, open_incident, ticket_shows

PRIORITIES = {"Highest": "critical", "High": "high", "Medium": "moderate", "Low": "low", "Lowest": "planning"}


def deliver(stage, body, secret, path="/external/jira/webhook", identifier="w-1"):
    """Send a webhook body signed with a secret."""
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature": f"sha256={signature}", "X-Atlassian-Webhook-Identifier": identifier}
    return requests.post(stage.daemon.url + path, data=body, headers=headers, timeout=10)


def changes(stage, incident):
    """Return what the connector changed on an incident."""
    return [change for change in stage.platform.changes if change["incident"] == incident]


def state_of(stage, incident):
    """Return the state of an incident's link."""
    with stage.opened_store() as store:
        return next((link.status.state for link in store.links.find(text=incident)), None)


def test_opened_incident_becomes_a_request_with_all_details(shared_stage):
    """The request holds incident, device and location."""
    _, ticket = open_incident(shared_stage, description="No heartbeat for 5 minutes", priority="high")

    shown = shared_stage.sandbox.ticket(ticket)
    assert shown["title"] == "Display offline"
    assert shown["priority"] == "High"
    for detail in ("No heartbeat for 5 minutes", "Lobby display", "X-200", "SN1", "Acme/US/New York/Lobby", "New York"):
        assert detail in shown["description"]


def test_summary_and_priority_follow_the_incident_and_the_description_does_not(shared_stage):
    """An updated incident changes summary and priority of its request."""
    incident, ticket = open_incident(shared_stage)
    before = shared_stage.sandbox.ticket(ticket)["description"]

    shared_stage.platform.change(incident, title="Display dark", priority="low", description="Other words")
    ticket_shows(shared_stage, ticket, title="Display dark", priority="Low")
    shared_stage.platform.change(incident, title="Display dark again")
    ticket_shows(shared_stage, ticket, title="Display dark again")

    assert shared_stage.sandbox.ticket(ticket)["description"] == before


def test_changes_of_the_request_reach_the_incident(shared_stage):
    """Summary, description and every priority are synced back."""
    incident, ticket = open_incident(shared_stage, priority="moderate")

    shared_stage.sandbox.edit_ticket(ticket, title="From the agent")
    incident_shows(shared_stage, incident, title="From the agent")
    shared_stage.sandbox.edit_ticket(ticket, description="Written by the agent")
    incident_shows(shared_stage, incident, description="Written by the agent")
    for name, ours in PRIORITIES.items():
        shared_stage.sandbox.edit_ticket(ticket, priority=name)
        incident_shows(shared_stage, incident, priority=ours)


def test_resolved_incident_moves_the_request_to_the_configured_status(shared_stage):
    """The configured close status is used."""
    incident, ticket = open_incident(shared_stage)

    shared_stage.platform.resolve(incident)

    ticket_shows(shared_stage, ticket, done=True, status="Resolved")


def test_finished_request_closes_the_incident_and_reopening_it_does_not_reopen(shared_stage):
    """Done closes; nothing reopens a closed incident, and later changes are still synced."""
    incident, ticket = open_incident(shared_stage)

    shared_stage.sandbox.finish_ticket(ticket)
    incident_shows(shared_stage, incident, status="closed")
    shared_stage.sandbox.reopen_ticket(ticket)
    shared_stage.sandbox.edit_ticket(ticket, title="After reopening")
    incident_shows(shared_stage, incident, title="After reopening")

    assert shared_stage.platform.incident(incident)["status"] == "closed"
    assert shared_stage.sandbox.ticket(ticket)["done"] is False
    assert [change for change in changes(shared_stage, incident) if "status" in change] == [
        {"incident": incident, "status": "closed"}
    ]


def test_delivery_without_a_matching_secret_is_forbidden(shared_stage):
    """A wrong signature, none at all, and a signature made with nothing are all 403."""
    body = b'{"webhookEvent": "jira:issue_updated"}'

    assert deliver(shared_stage, body, "wrong").status_code == 403
    assert deliver(shared_stage, body, "").status_code == 403
    assert requests.post(f"{shared_stage.daemon.url}/external/jira/webhook", data=body, timeout=10).status_code == 403


def test_unknown_ticket_is_ignored_and_a_repeated_delivery_is_known(shared_stage):
    """An authentic delivery about a ticket that is not ours changes nothing."""
    secret = shared_stage.environ["DEMO_WEBHOOK_SECRET"]
    before = list(shared_stage.platform.changes)
    issue = {"id": "99999", "key": "SUP-99", "fields": {"summary": "Not ours"}}
    body = json.dumps({"webhookEvent": "jira:issue_updated", "issue": issue}).encode()

    first = deliver(shared_stage, body, secret)
    again = deliver(shared_stage, body, secret, path=f"/external/jira/webhook/{INTEGRATION}")

    assert (first.status_code, first.json()["ignored"]) == (200, 1)
    assert (again.status_code, again.json()["duplicate"]) == (200, 1)
    assert shared_stage.platform.changes == before


def test_without_a_webhook_secret_the_poller_reconciles(open_stage):
    """Changes of the request arrive although no webhook is set up."""
    stage = open_stage(with_webhook=False, reconcile="500ms")
    incident, ticket = open_incident(stage)

    stage.sandbox.edit_ticket(ticket, title="Found by polling")
    incident_shows(stage, incident, title="Found by polling")
    stage.sandbox.finish_ticket(ticket)
    incident_shows(stage, incident, status="closed")


def test_a_life_takes_at_most_five_calls(stage):
    """Open, update and resolve cost at most five calls once the plugin knows the request type and workflow."""
    first, ticket = open_incident(stage)
    stage.platform.resolve(first)
    ticket_shows(stage, ticket, done=True)
    until(lambda: "in_sync" in stage.daemon.command("links", "--json").stdout)
    before = len(stage.sandbox.calls)

    incident, ticket = open_incident(stage)
    stage.platform.change(incident, title="Changed")
    ticket_shows(stage, ticket, title="Changed")
    stage.platform.resolve(incident)
    ticket_shows(stage, ticket, done=True)

    # What is read of all tickets at once follows the clock, and belongs to no incident.
    of_one = re.compile(r"/servicedeskapi/request$|/field$|/issue/\d+")
    assert len([call for call in stage.sandbox.calls[before:] if of_one.search(call.path)]) <= 5


def test_disabled_integration_rests_and_catches_up_when_enabled(stage):
    """Nothing is created while disabled; what was linked before catches up afterwards."""
    incident, ticket = open_incident(stage)
    assert stage.daemon.command("integrations", "disable", INTEGRATION).returncode == 0

    stage.platform.change(incident, title="While disabled")
    until(lambda: "integration_not_active" in stage.daemon.command("links", "--json").stdout)
    assert stage.sandbox.ticket(ticket)["title"] == "Display offline"
    stage.daemon.stop()
    stage.daemon.start()
    assert '"disabled"' in stage.daemon.command("integrations", "list", "--json").stdout
    enabled = stage.daemon.command("integrations", "enable", INTEGRATION)

    assert enabled.returncode == 0, enabled.stdout + enabled.stderr
    ticket_shows(stage, ticket, title="While disabled")


@pytest.mark.extended
def test_what_changed_while_nobody_listened_is_caught_up(stage):
    """Edits whose webhook met a stopped daemon or a disabled integration arrive when it works again."""
    incident, ticket = open_incident(stage)
    stage.daemon.stop()
    stage.sandbox.edit_ticket(ticket, title="While stopped")
    assert stage.sandbox.wait_for_deliveries()  # all retries are spent
    stage.daemon.start()
    incident_shows(stage, incident, title="While stopped")

    stage.daemon.command("integrations", "disable", INTEGRATION)
    stage.sandbox.edit_ticket(ticket, title="While disabled")
    until(lambda: "integration_disabled" in stage.daemon.log_path.read_text())
    stage.daemon.command("integrations", "enable", INTEGRATION)
    incident_shows(stage, incident, title="While disabled")


@pytest.mark.parametrize("title", ["one\ntwo", "x" * 400, "\u202eevil", "*bold* {code} [a|b]", "🔥 fire"])
def test_awkward_titles_still_make_a_request(shared_stage, title):
    """Whatever the title, there is a request, and no echo comes back to the incident."""
    incident, ticket = open_incident(shared_stage, title, device=None, location=None, priority="urgent!")

    assert shared_stage.sandbox.ticket(ticket)["title"]
    until(lambda: state_of(shared_stage, incident) == "in_sync")
    assert shared_stage.platform.incident(incident)["title"] == title
    assert changes(shared_stage, incident) == []
