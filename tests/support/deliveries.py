"""Takes what a server sends to a webhook, on loopback."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ARRIVES_WITHIN_S = 60


@dataclass(frozen=True)
class Taken:
    """A request as it came in."""

    headers: Mapping[str, str]
    body: bytes


class Deliveries:
    """An address, and what came to it."""

    def __init__(self, url: str, taken: queue.Queue[Taken]) -> None:
        self.url = url
        self._taken = taken

    def next(self) -> Taken:
        """Wait for the next request."""
        return self._taken.get(timeout=ARRIVES_WITHIN_S)

    def rest(self) -> list[Taken]:
        """Return what came so far, and was not asked for."""
        return [self._taken.get() for _ in range(self._taken.qsize())]


@contextmanager
def taking_deliveries() -> Iterator[Deliveries]:
    """Serve an address that takes everything."""
    taken: queue.Queue[Taken] = queue.Queue()

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.put(Taken(dict(self.headers), body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Taking) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield Deliveries(f"http://127.0.0.1:{server.server_port}/webhook", taken)
        finally:
            server.shutdown()
            thread.join()
