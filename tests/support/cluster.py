"""Several daemons as processes on one PostgreSQL database, behind one address, with the sandboxes of a stage.

with opened_cluster(folder, url, nodes=3) as cluster:
cluster.stage.platform.open("Fan failed")
cluster.nodes[0].kill()
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from ruamel.yaml import YAML

from connector_core.demo import cluster
from connector_core.demo.daemon import Daemon
from connector_core.demo.lost_node import id_of, lines_of
from connector_core.demo.stage import sandbox_plugin
from connector_core.plugins import load_plugins


class Cluster(cluster.Cluster):
    """What tests ask of one."""

    def listed(self, asked: int = -1) -> list[dict]:
        """Return what `connector nodes --json` says."""
        answer = self.nodes[asked].command("nodes", "--json")
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout)

    def states(self) -> dict[str, str]:
        """Return the state of each node that is listed, by its id."""
        return {row["id"]: row["state"] for row in self.listed()}

    def told(self, *events: str) -> list[dict]:
        """Return the lines of all logs about these events, by their time."""
        lines = [line for daemon in self.nodes for line in lines_of(daemon) if line["event"] in events]
        return sorted(lines, key=lambda line: line["timestamp"])

    @staticmethod
    def id_of(daemon: Daemon) -> str:
        """Return the id of a daemon's node, as its log says last."""
        return id_of(daemon)


@contextmanager
def opened_cluster(folder, url, *, nodes=2, edit=None, **options) -> Iterator[Cluster]:
    """Open a cluster; what was frozen is thawed and everything stopped afterwards.

    `edit` is handed what the file says, as a tree, to change it.
    """

    def prepare(path):
        if edit is not None:
            tree = YAML().load(path)
            edit(tree)
            YAML().dump(tree, path)

    plugin = sandbox_plugin(load_plugins(), "jira_jsm")
    made = Cluster(plugin, folder, nodes=nodes, database=url, prepare=prepare, **options)
    try:
        made.open()
        yield made
    finally:
        for daemon in made.nodes:
            if daemon._process is not None:
                daemon._process.send_signal(signal.SIGCONT)
                daemon.kill()
        made.close()


def freeze(daemon) -> None:
    """Stop a process where it is, as a host that hangs; its connections stay."""
    os.kill(daemon.pid, signal.SIGSTOP)


def thaw(daemon) -> None:
    """Have it go on."""
    os.kill(daemon.pid, signal.SIGCONT)
