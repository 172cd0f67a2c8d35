"""Three daemons behind one address, under load, to which everything happens: nothing is lost, doubled or left apart."""

from __future__ import annotations

import os
import random
from time import monotonic

import pytest

from connector_core.demo.stage import INTEGRATION
from connector_jira_jsm_sandbox.faults import Fault
from tests.support.cluster import opened_cluster
from tests.support.database_line import opened_lines
from tests.support.faults.campaign import LONG, Traffic, report, wait_until_quiet
from tests.support.faults.strikes_at_nodes import Campaign
from tests.support.faults.verdict import compare
from tests.support.jira.at_stage import sandbox_of
from tests.support.postgres import own_server

SEED = int(os.environ.get("CONNECTOR_CAMPAIGN_SEED", "20261127"))
ROUNDS = int(os.environ.get("CONNECTOR_ROUNDS", "200" if LONG else "0"))
#: What is done once each where the run is short, the longest first: so much passes before what it held back may go on.
SHORT = ("freeze", "kill", "crash", "cut", "kill", "restart")
NODES = 3
QUIET_WITHIN_S = 600.0
#: Nothing that a dead node had sent arrives any more: none of them lives, and the sandbox has answered all.
LIFT = "UPDATE lane SET not_before = NULL WHERE not_before IS NOT NULL RETURNING link_id"
TOLD = (
    "SELECT at, kind, side, detail FROM timeline JOIN link ON link.id = link_id WHERE incident_id = %s"
    " ORDER BY timeline.id"
)
STRAY = "SELECT lane.link_id, node.ended FROM lane LEFT JOIN node ON node.id = lane.boot WHERE lane.boot IS NOT NULL"


@pytest.mark.extended
def test_a_cluster_to_which_everything_happens(tmp_path, capsys):
    """Whatever node dies or freezes, and whatever becomes of the server, every incident has one request."""
    with (
        own_server(fsync=True) as server,
        opened_lines(server, NODES) as lines,
        opened_cluster(
            tmp_path,
            server.url,
            nodes=NODES,
            databases=[line.url("connector", "connector") for line in lines],
            settings="engine: {changes_per_minute: 10000}",
        ) as cluster,
    ):
        stage = cluster.stage
        campaign = Campaign(cluster, server, lines, random.Random(SEED))
        # So that lanes are in the middle of a call when something happens.
        sandbox_of(stage).add_fault(Fault("slow", path="/rest/", times=None, probability=0.4, delay_s=0.4))
        try:
            with Traffic(stage, SEED, pause_s=0.1) as traffic:
                for kind in SHORT if not ROUNDS else [None] * ROUNDS:
                    campaign.strike(kind)
            ended = monotonic()
            sandbox_of(stage).clear_faults()
            caught_up(campaign)
            caught_up_s = monotonic() - ended
            verdict = compare(stage, traffic.subjects)
        except BaseException:
            tell(capsys, campaign, ())
            raise
        acknowledged, refused = len(stage.platform.acknowledged), len(cluster.told("lane_lost"))
        buried = [line["how"] for line in cluster.told("node_lost")]
        did = f"cluster: seed={SEED} {campaign.tally.figures()}; buried: {buried.count('gone')} gone,"
        did += f" {buried.count('silent')} silent; lanes lost to others={refused} edits={traffic.edits}"
        report(capsys, f"{did} events acknowledged={acknowledged} {verdict} caught up in {caught_up_s:.1f} s")
        wrong = [*verdict.lost, *verdict.doubled, *verdict.diverged]
        if wrong:
            tell(capsys, campaign, wrong)

        assert verdict.is_clean, wrong
        assert campaign.rows(STRAY) == []
        assert campaign.tally.refused_in_restarts == []


def caught_up(campaign):
    """Wait until all is synced; webhooks that nobody took in time are found by reading the tickets."""
    stage = campaign.cluster.stage
    if not ROUNDS:
        campaign.rows(LIFT)  # all daemons were restarted
    wait_until_quiet(stage, within_s=QUIET_WITHIN_S)
    assert stage.daemon.command("reconcile", INTEGRATION, "--full").returncode == 0
    wait_until_quiet(stage, within_s=QUIET_WITHIN_S)


def tell(capsys, campaign, wrong=(), subjects=None):
    """Print what is needed to understand a failure: what was done, and what is known of each link that is wrong."""
    lines = [f"cluster: seed={SEED}, what was done:", *campaign.tally.story]
    for name in wrong:
        incident = name.split()[1].rstrip(":") if name.startswith("N") else ""
        lines += ["", name, *(str(subject) for subject in (subjects or {}).values() if subject.incident == incident)]
        lines += map(
            str, campaign.rows("SELECT * FROM link JOIN lane ON link_id = id WHERE incident_id = %s", incident)
        )
        lines += map(str, campaign.rows(TOLD, incident))
    lines += ["", *map(str, campaign.rows("SELECT * FROM node ORDER BY started_at"))]
    lines += [str(line) for line in campaign.cluster.told("node_lost", "node_was_held_for_dead", "lanes_recovered")]
    report(capsys, "\n".join(lines))
