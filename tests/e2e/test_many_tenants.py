"""Many organizations in one file: the daemon is ready before all their sites were asked."""

from __future__ import annotations

import json

import pytest
import requests

from benchmarks import tenants
from connector_core.demo.stage import until
from connector_jira_jsm_sandbox import JiraSandbox

MANY = 50


@pytest.fixture
def desk():
    """Serve a helpdesk for all of them."""
    sandbox = JiraSandbox()
    sandbox.start()
    yield sandbox
    sandbox.stop()


@pytest.fixture
def daemon(tmp_path, desk):
    """Make the daemon of a file with many organizations."""
    made = tenants.written(tmp_path, MANY, desk)
    yield made
    made.stop()


def states(daemon):
    """Return the state of each integration, as the command line tells it."""
    done = daemon.command("status", "--json")
    assert done.returncode == 0, done.stderr
    return [row["state"] for row in json.loads(done.stdout)["integrations"]]


@pytest.mark.extended
def test_many_organizations_become_active_and_are_so_at_once_after_another_start(daemon):
    """All are authorized by and by, and nobody has to wait for that again."""
    daemon.start()
    until(lambda: states(daemon) == ["active"] * MANY, within_s=120)
    daemon.stop()

    daemon.start()

    assert states(daemon) == ["active"] * MANY


@pytest.mark.extended
def test_a_delivery_of_any_of_many_is_taken(daemon):
    """On the shared address, each is found by its secret."""
    daemon.start()
    until(lambda: states(daemon) == ["active"] * MANY, within_s=120)

    with requests.Session() as session:
        sender = tenants.Sender(daemon, session)
        answers = {place: sender.send(place).status_code for place in (0, MANY // 2, MANY - 1, None)}

    assert answers == {0: 200, MANY // 2: 200, MANY - 1: 200, None: 403}
