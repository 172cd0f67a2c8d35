"""Writes the delivery log, on a thread of its own and behind the work.

Whoever notes something leaves it in a queue and goes on. What does not fit in there, what strangers send faster than a
person could read, and what the database does not take is counted and not kept: nobody ever waits for the log, and a log
that fails costs nothing but itself. What was noted in the last moment before the process dies is lost.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.contract.errors import ConnectorError
from connector_core.delivery_log.entries import Arrival, Draft, Noted, Whose, of_arrival, of_call
from connector_core.http.calls import MOST_BODY, Call
from connector_core.loops import Loop
from connector_core.metrics import Metrics
from connector_core.store import NewEntry, Result, Way
from connector_core.store.delivery_log import DeliveryLogs
from connector_core.store.payloads import PayloadBox

EVERY_S = 0.5
#: So many entries wait to be written, with so many bytes of bodies.
MOST_WAITING, MOST_WAITING_BYTES = 4096, 32 * 1024 * 1024
#: So many are written in one transaction, each `EVERY_S`: other writes come between.
AT_ONCE = 200
#: Of so many of them headers and bodies are kept.
PAYLOADS_AT_ONCE = 24
#: So many refused deliveries are logged in a second, and so many at once after a pause.
REFUSED_PER_S, REFUSED_BURST = 1.0, 20.0
#: After so many bytes of payloads it is looked whether there are too many.
TRIM_EVERY_BYTES = 4 * 1024 * 1024

#: How often an entry says that others were not kept.
OMISSIONS_EVERY_S = 60.0

REFUSED, OTHERS = "refused", "others"


@dataclass(frozen=True)
class Keeping:
    """What is kept: nothing when it is not `enabled`; of payloads at most so many bytes."""

    enabled: bool
    keep: timedelta
    payloads: timedelta
    most: int


class DeliveryLog:
    """The log of one daemon. Nothing is noted before it was started."""

    def __init__(
        self, store: DeliveryLogs, keeping: Keeping, *, metrics: Metrics, clock: Clock, log: FilteringBoundLogger
    ) -> None:
        self._store = store
        self._keeping = keeping
        self._metrics = metrics
        self._clock = clock
        self._log = log
        self._queue: deque[Arrival | Noted] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        #: What was not kept, by organization and kind.
        self._omitted: Counter[tuple[str, str]] = Counter()
        self._omitted_told = clock.monotonic() - OMISSIONS_EVERY_S
        self._refused_left, self._refused_at = REFUSED_BURST, clock.monotonic()
        self._untrimmed = TRIM_EVERY_BYTES
        self._is_open = False
        self._box: PayloadBox | None = None
        self.loop = Loop("delivery-log", self._step, at_end=self._last)

    @property
    def is_on(self) -> bool:
        """Return whether anything is logged at all."""
        return self._keeping.enabled

    def start(self) -> None:
        """Begin to take notes."""
        if self._keeping.enabled:
            self._is_open = True
            self.loop.start()

    def stop(self) -> None:
        """Write what waits, and end."""
        self._is_open = False
        self.loop.stop(10.0)

    def arrived(self, arrival: Arrival) -> None:
        """Note what came in; called on the event loop, and cheap."""
        if not self._is_open:
            return
        if arrival.is_refused and not self._may_log_refused():
            self._omit(arrival.organization, REFUSED)
            return
        if arrival.request is not None:
            arrival.size = len(arrival.request.body)
            if arrival.size > MOST_BODY:
                arrival.request = replace(arrival.request, body=b"", packed=None)
        self._put(arrival, _weight(arrival))

    def called(self, whose: Whose, call: Call) -> None:
        """Note a call to a vendor, on the thread that made it."""
        if self._is_open:
            self._put(Noted.of(self._clock.now(), whose, call), call.weight)

    def flush(self) -> None:
        """Write all that waits now."""
        while self._queue:
            self._write()

    # Private

    def _may_log_refused(self) -> bool:
        with self._lock:
            now = self._clock.monotonic()
            self._refused_left = min(REFUSED_BURST, self._refused_left + (now - self._refused_at) * REFUSED_PER_S)
            self._refused_at = now
            if self._refused_left < 1:
                return False
            self._refused_left -= 1
            return True

    def _put(self, item: Arrival | Noted, size: int) -> None:
        with self._lock:
            if len(self._queue) < MOST_WAITING and self._bytes + size <= MOST_WAITING_BYTES:
                self._queue.append(item)
                self._bytes += size
                return
        self._omit(item.organization, OTHERS)

    def _omit(self, organization: str, kind: str, number: int = 1) -> None:
        with self._lock:
            self._omitted[organization, kind] += number
        self._metrics.log_omitted(kind, number)

    def _step(self) -> float:
        self._write()
        return EVERY_S

    def _last(self) -> None:
        self.flush()

    def _write(self) -> None:
        """Write some of what waits; what cannot be written is counted."""
        with self._writing:
            items = self._take()
            if items or self._omitted:
                drafts = self._drafts(items)
                try:
                    self._store_all(drafts)
                except ConnectorError as exc:
                    self._log.warning("delivery_log_not_written", entries=len(items), code=exc.code)
                    for item in items:
                        self._omit(item.organization, OTHERS)

    def _take(self) -> list[Arrival | Noted]:
        with self._lock:
            items = [self._queue.popleft() for _ in range(min(AT_ONCE, len(self._queue)))]
            if not self._queue:
                self._bytes = 0
            else:
                self._bytes -= sum(map(_weight, items))
        return items

    def _drafts(self, items: Iterable[Arrival | Noted]) -> list[Draft]:
        made: list[Draft] = []
        left = PAYLOADS_AT_ONCE if self._keeping.payloads else 0
        for item in items:
            draft = self._draft(item, with_payload=left > 0)
            left -= draft is not None and draft.payload is not None
            if draft is not None:
                made.append(draft)
        return made

    def _draft(self, item: Arrival | Noted, *, with_payload: bool) -> Draft | None:
        try:
            if isinstance(item, Arrival):
                return of_arrival(item, with_payload=with_payload)
            return of_call(item, with_payload=with_payload)
        except Exception:  # noqa: BLE001 - one entry that cannot be made must not cost the others theirs
            self._log.exception("delivery_not_logged", organization=item.organization)
            self._omit(item.organization, OTHERS)
            return None

    def _store_all(self, drafts: list[Draft]) -> None:
        if self._keeping.payloads and any(draft.payload is not None for draft in drafts):
            self._box = self._store.box()
        entries = [self._sealed(draft) for draft in drafts]
        entries += self._omissions()
        if entries:
            self._store.add(entries)
        self._untrimmed += sum(len(entry.payload or b"") for entry in entries)
        if self._untrimmed >= TRIM_EVERY_BYTES:
            self._untrimmed = 0
            while self._store.trim(self._keeping.most):
                self.loop.beat()

    def _sealed(self, draft: Draft) -> NewEntry:
        if draft.payload is None:
            return draft.entry
        if self._box is None:
            return replace(draft.entry, facts={name: v for name, v in draft.entry.facts.items() if name != "read"})
        return replace(draft.entry, payload=self._box.seal(draft.payload))

    def _omissions(self) -> list[NewEntry]:
        """Return an entry for each organization of which something was not kept."""
        with self._lock:
            if self._is_open and self._clock.monotonic() < self._omitted_told + OMISSIONS_EVERY_S:
                return []
            self._omitted_told = self._clock.monotonic()
            omitted, self._omitted = self._omitted, Counter()
        by: dict[str, dict[str, int]] = {}
        for (organization, kind), number in omitted.items():
            by.setdefault(organization, {})[kind] = number
        now = self._clock.now()
        return [
            NewEntry(at=now, way=Way.IN, kind="omitted", result=Result.OMITTED, organization=organization, facts=facts)
            for organization, facts in by.items()
        ]


def _weight(item: Arrival | Noted) -> int:
    if isinstance(item, Noted):
        return item.call.weight
    return 0 if item.request is None else len(item.request.body)
