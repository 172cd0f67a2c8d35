"""A daemon that is told to stop ends within `engine.stop_deadline`, whatever its database does."""

from __future__ import annotations

from time import monotonic

import pytest

from tests.support.linking import open_incident, ticket_shows
from tests.support.postgres import own_server

DEADLINE_S = 4
#: A busy machine may take so much longer; without a deadline it was 25 s, and more than 60 s.
PATIENCE_S = 12


@pytest.fixture
def server():
    """Start a server that this test may stop."""
    with own_server() as started:
        yield started


@pytest.fixture
def stage(open_stage, server):
    """Open a stage over it whose daemon may take a few seconds to stop."""
    stage = open_stage(database=server.url, authorized=False)
    stage.daemon.stop()
    stage.config_path.write_text(stage.config_path.read_text() + f"engine: {{stop_deadline: {DEADLINE_S}s}}\n")
    stage.daemon.start()
    stage.authorize()
    return stage


@pytest.mark.extended
@pytest.mark.parametrize("how", ["stopped", "hanging"])
def test_a_daemon_without_its_database_stops_in_time(stage, server, how):
    """What has begun cannot be stored, and is done again by the next start; the goodbye is left out."""
    incident, ticket = open_incident(stage, "Before")
    with getattr(server, how)():
        stage.platform.change(incident, title="Meanwhile")
        began = monotonic()
        stage.daemon.terminate()
        code = stage.daemon.stop()
        took_s = monotonic() - began

    assert (code, took_s < DEADLINE_S + PATIENCE_S) == (0, True)
    stage.daemon.start()
    ticket_shows(stage, ticket, title="Meanwhile")
