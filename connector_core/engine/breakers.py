"""Circuit breakers: a place that does not work is tried by one lane at a time, not by all that need it.

Every call to a vendor is made inside a guard:

    with breakers.guard(circuit):  # a `Circuit` names the breakers that the call depends on
        answer = plugin.fetch_tickets(...)

A breaker trips when the other side asks for a pause, or after a few failures in a row; it is then stored and survives a
restart. While it is tripped the guard raises `Tripped` before the block runs, and the lane parks. When its time has
come one lane may try, over all nodes of a database: success resets it and wakes all that are parked, failure trips it
for longer. A node that dies while it tries leaves that to others.

What is about to trip is counted by each node for itself, so several of them make a few calls more.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

from connector_core.clock import Clock
from connector_core.contract.errors import (
    AuthError,
    ConfigError,
    ConnectorError,
    RemoteError,
    RetryLater,
    Scope,
    TicketGone,
)
from connector_core.engine.backoff import HORIZON_S, delay_s
from connector_core.engine.circuits import Circuit
from connector_core.http.outbound import CALL_DEADLINE_S
from connector_core.metrics import Metrics
from connector_core.remembered import Remembered
from connector_core.store import Breaker
from connector_core.store.breakers import Breakers as StoredBreakers

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

# One lost answer is bad luck, three in a row are an outage; a refusal of three incidents in a row is a wrong setting.
FAILURES_THAT_TRIP = 3
REFUSALS_THAT_TRIP = 3
FIRST_S, LONGEST_S = 1.0, 300.0
FIRST_REFUSED_S, LONGEST_REFUSED_S = 60.0, 900.0
NOT_ACCEPTED_S = 600.0
PROBE_WITHIN_S = 5.0
#: So long a try counts of which nothing is heard: longer than its calls take, and than it takes to find a node dead.
TRY_FOR_S = 2 * CALL_DEADLINE_S
#: How long a node knows what others were told of a limit, and by how much a later time must be later to be told.
PACE_READ_S, PACE_STEP = 1.0, timedelta(seconds=1)


class Tripped(RetryLater):
    """The call was not made, or was the one that tripped it: park on the breaker `key`."""

    default_code = "paused"

    def __init__(self, breaker: Breaker, *, outcome_unknown: bool = False) -> None:
        super().__init__(breaker.reason, code=breaker.code, fix=breaker.fix, outcome_unknown=outcome_unknown)
        self.breaker = breaker


class NearLimit(RetryLater):
    """The call was not made, so that those that matter more still can be."""

    default_code = "near_rate_limit"


def _paused_by(error: RetryLater, circuit: Circuit) -> str:
    """Return the key of the breaker that an error is about."""
    wanted = {Scope.APP: circuit.app, Scope.GRANT: circuit.grant}.get(error.scope)
    return wanted or circuit.site


@dataclass
class _Refusals:
    """Links that were refused one after the other, all with the same message."""

    words: str = ""
    links: set[int | None] = field(default_factory=set)


@dataclass
class _Pause:
    """How long a place paused last, after how many failed tries, and when it worked again by the steady clock."""

    tries: int
    wait_s: float
    worked_at: float | None = None


class Tries(Protocol):
    """Who tries: a node, which may not be the only one."""

    @property
    def id(self) -> str:
        """Its name for others."""
        ...

    @property
    def is_alone(self) -> bool:
        """Whether nobody else works on this database."""
        ...


@dataclass(frozen=True)
class _Alone:
    """A process that is nobody's node."""

    id: str = field(default_factory=lambda: uuid4().hex)
    is_alone: bool = True


