"""One daemon over PostgreSQL: the whole story, a kill in the middle, and the commands beside it."""

from __future__ import annotations

import pytest
import requests

from connector_core.demo.stage import INTEGRATION, until
from connector_core.demo.story import tell
from tests.support.linking import open_incident, ticket_shows
from tests.support.postgres import own_server


@pytest.fixture
def over_server(open_stage, bare_postgresql_url):
    """Open a stage whose daemon keeps everything in PostgreSQL."""
    return open_stage(database=bare_postgresql_url)


@pytest.fixture
def postgresql_server():
    """Start a server that this test may crash."""
    with own_server(fsync=True) as server:
        yield server


@pytest.mark.extended
def test_the_story_is_told_over_postgresql(over_server):
    """Each step of the demo is seen on the other side, and what is stored is whole."""
    assert len(list(tell(over_server))) == 8

    done = over_server.daemon.command("db", "check")
    assert (done.returncode, done.stdout.strip()) == (0, "The database is whole.")


def test_what_was_acknowledged_before_a_kill_is_carried_out_after_it(over_server):
    """The database is where it was; the next daemon takes the lanes of the killed one."""
    incident, ticket = open_incident(over_server, "Before the kill")
    over_server.platform.change(incident, title="Told just before")
    over_server.daemon.kill()
    over_server.daemon.start()
    open_incident(over_server, "After the kill")

    ticket_shows(over_server, ticket, title="Told just before")
    assert len(over_server.sandbox.tickets()) == 2


@pytest.mark.extended
def test_commands_beside_a_daemon(over_server):
    """Looking, retrying and applying work, and a copy is PostgreSQL's own matter."""
    open_incident(over_server)

    assert INTEGRATION in over_server.daemon.command("status").stdout
    assert "pg_dump" in over_server.daemon.command("db", "backup", "copy").stderr
    applied = over_server.daemon.command("config", "apply")
    assert applied.stdout.strip() == "The daemon had all of it already."


@pytest.mark.extended
def test_the_daemon_stays_while_the_server_is_away(open_stage, postgresql_server):
    """It says why it takes nothing, and goes on when the server is back."""
    stage = open_stage(database=postgresql_server.url)
    incident, ticket = open_incident(stage)
    postgresql_server.crash()
    ready = requests.get(f"{stage.daemon.url}/readyz", timeout=60)
    assert (ready.status_code, ready.json()["reason"]) == (503, "The database cannot be reached.")
    assert requests.get(f"{stage.daemon.url}/healthz", timeout=60).status_code == 200
    postgresql_server.start()
    until(stage.daemon.is_ready)

    stage.platform.change(incident, title="After the crash")
    ticket_shows(stage, ticket, title="After the crash")
