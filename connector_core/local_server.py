"""An ASGI application on loopback, in a thread of this process: what the demo and tests serve with."""

from __future__ import annotations

import asyncio
import socket
import threading
from concurrent.futures import Future
from typing import Any

import uvicorn
from starlette.types import ASGIApp

_ENDS_WITHIN_S = 1.0


class LocalServer:
    """Serves from `start` to `stop`; the port is taken at once, so connections made early wait."""

    def __init__(
        self,
        application: ASGIApp,
        *,
        port: int = 0,
        date_header: bool = True,
        protocol: Any = "auto",  # noqa: ANN401 - what makes a protocol, as uvicorn calls it
    ) -> None:
        self._socket = socket.create_server(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            application,
            http=protocol,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            date_header=date_header,
            proxy_headers=False,
        )
        self._server = _Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="local-server", daemon=True
        )

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is under way is given a second."""
        self._server.end()
        self._thread.join()
        self._socket.close()


class _Server(uvicorn.Server):
    """A server that ends as soon as nothing is under way; uvicorn itself looks ten times a second and then waits."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._told_to_end: Future[None] = Future()

    def end(self) -> None:
        """Tell the server to end."""
        if not self._told_to_end.done():
            self._told_to_end.set_result(None)

    async def main_loop(self) -> None:
        """Serve until the end; each second answers are given another time of day."""
        told = asyncio.wrap_future(self._told_to_end)
        while not told.done():
            await self.on_tick(0)
            await asyncio.wait([told], timeout=1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, let what is under way end, and cancel what does not."""
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if under_way := set(self.server_state.tasks):
            _, not_ended = await asyncio.wait(under_way, timeout=_ENDS_WITHIN_S)
            for task in not_ended:
                task.cancel()
        await abort_all(self)


async def abort_all(server: uvicorn.Server) -> None:
    """End the connections that a server still has: uvloop waits for ever for one whose client reads nothing."""
    for connection in tuple(server.server_state.connections):
        connection.transport.abort()
    await asyncio.sleep(0)  # they are told of it, and forgotten
