"""An ASGI application on loopback, in a thread of this process."""

from __future__ import annotations

import asyncio
import socket
import threading
from concurrent.futures import Future

import uvicorn
from starlette.types import ASGIApp


class _Server(uvicorn.Server):
    """A server that ends the moment it is told to; uvicorn itself looks ten times a second and then waits."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._told_to_end: Future[None] = Future()

    async def main_loop(self) -> None:
        """Serve until the end."""
        await asyncio.wrap_future(self._told_to_end)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drop all connections, where uvicorn would wait for them."""
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            if transport := getattr(connection, "transport", None):
                transport.abort()

    def end(self) -> None:
        """Tell the server to end."""
        if not self._told_to_end.done():
            self._told_to_end.set_result(None)


class Loopback:
    """Serves from `start` to `stop`; the port is taken at once, so connections made early wait."""

    def __init__(self, application: ASGIApp, *, port: int) -> None:
        self._socket = socket.create_server(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            application, log_config=None, access_log=False, lifespan="off", ws="none", date_header=False
        )
        self._server = _Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="xyte-sandbox", daemon=True
        )

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """End, and drop what is open."""
        self._server.end()
        if self._thread.is_alive():
            self._thread.join()
        self._socket.close()
