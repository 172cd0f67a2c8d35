"""Three daemons as processes on one PostgreSQL database: killed, frozen, stopped, and left without a server.

One cluster for all: each test leaves three nodes at work. They judge by times that a busy machine does not keep, and
have a target of their own, `make campaign-cluster`.
"""

from __future__ import annotations

import json
import os

import pytest
import requests

from connector_core.demo.stage import until
from connector_jira_jsm_sandbox.faults import Fault
from tests.support.cluster import freeze, opened_cluster, thaw
from tests.support.linking import open_incident, ticket_shows
from tests.support.postgres import connected, own_server

pytestmark = pytest.mark.skipif("CONNECTOR_CLUSTER" not in os.environ, reason="see make campaign-cluster")

CREATE = "/rest/servicedeskapi/request$"
LOST_WITHIN_S = 60.0


class Trial:
    """A cluster, and what its database says."""

    def __init__(self, cluster, server) -> None:
        self.cluster, self.stage, self.server = cluster, cluster.stage, server

    def rows(self, statement, *values):
        """Ask the database."""
        with connected(self.server.server.admin_url("connector")) as connection:
            return connection.execute(statement, values).fetchall()

    def ids(self):
        """Return the node of each daemon, as its log says last."""
        return [_last_id(daemon.log_path) for daemon in self.cluster.nodes]

    def running(self):
        """Return the nodes that are at work."""
        return {name for name, state in self.cluster.states().items() if state == "running"}

    def create_slowly(self, title, delay_s):
        """Open an incident whose ticket comes late; return it, and the daemon that waits for the answer."""
        fault = Fault("slow", method="POST", path=CREATE, delay_s=delay_s)
        self.stage.sandbox.add_fault(fault)
        incident = self.stage.platform.open(title)
        until(lambda: fault.hits)
        ((boot,),) = self.rows("SELECT boot FROM lane WHERE boot IS NOT NULL AND calling_until IS NOT NULL")
        return incident, self.cluster.nodes[self.ids().index(boot)]

    def tickets(self, title):
        """Return the tickets of a title."""
        return [ticket for ticket in self.stage.sandbox.tickets() if ticket["title"] == title]


def _last_id(log_path):
    lines = [json.loads(line) for line in log_path.read_text().splitlines() if '"node_' in line]
    named = [line["node"] for line in lines if line["event"] == "node_started"]
    anew = [line["now"] for line in lines if line["event"] == "node_was_held_for_dead"]
    return anew[-1] if anew and lines[-1]["event"] != "node_started" else named[-1]


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    """Put up a server and three daemons."""
    with own_server(fsync=True) as server, opened_cluster(tmp_path_factory.mktemp("c"), server.url, nodes=3) as cluster:
        until(lambda: len(cluster.states()) == 3)
        yield Trial(cluster, server)


def test_every_node_knows_all(trial):
    """On the command line, in metrics and for a load balancer."""
    listed = [row for row in trial.cluster.listed() if row["state"] != "lost"]  # those of other tests
    assert [row["state"] for row in listed] == ["running"] * 3
    assert {row["id"] for row in listed} == set(trial.ids())
    assert len({row["config"] for row in listed}) == 1  # the same file but for its port

    text = trial.cluster.nodes[2].command("nodes").stdout
    assert text.count("running") == 3
    for daemon in trial.cluster.nodes:
        assert requests.get(f"{daemon.url}/readyz", timeout=60).json()["node"] is True
        figures = requests.get(f"{daemon.url}/metrics", timeout=60).text
        assert 'connector_nodes{state="running"} 3.0' in figures


def test_any_node_carries_on_what_another_took(trial):
    """What comes in at one is done by all."""
    _, ticket = open_incident(trial.stage, "Taken by the first")

    assert trial.tickets("Taken by the first")[0]["id"] == ticket


def test_what_a_killed_node_held_goes_on(trial):
    """Another finds the ticket that was being made, and makes no second one."""
    incident, victim = trial.create_slowly("Killed in the middle", delay_s=3.0)
    name = trial.ids()[trial.cluster.nodes.index(victim)]
    freeze(victim)  # so that it does not read the answer
    until(lambda: trial.tickets("Killed in the middle"))
    victim.kill()
    lost = "SELECT ended FROM node WHERE id = %s AND ended != ''"

    until(lambda: trial.rows(lost, name), within_s=LOST_WITHIN_S)
    until(lambda: trial.stage.ticket_of(incident))

    assert trial.rows(lost, name) == [("gone",)]
    assert len(trial.tickets("Killed in the middle")) == 1
    victim.start()
    until(lambda: len(trial.running()) == 3)


def test_what_a_frozen_node_brings_is_refused(trial):
    """It is back when others hold it for dead: nothing of its call is stored, and the ticket is not made twice."""
    incident, victim = trial.create_slowly("Frozen in the middle", delay_s=3.0)
    name = trial.ids()[trial.cluster.nodes.index(victim)]
    freeze(victim)
    until(lambda: trial.tickets("Frozen in the middle"))
    until(lambda: trial.rows("SELECT 1 FROM node WHERE id = %s AND ended = 'silent'", name), within_s=LOST_WITHIN_S)
    held_back = "SELECT link_id FROM lane WHERE not_before > extract(epoch FROM clock_timestamp()) AND boot IS NULL"
    until(lambda: trial.rows(held_back))
    assert trial.stage.ticket_of(incident) is None

    thaw(victim)
    until(lambda: "lane_lost" in victim.log_path.read_text())

    assert trial.stage.ticket_of(incident) is None
    trial.rows("UPDATE lane SET not_before = NULL RETURNING 1")  # that its call has surely ended takes a minute
    until(lambda: trial.stage.ticket_of(incident))
    assert len(trial.tickets("Frozen in the middle")) == 1
    until(lambda: len(trial.running()) == 3)
    assert trial.ids()[trial.cluster.nodes.index(victim)] != name


def test_a_node_that_is_stopped_says_goodbye(trial):
    """Nobody holds it for lost, and its work is others' at once."""
    leaving, name = trial.cluster.nodes[2], trial.ids()[2]

    assert leaving.stop() == 0

    assert name not in trial.cluster.states()
    assert trial.rows("SELECT ended FROM node WHERE id = %s", name) == [("goodbye",)]
    open_incident(trial.stage, "Two are left")
    leaving.start()
    until(lambda: len(trial.running()) == 3)


def test_a_server_that_goes_down_and_comes_back_buries_nobody(trial):
    """All sessions are gone at once, which is nobody's death; the nodes go on as who they were."""
    incident, ticket = open_incident(trial.stage, "Before the crash")
    before = trial.running()
    trial.server.crash()
    until(lambda: not any(daemon.is_ready() for daemon in trial.cluster.nodes))
    trial.server.start()
    until(lambda: all(daemon.is_ready() for daemon in trial.cluster.nodes))

    trial.stage.platform.change(incident, title="After the crash")
    ticket_shows(trial.stage, ticket, title="After the crash")
    assert trial.running() == before
    assert set(trial.ids()) == before


def test_connections_that_are_cut_are_nobodys_death(trial):
    """Each node has a new session before the others may hold it for dead."""
    before = trial.running()
    trial.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'connector'")
    until(lambda: all(daemon.is_ready() for daemon in trial.cluster.nodes))
    open_incident(trial.stage, "After the cut")

    assert trial.running() == before
