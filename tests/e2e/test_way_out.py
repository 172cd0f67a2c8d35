"""From every state a person sees the reason and finds the way out: by command, against the running daemon."""

from __future__ import annotations

import json
from functools import partial

import pytest
import requests
from ruamel.yaml import YAML

from connector_core.demo.stage import INTEGRATION, ORGANIZATION, until
from connector_core.polling.reconcile import RunKind
from connector_jira_jsm_sandbox.faults import Fault
from tests.support.linking import incident_shows, open_incident, ticket_shows

ISSUE = r"/rest/api/2/issue/\d+$"
CREATE = r"/rest/servicedeskapi/request$"


def ask(stage, *arguments, code=0):
    """Run a command and expect an exit code; return what it printed."""
    ended = stage.daemon.command(*arguments)
    assert ended.returncode == code, ended.stdout + ended.stderr
    return ended.stdout


def links(stage, *arguments):
    """List links as rows."""
    return json.loads(ask(stage, "links", "--json", *arguments))


def refuse(path, method="POST", **fault):
    """Return a fault that refuses for good."""
    body = {"errorMessages": [], "errors": {"summary": "This title is not allowed."}}
    return Fault(kind="status", method=method, path=path, status=400, body=body, times=None, **fault)


def caught_up(stage):
    """Return whether the daemon has read the tickets that nobody told it of while it was away."""
    with stage.opened_store() as store:
        return store.runs.last(INTEGRATION, RunKind.FULL)


@pytest.fixture
def asking_stage(open_stage):
    """Open a stage that asks a person when both sides changed the title."""
    stage = open_stage()
    stage.daemon.stop()
    yaml = YAML()
    tree = yaml.load(stage.config_path)
    entry = tree["organizations"][ORGANIZATION]["integrations"][INTEGRATION]
    entry["fields"] = {"title": {"direction": "both", "on_conflict": "ask"}}
    yaml.dump(tree, stage.config_path)
    stage.daemon.start()
    return stage


def test_a_poisoned_incident_is_listed_retried_and_blocks_nobody(stage):
    """It is kept with its reason; others go on; after the cure a retry syncs it."""
    stage.sandbox.faults.add(refuse(CREATE))
    poisoned = stage.platform.open("Poison")
    until(lambda: links(stage, "--failed"))
    stage.sandbox.faults.clear()
    open_incident(stage, "Healthy")

    (failed,) = links(stage, "--failed")
    assert (failed["incident"], failed["state"]) == (poisoned, "blocked")
    assert "This title is not allowed" in failed["reason"]
    assert "connector links --failed" in ask(stage, "status")
    ask(stage, "retry", poisoned)

    until(lambda: stage.ticket_of(poisoned))
    assert links(stage, "--failed") == []


@pytest.mark.extended
def test_what_failed_can_be_given_up(stage):
    """A discard says what it would do first; afterwards no ticket is made and the reason stays."""
    stage.sandbox.faults.add(refuse(CREATE))
    incident = stage.platform.open("Poison")
    until(lambda: links(stage, "--failed"))
    stage.sandbox.faults.clear()

    assert "Would be given up" in ask(stage, "discard", incident, code=2)
    assert links(stage)[0]["state"] == "blocked"
    assert "Given up" in ask(stage, "discard", incident, "--yes")
    assert ask(stage, "retry", "--integration", INTEGRATION).startswith("0 will be tried again")

    stage.platform.change(incident, title="Changed later")
    story = ask(stage, "explain", incident)
    assert "Discarded: no ticket is created." in story
    assert stage.sandbox.tickets() == []


@pytest.mark.extended
def test_a_conflict_is_decided_by_command(asking_stage):
    """Both sides changed the title while neither was heard; a person says which is right."""
    stage = asking_stage
    incident, ticket = open_incident(stage)
    headers = {"RateLimit-Reason": "jira-per-issue-on-write", "Retry-After": "1"}
    stage.sandbox.faults.add(Fault(kind="status", status=429, method="PUT", path=ISSUE, headers=headers, times=None))
    stage.platform.change(incident, title="From the platform")
    until(lambda: links(stage, "--state", "waiting"))
    stage.sandbox.edit_ticket(ticket, title="From the agent")
    until(lambda: links(stage, "--state", "conflict"))
    stage.sandbox.faults.clear()

    assert "connector resolve" in ask(stage, "explain", incident)
    ask(stage, "resolve", incident, "title", "incident")

    ticket_shows(stage, ticket, title="From the platform")
    incident_shows(stage, incident, title="From the platform")
    until(lambda: not links(stage, "--state", "conflict"))


