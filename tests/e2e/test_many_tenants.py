"""Many organizations in one file: ready before all their sites were asked, and a second start changes nothing."""

from __future__ import annotations

import json
import sqlite3

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


def version(folder):
    """Return how often integrations were changed."""
    db = sqlite3.connect(folder / "connector.db")
    (found,) = db.execute("SELECT value FROM meta WHERE key = 'integrations_version'").fetchone()
    db.close()
    return int(found)


def test_many_organizations_become_active_and_a_second_start_writes_none_of_them(tmp_path, daemon):
    """All are authorized by and by; what the file says is not stored once more when nothing of it has changed."""
    daemon.start()
    until(lambda: states(daemon) == ["active"] * MANY, within_s=120)
    daemon.stop()
    before = version(tmp_path)

    daemon.start()

    assert states(daemon) == ["active"] * MANY
    assert version(tmp_path) == before


def test_a_delivery_of_any_of_many_is_taken(daemon):
    """On the shared address, each is found by its secret."""
    daemon.start()
    until(lambda: states(daemon) == ["active"] * MANY, within_s=120)

    with requests.Session() as session:
        sender = tenants.Sender(daemon, session)
        answers = {place: sender.send(place).status_code for place in (0, MANY // 2, MANY - 1, None)}

    assert answers == {0: 200, MANY // 2: 200, MANY - 1: 200, None: 403}
