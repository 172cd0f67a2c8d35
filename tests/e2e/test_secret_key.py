"""The secret key of a running connector: changed, retired, lost and put back, or lost for good."""

from __future__ import annotations

import json
import re

import pytest
import requests
from ruamel.yaml import YAML

from connector_core.demo.stage import INTEGRATION, ORGANIZATION, Stage, sandbox_plugin, source_plugin, until
from connector_core.plugins import load_plugins
from connector_core.secrets import generate_key
from tests.support.linking import open_incident
from tests.support.served import Visitor

KEY = "DEMO_SECRET_KEY"
CHOICES = {"service_desk": "10", "request_type": "25", "close_status": "10002"}


class Keyed:
    """A stage where everything was made in set-up, and so is sealed in the database, and its keys."""

    def __init__(self, stage):
        self.stage = stage
        self.first = stage.environ[KEY]

    def command(self, *arguments):
        """Run a command; its output."""
        return self.stage.daemon.command(*arguments)

    def write(self, *names):
        """Name the variables of the keys in the file."""
        yaml = YAML()
        tree = yaml.load(self.stage.config_path)
        tree["secret_key"] = [f"${{env:{name}}}" for name in names]
        yaml.dump(tree, self.stage.config_path)

    def restart(self, *keys):
        """Start again with these keys."""
        self.stage.daemon.stop()
        names = [f"KEY_{number}" for number in range(len(keys))]
        self.write(*names)
        for environ in (self.stage.daemon._environ, self.stage.environ):
            environ.update(zip(names, keys, strict=True))
        vars(self.stage).pop("_config", None)  # the stage looks into the database with the key of its first start
        self.stage.daemon.start()

    def status(self):
        """Return what `connector status` says."""
        return json.loads(self.command("status", "--json").stdout)

    def links(self):
        """Return the incidents with their tickets."""
        rows = json.loads(self.command("links", "--json").stdout)
        return {row["incident"]: row["ticket"] for row in rows}

    def deliver(self, kind="webhook"):
        """Send something that no secret signed; return the status of the answer."""
        paths = {"webhook": "/external/jira/webhook", "events": f"/v1/sources/{ORGANIZATION}/events"}
        answer = requests.post(f"{self.stage.daemon.url}{paths[kind]}", json={}, timeout=20)
        assert ("Retry-After" in answer.headers) == (answer.status_code == 503)
        return answer.status_code

    def front_page(self):
        """Return the first page of the console, as an administrator sees it."""
        visitor = Visitor(self.stage.daemon.url)
        visitor.log_in("admin", self.stage.environ["DEMO_CONSOLE_PASSWORD"])
        return visitor.get("/").text

    def deliveries(self):
        """Return how many deliveries of the helpdesk were taken since the daemon started."""
        shown = requests.get(f"{self.stage.daemon.url}/metrics", timeout=20).text
        taken = re.findall(r'^connector_received_total\{kind="webhook",[^}]*\} ([0-9.]+)', shown, re.MULTILINE)
        return sum(map(float, taken))

    def log(self):
        """Return the log of the daemon."""
        return self.stage.daemon.log_path.read_text()


@pytest.fixture
def keyed(tmp_path):
    """Open a stage, make source and integration in set-up, and link an incident."""
    plugins = load_plugins()
    stage = Stage(
        sandbox_plugin(plugins, "jira_jsm"),
        tmp_path,
        source=source_plugin(plugins, "xyte"),
        in_file=False,
        source_in_file=False,
    )
    stage.open_unauthorized()
    command = stage.daemon.command
    source = {"base_url": stage.platform.url, "organization_key": stage.platform.key, "poll_every": "1s"}
    command("sources", "setup", ORGANIZATION, "--plugin", "xyte", *_sets(source))
    command("integrations", "setup", INTEGRATION, "--organization", ORGANIZATION, "--plugin", "jira_jsm")
    stage.authorize()
    command("integrations", "setup", INTEGRATION, *_sets(CHOICES))
    command("integrations", "setup", INTEGRATION, *_sets({"webhook_secret": stage.environ["DEMO_WEBHOOK_SECRET"]}))
    enabled = command("integrations", "enable", INTEGRATION)
    assert enabled.returncode == 0, enabled.stdout + enabled.stderr
    yield Keyed(stage)
    stage.close()


def _sets(given):
    return [f"--set={key}={value}" for key, value in given.items()]


def works(keyed, title):
    """Assert that an incident gets its ticket, and that a signed delivery of the helpdesk is taken."""
    _, ticket = open_incident(keyed.stage, title)

    before = keyed.deliveries()
    keyed.stage.sandbox.edit_ticket(ticket, priority="Highest")
    until(lambda: keyed.deliveries() > before)


@pytest.mark.extended
def test_a_key_is_changed_and_retired(keyed):
    """With the new key in front one start is enough; without the former one everything goes on, nobody is asked."""
    works(keyed, "With the first key")
    new = generate_key()

    keyed.restart(new, keyed.first)
    assert "secrets_resealed" in keyed.log()
    works(keyed, "With both")
    keyed.restart(new)

    works(keyed, "With the new one alone")
    assert keyed.status()["unreadable_secrets"] == []
    assert "secrets_unreadable" not in keyed.log()


