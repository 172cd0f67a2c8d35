"""Tickets that go away while the daemon runs: what a person is told, and what the choices do."""

from __future__ import annotations

import json

import requests

from connector_core.demo.stage import INTEGRATION, until
from tests.support.linking import open_incident


def status(stage, incident):
    """Return where the link of an incident stands."""
    with stage.opened_store() as store:
        (link,) = store.links.find(text=incident)
    return link.status


def test_a_deleted_ticket_is_told_and_replaced_when_a_person_says_so(stage):
    """The webhook tells of the deletion; the story has the choices, and one of them makes a new ticket."""
    incident, ticket = open_incident(stage)
    stage.sandbox.delete_ticket(ticket)

    until(lambda: status(stage, incident).code == "ticket_deleted")
    (story,) = json.loads(stage.daemon.command("explain", incident, "--json").stdout)
    assert story["state"] == "gone"
    for choice in ("recreate", "unlink", "discard"):
        assert f"connector {choice} {story['link']}" in story["fix"]
    assert stage.daemon.command("recreate", incident).returncode == 0

    until(lambda: status(stage, incident).state == "in_sync")
    assert stage.ticket_of(incident)["id"] != ticket
    assert len(stage.sandbox.tickets()) == 1


def test_lost_permission_is_told_apart_from_deletion_and_mends_itself(open_stage):
    """A full look finds the project hidden; once the permission is back, the next one goes on."""
    stage = open_stage(with_webhook=False)
    incident, ticket = open_incident(stage)
    requests.post(f"{stage.sandbox.url}/_sandbox/projects/SUP/forbid", timeout=10)

    assert stage.daemon.command("reconcile", INTEGRATION, "--full").returncode == 0
    assert (status(stage, incident).state, status(stage, incident).code) == ("gone", "ticket_hidden")
    requests.post(f"{stage.sandbox.url}/_sandbox/projects/SUP/allow", timeout=10)
    stage.sandbox.edit_ticket(ticket, title="Seen again")
    assert stage.daemon.command("reconcile", INTEGRATION, "--full").returncode == 0

    until(lambda: stage.platform.incident(incident)["title"] == "Seen again")
    until(lambda: status(stage, incident).state == "in_sync")


def test_a_moved_ticket_keeps_its_link(stage):
    """Under its new key the ticket is closed with its incident."""
    incident, ticket = open_incident(stage)
    key = stage.sandbox.ticket(ticket)["key"]
    requests.post(f"{stage.sandbox.url}/_sandbox/issues/{key}/move", json={"project": "FAC"}, timeout=10)

    # The webhook is limited to the project that the ticket left.
    assert stage.daemon.command("reconcile", INTEGRATION, "--full").returncode == 0
    assert stage.ticket_of(incident)["key"].startswith("FAC-")
    until(lambda: status(stage, incident).state == "in_sync")
    stage.platform.resolve(incident)

    until(lambda: stage.sandbox.ticket(ticket)["done"])


def test_a_webhook_is_seen_to_work(stage):
    """Whether deliveries arrive, and which secret signs them, is shown by command and on the page."""
    incident, ticket = open_incident(stage)
    stage.sandbox.edit_ticket(ticket, title="Told")
    until(lambda: stage.platform.incident(incident)["title"] == "Told")

    shown = json.loads(stage.daemon.command("integrations", "show", INTEGRATION, "--json").stdout)
    (row,) = json.loads(stage.daemon.command("status", "--json").stdout)["integrations"]

    assert shown["webhook"] == row["webhook"] == "arriving"
    assert shown["webhook_signed_with"][0].startswith("present: ")
    assert shown["webhook_missed"] == 0
