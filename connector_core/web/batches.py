"""Deliveries that come in while others are being stored share their statements, their commit and their answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial

from connector_core.contract.errors import RetryLater
from connector_core.inbound.intake import Given
from connector_core.store import Accepted
from connector_core.store.inbox import Inbox

#: What one transaction stores at most; the rest is in the next one.
MOST = 256
#: Who would have to wait behind more than these, of one organization, is told to come again.
MOST_WAITING = 4096

_Waiting = tuple[Given, "asyncio.Future[Accepted]"]


class Batches:
    """Stores deliveries; to be used in one event loop.

    The first one of an organization is stored at once. What arrives before it is on disk waits, and is stored together
    then.
    """

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        #: What waits, by organization; one that has nothing on its way to the disk has no entry.
        self._waiting: dict[str, list[_Waiting]] = {}

    async def accept(self, given: Given) -> Accepted:
        """Return what became of a delivery, once it is on disk.

        Raises:
            RetryLater: it was not stored.
        """
        answer: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.get(given.organization)
        if waiting is None:
            self._waiting[given.organization] = []
            self._store(given.organization, [(given, answer)])
        elif len(waiting) < MOST_WAITING:
            waiting.append((given, answer))
        else:
            raise RetryLater("The database is too busy.", code="store_busy", after_s=5)
        return await answer

    def _store(self, organization: str, batch: Sequence[_Waiting]) -> None:
        loop = asyncio.get_running_loop()
        requests = [(given.deliveries, given.received_at) for given, _ in batch]
        stored = self._inbox.accept_requests(organization, requests)
        stored.add_done_callback(lambda done: loop.call_soon_threadsafe(self._end, organization, batch, done))

    def _end(self, organization: str, batch: Sequence[_Waiting], stored: Future[list[Accepted]]) -> None:
        """Answer a batch, and have the next one stored."""
        waiting = self._waiting[organization]
        if waiting:
            self._waiting[organization] = waiting[MOST:]
            self._store(organization, waiting[:MOST])
        else:
            del self._waiting[organization]
        failure = stored.exception()
        if failure is None:
            for (_, answer), accepted in zip(batch, stored.result(), strict=True):
                if not answer.done():  # who has gone away waits no more
                    answer.set_result(accepted)
        elif len(batch) == 1:
            _fail(batch[0][1], failure)
        else:
            self._store_each(batch)

    def _store_each(self, batch: Sequence[_Waiting]) -> None:
        """Store each by itself: what one of them did must not meet the others."""
        for given, answer in batch:
            alone = asyncio.wrap_future(
                self._inbox.accept_deliveries(given.organization, given.deliveries, given.received_at)
            )
            alone.add_done_callback(partial(_pass_on, answer))


def _pass_on(answer: asyncio.Future[Accepted], done: asyncio.Future[Accepted]) -> None:
    failure = done.exception()
    if failure is not None:
        _fail(answer, failure)
    elif not answer.done():
        answer.set_result(done.result())


def _fail(answer: asyncio.Future[Accepted], failure: BaseException) -> None:
    if not answer.done():
        answer.set_exception(failure)
