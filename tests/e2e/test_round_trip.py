"""A test incident between both sandboxes: the daemon sends it there and back, whichever way changes come."""

from __future__ import annotations

import json

import pytest

from connector_core.demo.stage import INTEGRATION, until

TEST = ("integrations", "test", INTEGRATION)


def outcome(stage, *options):
    """Send one, wait for it, and return what the command printed and its exit code."""
    ran = stage.daemon.command(*TEST, "--wait", "--json", *options)
    return json.loads(ran.stdout), ran.returncode


def test_a_test_incident_goes_there_and_back_by_webhook(shared_stage):
    """Each leg has its time, the request is closed, and the platform hears nothing of it."""
    stage = shared_stage
    calls = stage.platform.call_count()

    told, code = outcome(stage)
    listed = stage.daemon.command("links", "--json").stdout
    again = stage.daemon.command(*TEST, "--last")

    assert (code, told["outcome"]) == (0, "passed"), told
    assert [leg["state"] for leg in told["legs"]] == ["done"] * 4
    assert told["legs"][2]["code"] == "by_webhook"
    assert all(leg["seconds"] is not None for leg in told["legs"])
    (ticket,) = [one for one in stage.sandbox.tickets() if one["key"] == told["ticket_key"]]
    assert ticket["title"].startswith("Changed: Test of the connector")
    assert ticket["done"]
    assert told["ticket_key"] not in listed
    assert "Both directions work." in again.stdout
    assert stage.platform.call_count() == calls


@pytest.mark.extended
def test_a_daemon_that_is_killed_in_the_middle_leaves_no_open_ticket(shared_stage):
    """The next life goes on with the test, whatever it had come to."""
    stage = shared_stage
    sent = stage.daemon.command(*TEST, "--json")
    stage.daemon.kill()
    refused = stage.daemon.command(*TEST, "--last")
    stage.daemon.start()

    def over():
        return json.loads(stage.daemon.command(*TEST, "--last", "--json").stdout)["outcome"] != "running"

    until(over)
    told = json.loads(stage.daemon.command(*TEST, "--last", "--json").stdout)

    assert sent.returncode == 0
    assert (refused.returncode, told["outcome"]) == (0, "passed"), told
    assert told["incident_id"] == json.loads(sent.stdout)["incident_id"]
    assert all(one["done"] for one in stage.sandbox.tickets())
