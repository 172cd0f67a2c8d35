"""A proxy between a daemon and the world that can keep an answer back: done, and nobody hears of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

from connector_core.http.session import SAFE_METHODS
from connector_core.testing.conformance.faults import USUAL_READS

_TIMEOUT_S = 60.0
_BETWEEN_TWO = frozenset({"connection", "keep-alive", "proxy-connection", "transfer-encoding", "content-length"})


class HoldingProxy:
    """Passes requests on, on loopback, without TLS.

    proxy.hold_next_write("a word of the title")
    ...                        # the daemon writes, the other side does it
    proxy.held.wait()          # and its answer is here
    proxy.let_go()             # now nobody gets it any more: the connection is closed
    """

    def __init__(self, reads: Sequence[str] = ()) -> None:
        #: Set when an answer is kept back.
        self.held = Event()
        self._let_go = Event()
        self._is_armed = False
        self._word = ""
        self._reads = [re.compile(pattern) for pattern in (*USUAL_READS, *reads)]
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            """Passes one request on after the other."""

            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - its signature
                """Say nothing."""

            def pass_on(self) -> None:
                """Pass a request on, and its answer back unless it is to be kept."""
                proxy.answer(self)

        for verb in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"):
            setattr(Handler, f"do_{verb}", Handler.pass_on)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,), name="holding-proxy", daemon=True)
        self._thread.start()

    def hold_next_write(self, word: str) -> None:
        """Keep the answer to the next write back that has a word in its body or address."""
        self._word = word
        self.held.clear()
        self._let_go.clear()
        self._is_armed = True

    def let_go(self) -> None:
        """Drop the answer that is kept."""
        self._is_armed = False
        self._let_go.set()

    def stop(self) -> None:
        """End the server."""
        self.let_go()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Pass a request on and give its answer back."""
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        target = urlsplit(handler.path)
        onward = HTTPConnection(target.hostname or "", target.port or 80, timeout=_TIMEOUT_S)
        try:
            headers = {name: text for name, text in handler.headers.items() if name.lower() not in _BETWEEN_TWO}
            path = f"{target.path or '/'}?{target.query}" if target.query else target.path or "/"
            onward.request(handler.command, path, body=body or None, headers=headers)
            response = onward.getresponse()
            content = response.read()
        finally:
            onward.close()
        is_it = self._word.encode() in body or self._word in handler.path
        if self._is_armed and is_it and self._writes(handler):
            self._is_armed = False
            self.held.set()
            self._let_go.wait(_TIMEOUT_S)
            handler.close_connection = True
            return
        handler.send_response_only(response.status)
        for name, text in response.getheaders():
            if name.lower() not in _BETWEEN_TWO:
                handler.send_header(name, text)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(content)

    def _writes(self, handler: BaseHTTPRequestHandler) -> bool:
        line = f"{handler.command} {handler.path}"
        return handler.command not in SAFE_METHODS and not any(one.search(line) for one in self._reads)