class Breakers:
    """All breakers of the process; what is tripped is in the store, what is about to trip only here."""

    def __init__(  # noqa: PLR0913 - its parts
        self,
        stored: StoredBreakers,
        clock: Clock,
        log: FilteringBoundLogger,
        metrics: Metrics,
        random: Random | None = None,
        *,
        node: Tries | None = None,
    ) -> None:
        self._node = node or _Alone()
        self._stored = stored
        self._clock = clock
        self._log = log
        self._metrics = metrics
        self._random = random or Random()  # noqa: S311 - jitter
        self._lock = threading.Lock()
        self._failures: Remembered[str, int] = Remembered(clock.monotonic)
        self._refusals: Remembered[str, _Refusals] = Remembered(clock.monotonic)
        self._slow_until: Remembered[str, datetime] = Remembered(clock.monotonic)
        self._paced_at: Remembered[str, float] = Remembered(clock.monotonic)
        self._pauses: Remembered[str, _Pause] = Remembered(clock.monotonic)

    @contextmanager
    def guard(self, circuit: Circuit) -> Iterator[None]:
        """Run a block that calls a vendor if its breakers allow it, and learn from how the block ends.

        Raises:
            Tripped: a breaker does not allow it and the block was not run, or the block tripped one.
        """
        keys = circuit.keys
        with self._trying_anew(self._stored.tripped(keys)) as probed:
            try:
                yield
            except ConnectorError as exc:
                tripped: Breaker | None = None
                with self._store_failures_logged():
                    tripped = self._failed(circuit, exc, probed)
                if tripped is not None:
                    unknown = isinstance(exc, RetryLater) and exc.outcome_unknown
                    raise Tripped(tripped, outcome_unknown=unknown) from exc
                raise
            else:
                with self._store_failures_logged():
                    self._worked(keys, probed)

    def near_limit(self, circuit: Circuit, until: datetime) -> None:
        """Note that a site comes near its rate limit: what can wait then does, on all nodes."""
        with self._lock:
            known = self._slow_until.get(circuit.site)
            self._slow_until[circuit.site] = until if known is None else max(until, known)
        if not self._node.is_alone and (known is None or until - known > PACE_STEP):
            with self._store_failures_logged():
                self._stored.near_limit(circuit.site, until)

    def clock_was_set(self) -> None:
        """Forget until when to spare calls: that was told by another clock."""
        with self._lock:
            self._slow_until.clear()

    def spare(self, circuit: Circuit) -> None:
        """Give way while the site is near its limit.

        Raises:
            RetryLater: come back when the limit starts anew.
        """
        until = self._near_limit_until(circuit.site)
        wait_s = 0.0 if until is None else (until - self._clock.now()).total_seconds()
        if 0 < wait_s < HORIZON_S:
            raise NearLimit("The site is near its rate limit; new and closed incidents go first.", after_s=wait_s)

    def wake_probes(self) -> bool:
        """Wake one parked lane for every breaker whose time has come; return whether there was any."""
        return bool(self._stored.wake_probes(self._clock.now(), HORIZON_S, PROBE_WITHIN_S))

    # Private

    @contextmanager
    def _trying_anew(self, tripped: list[Breaker]) -> Iterator[list[Breaker]]:
        """Run a block that tries breakers anew, if each of them may be tried by now and nobody else tries it."""
        if not tripped:
            yield []
            return
        now = self._clock.now()
        for breaker in tripped:
            if 0 < (breaker.until - now).total_seconds() < HORIZON_S:
                raise Tripped(breaker)
        keys, by, until = [breaker.key for breaker in tripped], self._node.id, now + timedelta(seconds=TRY_FOR_S)
        refused = self._stored.begin_try(keys, by, now, until, HORIZON_S)
        if refused is not None:
            raise Tripped(refused)
        is_over = True
        try:
            yield tripped
        except KeyboardInterrupt:  # the end of the process, for the simulation: nothing is done any more
            is_over = False
            raise
        finally:
            if is_over:
                with self._store_failures_logged():
                    self._stored.end_try(keys, by, until)

    def _near_limit_until(self, site: str) -> datetime | None:
        """Return until when a site is near its limit; what other nodes were told is looked for now and then."""
        now = self._clock.monotonic()
        with self._lock:
            known, read_at = self._slow_until.get(site), self._paced_at.get(site)
            if self._node.is_alone or (read_at is not None and now - read_at < PACE_READ_S):
                return known
            self._paced_at[site] = now
        stored = self._stored.near_limit_until(site)
        with self._lock:
            if stored is not None and (known is None or stored > known):
                self._slow_until[site] = known = stored
        return known

    @contextmanager
    def _store_failures_logged(self) -> Iterator[None]:
        """Log that the store did not take what was learned: that must not hide how the call itself ended."""
        try:
            yield
        except RetryLater as exc:
            self._log.warning("breaker_not_stored", code=exc.code, detail=exc.detail)

    def _worked(self, keys: tuple[str, ...], probed: list[Breaker]) -> None:
        with self._lock:
            for key in keys:
                self._failures.pop(key, None)
                self._refusals.pop(key, None)
        for breaker in probed:
            if breaker.key in keys:
                woken = self._stored.reset(breaker.key, self._clock.now())
                if (pause := self._pauses.get(breaker.key)) is not None:
                    pause.worked_at = self._clock.monotonic()
                self._log.info("breaker_reset", breaker=breaker.key, code=breaker.code, lanes=woken)

    def _failed(self, circuit: Circuit, error: ConnectorError, probed: list[Breaker]) -> Breaker | None:
        """Learn from an error; return the breaker that it tripped."""
        if isinstance(error, RetryLater) and (error.scope is not Scope.LINK or circuit.pauses_on_any_wait):
            return self._count_failure(_paused_by(error, circuit), error, probed)
        if isinstance(error, AuthError):
            if not circuit.pauses_on_auth:
                if circuit.grant is not None:  # waiting is over: somebody has to authorize
                    self._worked((circuit.grant,), probed)
                return None
            return self._trip(circuit.site, error, None, 0, NOT_ACCEPTED_S, needs_person=True)
        refused = isinstance(error, ConfigError) or (circuit.strict and isinstance(error, RemoteError))
        settings = circuit.settings if refused and not isinstance(error, TicketGone) else None
        # Whatever the other side said, it answered.
        self._worked(tuple(key for key in circuit.keys if key != settings), probed)
        return None if settings is None else self._count_refusal(settings, circuit.link_id, error, probed)

    def _count_failure(self, key: str, error: RetryLater, probed: list[Breaker]) -> Breaker | None:
        before = next((breaker for breaker in probed if breaker.key == key), None)
        with self._lock:
            failures = self._failures[key] = self._failures.get(key, 0) + 1
        if before is None and error.after_s is None and failures < FAILURES_THAT_TRIP:
            return None
        tries = self._relapses(key) if before is None else before.failures + 1
        if error.scope is Scope.GRANT and error.after_s is not None:
            wait_s = error.after_s  # its keeper knows how urgent it is
        else:
            wait_s = delay_s(tries, error.after_s, self._random, first_s=FIRST_S, longest_s=LONGEST_S)
        self._pauses[key] = _Pause(tries, wait_s)
        return self._trip(key, error, before, tries, wait_s)

    def _relapses(self, key: str) -> int:
        """Return how often a place failed again that worked no longer than it had paused: that pause was too short.

        Reads may work, and end the pause, where every write is refused.
        """
        pause = self._pauses.get(key)
        if pause is None or pause.worked_at is None:
            return 0
        return pause.tries + 1 if self._clock.monotonic() - pause.worked_at < pause.wait_s else 0

    def _count_refusal(
        self, key: str, link_id: int | None, error: ConnectorError, probed: list[Breaker]
    ) -> Breaker | None:
        before = next((breaker for breaker in probed if breaker.key == key), None)
        words = f"{error.code} {error.message}"
        with self._lock:
            refusals = self._refusals.setdefault(key, _Refusals())
            if refusals.words != words:
                self._refusals[key] = refusals = _Refusals(words)
            if len(refusals.links) < REFUSALS_THAT_TRIP:
                refusals.links.add(link_id)
            count = len(refusals.links)
        if before is None and count < REFUSALS_THAT_TRIP:
            return None
        tries = 0 if before is None else before.failures + 1
        wait_s = delay_s(tries, None, self._random, first_s=FIRST_REFUSED_S, longest_s=LONGEST_REFUSED_S)
        return self._trip(key, error, before, tries, wait_s, needs_person=True)

    def _trip(  # noqa: PLR0913, PLR0917 - what a breaker is made of
        self,
        key: str,
        error: ConnectorError,
        before: Breaker | None,
        failures: int,
        wait_s: float,
        needs_person: bool = False,  # noqa: FBT001, FBT002 - as above
    ) -> Breaker:
        now = self._clock.now()
        breaker = Breaker(
            key=key,
            code=error.code,
            reason=error.message,
            fix=error.fix,
            since=now if before is None else before.since,
            until=now + timedelta(seconds=wait_s),
            failures=failures,
            needs_person=needs_person,
        )
        self._stored.trip(breaker)
        self._metrics.tripped(key, error.code)
        if before is None or before.code != breaker.code:
            self._log.warning(
                "breaker_tripped", breaker=key, code=error.code, reason=error.message, wait_s=round(wait_s)
            )
        return breaker
