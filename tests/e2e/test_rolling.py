"""Two versions over one PostgreSQL database, and what becomes of the older one when the update is finished."""

from __future__ import annotations

import json

import pytest

from connector_core.demo.stage import until
from tests.support.later_version import ADDED, REMOVED, later_beside
from tests.support.linking import open_incident, ticket_shows


@pytest.fixture
def older(open_stage, bare_postgresql_url):
    """Open a stage with a daemon of this version."""
    return open_stage(database=bare_postgresql_url)


@pytest.fixture
def later(older):
    """Start a daemon of the next version beside it."""
    daemon = later_beside(older)
    daemon.start()
    yield daemon
    daemon.stop()


def said(daemon, event):
    """Return the lines of a daemon's log about an event."""
    lines = (json.loads(line) for line in daemon.log_path.read_text().splitlines() if f'"{event}"' in line)
    return [line for line in lines if line["event"] == event]


@pytest.mark.extended
def test_two_versions_work_side_by_side_until_the_update_is_finished(older, later):
    """Both take their part; the older one starts again, too; only what is removed at the end is no place for it."""
    daemon = older.daemon
    incident, ticket = open_incident(older, "Both are there")
    older.platform.change(incident, title="Both work")
    ticket_shows(older, ticket, title="Both work")
    assert said(daemon, "database_of_a_later_version") == []
    assert daemon.stop() == 0
    daemon.start()
    (line,) = said(daemon, "database_of_a_later_version")
    assert line["added"] == [ADDED]
    open_incident(older, "The older one was started again")
    assert daemon.command("db", "check").stdout == "The database is whole.\n"
    assert daemon.command("db", "migrate").returncode == 0

    refused = later.command("db", "migrate", "--finish")
    assert refused.returncode == 3
    assert "Connectors of an earlier version run on this database" in refused.stderr
    assert "when every connector has this version" in later.command("db", "migrate").stdout.lower()

    assert daemon.stop() == 0
    finished = later.command("db", "migrate", "--finish")
    assert (finished.returncode, REMOVED in finished.stdout) == (0, True), finished.stderr
    process = daemon.launch()
    until(lambda: process.poll() is not None)
    assert process.poll() == 3
    assert "newer version" in daemon.log_path.read_text().splitlines()[-2]

    older.platform.events_url = older.platform.events_url.replace(daemon.url, later.url)
    older.platform.change(incident, title="The later one goes on")
    ticket_shows(older, ticket, title="The later one goes on")
    assert later.command("db", "migrate", "--finish").stdout.count("\n") == 1
