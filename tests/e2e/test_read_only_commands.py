"""Looking changes nothing: what the daemon has stays what it is, whatever file and environment a command is given."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import sqlite3
from contextlib import closing

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from connector_core.cli.main import cli
from connector_core.demo.stage import INTEGRATION, ORGANIZATION, until
from connector_core.words.advice import fix_in_terminal
from tests.support.linking import open_incident

STALE = {
    "DEMO_WEBHOOK_SECRET": "a secret of last year",
    "DEMO_SOURCE_SECRET": "whsec_" + "c3RhbGU" * 6,
    "DEMO_CONSOLE_PASSWORD": "a password of last year",
}
READING = (
    ("doctor",),
    ("doctor", INTEGRATION),
    ("doctor", "--json"),
    ("integrations", "list"),
    ("integrations", "show", INTEGRATION),
    ("integrations", "show", INTEGRATION, "--yaml"),
    ("integrations", "rules", INTEGRATION),
    ("integrations", "setup", INTEGRATION, "--choices"),
    ("integrations", "remove", INTEGRATION),
    ("status",),
    ("status", "--json"),
    ("links",),
    ("links", "--failed"),
    ("explain", "{incident}"),
    ("discard", "{incident}"),
    ("sources", "list"),
    ("sources", "show", ORGANIZATION),
    ("sources", "remove", ORGANIZATION),
    ("routing", "show", ORGANIZATION),
    ("routing", "try", ORGANIZATION),
    ("routing", "unsent", ORGANIZATION),
    ("reconcile", "--dry-run"),
    ("db", "check"),
    ("db", "backup", "{folder}/copy.db"),
    ("plugins", "list"),
    ("config", "show"),
    ("config", "check"),
    ("config", "diff"),
    ("config", "schema"),
)
EXPECTED_TO_FAIL = (
    ("config", "check"),  # says what is wrong with the file
    ("config", "diff"),  # 1: something differs
    ("sources", "remove", ORGANIZATION),  # there is none of set-up
    ("integrations", "remove", INTEGRATION),  # 2: without --yes it is not done
    ("discard", "{incident}"),  # as above
)
WITHOUT_KEY = (
    ("integrations", "list"),
    ("integrations", "show", INTEGRATION),
    ("status",),
    ("status", "--json"),
    ("links",),
    ("explain", "{incident}"),
    ("sources", "list"),
    ("db", "check"),
    ("db", "backup", "{folder}/other.db"),
    ("plugins", "list"),
    ("config", "show"),
)


def contents(path):
    """Return a fingerprint of every row of every table."""
    found = hashlib.sha256()
    with closing(sqlite3.connect(path)) as db:
        for (table,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall():
            found.update(table.encode())
            for row in sorted(map(repr, db.execute(f"SELECT * FROM {table}"))):  # noqa: S608 - a name of ours
                found.update(row.encode())
        found.update(repr(db.execute("PRAGMA user_version").fetchone()).encode())
    return found.hexdigest()


class Terminal:
    """A shell beside the daemon."""

    def __init__(self, stage, folder, environ):
        self._stage, self._folder = stage, folder
        unset = {name: None for name in (*stage.environ, *STALE) if name not in environ}
        self._environ = {**unset, **environ}
        self.incident = ""

    def run(self, *arguments):
        """Run one command."""
        filled = [text.format(incident=self.incident, folder=self._folder) for text in arguments]
        command = ["--config", str(self._stage.config_path), *filled]
        return CliRunner().invoke(cli, command, env=self._environ)


def edit(stage, change):
    """Change the configuration file."""
    yaml = YAML()
    tree = yaml.load(stage.config_path)
    change(tree)
    with stage.config_path.open("w") as file:
        yaml.dump(tree, file)


def unfinished(tree):
    """Leave the integration out, name another one, and another port: an edit that nobody has finished."""
    integrations = tree["organizations"][ORGANIZATION]["integrations"]
    integrations["another-desk"] = integrations.pop(INTEGRATION)
    integrations["another-desk"]["request_type"] = "77"
    tree["server"]["port"] = 1


@pytest.fixture
def quiet(stage):
    """Hold the daemon as it is, so that whatever changes was changed by a command."""
    incident, _ = open_incident(stage)
    os.kill(stage.daemon.pid, signal.SIGSTOP)
    yield incident
    os.kill(stage.daemon.pid, signal.SIGCONT)


@pytest.mark.extended
def test_no_reading_command_changes_anything(stage, quiet, tmp_path):
    """With an unfinished file and a stale environment every row of the daemon's database stays as it is."""
    path = stage.config_path.parent / "connector.db"
    terminal = Terminal(stage, tmp_path, {**stage.environ, **STALE})
    terminal.incident = quiet
    edit(stage, unfinished)
    before = contents(path)

    for arguments in READING:
        result = terminal.run(*arguments)

        assert contents(path) == before, f"connector {' '.join(arguments)} changed the database"
        assert result.exit_code == 0 or arguments in EXPECTED_TO_FAIL, (arguments, result.output, result.exception)


@pytest.mark.extended
def test_reading_commands_do_without_what_they_do_not_use(stage, quiet, tmp_path):
    """With no secret in the environment at all, whoever needs none works, and changes nothing."""
    path = stage.config_path.parent / "connector.db"
    terminal = Terminal(stage, tmp_path, {})
    terminal.incident = quiet
    before = contents(path)

    for arguments in WITHOUT_KEY:
        result = terminal.run(*arguments)

        assert result.exit_code == 0, (arguments, result.output, result.exception)
        assert contents(path) == before
    refused = terminal.run("doctor").exception
    assert getattr(refused, "code", "") == "secret_key_missing"


