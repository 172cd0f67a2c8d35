"""The line between a node and its database: it passes everything on until it is cut, or goes silent.

with opened_lines(server, 3) as lines:
lines[0].url                   # of the database, through the line
lines[0].cut()                 # connections are reset, and none can be had
lines[0].go_silent()           # connections stay, and nothing comes through: as where packets are dropped
lines[0].mend()                # everything comes through again; connections are what they were
lines[0].forget()              # those that there are end: what stands between has forgotten them
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

_PIECE = 65536


class Line:
    """Listens on loopback and passes on to a server's socket; told what to do by any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, socket_path: str) -> None:
        self._loop = loop
        self._socket_path = socket_path
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task] = set()
        self._is_cut = False
        self._flows = asyncio.Event()
        self._flows.set()
        self._server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1"), loop).result()
        self.port = self._server.sockets[0].getsockname()[1]

    def url(self, role: str, database: str) -> str:
        """Return the address of a database through this line."""
        return f"postgresql://{role}@127.0.0.1:{self.port}/{database}"

    def cut(self) -> None:
        """Reset every connection, and each that is begun."""
        self._do(self._cut)

    def go_silent(self) -> None:
        """Let nothing through; nobody is told."""
        self._do(self._flows.clear)

    def forget(self) -> None:
        """Reset the connections that there are."""
        self._do(self._abort)

    def mend(self) -> None:
        """Let everything through again."""
        self._do(self._mend)

    def close(self) -> None:
        """End."""
        self._do(self._server.close)
        self.cut()

    def _do(self, deed) -> None:
        done = threading.Event()

        def run():
            deed()
            done.set()

        self._loop.call_soon_threadsafe(run)
        done.wait()

    def _cut(self) -> None:
        self._is_cut = True
        self._abort()

    def _mend(self) -> None:
        self._is_cut = False
        self._flows.set()

    def _abort(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader, writer) -> None:
        self._writers.add(writer)
        try:
            await self._flows.wait()
            if self._is_cut:
                return
            their_reader, their_writer = await asyncio.open_unix_connection(self._socket_path)
            self._writers.add(their_writer)
            try:
                await asyncio.gather(self._pass(reader, their_writer), self._pass(their_reader, writer))
            finally:
                self._writers.discard(their_writer)
                their_writer.transport.abort()
        except OSError:
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _pass(self, reader, writer) -> None:
        """Pass on what one side says until it ends; then the other's connection ends too."""
        while piece := await reader.read(_PIECE):
            await self._flows.wait()
            writer.write(piece)
            await writer.drain()
        writer.close()
        raise ConnectionResetError("the other side has ended")


@contextmanager
def opened_lines(server, count: int) -> Iterator[Sequence[Line]]:
    """Open lines to a server of our own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="database-lines", daemon=True)
    thread.start()
    lines = [Line(loop, str(server.folder / ".s.PGSQL.5432")) for _ in range(count)]
    try:
        yield lines
    finally:
        for line in lines:
            line.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
