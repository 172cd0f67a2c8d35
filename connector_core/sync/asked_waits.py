"""Waits that one side asked one link for: kept whatever news there is, which may be told ten times a second.

News may still end a wait without a call, when nothing is left to write; and a person who retries is not bound by it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from connector_core.clock import Clock
from connector_core.contract.errors import RetryLater
from connector_core.engine.backoff import HORIZON_S
from connector_core.remembered import Remembered
from connector_core.store import Link


class StillAsked(RetryLater):
    """The call was not made: that side asked for a wait that lasts until `due`."""

    def __init__(self, link: Link, due: datetime) -> None:
        super().__init__(link.status.reason, code=link.status.code, fix=link.status.fix)
        self.due = due


@dataclass(frozen=True)
class _Wait:
    """Who asked for a wait; its end as it is stored with its link and by the steady clock, once that is known."""

    side: str
    next_try: datetime | None = None
    until: float = 0.0


@dataclass
class AskedWaits:
    """The waits of the links of this process; of those from before a restart, only when their lanes are due is kept."""

    clock: Clock

    def __post_init__(self) -> None:
        self._waits: Remembered[int, _Wait] = Remembered(self.clock.monotonic)

    def note(self, link_id: int, side: str) -> None:
        """Note which side asked a link to wait."""
        self._waits[link_id] = _Wait(side)

    def keep(self, link_id: int, next_try: datetime | None, now: datetime) -> None:
        """Note until when the link waits that was asked to."""
        wait = self._waits.get(link_id)
        if wait is not None and next_try is not None:
            until = self.clock.monotonic() + (next_try - now).total_seconds()
            self._waits[link_id] = replace(wait, next_try=next_try, until=until)

    def check(self, link: Link, side: str) -> None:
        """Refuse a call before its time.

        Raises:
            StillAsked: the wait that was asked for last has not passed, and nobody asked for another try.
        """
        wait = self._waits.get(link.id)
        if wait is None or wait.side != side:
            return
        ahead_s = wait.until - self.clock.monotonic()
        if wait.next_try == link.status.next_try and 0 < ahead_s < HORIZON_S:
            raise StillAsked(link, self.clock.now() + timedelta(seconds=ahead_s))
        self._waits.pop(link.id, None)