@pytest.mark.extended
def test_a_lost_key_is_found_again(keyed):
    """Meanwhile the daemon runs, links are shown and deliveries have to be sent again; then all goes on by itself."""
    open_incident(keyed.stage, "Before")
    before = keyed.links()

    keyed.restart(generate_key())
    (integration,) = keyed.status()["integrations"]
    shown = keyed.command("status").stdout
    answers = keyed.deliver(), keyed.deliver("events")
    waiting = keyed.stage.platform.open("Meanwhile")
    (source,) = json.loads(keyed.command("sources", "list", "--json").stdout)
    page = keyed.front_page()

    assert "secrets_unreadable" in keyed.log()
    assert "4 stored secrets cannot be opened" in page
    assert "Put the former key back into <code>secret_key</code>" in page
    assert "forget-secrets" not in page  # a command is nothing for a browser
    assert integration["state"] == "active"
    assert "cannot be opened" in integration["problem"]
    assert f"{INTEGRATION}: authorization" in shown
    assert "connector db forget-secrets" in shown
    assert "cannot be opened" in source["to_know"]
    assert answers == (503, 503)
    assert keyed.links() == before

    keyed.restart(keyed.first)
    until(lambda: keyed.stage.ticket_of(waiting))
    works(keyed, "Afterwards")
    assert {**keyed.links(), **before} == keyed.links()
    assert keyed.status()["unreadable_secrets"] == []
    assert "cannot be opened" not in keyed.front_page()


@pytest.mark.extended
def test_an_integration_of_the_file_keeps_its_authorization_while_the_key_is_lost(stage):
    """Its secrets come from the file again; what somebody consented to is good as soon as its key is back."""
    keyed = Keyed(stage)
    open_incident(stage, "Before")

    keyed.restart(generate_key())
    (integration,) = keyed.status()["integrations"]
    unreadable = keyed.status()["unreadable_secrets"]
    waiting = stage.platform.open("Meanwhile")
    until(lambda: "secrets_unreadable" in keyed.command("links").stdout)  # its lane ran, and rests
    keyed.restart(keyed.first)

    assert "cannot be opened" in integration["problem"]
    assert f"{INTEGRATION}: authorization" in unreadable
    assert f"{INTEGRATION}: secrets of the integration" not in unreadable
    until(lambda: stage.ticket_of(waiting))
    works(keyed, "Afterwards")


@pytest.mark.extended
def test_a_key_lost_for_good(keyed):
    """What nobody can open is given up by command, entered again, and the links of before go on."""
    incident, ticket = open_incident(keyed.stage, "Before")
    keyed.restart(generate_key())
    would = keyed.command("db", "forget-secrets")
    unchanged = keyed.status()["unreadable_secrets"]
    done = keyed.command("db", "forget-secrets", "--yes")
    again = keyed.command("db", "forget-secrets", "--yes")

    for said in (would, done):
        assert f"{INTEGRATION}: authorization" in said.stdout
        assert f"{ORGANIZATION}: secrets of the source" in said.stdout
        assert "Links stay." in said.stdout
    assert "Say --yes to do it" in would.stdout
    assert len(unchanged) == 4
    assert "nothing to give up" in again.stdout
    (integration,) = keyed.status()["integrations"]
    assert integration["fix"] == f"Run: connector integrations authorize {INTEGRATION}"
    assert keyed.deliver() == 403

    source = {"organization_key": keyed.stage.platform.key}
    assert keyed.command("sources", "setup", ORGANIZATION, *_sets(source)).returncode == 0
    keyed.stage.authorize()
    secret = {"webhook_secret": keyed.stage.environ["DEMO_WEBHOOK_SECRET"]}
    assert keyed.command("integrations", "setup", INTEGRATION, *_sets(secret)).returncode == 0
    works(keyed, "Afterwards")
    keyed.stage.platform.resolve(incident)
    until(lambda: keyed.stage.sandbox.ticket(ticket)["status"] == "Resolved")


@pytest.mark.extended
def test_commands_that_need_no_secret_work_before_a_lost_key_was_taken_up(keyed, tmp_path):
    """The others say what is wrong and what to do; a daemon with its own key is not robbed of its secrets."""
    open_incident(keyed.stage, "Before")
    right = keyed.stage.daemon._environ[KEY]
    keyed.stage.daemon._environ[KEY] = generate_key()

    for arguments in (
        ("status",),
        ("links",),
        ("integrations", "list"),
        ("db", "check"),
        ("db", "backup", str(tmp_path / "copy.db")),
        ("db", "forget-secrets"),
    ):
        ended = keyed.command(*arguments)
        needs_yes = arguments == ("db", "forget-secrets")
        assert ended.returncode == (2 if needs_yes else 0), (arguments, ended.stdout, ended.stderr)
    for arguments in (("integrations", "authorize", INTEGRATION), ("doctor",), ("retry", "1")):
        ended = keyed.command(*arguments)
        assert ended.returncode == 3
        assert "sealed with another secret key" in ended.stderr
        assert "connector db forget-secrets" in ended.stderr
    robbed = keyed.command("db", "forget-secrets", "--yes")
    assert (robbed.returncode, "The daemon runs with another secret key" in robbed.stderr) == (3, True)

    keyed.stage.daemon._environ[KEY] = right
    keyed.write("CHANGED_BEFORE_THE_START", KEY)
    keyed.stage.daemon._environ["CHANGED_BEFORE_THE_START"] = generate_key()
    beside = keyed.command("db", "forget-secrets", "--yes")
    assert "nothing to give up" in beside.stdout, beside.stderr
    keyed.write(KEY)
    works(keyed, "Afterwards")
