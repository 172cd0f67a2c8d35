"""Comments between the two sides, through the running daemon."""

from __future__ import annotations

import json

import pytest
import requests
from ruamel.yaml import YAML

from connector_core.demo.stage import INTEGRATION, ORGANIZATION, Stage, sandbox_plugin, until
from connector_core.plugins import load_plugins
from connector_jira_jsm_sandbox import Fault
from tests.support.jira.at_stage import sandbox_of
from tests.support.jira.openapi_check import assert_calls_match_openapi
from tests.support.linking import open_incident

COMMENTS = r"/comment"


@pytest.fixture
def talking(tmp_path):
    """Return a function that opens a stage that syncs comments; its calls are held against the published API."""
    opened = []

    def open_one(*, to_ticket="internal", to_incident="public", managed_webhook=False, **options):
        stage = Stage(sandbox_plugin(load_plugins(), "jira_jsm"), tmp_path, **options)
        opened.append(stage)
        tree = YAML().load(stage.config_path)
        rules = {"to_ticket": to_ticket, "to_incident": to_incident}
        entry = tree["organizations"][ORGANIZATION]["integrations"][INTEGRATION]
        entry |= {"comments": rules, "managed_webhook": managed_webhook}
        YAML().dump(tree, stage.config_path)
        stage.open()
        return stage

    yield open_one
    for stage in opened:
        stage.close()
        assert_calls_match_openapi(sandbox_of(stage).calls)


def on_ticket(stage, ticket):
    """Return what stands on a ticket, as (text, public)."""
    return [(one.body, one.public) for one in stage.sandbox.workbench.issue(ticket).fields.comments]


def on_incident(stage, incident):
    """Return what stands on an incident."""
    return [one["text"] for one in stage.platform.comments(incident)]


def at_rest(stage):
    """Wait until nothing is under way."""
    until(lambda: stage.platform.waiting == 0)
    assert stage.sandbox.wait_for_deliveries()

    def settled():
        with stage.opened_store() as store:
            stats = store.overview.stats()
        return stats.due_lanes == stats.claimed_lanes == 0

    until(settled)


@pytest.mark.parametrize(
    "events",
    [pytest.param(["jira:issue_updated"], marks=pytest.mark.extended), ["jira:issue_updated", "comment_created"]],
)
def test_comments_sync_both_ways_and_none_comes_back(talking, events):
    """Whichever events the webhook tells of; an internal note stays, and several rounds later nothing was repeated."""
    stage = talking(with_webhook=True, reconcile="1h")
    (webhook,) = stage.sandbox.webhooks.listed()
    stage.sandbox.webhooks.change(webhook.id, events=tuple(events))
    incident, ticket = open_incident(stage)

    stage.platform.comment(incident, "Ada", "Is it *plugged* in?")
    until(lambda: on_ticket(stage, ticket))
    stage.sandbox.workbench.comment(ticket, "The password is xyzzy", public=False)
    stage.sandbox.workbench.comment(ticket, "It was not.")
    until(lambda: "It was not." in on_incident(stage, incident))
    stage.platform.comment(incident, "Ada", "Thank you.")
    until(lambda: len(on_ticket(stage, ticket)) == 4)
    calls = []
    for _ in range(4):  # the first look finds that our own comments changed the ticket; after that nothing is read
        assert stage.daemon.command("reconcile", INTEGRATION, "--full").returncode == 0
        stage.daemon.command("retry", incident)
        at_rest(stage)
        calls.append(stage.sandbox.count_calls(path=COMMENTS))

    assert on_incident(stage, incident) == ["Is it *plugged* in?", "It was not.", "Thank you."]
    first, *_, last = on_ticket(stage, ticket)
    assert first == ("Ada in the incident platform:\n\nIs it \\*plugged\\* in?", False)
    assert last == ("Ada in the incident platform:\n\nThank you.", False)
    assert calls[1:] == [calls[1]] * 3
    assert stage.sandbox.count_calls("POST", COMMENTS) == 2
    story = stage.daemon.command("explain", incident).stdout
    assert "synced to Jira." in story
    assert "synced to the incident platform." in story
    assert "Internal comments are not synced." in story
    assert "xyzzy" not in story


@pytest.mark.extended
def test_by_default_comments_cost_nothing_and_go_nowhere(stage):
    """Neither side's comments are read, and the timeline says why the incident's one stayed."""
    incident, ticket = open_incident(stage)
    stage.platform.comment(incident, "Ada", "Is it plugged in?")
    stage.sandbox.workbench.comment(ticket, "It was not.")
    at_rest(stage)
    assert stage.daemon.command("reconcile", INTEGRATION, "--full").returncode == 0

    assert stage.sandbox.count_calls(path=COMMENTS) == 0
    assert on_incident(stage, incident) == ["Is it plugged in?"]
    assert "Comments are not synced to Jira." in stage.daemon.command("explain", incident).stdout


