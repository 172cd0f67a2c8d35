"""A connector that moves from a file to PostgreSQL: stopped, moved, started again; the links go on."""

from __future__ import annotations

import os
import signal

import pytest

from connector_core.demo.stage import until
from connector_jira_jsm_sandbox.faults import Fault
from tests.support.linking import incident_shows, open_incident, ticket_shows
from tests.support.postgres import connected
from tests.support.warm import WarmDaemon


@pytest.fixture
def moved(stage, bare_postgresql_url):
    """Return a function that moves the database of a stage and has its daemon go on with it."""

    def move():
        answer = stage.daemon.command("db", "move", "--to", bare_postgresql_url)
        assert answer.returncode == 0, answer.stderr
        text = stage.config_path.read_text()
        assert "sqlite:///connector.db" in text
        stage.config_path.write_text(text.replace("sqlite:///connector.db", bare_postgresql_url))
        stage.__dict__.pop("_config", None)  # where it looks for links
        stage.daemon.start()
        return answer.stdout

    return move


@pytest.mark.extended
@pytest.mark.parametrize("ends", ["stop", "kill"])
def test_links_go_on_after_a_move(stage, moved, ends):
    """What was changed while nothing ran is synced, nothing is made twice, and no ticket has to be looked for."""
    changed, its_ticket = open_incident(stage, "Changed meanwhile")
    edited, edited_ticket = open_incident(stage, "Edited meanwhile")
    ended, ended_ticket = open_incident(stage, "Over meanwhile")
    getattr(stage.daemon, ends)()
    stage.sandbox.edit_ticket(edited_ticket, title="Edited by an agent")
    stage.sandbox.finish_ticket(ended_ticket)

    known = len(stage.daemon.log_path.read_text())

    assert "Copied and checked" in moved()

    assert "earlier_tickets_are_looked_for" not in stage.daemon.log_path.read_text()[known:]
    stage.platform.change(changed, title="Changed after the move")
    ticket_shows(stage, its_ticket, title="Changed after the move")
    incident_shows(stage, edited, title="Edited by an agent")
    incident_shows(stage, ended, status="closed")
    open_incident(stage, "New after the move")
    assert len(stage.sandbox.tickets()) == 4


@pytest.mark.extended
def test_what_was_under_way_when_the_daemon_was_killed_is_found(stage, moved):
    """A ticket whose creation was not answered any more is the incident's, also over there."""
    open_incident(stage, "Before")
    fault = Fault("slow", method="POST", path="/rest/servicedeskapi/request$", delay_s=3.0)
    stage.sandbox.add_fault(fault)
    incident = stage.platform.open("Killed in the middle")
    until(lambda: fault.hits)
    os.kill(stage.daemon.pid, signal.SIGSTOP)
    until(lambda: len(stage.sandbox.tickets()) == 2)
    stage.daemon.kill()

    moved()

    until(lambda: stage.ticket_of(incident))
    assert stage.ticket_of(incident)["title"] == "Killed in the middle"
    assert len(stage.sandbox.tickets()) == 2


@pytest.mark.extended
def test_the_file_counts_as_a_backup_after_a_move(stage, moved):
    """Whoever goes on with it by mistake, or has to, makes no second ticket for what was opened meanwhile."""
    open_incident(stage, "Before")
    stage.daemon.stop()
    moved()
    incident, ticket = open_incident(stage, "Only in PostgreSQL")
    stage.daemon.stop()
    url = next(line for line in stage.config_path.read_text().splitlines() if line.startswith("database:"))
    stage.config_path.write_text(stage.config_path.read_text().replace(url, "database: sqlite:///connector.db"))
    stage.__dict__.pop("_config", None)
    stage.daemon.start()

    stage.platform.change(incident, title="Back on the file")

    ticket_shows(stage, ticket, title="Back on the file")
    assert len(stage.sandbox.tickets()) == 2


def test_a_move_beside_a_daemon_is_refused(stage, bare_postgresql_url):
    """What it stores meanwhile would be lost; nothing is done."""
    refused = stage.daemon.command("db", "move", "--to", bare_postgresql_url)

    assert refused.returncode == 3
    assert "A connector is running" in refused.stderr
    with connected(bare_postgresql_url) as connection:
        assert connection.execute("SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)


def test_where_nothing_can_be_moved_to_is_said(stage):
    """Before anything is done."""
    stage.daemon.stop()
    for url in ("sqlite:///other.db", "postgresql://user:a/b@host/db"):
        refused = stage.daemon.command("db", "move", "--to", url)
        assert refused.returncode == 3
        assert "is not the URL of a PostgreSQL database" in refused.stderr


def test_there_is_no_way_back(tmp_path, bare_postgresql_url):
    """Nor from one server to another: that is what PostgreSQL's own tools are for."""
    path = tmp_path / "connector.yaml"
    path.write_text(f"secret_key: a passphrase that is long enough\ndatabase: {bare_postgresql_url}\n")

    refused = WarmDaemon(path, "", tmp_path / "log", {}).command("db", "move", "--to", bare_postgresql_url)

    assert refused.returncode == 3
    assert "pg_dump" in refused.stderr
