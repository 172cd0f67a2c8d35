"""`connector routing`: rules from a file or standard input, tried, kept, listed; and what is no such file."""

from __future__ import annotations

import json
from contextlib import closing, contextmanager
from datetime import timedelta

import pytest
import structlog
from click.testing import CliRunner

from connector_core import Incident, IncidentEvent
from connector_core.app import build_app
from connector_core.cli.main import cli
from connector_core.config import read_config
from connector_core.contract.errors import ConfigError
from connector_core.contract.models import EventType
from connector_core.contract.routing import MOST_BYTES
from connector_core.store import Target

FILE = """
secret_key: a passphrase of many letters
organizations:
  acme:
    integrations:
      desk: {plugin: jira_jsm, service_desk: "10", request_type: "25", close_status: "10002"}
      it: {plugin: jira_jsm, service_desk: "11", request_type: "25", close_status: "10002"}
  globex:
    integrations:
      theirs: {plugin: jira_jsm, service_desk: "12", request_type: "25", close_status: "10002"}
plugins:
  jira_jsm: {oauth: {client_id: app, client_secret: a long enough secret}}
"""
RULES = """
- {when: {priority_at_least: high, space: Acme/Berlin}, to: desk}
- {when: {title: printer}, to: []}
- {to: [it, desk]}
"""


@pytest.fixture
def path(tmp_path):
    """Write a configuration with a database beside it that has its integrations, and three incidents."""
    place = tmp_path / "connector.yaml"
    place.write_text(FILE)
    with at_hand(place) as app:
        app.configured.save()
        now = app.clock.now()
        for name, priority, days in (("inc-1", "high", 1), ("inc-2", "low", 2), ("inc-old", "low", 31)):
            about = Incident(
                id=name,
                title=f"Fan of {name} failed",
                priority=priority,
                opened_at=now - timedelta(days=days),
                location={"path": "Acme/Berlin/Lobby"},
            )
            event = IncidentEvent(id=name, type=EventType.OPENED, occurred_at=now, incident=about)
            targets = [Target("desk", {}, now)]
            app.store.inbox.accept_events("acme", [event], targets, now).result()
    return place


@contextmanager
def at_hand(path):
    """Open what a daemon has, to look into it."""
    config, plugins = read_config(path)
    app = build_app(config, plugins, log=structlog.get_logger("test"))
    with closing(app.store):
        yield app


