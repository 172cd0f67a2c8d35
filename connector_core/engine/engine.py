"""The engine: wakes, claims and runs lanes on worker threads, and gives them back.

One dispatcher sleeps until a lane is due or somebody nudges it, claims as many due lanes as there are idle workers in
one transaction, and hands them over. No site gets more than its share of the workers (`shares.py`), so that one that
hangs never holds up another; what is beyond it waits in the store. What a lane does is not known here. Nothing waits
inside a worker: a run that wants to try later says when, and the lane is due then.

A lane comes back whatever happens to its worker. Should a claim of ours be in nobody's hands all the same, the
dispatcher finds it: it compares what is claimed with what runs, now and then and after each trouble.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.contract.errors import RetryLater
from connector_core.engine.backoff import HORIZON_S
from connector_core.engine.nodes import LoneNode, ThisNode
from connector_core.loops import Crew, Loop, Watched
from connector_core.metrics import Metrics
from connector_core.shares import Shares
from connector_core.store import Claim, Rest
from connector_core.store.failures import shortage
from connector_core.store.lanes import Lanes

# Other processes (the command line) wake lanes in the database only; this is how soon the daemon notices.
LOOK_AGAIN_S = 0.5
STORE_RETRY_WAIT_S = 1.0
STORE_RETRY_DUE_S = 5.0
SWEEP_EVERY_S = 15.0
#: Nodes claim one after the other: while more is due than they have workers for, each waits so long for a quarter of
#: its own to be idle, and claims for all of these at once.
GATHER_S, GATHERED = 0.02, 4


class LaneWork(Protocol):
    """What is done in a lane."""

    def run(self, claim: Claim) -> Rest:
        """Do what there is to do; say how the lane is to be given back."""
        ...

    def crashed(self, claim: Claim) -> Rest:
        """Deal with `run` having failed by a bug."""
        ...


class Engine:
    """Runs lanes until it is stopped: `workers` at a time, of one integration no more than `per_integration`.

    `sites` makes a function that names the site which an integration calls: the lanes of one site have one share.
    """

    def __init__(  # noqa: PLR0913 - its parts, by keyword
        self,
        lanes: Lanes,
        work: LaneWork,
        *,
        workers: int,
        per_integration: int,
        clock: Clock,
        log: FilteringBoundLogger,
        metrics: Metrics | None = None,
        sites: Callable[[], Callable[[str], str]] = lambda: str,
        node: ThisNode | None = None,
    ) -> None:
        self.node: ThisNode = node or LoneNode(lanes)
        self._sites = sites
        self._lanes = lanes
        self._lane_work = work
        self._workers = workers
        self._per_integration = per_integration
        self._clock = clock
        self._log = log
        self._changed = threading.Condition()
        self._nudged = False
        self._stopping = self._has_joined = False
        self._running: dict[int, Claim] = {}
        self._handed: dict[int, Future[None]] = {}
        self._unsure = self._has_more = False
        self._may_be_lost = False
        self._swept_at = clock.monotonic()
        self._metrics = metrics or Metrics()
        self._crew = Crew("lane", workers)
        self._dispatcher = Loop(
            "dispatcher", self._dispatch, after_failure_s=STORE_RETRY_WAIT_S, monotonic=clock.monotonic
        )

    def join(self) -> None:
        """Be a node, and free the lanes of those that are dead; nothing is claimed yet."""
        freed = self.node.start(self._hear)
        if freed:
            self._log.info("lanes_recovered", lanes=freed)
        self._has_joined = True

    def start(self) -> None:
        """Begin to work on lanes."""
        if not self._has_joined:
            self.join()
        self._dispatcher.start()

    @property
    def boot(self) -> str:
        """What claims are made for."""
        return self.node.id

    def nudge(self) -> None:
        """Look at once whether a lane is due; called by whoever committed a wake-up. Other nodes are told."""
        self._hear()
        self.node.tell()

    def _hear(self) -> None:
        with self._changed:
            self._nudged = True
            self._changed.notify_all()

    def stop(self, deadline_s: float) -> bool:
        """Take no more lanes, wait for those that run; True if all ended within the deadline.

        A lane that did not end keeps its claim, which the next boot frees, or at once another node.
        """
        until = monotonic() + deadline_s
        self.node.stopping()
        self._dispatcher.end()
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._dispatcher.join(max(until - monotonic(), 0.0))
        with self._changed:
            ended = self._changed.wait_for(lambda: self.running == 0, timeout=max(until - monotonic(), 0.0))
        self._crew.shutdown(wait=ended, cancel_futures=True)
        self.node.stop()
        return ended

    @property
    def loops(self) -> Sequence[Watched]:
        """The threads: the one that claims, those that work, and those of the node."""
        return (self._dispatcher, self._crew, *self.node.loops)

    @property
    def is_alive(self) -> bool:
        """Return whether the dispatcher runs, and has workers."""
        return self._dispatcher.is_alive and not self._stopping and not self._crew.trouble()

    @property
    def running(self) -> int:
        """Return how many lanes are being worked on."""
        return len(self._running)

    def _dispatch(self) -> float:
        try:
            self._sweep()
            for claim in self._claim_due():
                self._handed[claim.link_id] = self._crew.submit(self.work, claim)
        except RetryLater as exc:
            self._log.error("store_unavailable", code=exc.code, detail=exc.detail)
            self._sleep(STORE_RETRY_WAIT_S)
        except BaseException:
            self._may_be_lost = True
            raise
        return 0.0

    def _sweep(self) -> None:
        """Now and then, and after trouble, free the lanes that we have claimed and nobody works on."""
        now = self._clock.monotonic()
        if not self._may_be_lost and now - self._swept_at < SWEEP_EVERY_S:
            return
        self._may_be_lost = False
        with self._changed:
            # A worker that has ended forgot its claim, unless even that failed.
            self._handed = {link_id: future for link_id, future in self._handed.items() if not future.done()}
            self._running = running = {
                link_id: claim for link_id, claim in self._running.items() if link_id in self._handed
            }
        strays = self._free_strays(self.boot, running.keys())
        if strays:
            self._log.error("lanes_found_unattended", links=strays)
        self._swept_at = now

    def _free_strays(self, boot: str, running: Collection[int]) -> list[int]:
        """Free what we have claimed and nobody works on; return which links those are."""
        strays = [link_id for link_id in self._lanes.claimed(boot) if link_id not in running]
        if strays:
            self._lanes.free(boot, strays)
        return strays

    def _claim_due(self) -> list[Claim]:
        """Wait until there is an idle worker and a due lane, then claim what both allow."""
        with self._changed:
            has_room = self._changed.wait_for(lambda: self._stopping or self.running < self._workers, LOOK_AGAIN_S)
            if self._has_more and not self.node.is_alone:
                enough = self._workers - self._workers // GATHERED
                self._changed.wait_for(lambda: self._stopping or self.running <= enough, GATHER_S)
            self._nudged = False
            if self._stopping or not has_room:
                return []
        if not self.node.may_work:
            self._sleep(LOOK_AGAIN_S)
            return []
        # A lane that was claimed without our knowing is due to nobody: only claiming again finds it.
        wait_s = 0.0 if self._unsure or self._has_more else self._until_due()
        if wait_s > 0:
            self._sleep(min(wait_s, LOOK_AGAIN_S))
            return []
        idle = self._crew.grow(at_least=1) - self.running
        if idle <= 0:  # no thread is to be had beside those that are busy
            self._sleep(LOOK_AGAIN_S)
            return []
        has_asked, claims = not self._has_more, self.claim(idle)
        self._has_more = len(claims) == idle  # as far as is known: whether any is due need not be asked
        if not claims and has_asked:  # what is due belongs to integrations that have their share
            self._sleep(LOOK_AGAIN_S)
        return claims

    def claim(self, limit: int) -> list[Claim]:
        """Claim up to `limit` due lanes for this boot and count them as running."""
        with self._changed:
            running = dict(self._running)
        boot = self.boot
        if self._unsure:
            self._free_strays(boot, running.keys())
        self._unsure = True  # until the store has answered: a claim may be stored although its answer is lost
        claims = self._lanes.claim(
            boot,
            self._clock.now(),
            limit,
            HORIZON_S,
            per_integration=self._per_integration,
            running=Counter(claim.integration_id for claim in running.values()) if self.node.is_alone else None,
            turns=partial(self._turns, tuple(running.values()), self._sites()),
        )
        with self._changed:
            self._running.update({claim.link_id: claim for claim in claims})
        self._unsure = False
        return claims

    def _turns(self, running: Sequence[Claim], site_of: Callable[[str], str]) -> Callable[[str], bool]:
        """Return what tells whether an integration may have one lane more beside those that run."""
        held = (site_of(claim.integration_id) for claim in running)
        shares = Shares(self._workers, self._per_integration, held)
        return lambda integration_id: shares.take(site_of(integration_id))

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
        is_given_back = False
        try:
            self._give_back(claim)
            is_given_back = True
        except KeyboardInterrupt:  # the end of the process, for the simulation: nothing is done any more
            raise
        except BaseException:  # noqa: BLE001 - what a worker is ended by would be lost
            self._log.exception("lane_not_given_back", link=claim.link_id)
        finally:
            self._forget(claim)
            if not is_given_back:
                self._may_be_lost = True

    def _give_back(self, claim: Claim) -> None:
        try:
            rest = self._run(claim)
            if not rest.is_given_back:
                self._release(claim, rest)
        except RetryLater as exc:
            self._put_off(claim, exc)
        except KeyboardInterrupt:  # as above
            raise
        except BaseException as exc:  # noqa: BLE001 - it must cost one lane one attempt, never a worker
            self._log.exception("lane_crashed", link=claim.link_id)
            self._put_off(claim, shortage(exc) or RetryLater("The connector itself failed.", code="internal_error"))

    def _forget(self, claim: Claim) -> None:
        with self._changed:
            if self._running.get(claim.link_id) is claim:  # it may have been claimed again since it was given back
                del self._running[claim.link_id]
            self._nudged = True
            self._changed.notify_all()

    def _run(self, claim: Claim) -> Rest:
        try:
            with self.node.working(claim.boot):
                return self._lane_work.run(claim)
        except (RetryLater, KeyboardInterrupt):
            raise
        except BaseException as exc:  # a bug, or a plugin that would end the process
            short = shortage(exc)
            if short is not None:
                raise short from exc
            self._log.exception("lane_crashed", link=claim.link_id)
            return self._lane_work.crashed(claim)

    def _release(self, claim: Claim, rest: Rest) -> None:
        self._lanes.release(claim, rest, self._clock.now())

    def _put_off(self, claim: Claim, trouble: RetryLater) -> None:
        """Give a lane back although the store is in trouble; if even that fails, retry until it works or we stop."""
        self._log.error("lane_not_stored", link=claim.link_id, code=trouble.code, detail=trouble.detail)
        self._metrics.put_off(claim.integration_id, trouble.code)
        rest = Rest(due=self._clock.now() + timedelta(seconds=STORE_RETRY_DUE_S))
        while not self._stopping:
            try:
                self._release(claim, rest)
            except RetryLater:
                with self._changed:  # a nudge is no reason to try earlier: while all workers wait here, nobody hears it
                    self._changed.wait_for(lambda: self._stopping, timeout=STORE_RETRY_WAIT_S)
            else:
                return
