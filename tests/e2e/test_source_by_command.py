"""A source made by command: on a terminal and in a script, beside a running daemon, and out of its way again."""

from __future__ import annotations

import json

import pytest
from ruamel.yaml import YAML

from connector_core.config import read_config
from connector_core.demo.stage import INTEGRATION, ORGANIZATION, Stage, sandbox_plugin, source_plugin, until
from connector_core.plugins import load_plugins
from tests.support.terminal import DOWN, UP, converse


@pytest.fixture
def stage(tmp_path):
    """Open a stage with a Xyte organization that the file does not know of."""
    plugins = load_plugins()
    opened = Stage(
        sandbox_plugin(plugins, "jira_jsm"),
        tmp_path,
        source=source_plugin(plugins, "xyte"),
        in_file=False,
        source_in_file=False,
    )
    opened.open_unauthorized()
    yield opened
    opened.close()


def sources(stage, *arguments):
    """Run a command about sources."""
    return stage.daemon.command("sources", *arguments)


def connect(stage, **more):
    """Make the source in one command."""
    given = {"base_url": stage.platform.url, "organization_key": stage.platform.key, **more}
    sets = [f"--set={key}={value}" for key, value in given.items()]
    return sources(stage, "setup", ORGANIZATION, "--plugin", "xyte", *sets)


def activate(stage):
    """Make an integration and activate it, all by command."""
    command = stage.daemon.command
    command("integrations", "setup", INTEGRATION, "--organization", ORGANIZATION, "--plugin", "jira_jsm")
    stage.authorize()
    settings = {"service_desk": "10", "request_type": "25", "close_status": "10002"}
    command("integrations", "setup", INTEGRATION, *(f"--set={key}={value}" for key, value in settings.items()))
    return command("integrations", "enable", INTEGRATION)


def looked(stage):
    """Return whether the daemon has looked at the source and found it well."""
    (row,) = json.loads(sources(stage, "list", "--json").stdout)
    return row["state"] == "ok"


@pytest.mark.extended
def test_a_person_connects_the_source_on_the_way_to_the_integration(stage):
    """A wrong key is refused and what else was typed offered again; no key is ever shown."""
    shown = converse(
        stage,
        ("integrations", "setup", INTEGRATION, "--organization", ORGANIZATION, "--plugin", "jira_jsm"),
        ("Where incidents come from:", DOWN),
        ("Organization key", "a-wrong-key"),
        ("Connect Xyte: set", "y"),
        ("found.", UP),  # from the first entry up is the last one, Next
        ("Address of the hub", stage.platform.url),
        ("Organization key", stage.platform.key),
        ("found.", UP),
        ("Address of the hub", ""),  # as it was typed before
        ("Incidents to Include: set", "n"),
    )

    assert "Connected to Acme. 0 open incidents." in shown
    assert f"connector integrations authorize {INTEGRATION}" in shown
    assert "does not accept the organization key" in shown
    assert "a-wrong-key" not in shown
    assert stage.platform.key not in shown
    record = json.loads(sources(stage, "show", ORGANIZATION, "--json").stdout)
    assert record["settings"] == {"base_url": stage.platform.url}
    assert record["secrets"] == ["organization_key"]


@pytest.mark.extended
def test_a_script_connects_it_beside_the_daemon(stage):
    """It is in force without a restart; without one there is no activation."""
    refused = activate(stage)
    answer = connect(stage, poll_every="1s", spaces_unknown="x")
    right = connect(stage, poll_every="1s")

    assert refused.returncode == 3
    assert "acme has no source" in refused.stdout
    assert (answer.returncode, "No step asks for spaces_unknown" in answer.stderr) == (2, True)
    assert "Xyte is connected." in right.stdout
    assert stage.daemon.command("integrations", "enable", INTEGRATION).returncode == 0
    until(lambda: looked(stage))
    incident = stage.platform.open("Display offline")
    until(lambda: stage.ticket_of(incident))


@pytest.mark.extended
def test_a_wrong_key_in_a_script(stage):
    """It is refused with the reason and nothing of it is kept; questions can be listed at any time."""
    wrong = connect(stage, organization_key="wrong")
    questions = json.loads(sources(stage, "setup", ORGANIZATION, "--choices").stdout)

    assert wrong.returncode == 3
    assert "does not accept the organization key" in wrong.stderr
    assert {one["key"]: one["answer"] for one in questions}["base_url"] is None
    assert "wrong" not in json.dumps(questions)
    (row,) = json.loads(sources(stage, "list", "--json").stdout)
    assert row["state"] == "unfinished"
    assert sources(stage, "setup", ORGANIZATION).returncode == 2


@pytest.mark.extended
def test_what_is_printed_for_the_file_is_the_same_source(stage):
    """With references in place of secrets; written there it goes first, and the other one can be removed."""
    connect(stage, minimum_priority="high", open_after="2m", **{"spaces.3220": "include"})
    printed = sources(stage, "show", ORGANIZATION, "--yaml").stdout

    assert stage.platform.key not in printed
    yaml = YAML()
    tree = yaml.load(stage.config_path)
    tree["organizations"][ORGANIZATION]["source"] = yaml.load(printed)["organizations"][ORGANIZATION]["source"]
    yaml.dump(tree, stage.config_path)
    stage.daemon._environ["ACME_SOURCE_ORGANIZATION_KEY"] = stage.platform.key
    config, _ = read_config(stage.config_path, environ=stage.daemon._environ)
    settings = config.organizations[ORGANIZATION].source.settings
    assert (settings.spaces.include, settings.minimum_priority) == (("3220",), "high")
    stage.daemon.stop()
    stage.daemon.start()  # with the variable that the file names now
    (row,) = json.loads(sources(stage, "list", "--json").stdout)
    assert row["from"].endswith("the one made in set-up is not used")
    assert "is written in" in connect(stage).stderr
    assert sources(stage, "remove", ORGANIZATION, "--yes").returncode == 0
    again = sources(stage, "remove", ORGANIZATION, "--yes")
    assert (again.returncode, "is written in" in again.stderr) == (3, True)


@pytest.mark.extended
def test_reading_anew_and_removing_say_first_what_they_would_do(stage):
    """Then the ticket stays the only one, still closes with its incident, and afterwards nothing comes in."""
    connect(stage, poll_every="1s")
    activate(stage)
    until(lambda: looked(stage))
    incident = stage.platform.open("Display offline")
    until(lambda: stage.ticket_of(incident))

    asked = sources(stage, "reset", ORGANIZATION)
    cursor = _cursor(stage)
    done = sources(stage, "reset", ORGANIZATION, "--yes")

    assert ("Say --yes" in asked.stdout, "first look" in done.stdout) == (True, True)
    until(lambda: _line(_cursor(stage)) not in {None, _line(cursor)})
    stage.platform.resolve(incident)
    until(lambda: stage.ticket_of(incident)["done"])
    assert len(stage.sandbox.tickets()) == 1
    assert "Say --yes" in sources(stage, "remove", ORGANIZATION).stdout
    assert sources(stage, "remove", ORGANIZATION, "--yes").returncode == 0
    assert "No organization has a source yet." in sources(stage, "list").stdout
    assert sources(stage, "reset", ORGANIZATION, "--yes").returncode == 2
    found = stage.daemon.command("doctor")
    assert ("acme has no source" in found.stdout, found.returncode) == (True, 1)
    assert "No incident source connected" in stage.daemon.command("status").stdout


def _cursor(stage):
    with stage.opened_store() as store:
        return store.sources.cursor(ORGANIZATION, "xyte")


def _line(cursor):
    return None if cursor is None else json.loads(cursor)["line"]
