"""Forgetting: what need not be kept, table by table, and links that were over for long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.registry.grants import GRANT_LOCK
from connector_core.store import Store
from connector_core.store.forgetting import KEPT, Kept

#: So many rows in a transaction: others want to write too.
FORGET_AT_ONCE = 200


@dataclass(frozen=True)
class Forgetting:
    """Forgets what is old; links only if `keep_history` says how long they are kept."""

    store: Store
    clock: Clock
    log: FilteringBoundLogger
    keep_history: timedelta | None
    #: How long entries of the delivery log are kept, and their payloads.
    keep_log: tuple[timedelta, timedelta] = (timedelta(days=7), timedelta(days=3))

    def forget(self) -> None:
        """Forget what is old by now."""
        now = self.clock.now()
        links = 0 if self.keep_history is None else self._forget_links(now - self.keep_history)
        rows = sum(self._forget_rows(kept, now) for kept in KEPT if kept.forget is not None)
        rows += self._forget_log(now)
        locks = self.store.database.drop_locks(GRANT_LOCK, frozenset(self.store.integrations.ids()))
        self.log.debug("forgotten", rows=rows, locks=locks)
        if links:
            self.log.info("history_forgotten", links=links)

    def _forget_rows(self, kept: Kept, now: datetime) -> int:
        """Delete what a table need not keep, a few rows at a time."""
        rows = last = self.store.forgetting.forget(kept, now, FORGET_AT_ONCE)
        while last >= FORGET_AT_ONCE:
            last = self.store.forgetting.forget(kept, now, FORGET_AT_ONCE)
            rows += last
        return rows

    def _forget_log(self, now: datetime) -> int:
        """Delete entries of the delivery log, and payloads, a few at a time."""
        log, (entries, payloads) = self.store.delivery_log, self.keep_log
        rows = 0
        for forget, kept in ((log.forget_payloads, payloads), (log.forget, entries)):
            last = FORGET_AT_ONCE
            while last >= FORGET_AT_ONCE:
                last = forget(now - kept, FORGET_AT_ONCE)
                rows += last
        return rows

    def _forget_links(self, before: datetime) -> int:
        """Delete a few at a time."""
        links = last = self.store.links.forget_finished(before, FORGET_AT_ONCE)
        while last == FORGET_AT_ONCE:
            last = self.store.links.forget_finished(before, FORGET_AT_ONCE)
            links += last
        return links
