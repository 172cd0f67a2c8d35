"""Three daemons as processes on one PostgreSQL database: killed, frozen, stopped, and left without a server.

One cluster for all: each test leaves three nodes at work. What is judged is what the database and the logs say, and in
which order it happened: on a machine that is busy with other things a node may be silent for so long that others
rightly hold it for dead.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import requests

from connector_core.demo.stage import INTEGRATION, until
from connector_core.engine.cluster_node import SILENT_FOR_S
from connector_jira_jsm_sandbox.faults import Fault
from tests.support.cluster import freeze, opened_cluster, thaw
from tests.support.linking import open_incident, ticket_shows
from tests.support.postgres import connected, own_server

pytestmark = pytest.mark.extended

CREATE = "/rest/servicedeskapi/request$"
LOST_WITHIN_S = 180.0


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
        return [self.cluster.id_of(daemon) for daemon in self.cluster.nodes]

    def has_three(self):
        """Return whether three are at work, and say so to a load balancer."""
        return len(self.running()) == len(self.cluster.nodes) and all(one.is_ready() for one in self.cluster.nodes)

    def unjustly_buried(self, names):
        """Return which of some nodes are dead although they were not silent for so long that the server was up."""
        ((up_since,),) = self.rows("SELECT pg_postmaster_start_time()")
        ended = self.rows(
            "SELECT id, ended, ended_at, seen_at FROM node WHERE id = ANY(%s) AND ended != ''", list(names)
        )
        return [
            (name, how)
            for name, how, ended_at, seen_at in ended
            if how != "silent"
            or datetime.fromisoformat(ended_at) - max(datetime.fromisoformat(seen_at), up_since)
            < timedelta(seconds=SILENT_FOR_S)
        ]

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


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    """Put up a server and three daemons."""
    with own_server(fsync=True) as server, opened_cluster(tmp_path_factory.mktemp("c"), server.url, nodes=3) as cluster:
        until(lambda: len(cluster.states()) == 3)
        yield Trial(cluster, server)


@pytest.fixture(autouse=True)
def three(trial):
    """Begin with three at work."""
    until(trial.has_three, within_s=LOST_WITHIN_S)


def test_every_node_knows_all(trial):
    """On the command line, in metrics and for a load balancer."""
    listed = [row for row in trial.cluster.listed() if row["state"] != "lost"]  # those of other tests
    assert [row["state"] for row in listed] == ["running"] * 3
    assert {row["id"] for row in listed} == set(trial.ids())
    assert len({row["config"] for row in listed}) == 1  # the same file but for its port

    text = trial.cluster.nodes[2].command("nodes").stdout
    assert text.count("running") == 3
    for daemon in trial.cluster.nodes:
        until(daemon.is_ready)
        assert requests.get(f"{daemon.url}/readyz", timeout=60).json().keys() >= {"node", "store", "engine"}
        figures = requests.get(f"{daemon.url}/metrics", timeout=60).text
        assert 'connector_nodes{state="running"} 3.0' in figures


def test_any_node_carries_on_what_another_took(trial):
    """What comes in at one is done by all."""
    _, ticket = open_incident(trial.stage, "Taken by the first")

    assert trial.tickets("Taken by the first")[0]["id"] == ticket


def test_a_command_calls_although_it_is_no_node(trial):
    """It reads tickets beside the daemons."""
    answer = trial.cluster.nodes[1].command("reconcile", INTEGRATION, "--full")

    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_what_a_killed_node_held_goes_on(trial):
    """Another finds the ticket that was being made, and makes no second one."""
    incident, victim = trial.create_slowly("Killed in the middle", delay_s=1.0)
    name = trial.ids()[trial.cluster.nodes.index(victim)]
    freeze(victim)  # so that it does not read the answer
    until(lambda: trial.tickets("Killed in the middle"))
    victim.kill()
    lost = "SELECT ended FROM node WHERE id = %s AND ended != ''"

    until(lambda: trial.rows(lost, name), within_s=LOST_WITHIN_S)
    until(lambda: trial.stage.ticket_of(incident), within_s=LOST_WITHIN_S)

    assert trial.rows(lost, name)[0][0] in {"gone", "silent"}
    assert len(trial.tickets("Killed in the middle")) == 1
    victim.start()


def test_what_a_frozen_node_brings_is_refused(trial):
    """It is back when others hold it for dead: nothing of its call is stored, and the ticket is not made twice."""
    incident, victim = trial.create_slowly("Frozen in the middle", delay_s=3.0)
    name = trial.ids()[trial.cluster.nodes.index(victim)]
    freeze(victim)
    until(lambda: trial.tickets("Frozen in the middle"))
    until(lambda: trial.rows("SELECT 1 FROM node WHERE id = %s AND ended = 'silent'", name), within_s=LOST_WITHIN_S)
    held_back = "SELECT link_id FROM lane WHERE not_before > extract(epoch FROM clock_timestamp()) AND boot IS NULL"
    until(lambda: trial.rows(held_back), within_s=LOST_WITHIN_S)
    assert trial.stage.ticket_of(incident) is None

    thaw(victim)
    until(lambda: "lane_lost" in victim.log_path.read_text(), within_s=LOST_WITHIN_S)

    assert trial.stage.ticket_of(incident) is None
    trial.rows("UPDATE lane SET not_before = NULL RETURNING 1")  # that its call has surely ended takes a minute
    until(lambda: trial.stage.ticket_of(incident))
    assert len(trial.tickets("Frozen in the middle")) == 1
    until(trial.has_three, within_s=LOST_WITHIN_S)
    assert trial.ids()[trial.cluster.nodes.index(victim)] != name


def test_a_node_that_is_stopped_says_goodbye(trial):
    """Nobody holds it for lost, and its work is others' at once."""
    leaving, name = trial.cluster.nodes[2], trial.ids()[2]

    assert leaving.stop() == 0

    assert name not in trial.cluster.states()
    assert trial.rows("SELECT ended FROM node WHERE id = %s", name) == [("goodbye",)]
    open_incident(trial.stage, "Two are left")
    leaving.start()


def test_a_server_that_goes_down_and_comes_back_buries_nobody(trial):
    """All sessions are gone at once, which is nobody's death; the nodes go on as who they were."""
    incident, ticket = open_incident(trial.stage, "Before the crash")
    before = trial.running()
    trial.server.crash()
    until(lambda: not any(daemon.is_ready() for daemon in trial.cluster.nodes))
    trial.server.start()
    until(trial.has_three, within_s=LOST_WITHIN_S)

    trial.stage.platform.change(incident, title="After the crash")
    ticket_shows(trial.stage, ticket, title="After the crash")
    assert trial.unjustly_buried(before) == []
    assert set(trial.ids()) == trial.running()


def test_connections_that_are_cut_are_nobodys_death(trial):
    """Each node has a new session before the others may hold it for dead."""
    before = trial.running()
    trial.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'connector'")
    until(trial.has_three, within_s=LOST_WITHIN_S)
    open_incident(trial.stage, "After the cut")

    assert trial.unjustly_buried(before) == []