def test_without_a_webhook_comments_are_found_by_reading(talking):
    """All of them, where that is wanted, with what customers do not see marked as such."""
    stage = talking(with_webhook=False, reconcile="1s", to_incident="all")
    incident, ticket = open_incident(stage)
    stage.sandbox.workbench.comment(ticket, "Between us.", public=False)
    stage.sandbox.workbench.comment(ticket, "It was not.")

    until(lambda: len(on_incident(stage, incident)) == 2)

    shown = [(one["text"], one["internal"]) for one in stage.platform.comments(incident)]
    assert shown == [("Between us.", True), ("It was not.", False)]


@pytest.mark.extended
def test_a_webhook_of_our_own_tells_of_comments(talking):
    """What its unsigned deliveries say is not believed: ticket and comments are read."""
    stage = talking(with_webhook=False, reconcile="1h", managed_webhook=True)
    until(lambda: stage.sandbox.site.dynamic_webhooks)
    incident, ticket = open_incident(stage)
    at_rest(stage)

    stage.sandbox.workbench.comment(ticket, "Between us.", public=False)
    stage.sandbox.workbench.comment(ticket, "It was not.")

    until(lambda: on_incident(stage, incident) == ["It was not."])


@pytest.mark.extended
def test_killed_while_a_comment_is_written_it_is_there_once(talking):
    """The answer never came: after the next start the comment is found by its mark."""
    stage = talking(reconcile="1h")
    incident, ticket = open_incident(stage)
    stage.sandbox.add_fault(Fault("slow", method="POST", path=COMMENTS, delay_s=3.0))
    stage.platform.comment(incident, "Ada", "Is it plugged in?")
    until(lambda: on_ticket(stage, ticket))
    stage.daemon.kill()
    stage.daemon.start()

    def carried():
        (story,) = json.loads(stage.daemon.command("explain", incident, "--json").stdout)
        return story["state"] == "in_sync" and not story["waiting_comments"]

    until(carried)
    at_rest(stage)
    assert [public for _, public in on_ticket(stage, ticket)] == [False]
    assert on_incident(stage, incident) == ["Is it plugged in?"]


def test_a_lost_answer_makes_no_second_comment(talking):
    """Public here; the connection breaks after the comment was made."""
    stage = talking(reconcile="1h", to_ticket="public", to_incident="none")
    incident, ticket = open_incident(stage)
    stage.sandbox.add_fault(Fault("lost_answer", method="POST", path=COMMENTS))
    for number in range(3):
        stage.platform.comment(incident, "Ada", f"word {number}")
    until(lambda: len(on_ticket(stage, ticket)) == 3)
    at_rest(stage)

    texts = [text.rpartition("\n")[2] for text, public in on_ticket(stage, ticket) if public]
    assert texts == ["word 0", "word 1", "word 2"]


def test_comments_can_be_switched_on_by_command(open_stage):
    """For an integration that is made in set-up; what was written before stays where it is."""
    stage = open_stage(in_file=False, authorized=False)
    command = stage.daemon.command
    command("integrations", "setup", INTEGRATION, "--organization", ORGANIZATION, "--plugin", "jira_jsm")

    shown = json.loads(command("integrations", "rules", INTEGRATION, "--json").stdout)
    assert [row["direction"] for row in shown if row["field"].startswith("comments.")] == ["none", "none"]
    changed = command(
        "integrations", "rules", INTEGRATION, "comments.to_ticket=internal", "comments.to_incident=all", "--json"
    )
    rows = {row["field"]: row["direction"] for row in json.loads(changed.stdout)}
    assert (rows["comments.to_ticket"], rows["comments.to_incident"]) == ("internal", "all")
    assert "to_incident: all" in command("integrations", "show", INTEGRATION, "--yaml").stdout
    assert command("integrations", "rules", INTEGRATION, "comments.to_ticket=loud").returncode == 2


def test_the_sample_platforms_page_takes_a_comment(talking):
    """Somebody writes one in the browser, and it is on the ticket."""
    stage = talking(reconcile="1h")
    incident, ticket = open_incident(stage)
    page = f"{stage.platform.url}/incidents/{incident}/comments"

    requests.post(page, data={"comment": "<b>bold</b>"}, timeout=10).raise_for_status()

    until(lambda: on_ticket(stage, ticket))
    assert "&lt;b&gt;bold&lt;/b&gt;" in requests.get(stage.platform.url, timeout=10).text
