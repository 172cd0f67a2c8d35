"""A node whose lanes do what a write to a vendor costs the connector: it notes what it began and what came of it.

Run as a process: `python -m benchmarks.cluster_node URL KEY RUNS CALL_S WORKERS PER_INTEGRATION`. It prints its id when
it is at work, and writes a line for each run: integration, link, when it began and ended.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import TextIO
from uuid import uuid4

import structlog
from pydantic import SecretStr

from connector_core.databases import PostgreSQL
from connector_core.engine.cluster_node import ClusterNode
from connector_core.engine.engine import Engine
from connector_core.http.outbound import CALL_DEADLINE_S
from connector_core.secrets import SecretBox
from connector_core.store import Claim, LinkState, LinkStatus, Node, Progress, Rest, Store
from connector_core.store.opening import open_store

DONE = LinkStatus(LinkState.IN_SYNC)


class Writing:
    """What is done in a lane."""

    def __init__(self, store: Store, file: TextIO, call_s: float) -> None:
        self._store, self._file, self._call_s = store, file, call_s
        self._clock = store.database.clock()
        self._lock = threading.Lock()

    def run(self, claim: Claim) -> Rest:
        """Store that a call begins, wait as long as one takes, store what came of it and give the lane back."""
        began, now = time.time(), self._clock.now()
        if self._call_s:
            until = now + timedelta(seconds=CALL_DEADLINE_S)
            self._store.links.record(claim, Progress(calling_until=until), now)
            threading.Event().wait(self._call_s)
        self._store.links.record(claim, Progress(status=DONE), self._clock.now(), Rest())
        with self._lock:
            self._file.write(f"{claim.integration_id} {claim.link_id} {began} {time.time()}\n")
        return Rest(is_given_back=True)

    def crashed(self, claim: Claim) -> Rest:  # noqa: ARG002 - whatever it was
        """End everything: what is measured then means nothing."""
        signal.raise_signal(signal.SIGTERM)
        return Rest()


def main(url: str, key: str, runs: str, call_s: str, *limits: str) -> None:
    """Work until told to stop."""
    workers, per_integration = map(int, limits)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    log = structlog.get_logger("cluster_node")
    store = open_store(PostgreSQL(url), SecretBox([SecretStr(key)]))
    clock, together = store.database.clock(), store.database.together()
    assert together is not None
    about = Node(uuid4().hex, "bench", "0", "digest", clock.now())
    node = ClusterNode(together, store.nodes, store.lanes, about=about, clock=clock, log=log)
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    with Path(runs).open("a", buffering=1) as file:
        engine = Engine(
            store.lanes,
            Writing(store, file, float(call_s)),
            workers=workers,
            per_integration=per_integration,
            clock=clock,
            log=log,
            node=node,
        )
        engine.start()
        print(node.id, flush=True)
        told.wait()
        engine.stop(10.0)
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
