"""Many sites before one sandbox: each has an address of its own, and can be told to hold what comes in.

A held call is neither answered nor refused until its site lets go: so a test or a benchmark decides how long the other
side takes, not a clock.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")

CHUNK = 64 * 1024
#: Where a site tells its own id, which is the sandbox's: these are to be different ones.
HIDDEN = b" /_edge/tenant_info "
NOT_THERE = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
REFUSED = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"


@dataclass(eq=False)
class RelayedSite:
    """One address; counts are of pieces of requests, one for each small request."""

    url: str = ""
    calls: int = 0
    held: int = 0
    """How many wait at the moment."""
    given_up: int = 0
    """How many of those the caller did not wait for to the end."""
    refusals: int = 0
    """How many of the next requests are answered with 429 and a pause of a second."""
    gate: asyncio.Event = field(default_factory=asyncio.Event)


class Relays:
    """Serves sites on a thread of its own."""

    def __init__(self, target: str, count: int) -> None:
        self._target = urlsplit(target)
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[Any] | None] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relays", daemon=True)
        self._thread.start()
        self.sites = [self._run(self._listen()) for _ in range(count)]

    def hold(self, *sites: RelayedSite) -> None:
        """Answer nothing any more."""
        self._run(self._each(sites, lambda site: site.gate.clear()))

    def release(self, *sites: RelayedSite) -> None:
        """Answer what was held, and all that comes."""
        self._run(self._each(sites, lambda site: site.gate.set()))

    def stop(self) -> None:
        """End it."""
        self.release(*self.sites)
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _each(self, sites: Sequence[RelayedSite], act: Callable[[RelayedSite], None]) -> None:
        for site in sites:
            act(site)

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.05)  # what was closed is told to its other end

    async def _listen(self) -> RelayedSite:
        site = RelayedSite()
        site.gate.set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            self._tasks.add(task)  # the loop itself would let it be collected
            try:
                with suppress(ConnectionError, asyncio.CancelledError):
                    await self._relay(site, reader, writer)
            finally:
                self._tasks.discard(task)
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=512)
        site.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._servers.append(server)
        return site

    async def _relay(self, site: RelayedSite, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back: asyncio.StreamWriter | None = None
        answers: asyncio.Future[None] | None = None
        try:
            while piece := await reader.read(CHUNK):
                site.calls += 1
                if site.refusals or HIDDEN in piece:
                    writer.write(NOT_THERE if HIDDEN in piece else REFUSED)
                    site.refusals -= HIDDEN not in piece
                    await writer.drain()
                    continue
                await self._wait(site, reader)
                if back is None or answers is None or answers.done():  # it ends what is idle for some seconds
                    if back is not None:
                        back.close()
                    there, back = await asyncio.open_connection(self._target.hostname, self._target.port)
                    answers = asyncio.ensure_future(_pump(there, writer))
                back.write(piece)
                await back.drain()
        finally:
            if answers is not None and back is not None:
                answers.cancel()
                back.close()

    async def _wait(self, site: RelayedSite, reader: asyncio.StreamReader) -> None:
        """Wait until the site lets go; who hangs up meanwhile is counted."""
        if site.gate.is_set():
            return
        site.held += 1
        try:
            while not site.gate.is_set():
                if reader.at_eof():
                    site.given_up += 1
                    raise ConnectionResetError
                with suppress(TimeoutError):
                    await asyncio.wait_for(site.gate.wait(), 0.05)
        finally:
            site.held -= 1


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(CHUNK):
        writer.write(piece)
        await writer.drain()


@contextmanager
def relayed(target: str, count: int) -> Iterator[Relays]:
    """Put sites up before a sandbox, and take them down."""
    relays = Relays(target, count)
    try:
        yield relays
    finally:
        relays.stop()
