"""The whole product page with Request Tracker in the helpdesk's place: the daemon as a process, a real server."""

from __future__ import annotations

import html
import re

import pytest
from ruamel.yaml import YAML

from connector_core.demo.stage import INTEGRATION, ORGANIZATION, Stage, sandbox_plugin, until
from connector_core.kit.scripts import filled_script
from connector_core.kit.texts import packaged
from connector_core.plugins import load_plugins
from connector_request_tracker_sandbox import RequestTrackerSandbox
from connector_request_tracker_sandbox.site import QUEUE
from tests.support.holding import Holding
from tests.support.needed import require
from tests.support.served import Visitor

SCRIP = packaged("connector_request_tracker", "scrip.pl")

pytestmark = pytest.mark.request_tracker


class Held(RequestTrackerSandbox):
    """A site that the connector reaches through a server in between."""

    def __init__(self):
        super().__init__()
        self.start()
        self.before = Holding(self.url)

    def integration_settings(self):
        """Return where the connector is to go, and that it is told by nobody."""
        return {**super().integration_settings(), "address": self.before.url}

    def stop(self):
        """End both."""
        self.before.stop()
        super().stop()


@pytest.fixture
def open_stage(tmp_path):
    """Return a function that opens a stage."""
    require("request-tracker")
    opened = []

    def open_one(*, sandbox=None, settings=None, scrip=False, is_open=True, **options):
        site = sandbox or RequestTrackerSandbox()
        if sandbox is None:
            site.start()
        told = site.register_webhook

        def paste(url, secret):
            """Paste what the wizard hands out; where a test copies it itself, it does so later."""
            if not scrip:
                told(url, secret, script=filled_script(SCRIP, {"url": url, "secret": secret}))

        site.register_webhook = paste
        stage = Stage(sandbox_plugin(load_plugins(), "request_tracker"), tmp_path, sandbox=site, **options)
        site.register_webhook = told
        opened.append(stage)
        if settings:
            tree = YAML().load(stage.config_path)
            tree["organizations"][ORGANIZATION]["integrations"][INTEGRATION] |= settings
            YAML().dump(tree, stage.config_path)
        if is_open:
            stage.open()
        else:
            stage.open_unauthorized()
        return stage

    yield open_one
    for stage in opened:
        stage.daemon.kill()
        stage.close()


def opened(stage, **fields):
    """Open an incident; return its id and its ticket's."""
    incident = stage.platform.open("Display off", **{"priority": "high", "description": "Room 4", **fields})
    until(lambda: stage.ticket_of(incident))
    return incident, stage.ticket_of(incident)["id"]


def there_and_back(stage):
    """Have each side follow the other, to the end."""
    incident, ticket = opened(stage)
    shown = stage.sandbox.ticket(ticket)
    assert (shown["title"], shown["priority"], shown["status"]) == ("Display off", "high", "new")
    assert shown["description"].startswith("Room 4\n")

    stage.platform.change(incident, title="Display dead", priority="critical")
    until(lambda: stage.sandbox.ticket(ticket)["title"] == "Display dead")
    until(lambda: stage.sandbox.ticket(ticket)["priority"] == "critical")
    stage.sandbox.edit_ticket(ticket, title="Power supply dead", priority="low")
    until(lambda: stage.platform.incident(incident)["title"] == "Power supply dead")
    until(lambda: stage.platform.incident(incident)["priority"] == "low")
    stage.sandbox.finish_ticket(ticket)
    until(lambda: stage.platform.incident(incident)["status"] == "closed")

    other, of_other = opened(stage)
    stage.platform.resolve(other)
    until(lambda: stage.sandbox.ticket(of_other)["status"] == "resolved")
    stage.sandbox.reopen_ticket(of_other)
    third, _ = opened(stage)
    assert stage.platform.incident(other)["status"] == "closed"
    assert stage.platform.incident(third)["status"] == "active"
    assert len(stage.sandbox.tickets()) == 3


def test_both_sides_follow_each_other_by_webhook(open_stage):
    """Signed deliveries tell of changes at once; nothing is read but because of them."""
    there_and_back(open_stage(reconcile="1h"))


def test_both_sides_follow_each_other_by_reading(open_stage):
    """Without a secret nothing is told, and tickets are read again and again."""
    there_and_back(open_stage(with_webhook=False, reconcile="1s"))


def test_what_a_lost_delivery_would_have_told_is_read(open_stage):
    """Nobody sends it again: a Scrip that reaches nobody loses what it tells, and the next reading finds it."""
    stage = open_stage(scrip=True, reconcile="1s")
    nowhere = {"url": "http://127.0.0.1:9/", "secret": stage.environ["DEMO_WEBHOOK_SECRET"]}
    stage.sandbox.register_webhook("", "", script=filled_script(SCRIP, nowhere))
    incident, ticket = opened(stage)

    stage.sandbox.edit_ticket(ticket, title="Power supply dead", priority="low")

    until(lambda: stage.platform.incident(incident)["title"] == "Power supply dead")
    until(lambda: stage.platform.incident(incident)["priority"] == "low")
    assert "connector: 500 Can't connect" in stage.sandbox.log()


