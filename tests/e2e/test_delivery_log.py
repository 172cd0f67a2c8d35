"""The delivery log of a running daemon: events, webhooks and calls, on the command line; a replay over a kill."""

from __future__ import annotations

import json

import pytest

from connector_core.demo.stage import INTEGRATION, until
from tests.support.linking import open_incident


def listed(stage, *options):
    """Return what a command lists."""
    done = stage.daemon.command("deliveries", "list", "--json", "--limit", "1000", *options)
    return json.loads(done.stdout)


@pytest.mark.extended
def test_what_arrived_and_was_called_is_listed_shown_and_replayed(open_stage):
    """An event leads to calls for its link; its body and theirs hold no secret; replayed, it changes nothing."""
    stage = open_stage()
    incident, ticket = open_incident(stage)
    stage.sandbox.edit_ticket(ticket, title="Fan 2 failed")
    until(lambda: any(one["integration"] == INTEGRATION for one in listed(stage, "--way", "in")))
    until(lambda: listed(stage, "--way", "in", "--about", incident))

    (event,) = [one for one in listed(stage, "--about", incident, "--way", "in") if "opened" in one["what"]]
    assert (event["result"], event["client"], event["can_replay"]) == ("accepted", "127.0.0.1", True)
    calls = [one for one in listed(stage, "--way", "out") if one["link"] == event["link"]]
    assert any(one["what"].startswith("POST") and one["status"] < 300 for one in calls)
    assert all(one["attempt"] == 1 for one in calls)
    (created,) = [one for one in calls if "request" in one["address"] and one["what"].startswith("POST")][:1]
    shown = stage.daemon.command("deliveries", "show", str(created["id"])).stdout
    assert "Authorization: " in shown
    assert "Bearer ***" in shown or "Basic ***" in shown

    before = stage.sandbox.count_calls(method="POST", path="/rest/servicedeskapi/request")
    assert before == 1
    stage.daemon.kill()
    begun = stage.daemon.command("deliveries", "replay", str(event["id"]))
    assert "Replay 1: 1 delivery." in begun.stdout
    stage.daemon.start()

    def replay():
        (one,) = json.loads(stage.daemon.command("deliveries", "replays", "--json").stdout)
        return one

    until(lambda: replay()["state"] == "done")
    assert (replay()["accepted"], replay()["failed"]) == (1, 0)
    assert stage.sandbox.count_calls(method="POST", path="/rest/servicedeskapi/request") == before
    assert stage.daemon.command("deliveries", "show", "999999").returncode == 2