def run(path, *arguments, given=None):
    """Run a command that has to work; return what it printed."""
    done = CliRunner().invoke(cli, ["--config", str(path), "routing", *arguments], input=given, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def refused(path, *arguments, given=None):
    """Run a command that has to be refused; return why."""
    with pytest.raises(ConfigError) as caught:
        run(path, *arguments, given=given)
    return caught.value.message


def test_rules_go_round(path):
    """What is set is shown, as a table, as JSON and as YAML that can be set again; cleared, there are none."""
    assert "There are no rules" in run(path, "show", "acme")
    assert "Saved: 3 rules." in run(path, "set", "acme", "-", given=RULES)

    table, as_yaml = run(path, "show", "acme"), run(path, "show", "acme", "--yaml")
    shown = json.loads(run(path, "show", "acme", "--json"))
    run(path, "set", "acme", "-", given=as_yaml)

    assert 'space is "Acme/Berlin" and priority is high or higher' in table
    assert shown["rules"] == [
        {"when": {"space": "Acme/Berlin", "priority_at_least": "high"}, "to": "desk"},
        {"when": {"title": "printer"}, "to": []},
        {"to": ["it", "desk"]},
    ]
    assert shown["from"] == "setup"
    assert json.loads(run(path, "show", "acme", "--json"))["rules"] == shown["rules"]
    assert [one["code"] for one in shown["findings"]] == ["routing_integration_inactive"] * 2  # drafts
    assert "Saved. There are no rules" in run(path, "set", "acme", "--clear")
    assert json.loads(run(path, "show", "acme", "--json"))["rules"] == []


def test_a_trial_says_what_would_have_gone_where(path, tmp_path):
    """By the rules of a file that nobody has set, of the days that are asked for; nothing is stored."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)

    rows = json.loads(run(path, "try", "acme", str(rules), "--json"))
    table = run(path, "try", "acme", str(rules), "--days", "40")

    assert [(row["incident"], row["rule"], row["would_go_to"], row["went_to"], row["is_other"]) for row in rows] == [
        ("inc-1", 1, ["desk"], ["desk"], False),
        ("inc-2", 3, ["it", "desk"], ["desk"], True),
    ]
    assert "3 incidents in the last 40 days: 3 to desk, 2 to it. 2 of them went elsewhere." in table
    assert "There are no rules" in run(path, "show", "acme")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("", "expected a list of rules"),
        ("to: desk", "expected a list of rules"),
        ("- {to: desk", "while parsing"),
        ("- {to: desk}\n- {to: it}", "rule 2 is never reached: rule 1 matches every incident"),
        ("- {when: {titel: x}, to: desk}", "rule 1, when.titel: unknown key"),
        ("- !!python/object/apply:os.system [id]", "could not determine a constructor"),
        pytest.param("[" * 1_500, "it is nested too deeply", marks=pytest.mark.extended),
        ("- &a {to: *a}", "rule 1"),
        ("- {when: {title: " + "x" * (100_000) + "}, to: desk}", "100000 characters at most"),
        (
            "".join(f"- {{when: {{title: '{number:03}{'ü' * 190}'}}, to: desk}}\n" for number in range(50)),
            f"all together have {MOST_BYTES // 1000} kB at most",
        ),
    ],
    ids=["empty", "no list", "cut", "never", "key", "object", "deep", "ring", "long", "large"],
)
def test_what_is_no_list_of_rules_is_refused(path, given, reason):
    """With the place and the reason, and nothing is stored of it."""
    assert reason in refused(path, "set", "acme", "-", given=given)
    assert json.loads(run(path, "show", "acme", "--json"))["rules"] == []


@pytest.mark.parametrize("name", ["theirs", "nobodys", "DESK"])
def test_an_integration_that_the_organization_lacks_is_refused(path, name):
    """Whether another organization has it or not; in a trial too."""
    said = f"Rule 1 names '{name}', and acme has no such integration."

    assert refused(path, "set", "acme", "-", given=f"- {{to: {name}}}") == said
    assert refused(path, "try", "acme", "-", given=f"- {{to: {name}}}") == said


def test_rules_of_the_file_are_not_set_by_command(path):
    """The command says where they stand."""
    path.write_text(FILE.replace("  acme:\n", "  acme:\n    routing: [{to: it}]\n"))
    with at_hand(path) as app:
        app.configured.save()

    assert "is written in" in refused(path, "set", "acme", "-", given="- {to: desk}")
    assert "in the configuration file" in run(path, "show", "acme")


def test_unknown_organizations_and_half_commands_are_refused(path):
    """With what there is, or with what is missing."""
    for arguments in (("show", "nothing"), ("unsent", "nothing"), ("try", "nothing"), ("send", "nothing", "a", "b")):
        assert "There is no organization 'nothing'" in refused(path, *arguments)
    assert refused(path, "set", "acme", "-", given="to: x").startswith(
        "The standard input has no rules that can be used"
    )
    assert "no active integration 'desk'" in refused(path, "send", "acme", "inc-1", "desk")
    assert "incident 'nope' of acme" in refused(path, "send", "acme", "nope", "desk")
    assert "no integration 'theirs'" in refused(path, "send", "acme", "inc-1", "theirs")
    for arguments in (("set", "acme"), ("set", "acme", "-", "--clear"), ("try", "acme", "--days", "0")):
        done = CliRunner().invoke(cli, ["--config", str(path), "routing", *arguments], input="[]")
        assert done.exit_code == 2
