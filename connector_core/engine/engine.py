"""The engine: wakes, claims and runs lanes on worker threads, and gives them back.

One dispatcher sleeps until a lane is due or somebody nudges it, claims as many due lanes as there are idle workers in
one transaction, and hands them over. No integration gets more than its share of the workers, so that one whose site
hangs never holds up another. What a lane does is not known here. Nothing waits inside a worker: a run that wants to try
later says when, and the lane is due then.
"""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Protocol
from uuid import uuid4

from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.contract.errors import RetryLater
from connector_core.engine.backoff import HORIZON_S
from connector_core.store import Claim, Rest
from connector_core.store.lanes import Lanes

# Other processes (the command line) wake lanes in the database only; this is how soon the daemon notices.
LOOK_AGAIN_S = 0.5
STORE_RETRY_WAIT_S = 1.0
STORE_RETRY_DUE_S = 5.0
LANE_THREADS = "lane"


class LaneWork(Protocol):
    """What is done in a lane."""

    def run(self, claim: Claim) -> Rest:
        """Do what there is to do; say how the lane is to be given back."""
        ...

    def crashed(self, claim: Claim) -> Rest:
        """Deal with `run` having failed by a bug."""
        ...


class Engine:
    """Runs lanes until it is stopped: `workers` at a time, of one integration no more than `per_integration`."""

    def __init__(  # noqa: PLR0913 - its parts, by keyword
        self,
        lanes: Lanes,
        work: LaneWork,
        *,
        workers: int,
        per_integration: int,
        clock: Clock,
        log: FilteringBoundLogger,
    ) -> None:
        self.boot = uuid4().hex
        self._lanes = lanes
        self._lane_work = work
        self._workers = workers
        self._per_integration = per_integration
        self._clock = clock
        self._log = log
        self._changed = threading.Condition()
        self._nudged = False
        self._stopping = False
        self._running: dict[int, str] = {}
        self._unsure = False
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix=LANE_THREADS)
        self._dispatcher = threading.Thread(target=self._dispatch, name="dispatcher", daemon=True)

    def start(self) -> None:
        """Free the lanes of earlier boots and begin."""
        freed = self._lanes.recover(self.boot)
        if freed:
            self._log.info("lanes_recovered", lanes=freed)
        self._dispatcher.start()

    def nudge(self) -> None:
        """Look at once whether a lane is due; called by whoever committed a wake-up."""
        with self._changed:
            self._nudged = True
            self._changed.notify_all()

    def stop(self, deadline_s: float) -> bool:
        """Take no more lanes, wait for those that run; True if all ended within the deadline.

        A lane that did not end keeps its claim, which the next boot frees.
        """
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._dispatcher.is_alive():
            self._dispatcher.join(deadline_s)
        with self._changed:
            ended = self._changed.wait_for(lambda: self.running == 0, timeout=deadline_s)
        self._pool.shutdown(wait=ended, cancel_futures=True)
        return ended

    @property
    def is_alive(self) -> bool:
        """Return whether the dispatcher runs."""
        return self._dispatcher.is_alive() and not self._stopping

    @property
    def running(self) -> int:
        """Return how many lanes are being worked on."""
        return len(self._running)

    def _dispatch(self) -> None:
        while True:
            try:
                claims = self._claim_due()
            except RetryLater as exc:
                self._log.error("store_unavailable", code=exc.code, detail=exc.detail)
                self._sleep(STORE_RETRY_WAIT_S)
                claims = []
            for claim in claims:
                self._pool.submit(self.work, claim)
            if self._stopping:
                return

    def _claim_due(self) -> list[Claim]:
        """Wait until there is an idle worker and a due lane, then claim what both allow."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self.running < self._workers)
            self._nudged = False
            idle = self._workers - self.running
            if self._stopping:
                return []
        # A lane that was claimed without our knowing is due to nobody: only claiming again finds it.
        wait_s = 0.0 if self._unsure else self._until_due()
        if wait_s > 0:
            self._sleep(min(wait_s, LOOK_AGAIN_S))
            return []
        claims = self.claim(idle)
        if not claims:  # what is due belongs to integrations that have their share
            self._sleep(LOOK_AGAIN_S)
        return claims

    def claim(self, limit: int) -> list[Claim]:
        """Claim up to `limit` due lanes for this boot and count them as running."""
        with self._changed:
            running = dict(self._running)
        if self._unsure:
            self._lanes.recover(self.boot, running.keys())
        self._unsure = True  # until the store has answered: a claim may be stored although its answer is lost
        claims = self._lanes.claim(
            self.boot,
            self._clock.now(),
            limit,
            HORIZON_S,
            per_integration=self._per_integration,
            running=Counter(running.values()),
        )
        self._unsure = False
        with self._changed:
            self._running.update({claim.link_id: claim.integration_id for claim in claims})
        return claims

    def _until_due(self) -> float:
        due = self._lanes.next_due()
        if due is None:
            return LOOK_AGAIN_S
        wait_s = due - self._clock.now().timestamp()
        return 0.0 if wait_s > HORIZON_S else wait_s

    def _sleep(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._nudged or self._stopping, timeout=seconds)

    def work(self, claim: Claim) -> None:
        """Run one claimed lane and give it back, whatever happens."""
        try:
            self._release(claim, self._run(claim))
        except RetryLater as exc:
            self._log.error("lane_not_stored", link=claim.link_id, code=exc.code, detail=exc.detail)
            self._release_later(claim)
        finally:
            with self._changed:
                self._running.pop(claim.link_id, None)
                self._nudged = True
                self._changed.notify_all()

    def _run(self, claim: Claim) -> Rest:
        try:
            return self._lane_work.run(claim)
        except RetryLater:
            raise
        except Exception:  # noqa: BLE001 - one of the three: a bug must cost one lane one attempt, never a worker
            self._log.exception("lane_crashed", link=claim.link_id)
            return self._lane_work.crashed(claim)

    def _release(self, claim: Claim, rest: Rest) -> None:
        self._lanes.release(claim, rest, self._clock.now())

    def _release_later(self, claim: Claim) -> None:
        """Give a lane back although the store is in trouble; if even that fails, retry until it works or we stop."""
        rest = Rest(due=self._clock.now() + timedelta(seconds=STORE_RETRY_DUE_S))
        while not self._stopping:
            try:
                self._release(claim, rest)
            except RetryLater:
                with self._changed:  # a nudge is no reason to try earlier: while all workers wait here, nobody hears it
                    self._changed.wait_for(lambda: self._stopping, timeout=STORE_RETRY_WAIT_S)
            else:
                return
