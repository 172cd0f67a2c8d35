"""An ASGI application on loopback, in a thread of this process: what the demo and tests serve with."""

from __future__ import annotations

import socket
import threading
from typing import Any

import uvicorn
from starlette.types import ASGIApp


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
        config.timeout_graceful_shutdown = 1
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="local-server", daemon=True
        )

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """End; open connections are given a second."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
