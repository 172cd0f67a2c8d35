"""Counts what was turned away, by reason: strangers cause a write now and then at most."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from datetime import datetime, timedelta
from functools import partial

from connector_core.clock import Clock
from connector_core.remembered import Remembered
from connector_core.store.webhooks import Webhooks

WRITE_EVERY = timedelta(seconds=10)

_Kind = tuple[str, str, str]


class Refusals:
    """Deliveries and events that were turned away."""

    def __init__(self, webhooks: Webhooks, clock: Clock) -> None:
        self._webhooks = webhooks
        self._counted: Remembered[_Kind, int] = Remembered(clock.monotonic)
        self._written: Remembered[_Kind, datetime] = Remembered(clock.monotonic)
        self._lock = threading.Lock()

    def note(self, route: str, integration: str, code: str, at: datetime, by: int = 1) -> None:
        """Count some; stored at once, or with the next of their kind when the last was stored just now."""
        kind = (route, integration, code)
        with self._lock:
            number = (self._counted.pop(kind) or 0) + by
            last = self._written.get(kind)
            if last is not None and abs(at - last) < WRITE_EVERY:
                self._counted[kind] = number
                return
            self._written[kind] = at
        stored = self._webhooks.note_refusals(integration, route, code, number, at)
        stored.add_done_callback(partial(self._keep, kind, number))

    def _keep(self, kind: _Kind, number: int, stored: Future[None]) -> None:
        """Count them with the next of their kind if they were not stored."""
        if stored.exception() is not None:
            with self._lock:
                self._counted[kind] = (self._counted.pop(kind) or 0) + number
