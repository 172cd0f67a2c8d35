"""What goes wrong outside: killed at any moment, answers lost, the helpdesk down, a stop in the middle."""

from __future__ import annotations

import random

import pytest

from connector_core.demo.stage import until
from connector_jira_jsm_sandbox.faults import Fault
from tests.support.linking import open_incident, ticket_shows


def titles(stage):
    """Return the titles of all tickets, sorted."""
    return sorted(ticket["title"] for ticket in stage.sandbox.tickets())


@pytest.mark.extended
def test_kill_under_load_loses_and_doubles_nothing(stage):
    """After every kill each incident has one request with its latest title, and resolved ones are done."""
    chance = random.Random(7)
    incidents = {}
    for round_ in range(4):
        for number in range(6):
            name = f"incident {round_}-{number}"
            incidents[stage.platform.open(name)] = name
        victim = chance.choice(list(incidents))
        incidents[victim] = f"{incidents[victim]} renamed"
        stage.platform.change(victim, title=incidents[victim])
        until(lambda: len(stage.sandbox.tickets()) > chance.randrange(6))
        stage.daemon.kill()
        stage.daemon.start()
    for incident in incidents:
        stage.platform.resolve(incident)

    def all_done():
        return len(stage.sandbox.tickets()) >= len(incidents) and all(t["done"] for t in stage.sandbox.tickets())

    until(all_done, within_s=120)
    assert titles(stage) == sorted(incidents.values())


def test_answer_lost_after_the_write_makes_no_second_request(open_stage):
    """The request whose answer was lost is found by its marker."""
    stage = open_stage()
    stage.sandbox.faults.add(Fault(kind="lost_answer", method="POST", path=r"/rest/servicedeskapi/request$", times=1))

    incident = stage.platform.open("Created once")
    until(lambda: stage.ticket_of(incident), within_s=120)
    stage.platform.change(incident, title="Still the one")
    ticket_shows(stage, stage.ticket_of(incident)["id"], title="Still the one")

    assert titles(stage) == ["Still the one"]


@pytest.mark.extended
def test_helpdesk_that_is_down_costs_a_wait_and_nothing_else(stage):
    """Errors are retried, and the link says meanwhile what is wrong."""
    stage.sandbox.faults.add(
        Fault(kind="status", method="POST", path=r"/rest/servicedeskapi/request$", status=429, times=2)
    )

    incident = stage.platform.open("Patience")
    until(lambda: stage.ticket_of(incident), within_s=120)

    story = stage.daemon.command("explain", incident).stdout
    assert titles(stage) == ["Patience"]
    assert "asks us to slow down" in story


def test_sigterm_ends_in_order(stage):
    """The daemon finishes, says so, and exits with 0; what came in before is done after the next start."""
    incident, ticket = open_incident(stage)

    code = stage.daemon.stop()
    stage.platform.change(incident, title="While stopped")
    stage.daemon.start()

    assert code == 0
    assert '"event": "stopped"' in stage.daemon.log_path.read_text()
    ticket_shows(stage, ticket, title="While stopped")


def test_second_daemon_on_the_same_database_is_refused(stage):
    """Two daemons never share a database."""
    second = stage.daemon.command("run")

    assert second.returncode == 3
    assert "Another connector is running" in second.stderr


@pytest.mark.extended
def test_rule_that_edits_at_birth_is_heard(stage):
    """An edit made before the create was answered reaches the incident."""
    stage.sandbox.faults.add(
        Fault(kind="slow", method="POST", path=r"/rest/servicedeskapi/request$", times=1, delay_s=0.7)
    )

    incident = stage.platform.open("As opened")
    until(stage.sandbox.tickets)
    stage.sandbox.edit_ticket(stage.sandbox.tickets()[0]["id"], title="Set by a rule")

    until(lambda: stage.platform.incident(incident)["title"] == "Set by a rule")


def hangs(stage, **where):
    """Have one call hang; return the fault, and a function that tells whether nothing that hung was answered yet."""
    hanging = Fault(kind="slow", delay_s=12, **where)
    stage.sandbox.faults.add(hanging)
    return hanging, lambda: not any(call.fault == "slow" for call in stage.sandbox.calls)


@pytest.mark.extended
def test_stop_does_not_wait_for_a_read_that_hangs(open_stage):
    """Nor for one of those that are made by the clock, on threads of their own."""
    stage = open_stage(with_webhook=False, reconcile="500ms")
    open_incident(stage)
    reading, still_hangs = hangs(stage, path=r"/rest/api/\d/(search|issue/bulkfetch)")
    until(lambda: reading.hits)

    code = stage.daemon.stop()

    assert code == 0
    assert still_hangs()
    assert "calls_abandoned" in stage.daemon.log_path.read_text()


@pytest.mark.extended
def test_stop_does_not_wait_for_a_helpdesk_that_hangs(stage):
    """A call that hangs is abandoned at the deadline, and made good after the next start."""
    stage.daemon.stop()
    text = stage.config_path.read_text() + "engine: {stop_deadline: 1s}\n"
    stage.config_path.write_text(text)
    stage.daemon.start()
    creating, still_hangs = hangs(stage, method="POST", path=r"/rest/servicedeskapi/request$")
    incident = stage.platform.open("Hanging")
    until(lambda: creating.hits)

    code = stage.daemon.stop()
    was_abandoned = still_hangs()
    stage.daemon.start()

    assert (code, was_abandoned) == (0, True)
    until(lambda: stage.ticket_of(incident), within_s=120)
    assert titles(stage) == ["Hanging"]
