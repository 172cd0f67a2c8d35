"""Two daemons of one host on one PostgreSQL database: what people see of them, and of what sets them apart."""

from __future__ import annotations

import json
import socket
from urllib.parse import urlsplit

import pytest
import requests

from connector_core.demo.stage import until
from tests.support.cluster import opened_cluster
from tests.support.linking import open_incident

TOLD = "nodes_have_different_files"


@pytest.fixture
def cluster(tmp_path, bare_postgresql_url):
    """Put up two daemons whose files differ in the port alone."""
    with opened_cluster(tmp_path, bare_postgresql_url) as opened:
        yield opened


def told(daemon):
    """Return what a daemon has said of different files."""
    lines = [json.loads(line) for line in daemon.log_path.read_text().splitlines() if TOLD in line]
    return [line["files"] for line in lines]


@pytest.mark.extended
def test_nodes_have_names_and_a_file(cluster, tmp_path):
    """Equal files are no news, also in a rolling restart; others are told in the log once, and wherever one looks."""
    first, second = cluster.nodes
    names = [f"{socket.gethostname()}:{urlsplit(daemon.url).port}" for daemon in cluster.nodes]
    assert [row["node"] for row in cluster.listed()] == names
    for daemon in cluster.nodes:
        daemon.stop()
        daemon.start()
    assert [row["node"] for row in cluster.listed()] == names
    assert len({row["config"] for row in cluster.listed()}) == 1
    assert "configuration file" not in first.command("nodes").stderr
    assert [told(daemon) for daemon in cluster.nodes] == [[], []]

    second.stop()
    path = tmp_path / "node2.yaml"
    path.write_text(path.read_text() + "engine: {per_integration: 3}\n")
    second.start()

    until(lambda: told(first) and told(second))
    of_first, of_second = (row["config"] for row in cluster.listed())
    assert [row["config_in_force"] for row in cluster.listed()] == [False, True]
    assert told(first) == [{of_first: [names[0]], of_second: [names[1]]}]
    said = first.command("nodes").stderr
    told_apart = ("Not all have the same configuration file", *names, of_first, f"In force is {of_second}.")
    assert all(word in said for word in told_apart)
    metrics = requests.get(f"{first.url}/metrics", timeout=30).text
    shown = [line for line in metrics.splitlines() if line.startswith("connector_node_config_differs{")]
    assert len(shown) == 2
    assert all(line.endswith(" 1.0") for line in shown)
    assert any(f'port="{urlsplit(second.url).port}"' in line and of_second in line for line in shown)


@pytest.mark.extended
def test_a_text_with_nul_is_taken_and_reaches_the_ticket(cluster):
    """PostgreSQL could not hold it, and the event would come again for ever."""
    incident, _ = open_incident(cluster.stage, "Fan\0 failed")

    assert cluster.stage.ticket_of(incident)["title"] == "Fan failed"
