"""Deliveries that come in while others are being stored share their statements, their commit and their answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future

from connector_core.contract.errors import RetryLater
from connector_core.inbound.intake import Given
from connector_core.store import Accepted
from connector_core.store.inbox import Inbox

#: What one transaction stores at most; the rest is in the next one.
MOST = 256
#: Who waits for more than these is told to come again.
MOST_WAITING = 4096

_Waiting = tuple[Given, "asyncio.Future[Accepted]"]


class Batches:
    """Stores deliveries; to be used in one event loop.

    The first one is stored at once. What arrives before it is on disk waits, and is stored together then.
    """

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._waiting: list[_Waiting] = []
        self._is_storing = False

    async def accept(self, given: Given) -> Accepted:
        """Return what became of a delivery, once it is on disk.

        Raises:
            RetryLater: it was not stored.
        """
        if len(self._waiting) >= MOST_WAITING:
            raise RetryLater("The database is too busy.", code="store_busy", after_s=5)
        answer: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()
        self._waiting.append((given, answer))
        if not self._is_storing:
            self._store_next()
        return await answer

    def _store_next(self) -> None:
        batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        self._is_storing = bool(batch)
        if batch:
            loop = asyncio.get_running_loop()
            stored = self._inbox.accept_requests([(given.deliveries, given.received_at) for given, _ in batch])
            stored.add_done_callback(lambda done: loop.call_soon_threadsafe(self._end, batch, done))

    def _end(self, batch: Sequence[_Waiting], stored: Future[list[Accepted]]) -> None:
        """Answer a batch. When it failed, each is stored by itself: what one of them did must not meet the others."""
        self._store_next()
        if stored.exception() is None:
            for (_, answer), accepted in zip(batch, stored.result(), strict=True):
                if not answer.done():  # who has gone away waits no more
                    answer.set_result(accepted)
            return
        for given, answer in batch:
            alone = asyncio.wrap_future(self._inbox.accept_deliveries(given.deliveries, given.received_at))
            alone.add_done_callback(lambda done, answer=answer: _pass_on(done, answer))  # type: ignore[misc]


def _pass_on(done: asyncio.Future[Accepted], answer: asyncio.Future[Accepted]) -> None:
    if answer.done():
        return
    failure = done.exception()
    if failure is None:
        answer.set_result(done.result())
    else:
        answer.set_exception(failure)