@pytest.mark.extended
def test_doctor_tries_what_the_daemon_has(stage, quiet, tmp_path):
    """A secret that only the shell has wrong is no finding; that the file says something else is one."""
    terminal = Terminal(stage, tmp_path, {**stage.environ, **STALE})
    edit(stage, lambda tree: tree["organizations"][ORGANIZATION]["integrations"][INTEGRATION].update(request_type="77"))

    found = json.loads(terminal.run("doctor", "--json").stdout)

    assert {row["severity"] for row in found if row["integration"] == INTEGRATION} <= {"ok", "warning"}
    (differs,) = [row for row in found if row["code"] == "config_differs"]
    assert f"{INTEGRATION}.request_type" in differs["detail"]
    assert "connector config apply" in differs["fix"]


def test_diff_says_what_apply_then_takes_over(stage, tmp_path):
    """Before: which keys, secrets masked, exit code 1; after: the daemon has them, and says so in its log."""
    integration = f"organizations.{ORGANIZATION}.integrations.{INTEGRATION}"

    def change(tree):
        tree["organizations"][ORGANIZATION]["integrations"][INTEGRATION]["close_status"] = "do_not_auto_close"
        tree["organizations"][ORGANIZATION]["integrations"][INTEGRATION]["webhook_secret"] = "written in plain text"
        tree["reconcile"]["every"] = "5m"

    terminal = Terminal(stage, tmp_path, stage.environ)
    assert terminal.run("config", "diff").exit_code == 0
    edit(stage, change)

    shown = terminal.run("config", "diff")
    assert shown.exit_code == 1
    assert f'{integration}.close_status: "' in shown.output
    assert f"{integration}.webhook_secret: changed" in shown.output
    assert "written in plain text" not in shown.output
    assert re.search(r"next start only:\n  reconcile.every: ", shown.output)

    applied = terminal.run("config", "apply")
    assert applied.exit_code == 0, applied.output
    assert f"{integration}.close_status" in applied.output
    assert "config_taken_over" in stage.daemon.log_path.read_text()
    shown = json.loads(terminal.run("integrations", "show", INTEGRATION, "--json").stdout)
    assert shown["settings"]["close_status"] == "do_not_auto_close"
    assert json.loads(terminal.run("config", "diff", "--json").stdout)["needs_restart"] == ["reconcile.every"]


def test_hang_up_takes_the_file_over(stage):
    """SIGHUP does what config apply does, and ends nothing."""
    edit(stage, lambda tree: tree["organizations"][ORGANIZATION].update(name="Acme, Inc."))

    os.kill(stage.daemon.pid, signal.SIGHUP)

    until(lambda: "Acme, Inc." in stage.daemon.log_path.read_text())
    assert stage.daemon.is_ready()


def test_file_with_mistakes_is_refused_and_the_daemon_goes_on(stage, tmp_path):
    """What is wrong is said where apply was called; nothing was applied."""
    open_incident(stage)
    terminal = Terminal(stage, tmp_path, stage.environ)
    edit(stage, lambda tree: tree["organizations"][ORGANIZATION]["integrations"][INTEGRATION].update(no_such_key="1"))

    refused = terminal.run("config", "apply")

    assert getattr(refused.exception, "code", "") == "config_refused"
    assert "no_such_key" in str(refused.exception)
    assert open_incident(stage)  # the connector works on


@pytest.mark.extended
def test_without_a_daemon_apply_waits_for_its_start(stage, tmp_path):
    """Nothing is applied by the command itself; the start says what it changed."""
    terminal = Terminal(stage, tmp_path, stage.environ)
    stage.daemon.stop()
    edit(stage, lambda tree: tree["organizations"][ORGANIZATION].update(name="Acme, Inc."))
    before = contents(stage.config_path.parent / "connector.db")

    result = terminal.run("config", "apply")

    assert result.exit_code == 0
    assert "when it starts" in result.output
    assert contents(stage.config_path.parent / "connector.db") == before
    stage.daemon.start()
    assert "Acme, Inc." in stage.daemon.log_path.read_text()


def test_older_database_is_left_alone(stage, tmp_path):
    """A command that only reads says what to do, and migrates nothing."""
    terminal = Terminal(stage, tmp_path, stage.environ)
    stage.daemon.stop()
    path = stage.config_path.parent / "connector.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("DELETE FROM _sqlite_migrations WHERE id = (SELECT MAX(id) FROM _sqlite_migrations)")
        db.commit()
    before = contents(path)

    for arguments in (("status",), ("doctor",), ("integrations", "list"), ("db", "backup", "{folder}/copy.db")):
        refused = terminal.run(*arguments).exception

        assert getattr(refused, "code", "") == "database_older", arguments
        assert "connector db migrate" in fix_in_terminal(refused)
    assert contents(path) == before


@pytest.mark.extended
def test_what_is_only_in_the_file_is_no_integration_yet(stage, tmp_path):
    """A command that changes something does not apply it either; it says who does."""
    open_incident(stage)
    terminal = Terminal(stage, tmp_path, stage.environ)
    edit(stage, unfinished)

    refused = terminal.run("integrations", "authorize", "another-desk").exception

    assert getattr(refused, "code", "") == "integration_not_taken_over"
    assert "connector config apply" in fix_in_terminal(refused)
    assert terminal.run("integrations", "list").output.count("another-desk") == 0
