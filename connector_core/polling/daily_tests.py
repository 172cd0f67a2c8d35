"""Test incidents that are sent by the clock: once a day, for each integration that wants it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from connector_core.clock import Clock
from connector_core.contract.errors import ConfigError
from connector_core.polling.round_trips import RoundTrips
from connector_core.registry.integrations import Registry
from connector_core.store import IntegrationRecord, Store

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

#: One that was missed, since no daemon ran, is sent late for so long.
LATE_FOR = timedelta(hours=6)


@dataclass(frozen=True)
class DailyTests:
    """Sends them; every node looks, and there is one at a time."""

    store: Store
    registry: Registry
    round_trips: RoundTrips
    clock: Clock
    log: FilteringBoundLogger

    def send(self) -> None:
        """Send those that are due, but for integrations that left the ticket of the last one open."""
        now = self.clock.now()
        for entry in self.registry.entries():
            record = entry.record
            if not entry.is_working or not is_due(record, self._last_at(record), now):
                continue
            if self.store.round_trips.left_open(record.id):
                continue  # one open ticket of a test is enough
            try:
                self.round_trips.start(record.id)
            except ConfigError as exc:  # another node was faster, or it cannot work just now
                self.log.info("daily_test_not_sent", integration=record.id, code=exc.code)

    def _last_at(self, record: IntegrationRecord) -> datetime | None:
        last = self.store.round_trips.last(record.id) if record.test_at else None
        return None if last is None else last.started_at


def is_due(record: IntegrationRecord, last_at: datetime | None, now: datetime) -> bool:
    """Return whether the test of a day is to be sent: its time has come, and none was sent since."""
    if not record.test_at:
        return False
    hour, _, minute = record.test_at.partition(":")
    today = now.replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)
    planned = today if today <= now else today - timedelta(days=1)
    since = record.active_since or record.activated_at
    was_active = since is not None and since <= planned
    return was_active and now - planned <= LATE_FOR and (last_at is None or last_at < planned)
