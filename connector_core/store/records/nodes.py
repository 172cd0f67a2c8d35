"""Nodes: the daemons of a database; and duties: what one of them does for all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

#: A node that could not beat for so long works no more, and starts no call.
LEASE_S = 7.0
#: One that beats with the daemon's life only is silent after so long.
_LONG_SILENT = timedelta(seconds=30)


class NodeEnd(StrEnum):
    """How a node ended: it said so, its connection was gone, or nothing was heard of it."""

    GOODBYE = "goodbye"
    GONE = "gone"
    SILENT = "silent"


class NodeState(StrEnum):
    """How a node is, for people."""

    RUNNING = "running"
    STOPPING = "stopping"
    NOT_RESPONDING = "not responding"
    LOST = "lost"


@dataclass(frozen=True)
class Node:
    """One life of a daemon: which host, version and configuration file, and at which port it listens.

    `life_sign` is what tells whoever is on the same host that it has ended, see `engine/life_sign.py`.
    """

    id: str
    host: str
    version: str
    config_digest: str
    started_at: datetime
    port: int = 0
    life_sign: str = ""

    @property
    def name(self) -> str:
        """What people call it: several may be on one host."""
        return f"{self.host}:{self.port}" if self.port else self.host


@dataclass(frozen=True)
class LeftLane:
    """A lane that a dead node holds; nothing is known of one that is not listed any more."""

    link_id: int
    boot: str
    ended: NodeEnd | None
    seen_at: datetime | None


@dataclass(frozen=True)
class NodeRow:
    """What is stored of a node, and how many lanes it works on; one that `beats` does so every second."""

    node: Node
    seen_at: datetime | None
    beats: bool
    is_stopping: bool
    ended: NodeEnd | None
    ended_at: datetime | None
    lanes: int

    def state(self, now: datetime) -> NodeState:
        """Return how the node is."""
        if self.ended is not None:
            return NodeState.LOST
        silent_after = timedelta(seconds=LEASE_S) if self.beats else _LONG_SILENT
        if self.seen_at is None or now - self.seen_at > silent_after:
            return NodeState.NOT_RESPONDING
        return NodeState.STOPPING if self.is_stopping else NodeState.RUNNING


@dataclass(frozen=True)
class Duty:
    """Something that is done once for all nodes, again and again.

    `organization` is whose rows it is about, "" where it is about nobody's in particular. One that has another `mark`
    than when it was last done is due at once: what it is done for has changed.
    """

    name: str
    organization: str = ""
    mark: str = ""


@dataclass(frozen=True)
class HeldDuty:
    """A duty that a node has taken; who took it over since has a higher fence."""

    name: str
    organization: str
    node: str
    fence: int


@dataclass(frozen=True)
class DutyRow:
    """When a duty is due, what it was last done for, and which node is at it; one that has ended is not."""

    due_at: datetime
    mark: str
    node: str | None


def different_files(nodes: Iterable[Node]) -> dict[str, list[str]]:
    """Return which nodes have which configuration file, by its digest, where they do not have the same one.

    Those of another version may name the same file in another way: they are compared with each other only.
    """
    named: dict[str, dict[str, list[str]]] = {}
    for node in nodes:
        named.setdefault(node.version, {}).setdefault(node.config_digest, []).append(node.name)
    return {
        digest: sorted(names) for files in named.values() if len(files) > 1 for digest, names in sorted(files.items())
    }


def living(rows: Iterable[NodeRow]) -> list[Node]:
    """Return the nodes that are not lost."""
    return [one.node for one in rows if one.ended is None]
