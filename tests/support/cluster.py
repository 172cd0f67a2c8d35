"""Several daemons as processes on one PostgreSQL database, with the sandboxes of a stage.

with opened_cluster(folder, url, nodes=3) as cluster:
cluster.stage.platform.open("Fan failed")
cluster.nodes[0].kill()
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from connector_core.demo.stage import Stage, free_port, sandbox_plugin
from connector_core.plugins import load_plugins
from tests.support.warm import WarmDaemon


@dataclass
class Cluster:
    """A stage whose daemon is the first of several; all of them have the same file but for their port."""

    stage: Stage
    nodes: Sequence[WarmDaemon]

    def listed(self, asked: int = -1) -> list[dict]:
        """Return what `connector nodes --json` says."""
        answer = self.nodes[asked].command("nodes", "--json")
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout)

    def states(self) -> dict[str, str]:
        """Return the state of each node that is listed, by its id."""
        return {row["id"]: row["state"] for row in self.listed()}


@contextmanager
def opened_cluster(folder, url, *, nodes=2, settings="", **options) -> Iterator[Cluster]:
    """Open a stage on PostgreSQL with so many daemons; what was frozen is thawed and everything stopped afterwards."""
    stage = Stage(sandbox_plugin(load_plugins(), "jira_jsm"), folder, database=url, **options)
    stage.config_path.write_text(f"{stage.config_path.read_text()}{settings}\n")
    daemons = [stage.daemon, *(_another(stage, folder, number) for number in range(2, nodes + 1))]
    try:
        stage.open()
        for daemon in daemons[1:]:
            daemon.start()
        yield Cluster(stage, daemons)
    finally:
        for daemon in daemons:
            if daemon._process is not None:
                daemon._process.send_signal(signal.SIGCONT)
        for daemon in daemons[1:]:
            daemon.stop()
        stage.close()


def _another(stage, folder, number):
    """Return a daemon with the same file, but for the port at which it listens itself."""
    port, first = free_port(), urlsplit(stage.daemon.url).port
    path = folder / f"node{number}.yaml"
    path.write_text(stage.config_path.read_text().replace(f"port: {first}", f"port: {port}"))
    return WarmDaemon(path, f"http://127.0.0.1:{port}", folder / f"node{number}.log", stage.environ)


def freeze(daemon) -> None:
    """Stop a process where it is, as a host that hangs; its connections stay."""
    os.kill(daemon.pid, signal.SIGSTOP)


def thaw(daemon) -> None:
    """Have it go on."""
    os.kill(daemon.pid, signal.SIGCONT)