def test_it_is_set_up_in_a_terminal_with_the_scrip_that_is_handed_out(open_stage):
    """From nothing to active; the script of the step Webhook, pasted as it is, tells of changes."""
    stage = open_stage(in_file=False, scrip=True, is_open=False, reconcile="1h")
    secret = stage.environ["DEMO_WEBHOOK_SECRET"]

    def command(*words, name="acme-rt"):
        done = stage.daemon.command("integrations", words[0], name, *words[1:])
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    command("setup", "--organization", ORGANIZATION, "--plugin", "request_tracker")
    command("setup", f"--set=address={stage.sandbox.url}", f"--set=token={stage.sandbox.token}")
    command("authorize")
    command("setup", f"--set=queue={QUEUE}", "--set=close_status=resolved", f"--set=webhook_secret={secret}")
    command("enable")
    script = script_of(stage, "acme-rt")
    stage.sandbox.register_webhook("", "", script=script)

    incident, ticket = opened(stage)
    stage.sandbox.edit_ticket(ticket, title="Lobby: power supply dead")

    assert secret in script
    until(lambda: stage.platform.incident(incident)["title"] == "Lobby: power supply dead")


def script_of(stage, name):
    """Return the script that set-up hands out, as a person has it shown with its secret and copies it."""
    visitor = Visitor(stage.daemon.url)
    assert visitor.log_in("admin", stage.environ["DEMO_CONSOLE_PASSWORD"]).status_code == 303
    page = visitor.post(f"/integrations/{name}/setup/step/webhook/reveal").text
    return html.unescape(re.search(r'data-copy="([^"]*HMAC[^"]*|[^"]*hmac_sha256_hex[^"]*)"', page)[1])


def test_a_changed_description_is_told_once_as_a_comment(open_stage):
    """Nobody can change the first message of a ticket; it is told where descriptions travel to the ticket."""
    stage = open_stage(settings={"fields": {"description": "to_ticket"}}, reconcile="1h")
    incident, ticket = opened(stage)

    stage.platform.change(incident, description="Room 5, not 4")
    until(lambda: stage.sandbox.comments(ticket))
    stage.platform.change(incident, title="Display dead")
    until(lambda: stage.sandbox.ticket(ticket)["title"] == "Display dead")

    (told,) = stage.sandbox.comments(ticket)
    assert told["internal"]
    assert "Room 5, not 4" in told["text"]


def test_comments_travel_both_ways_and_none_comes_back(open_stage):
    """An internal one stays where it is."""
    stage = open_stage(settings={"comments": {"to_ticket": "internal", "to_incident": "public"}}, reconcile="1h")
    incident, ticket = opened(stage)

    stage.platform.comment(incident, "Ada", "Is it plugged in?")
    until(lambda: stage.sandbox.comments(ticket))
    stage.sandbox.write_comment(ticket, "The password is xyzzy", internal=True)
    stage.sandbox.write_comment(ticket, "It was not.")
    until(lambda: len(stage.platform.comments(incident)) == 2)
    stage.sandbox.edit_ticket(ticket, title="Plugged in")
    until(lambda: stage.platform.incident(incident)["title"] == "Plugged in")

    assert [one["internal"] for one in stage.sandbox.comments(ticket)] == [True, True, False]
    assert "Is it plugged in?" in stage.sandbox.comments(ticket)[0]["text"]
    assert [one["text"] for one in stage.platform.comments(incident)] == ["Is it plugged in?", "It was not."]


def test_killed_in_a_create_there_is_one_ticket(open_stage):
    """It was made, its answer never came, and the next daemon finds it by its mark."""
    site = Held()
    stage = open_stage(sandbox=site, with_webhook=False, reconcile="1s")
    site.before.hold("POST", "/REST/2.0/ticket")
    incident = stage.platform.open("Display off", priority="high")
    assert site.before.held.wait(60)

    stage.daemon.kill()
    stage.daemon.start()

    until(lambda: stage.ticket_of(incident))
    stage.platform.change(incident, title="Display dead")
    until(lambda: [one["title"] for one in site.tickets()] == ["Display dead"])


def test_a_merged_ticket_is_followed_and_a_deleted_one_closes_nothing(open_stage):
    """The one goes on with the other; the other waits for a person, who sees why."""
    stage = open_stage(reconcile="1h")
    merged, of_merged = opened(stage)
    deleted, of_deleted = opened(stage)
    other = stage.sandbox._agent.post("/ticket", Queue=QUEUE, Subject="All", Content="x", ContentType="text/plain")[
        "id"
    ]

    stage.sandbox.merge_ticket(of_merged, into=other)
    stage.sandbox.delete_ticket(of_deleted)
    until(lambda: (stage.ticket_of(merged) or {}).get("id") == other)

    def why():
        return stage.daemon.command("explain", deleted).stdout

    until(lambda: "was deleted in" in why())
    stage.platform.change(merged, title="All displays")
    until(lambda: stage.sandbox.ticket(other)["title"] == "All displays")
    assert {stage.platform.incident(one)["status"] for one in (merged, deleted)} == {"active"}
