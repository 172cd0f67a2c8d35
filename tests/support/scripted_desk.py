"""An HTTP server on loopback that answers as it is told, also wrongly, and remembers what it was asked."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """A request as it came in."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def form(self) -> Mapping[str, str]:
        """The body as a form."""
        return dict(parse_qsl(self.body.decode()))


Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class ScriptedDesk:
    """Gives one answer after the other, the last one again and again."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    def will(self, *answers: Answer) -> None:
        """Answer so from now on."""
        self.answers[:] = answers

    def next_answer(self) -> Answer:
        """Take the next answer."""
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def says(body: object, status: int = 200, **headers: str) -> Answer:
    """Answer with JSON; headers are named with lines for hyphens."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return raw(json.dumps(body).encode(), status, {"Content-Type": "application/json", **sent})


def raw(
    body: bytes, status: int = 200, headers: Mapping[str, str] | None = None, *, length: int | None = None
) -> Answer:
    """Answer with these bytes, and say that they are so many."""

    def answer(to: BaseHTTPRequestHandler) -> None:
        to.send_response(status)
        for name, value in (headers or {}).items():
            to.send_header(name, value)
        to.send_header("Content-Length", str(len(body) if length is None else length))
        to.end_headers()
        to.wfile.write(body)

    return answer


def html(status: int = 200) -> Answer:
    """Answer with a page."""
    return raw(b"<!DOCTYPE html><html>Your instance is asleep</html>", status, {"Content-Type": "text/html"})


def nothing(status: int = 204) -> Answer:
    """Answer without a body."""
    return raw(b"", status)


def truncated(to: BaseHTTPRequestHandler) -> None:
    """Hang up amid the body."""
    raw(b'{"id": ', length=100)(to)
    to.close_connection = True


def lost(to: BaseHTTPRequestHandler) -> None:
    """Hang up without an answer, as when it was carried out and the answer lost."""
    to.close_connection = True


def reset(to: BaseHTTPRequestHandler) -> None:
    """Reset the connection."""
    to.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    to.close_connection = True
    to.connection.close()


@contextmanager
def scripted_desk() -> Iterator[ScriptedDesk]:
    """Serve one for as long as the context lasts."""
    desk = ScriptedDesk()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            """Read any request, and answer as told."""
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            desk.asked.append(Asked(self.command, parts.path, dict(parse_qsl(parts.query)), headers, body))
            try:
                desk.next_answer()(self)
                if not self.wfile.closed:
                    self.wfile.flush()
            except OSError:
                self.close_connection = True  # it was not read to its end

        def finish(self) -> None:
            """Close, also what is reset already."""
            try:
                super().finish()
            except (OSError, ValueError):
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the library has it
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    desk.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield desk
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
