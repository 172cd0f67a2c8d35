"""Whether a daemon is at work on a database, as whoever only looks at it can tell.

What is stored says when a daemon was last heard of; on the same host it is known at once that its process has ended.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.models import Finding, Severity
from connector_core.engine.life_sign import has_ended
from connector_core.store import NodeRow, NodeState

_AT_WORK = frozenset({NodeState.RUNNING, NodeState.STOPPING})


def state_of(node: NodeRow, now: datetime) -> NodeState:
    """Return how a node is."""
    stored = node.state(now)
    return NodeState.LOST if stored is not NodeState.LOST and has_ended(node.node.life_sign) else stored


def not_running(nodes: Iterable[NodeRow], now: datetime) -> Finding | None:
    """Say that no daemon is at work, if none is."""
    if any(state_of(one, now) in _AT_WORK for one in nodes):
        return None
    return Finding(
        code="not_running",
        severity=Severity.WARNING,
        title="The connector is not running: nothing is synced, and no webhook is taken",
        advice=Advice(Remedy.START),
    )
