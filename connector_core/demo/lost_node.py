"""A daemon of a cluster that is killed in the middle of a call: which one, and how soon its work goes on elsewhere."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from time import monotonic

from connector_core.demo.cluster import Cluster
from connector_core.demo.daemon import Daemon
from connector_core.demo.stage import until
from connector_core.store import Link, Store

TRIES = 50
CAUGHT_WITHIN_S = 10.0
GOES_ON_WITHIN_S = 180.0
_NAMED = ("node_started", "node_was_held_for_dead")


@dataclass(frozen=True)
class Lost:
    """What was seen: which daemon was killed, over which ticket, and after how many seconds that was up to date."""

    number: int
    ticket: str
    took_s: float
    left: int


def lose_a_node(cluster: Cluster) -> Lost:
    """Kill a daemon while it works on a change; return when another has carried it out.

    Raises:
        TimeoutError: none was caught at work, or nobody went on with it.
    """
    with cluster.stage.opened_store() as store:
        (link, *_) = store.links.find()
        daemon, title = _caught(cluster, store, link)
    daemon.kill()
    killed_at = monotonic()
    ticket = link.ticket
    if ticket is None:
        raise TimeoutError("the incident has no ticket")
    until(lambda: cluster.stage.sandbox.ticket(ticket.id)["title"] == title, within_s=GOES_ON_WITHIN_S)
    took_s = monotonic() - killed_at
    return Lost(cluster.nodes.index(daemon) + 1, ticket.key, took_s, len(cluster.nodes) - 1)


def _caught(cluster: Cluster, store: Store, link: Link) -> tuple[Daemon, str]:
    """Change an incident until a daemon is stopped with that in its hands; return it, and the title that it has."""
    for number in range(1, TRIES + 1):
        title = f"Lobby display, try {number}"
        cluster.stage.platform.change(link.incident_id, title=title)
        for node_id in _at_work(store):
            daemon = next((one for one in cluster.nodes if id_of(one) == node_id), None)
            if daemon is None:
                continue
            os.kill(daemon.pid, signal.SIGSTOP)
            ticket = None if link.ticket is None else cluster.stage.sandbox.ticket(link.ticket.id)
            if node_id in _busy(store) and ticket is not None and ticket["title"] != title:
                return daemon, title
            os.kill(daemon.pid, signal.SIGCONT)
            break
    raise TimeoutError("no daemon was caught at work")


def _at_work(store: Store) -> Iterator[str]:
    """Look until a node holds a lane, or for a while."""
    ends_at = monotonic() + CAUGHT_WITHIN_S
    for _ in count():
        yield from _busy(store)
        if monotonic() > ends_at:
            return


def _busy(store: Store) -> list[str]:
    return [row.node.id for row in store.nodes.every() if row.lanes and row.ended is None]


def id_of(daemon: Daemon) -> str:
    """Return the id of a daemon's node, as its log says last."""
    named = [line for line in lines_of(daemon) if line["event"] in _NAMED]
    return str(named[-1].get("now") or named[-1]["node"])


def lines_of(daemon: Daemon) -> list[dict[str, str]]:
    """Read a log; its last line may be cut off by a kill."""
    whole = (line for line in daemon.log_path.read_text().splitlines() if line.startswith("{") and line.endswith("}"))
    return [json.loads(line) for line in whole]
