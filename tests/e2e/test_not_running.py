"""Commands that say how things stand say that nothing runs, from the moment a daemon has ended, however it ended."""

from __future__ import annotations

import json

from connector_core.demo.stage import until
from tests.support.faults.campaign import opened_stage


def seen(stage):
    """Return what the commands say of the daemon: status in words and in JSON, doctor's findings, nodes' states."""
    words = stage.daemon.command("status")
    status, found, nodes = (
        json.loads(stage.daemon.command(name, "--json").stdout) for name in ("status", "doctor", "nodes")
    )
    said = "The connector is not running" in words.stdout
    return said, status["running"], [one["code"] for one in found].count("not_running"), [one["state"] for one in nodes]


def test_a_daemon_that_was_killed_or_stopped_is_missed_at_once(tmp_path):
    """Not after half a minute; and one that was started again is at work."""
    with opened_stage(tmp_path) as stage:
        assert seen(stage) == (False, True, 0, ["running"])

        stage.daemon.kill()
        assert seen(stage) == (True, False, 1, ["lost"])

        stage.daemon.start()
        until(stage.daemon.is_ready)
        said, running, problems, states = seen(stage)
        assert (said, running, problems, states[-1]) == (False, True, 0, "running")

        stage.daemon.stop()
        assert seen(stage)[:3] == (True, False, 1)
