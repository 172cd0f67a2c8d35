"""Nodes: the daemons of a database."""

from __future__ import annotations

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
    """One life of a daemon: which host, version and configuration file."""

    id: str
    host: str
    version: str
    config_digest: str
    started_at: datetime


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