@pytest.mark.extended
def test_a_limit_on_one_ticket_that_names_no_wait_is_tried_less_and_less(open_stage):
    """`Retry-After: 0` for writes to one issue: the back-off counts, not what the answer names."""
    stage = open_stage()
    incident, ticket = open_incident(stage)
    headers = {"RateLimit-Reason": "jira-per-issue-on-write", "Retry-After": "0"}
    limit = Fault(kind="status", status=429, method="PUT", path=ISSUE, headers=headers, times=None)
    stage.sandbox.faults.add(limit)
    stage.platform.change(incident, title="From the platform")
    until(lambda: limit.hits >= 3)
    stage.sandbox.faults.clear()

    first, second, third, *_ = [call.time for call in stage.sandbox.calls if call.status == 429]
    assert (second - first).total_seconds() > 1.3
    assert (third - second).total_seconds() > 2.7
    ask(stage, "retry", incident)
    ticket_shows(stage, ticket, title="From the platform")


@pytest.mark.extended
def test_drift_is_shown_before_it_is_repaired(open_stage):
    """A dry run tells what differs and what would be done, and does nothing."""
    stage = open_stage(with_webhook=False, reconcile="1h")
    incident, ticket = open_incident(stage)
    until(lambda: caught_up(stage))
    stage.sandbox.edit_ticket(ticket, title="Edited unseen", description="Seen to.")

    rows = json.loads(ask(stage, "reconcile", "--dry-run", "--json"))
    assert {(row["field"], row["ticket"]) for row in rows} == {("title", "Edited unseen"), ("description", "Seen to.")}
    assert stage.platform.incident(incident)["title"] == "Display offline"
    ask(stage, "reconcile", INTEGRATION, "--full")

    incident_shows(stage, incident, title="Edited unseen", description="Seen to.")
    assert "nothing would be done" in ask(stage, "reconcile", "--dry-run")


def test_an_outage_is_told_with_its_age_and_ends_by_itself(stage):
    """Status and metrics say what is paused, since when and how much waits; then everything is synced."""
    stage.sandbox.faults.add(
        Fault(kind="status", status=503, headers={"Retry-After": "3"}, path=CREATE, method="POST", times=None)
    )
    incidents = [stage.platform.open(f"Waiting {number}") for number in range(5)]
    until(lambda: json.loads(ask(stage, "status", "--json"))["parked"] == 5)

    shown = json.loads(ask(stage, "status", "--json"))
    assert shown["paused"][0]["code"] == "unavailable"
    assert shown["integrations"][0]["oldest_to_ticket"]
    metrics = partial(requests.get, f"{stage.daemon.url}/metrics", timeout=10)
    # One of them may be trying just now.
    until(lambda: 'connector_lanes{state="parked"} 5.0' in metrics().text)
    text = metrics().text
    for wanted in (
        'connector_oldest_undelivered_seconds{integration="acme-helpdesk",to="ticket"}',
        'connector_breaker_trips_total{code="unavailable",kind="site"}',
        'connector_authorization_ends_seconds{integration="acme-helpdesk"}',
        'connector_calls_total{answer="5xx",method="POST",place="acme-helpdesk"}',
    ):
        assert wanted in text
    stage.sandbox.faults.clear()

    until(lambda: all(stage.ticket_of(incident) for incident in incidents))
    assert "Paused" not in ask(stage, "status")


def test_lost_access_keeps_the_work_until_somebody_authorizes(stage):
    """The integration says what it needs; what happens meanwhile is synced afterwards."""
    requests.post(f"{stage.sandbox.url}/_sandbox/tokens/revoke", timeout=10).raise_for_status()
    incident = stage.platform.open("During the gap")
    until(lambda: links(stage, "--state", "paused"))
    (integration,) = json.loads(ask(stage, "status", "--json"))["integrations"]
    assert integration["problem"]
    assert "authorize" in links(stage, "--failed")[0]["fix"]

    stage.authorize()

    until(lambda: stage.ticket_of(incident))
