"""Circuit breakers: a place that does not work is tried by one lane at a time, not by all that need it.

Every call to a vendor goes through `Breakers.call` with a `Circuit`: the breakers it depends on. A breaker trips when
the other side says so, or after a few failures in a row; it is then stored, survives a restart, and whoever comes is
told `Tripped` and parks. When its time has come one lane may try: success resets it and wakes all that are parked,
failure trips it for longer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import TypeVar

from structlog.typing import FilteringBoundLogger

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
from connector_core.metrics import Meters
from connector_core.store import Breaker, Store

T = TypeVar("T")

# One lost answer is bad luck, three in a row are an outage; a refusal of three incidents in a row is a wrong setting.
FAILURES_THAT_TRIP = 3
REFUSALS_THAT_TRIP = 3
FIRST_S, LONGEST_S = 1.0, 300.0
FIRST_REFUSED_S, LONGEST_REFUSED_S = 60.0, 900.0
NOT_ACCEPTED_S = 600.0
PROBE_WITHIN_S = 5.0


class Tripped(RetryLater):
    """The call was not made, or was the one that tripped it: park on the breaker `key`."""

    default_code = "paused"

    def __init__(self, breaker: Breaker, *, outcome_unknown: bool = False) -> None:
        super().__init__(breaker.reason, code=breaker.code, fix=breaker.fix, outcome_unknown=outcome_unknown)
        self.breaker = breaker


class NearLimit(RetryLater):
    """The call was not made, so that those that matter more still can be."""

    default_code = "near_rate_limit"


@dataclass(frozen=True)
class Circuit:
    """What a call depends on: a site, perhaps the whole app, perhaps certain settings being right.

    `link_id` is the link that the call is for. `strict` says that any refusal of it may be the settings' fault, not
    only one that says so. `pauses_on_auth` says that nobody else pauses a place that no longer accepts us.
    """

    site: str
    app: str | None = None
    settings: str | None = None
    link_id: int | None = None
    strict: bool = False
    pauses_on_auth: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of its breakers."""
        return tuple(key for key in (self.site, self.app, self.settings) if key is not None)


@dataclass
class _Refusals:
    """Links that were refused one after the other, all in the same words."""

    words: str = ""
    links: set[int | None] = field(default_factory=set)


@dataclass
class _Pause:
    """How long a place paused last, after how many failed tries, and when it worked again by the steady clock."""

    tries: int
    wait_s: float
    worked_at: float | None = None


class Breakers:
    """All breakers of the process; what is tripped is in the store, what is about to trip only here."""

    def __init__(
        self, store: Store, clock: Clock, log: FilteringBoundLogger, meters: Meters, random: Random | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._log = log
        self._meters = meters
        self._random = random or Random()  # noqa: S311 - jitter
        self._lock = threading.Lock()
        self._trying: set[str] = set()
        self._woken_at: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._refusals: dict[str, _Refusals] = {}
        self._slow_until: dict[str, datetime] = {}
        self._pauses: dict[str, _Pause] = {}

    def call(self, circuit: Circuit, work: Callable[[], T]) -> T:
        """Do a piece of work that calls a vendor, if its breakers allow, and learn from how it ends.

        Raises:
            Tripped: a breaker does not allow it, or this call tripped one.
            ConnectorError: whatever the work raised.
        """
        probed = self._enter(circuit)
        try:
            result = work()
        except ConnectorError as exc:
            tripped = self._remember(partial(self._failed, circuit, exc, probed))
            if tripped is not None:
                unknown = isinstance(exc, RetryLater) and exc.outcome_unknown
                raise Tripped(tripped, outcome_unknown=unknown) from exc
            raise
        else:
            self._remember(partial(self._worked, circuit.keys, probed))
            return result
        finally:
            with self._lock:
                self._trying.difference_update(breaker.key for breaker in probed)

    def near_limit(self, site: str, until: datetime) -> None:
        """Note that a site comes near its rate limit: what can wait then does."""
        with self._lock:
            self._slow_until[site] = max(until, self._slow_until.get(site, until))

    def clock_was_set(self) -> None:
        """Forget until when to spare calls: that was told by another clock."""
        with self._lock:
            self._slow_until.clear()

    def spare(self, circuit: Circuit) -> None:
        """Give way while the site is near its limit.

        Raises:
            RetryLater: come back when the limit starts anew.
        """
        with self._lock:
            until = self._slow_until.get(circuit.site)
        wait_s = 0.0 if until is None else (until - self._clock.now()).total_seconds()
        if 0 < wait_s < HORIZON_S:
            raise NearLimit("The site is near its rate limit; new and closed incidents go first.", after_s=wait_s)

    def wake_probes(self) -> bool:
        """Wake one parked lane for every breaker whose time has come; tell whether there was any."""
        now = self._clock.monotonic()
        with self._lock:
            busy = self._trying | {key for key, at in self._woken_at.items() if 0 <= now - at < PROBE_WITHIN_S}
        woken = self._store.breakers.wake_probes(self._clock.now(), HORIZON_S, busy)
        with self._lock:
            self._woken_at.update(dict.fromkeys(woken, now))
        return bool(woken)

    # Private

    def _enter(self, circuit: Circuit) -> list[Breaker]:
        """Return the breakers that this call tries anew, none as a rule."""
        tripped = self._store.breakers.tripped(circuit.keys)
        if not tripped:
            return []
        now = self._clock.now()
        with self._lock:
            for breaker in tripped:
                ahead_s = (breaker.until - now).total_seconds()
                if 0 < ahead_s < HORIZON_S or breaker.key in self._trying:
                    raise Tripped(breaker)
            self._trying.update(breaker.key for breaker in tripped)
        return tripped

    def _remember(self, learn: Callable[[], T]) -> T | None:
        """Learn from how a call ended, if the store takes it; trouble here must not hide how the call itself ended."""
        try:
            return learn()
        except RetryLater as exc:
            self._log.warning("breaker_not_stored", code=exc.code, detail=exc.detail)
            return None

    def _worked(self, keys: tuple[str, ...], probed: list[Breaker]) -> None:
        with self._lock:
            for key in keys:
                self._failures.pop(key, None)
                self._refusals.pop(key, None)
        for breaker in probed:
            if breaker.key in keys:
                woken = self._store.breakers.reset(breaker.key, self._clock.now())
                if (pause := self._pauses.get(breaker.key)) is not None:
                    pause.worked_at = self._clock.monotonic()
                self._log.info("breaker_reset", breaker=breaker.key, code=breaker.code, lanes=woken)

    def _failed(self, circuit: Circuit, error: ConnectorError, probed: list[Breaker]) -> Breaker | None:
        """Learn from an error; return the breaker that it tripped."""
        if isinstance(error, RetryLater) and error.scope is not Scope.LINK:
            key = circuit.app if error.scope is Scope.APP and circuit.app else circuit.site
            return self._count_failure(key, error, probed)
        if isinstance(error, AuthError):
            if not circuit.pauses_on_auth:
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
        self._store.breakers.trip(breaker)
        self._meters.tripped(key, error.code)
        if before is None or before.code != breaker.code:
            self._log.warning(
                "breaker_tripped", breaker=key, code=error.code, reason=error.message, wait_s=round(wait_s)
            )
        return breaker
