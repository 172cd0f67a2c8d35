"""Rules in a daemon, two helpdesks behind it: Jira's stand-in and ServiceNow's, and incidents where a rule says."""

from __future__ import annotations

import json
from contextlib import closing

import pytest
from ruamel.yaml import YAML

from connector_core.demo.stage import INTEGRATION, ORGANIZATION, Stage, sandbox_plugin, until
from connector_core.plugins import load_plugins
from connector_jira_jsm_sandbox import Fault
from connector_servicenow_sandbox import ServiceNowSandbox

INSTANCE = "acme-it"
RULES = [
    {"when": {"priority": "critical"}, "to": INTEGRATION},
    {"when": {"title": "printer"}, "to": []},
    {"to": INSTANCE},
]


@pytest.fixture(scope="module")
def instance():
    """Serve an instance."""
    sandbox = ServiceNowSandbox()
    sandbox.start()
    yield sandbox
    sandbox.stop()


@pytest.fixture(scope="module")
def stage(tmp_path_factory, instance):
    """Open a stage whose file has the instance beside the helpdesk, and rules between them."""
    opened = Stage(sandbox_plugin(load_plugins(), "jira"), tmp_path_factory.mktemp("routing"), reconcile="1s")
    name, opened.environ["INSTANCE_PASSWORD"] = instance.account
    settings = {
        "plugin": "servicenow",
        **{key: value for key, value in instance.integration_settings().items() if not key.startswith("client_")},
        "sign_in": "basic",
        "user_name": name,
        "password": "${env:INSTANCE_PASSWORD}",
    }
    opened.daemon = opened.daemon_class(opened.config_path, opened.daemon.url, opened.daemon.log_path, opened.environ)
    edit(opened, lambda acme: acme["integrations"].update({INSTANCE: settings}))
    edit(opened, lambda acme: acme.update(routing=RULES))
    with closing(opened):
        opened.open()
        yield opened
        opened.daemon.kill()


@pytest.fixture(autouse=True)
def _rules(stage):
    """Have the rules in force that every test begins with, whatever the one before it did."""
    edit(stage, lambda acme: acme.update(routing=RULES))
    command(stage, "config", "apply")


def edit(stage, change):
    """Change what the file says of the organization."""
    tree = YAML().load(stage.config_path)
    change(tree["organizations"][ORGANIZATION])
    YAML().dump(tree, stage.config_path)


def command(stage, *arguments):
    """Run a command that has to work; return what it printed."""
    done = stage.daemon.command(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def links_of(stage, incident):
    """Return the links of an incident, each with its integration."""
    with stage.opened_store() as store:
        return {link.integration_id: link for link in store.links.find(text=incident)}


def ticketed(stage, incident, integration):
    """Wait until an incident has a ticket; return it, if it has no other link."""

    def has_ticket():
        found = links_of(stage, incident)
        return integration in found and found[integration].ticket is not None

    until(has_ticket)
    links = links_of(stage, incident)
    assert set(links) == {integration}
    return links[integration].ticket


def unsent(stage):
    """Return why incidents have no ticket, as the command line lists them."""
    rows = json.loads(command(stage, "routing", "unsent", ORGANIZATION, "--json"))
    return {row["incident"]: row["reason"] for row in rows if row["status"] == "active"}


def test_each_goes_where_a_rule_says_and_stays_there(stage, instance):
    """Critical ones to one desk, the others to the other, some to none; a later change of it moves nothing."""
    urgent = stage.platform.open("Display offline", priority="critical")
    usual = stage.platform.open("Sensor silent", priority="low")
    at_desk, at_instance = ticketed(stage, urgent, INTEGRATION), ticketed(stage, usual, INSTANCE)

    stage.platform.change(usual, priority="critical", title="Sensor is dead")

    until(lambda: instance.ticket(at_instance.id)["title"] == "Sensor is dead")
    assert ticketed(stage, usual, INSTANCE).id == at_instance.id
    assert at_desk.key in {ticket["key"] for ticket in stage.sandbox.tickets()}
    assert "Sent to acme-it by rule 3: any incident." in command(stage, "explain", usual)


def test_what_goes_nowhere_is_seen_and_sent_by_a_person(stage):
    """It is listed with its reason, `explain` says it too, and a person sends it where they like."""
    printer = stage.platform.open("Printer jammed", priority="low")
    until(lambda: printer in unsent(stage))
    assert unsent(stage)[printer] == 'Sent to no integration by rule 2: title contains "printer".'
    asked = stage.daemon.command("explain", printer)
    assert (asked.returncode, "has no ticket. Sent to no integration by rule 2" in asked.stderr) == (3, True)

    command(stage, "routing", "send", ORGANIZATION, printer, INTEGRATION)

    ticketed(stage, printer, INTEGRATION)
    assert printer not in unsent(stage)


@pytest.mark.extended
def test_it_waits_for_a_desk_that_is_disabled(stage):
    """Status and doctor say so; enabled again, the desk gets what waited for it."""
    edit(stage, lambda acme: acme["integrations"][INSTANCE].update(enabled=False))
    command(stage, "config", "apply")
    waiting = stage.platform.open("Door open", priority="low")
    until(lambda: waiting in unsent(stage))
    assert unsent(stage)[waiting] == "Waits for acme-it, which is not active (by rule 3: any incident)."
    found = json.loads(command(stage, "status", "--json"))["routing"][ORGANIZATION]
    assert [one["code"] for one in found] == ["routing_integration_inactive", "incidents_waiting"]
    assert "which is not active" in stage.daemon.command("doctor").stdout

    edit(stage, lambda acme: acme["integrations"][INSTANCE].update(enabled=True))
    command(stage, "config", "apply")

    ticketed(stage, waiting, INSTANCE)
    assert json.loads(command(stage, "status", "--json"))["routing"] == {}


@pytest.mark.extended
def test_killed_between_decision_and_ticket_it_stays_decided(stage, instance):
    """Kill -9 while the ticket is made, other rules at the next start: one ticket, where it was sent."""
    before, elsewhere = len(stage.sandbox.tickets()), len(instance.tickets())
    held = Fault("slow", method="POST", path="/rest/servicedeskapi/request$", delay_s=1.0)
    stage.sandbox.add_fault(held)
    incident = stage.platform.open("Fan failed", priority="critical")
    until(lambda: held.hits)
    stage.daemon.kill()
    edit(stage, lambda acme: acme.update(routing=[{"to": INSTANCE}]))

    stage.daemon.start()

    ticketed(stage, incident, INTEGRATION)
    assert (len(stage.sandbox.tickets()), len(instance.tickets())) == (before + 1, elsewhere)
    shown = json.loads(command(stage, "routing", "show", ORGANIZATION, "--json"))
    assert (shown["rules"], shown["from"]) == ([{"to": INSTANCE}], "yaml")
    tried = json.loads(command(stage, "routing", "try", ORGANIZATION, "--json"))
    of_it = next(row for row in tried if row["incident"] == incident)
    assert (of_it["would_go_to"], of_it["went_to"], of_it["is_other"]) == ([INSTANCE], [INTEGRATION], True)
