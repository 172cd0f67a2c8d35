"""HTTP receivers on loopback that take messages, or answer as they are told."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Received:
    """One request."""

    path: str
    headers: dict
    body: bytes

    @property
    def json(self):
        """The body."""
        return json.loads(self.body)


@dataclass
class Receiver:
    """What a receiver got, and what it answers."""

    url: str = ""
    status: int = 200
    headers: dict = field(default_factory=dict)
    body: bytes = b"ok"
    #: A request waits for this before it is answered.
    gate: threading.Event = field(default_factory=threading.Event)
    got: list = field(default_factory=list)
    #: Called with each request before it is answered.
    at_request: object = None


@contextmanager
def receiver():
    """Run one."""
    told = Receiver()
    told.gate.set()

    class Handler(BaseHTTPRequestHandler):
        """Keeps requests."""

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Received(self.path, headers, body)
            if told.at_request is not None:
                told.at_request(request)
            told.got.append(request)
            told.gate.wait(30)
            try:
                self.send_response(told.status)
                for name, value in told.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(told.body)))
                self.end_headers()
                self.wfile.write(told.body)
            except OSError:  # the sender is gone
                return

        def log_message(self, *_):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield told
    finally:
        told.gate.set()
        server.shutdown()
        server.server_close()
