"""Nodes of one PostgreSQL database in one process, each with a store and a clock of its own that can be set ahead.

What a daemon does by itself, a test does by hand: `node.live()` is one beat, with a look at the others.
"""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from types import SimpleNamespace
from uuid import uuid4

import structlog

from connector_core.contract.errors import RetryLater
from connector_core.demo.stage import until
from connector_core.engine.backoff import HORIZON_S
from connector_core.engine.cluster_node import ClusterNode
from connector_core.engine.engine import Engine
from connector_core.secrets import SecretBox
from connector_core.store import Node, Rest
from connector_core.store.opening import open_store
from connector_core.store.postgres_connections import connect
from connector_core.store.postgres_presence import number_of, sessions


class ClockAhead:
    """The clock of a database, and so many seconds more."""

    def __init__(self, clock) -> None:
        self._clock = clock
        self._ahead_s = self._set_by_s = 0.0

    def now(self):
        """Return the time."""
        return self._clock.now() + timedelta(seconds=self._ahead_s + self._set_by_s)

    def monotonic(self):
        """Return seconds."""
        return self._clock.monotonic() + self._ahead_s

    def forward(self, seconds):
        """Let time pass."""
        self._ahead_s += seconds

    def set_by(self, seconds):
        """Set the clock; no time passes."""
        self._set_by_s += seconds


def _started(_):
    return 0


class Hand:
    """A node that does what it is told."""

    def __init__(self, place, key, host) -> None:
        self._url = place.url
        self.store = open_store(place, SecretBox([key]))
        self.clock = ClockAhead(self.store.database.clock())
        self.heard = self.breaks = 0
        #: Whether it cannot tell if the server is where it was.
        self.cannot_look = False
        self.digest = "digest"
        self.about = Node(uuid4().hex, host, "1.0", self.digest, self.clock.now(), 8080)
        together = self.store.database.together()
        self.presence = together.presence
        log = structlog.get_logger("test")
        self.node = ClusterNode(
            together,
            self.store.nodes,
            self.store.lanes,
            about=self.about,
            clock=self.clock,
            log=log,
            config_digest=lambda: self.digest,
            at_break=self._break,
        )

    def start(self):
        """Begin without the thread that beats: each beat is told."""
        self.node._loop.start = lambda: None
        self.node.start(self._hear)
        return self

    def _break(self):
        self.breaks += 1
        if self.cannot_look:
            raise RetryLater("The database takes no changes.", code="read_only")

    def _hear(self):
        self.heard += 1

    def claim(self, limit=8, **limits):
        """Claim lanes that are due by now."""
        return self.store.lanes.claim(self.node.id, self.clock.now(), limit, HORIZON_S, **limits)

    def state(self, hand):
        """Return how the present life of another node is listed, by the database's time; None if it is not."""
        now = self.store.database.clock().now()
        return next((one.state(now).value for one in self.store.nodes.every() if one.node.id == hand.node.id), None)

    def listens(self):
        """Return whether it hears what others tell."""
        return self.store.database.look_again_s > 0.5

    def engine(self, run, workers=2, per_integration=2):
        """Return an engine of this node, which is started already, whose lanes do what `run` does."""
        self.node.start = _started
        work = SimpleNamespace(run=lambda claim: run(claim) or Rest(), crashed=None)
        options = {"workers": workers, "per_integration": per_integration, "clock": self.clock}
        return Engine(self.store.lanes, work, node=self.node, log=structlog.get_logger("test"), **options)

    def be_cut_off(self):
        """Lose the connection; the process lives."""
        number = number_of(self.node.id)
        self.presence.close()
        with closing(connect(self._url)) as raw:
            until(lambda: number not in sessions(raw))

    def be_killed(self):
        """Be gone without a word: the kernel closes all connections, and takes the sign of life down."""
        self.be_cut_off()
        self.node._life_sign.end()

    def close(self):
        """Let go of everything."""
        self.node._signals.stop()
        self.presence.close()
        self.node._life_sign.end()
        self.store.close()
