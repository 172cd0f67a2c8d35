"""A small HTTP server that takes webhook deliveries and answers as it is told."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class Receiver:
    """Keeps every request; `statuses` are the next answers, after which everything is 200."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        self._arrived = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                self.send_response(receiver.take({k.lower(): v for k, v in self.headers.items()}, body))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = threading.Thread(target=lambda: self._server.serve_forever(poll_interval=0.01), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """Keep a request and return the status to answer with."""
        with self._arrived:
            self.requests.append((headers, body))
            self._arrived.notify_all()
            return self.statuses.pop(0) if self.statuses else 200

    def wait_for(self, number: int, timeout_s: float = 60.0) -> list[dict[str, Any]]:
        """Wait until so many requests have come and return their bodies."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.requests) >= number, timeout_s), self.requests
            return [json.loads(body) for _, body in self.requests]

    def header(self, name: str) -> list[str | None]:
        """Return one header of every request."""
        with self._arrived:
            return [headers.get(name.lower()) for headers, _ in self.requests]
