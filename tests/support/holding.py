"""A server in between that passes everything on, and holds one answer back until it is let go, on loopback."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

TIMEOUT_S = 120
_NOT_PASSED_ON = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "keep-alive", "content-encoding"}
)


class Holding:
    """Stands before a server; `hold` names the call whose answer never comes."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._held_call = ("", "")
        #: The call was carried out, and its answer is held back.
        self.held = threading.Event()
        self._let_go = threading.Event()
        before = self

        class Passing(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                before._pass_on(self)

            def do_POST(self) -> None:
                before._pass_on(self)

            def do_PUT(self) -> None:
                before._pass_on(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Passing)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def hold(self, method: str, path: str) -> None:
        """Hold the answer to the next such call."""
        self._held_call = (method, path)

    def stop(self) -> None:
        """End it."""
        self._let_go.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _pass_on(self, asked: BaseHTTPRequestHandler) -> None:
        body = asked.rfile.read(int(asked.headers.get("Content-Length") or 0))
        headers = {name: value for name, value in asked.headers.items() if name.lower() not in _NOT_PASSED_ON}
        answer = requests.request(
            asked.command, self._url + asked.path, data=body, headers=headers, timeout=TIMEOUT_S, allow_redirects=False
        )
        if self._held_call == (asked.command, asked.path):
            self._held_call = ("", "")
            self.held.set()
            self._let_go.wait(TIMEOUT_S)
            asked.close_connection = True
            return
        asked.send_response(answer.status_code)
        for name, value in answer.headers.items():
            if name.lower() not in _NOT_PASSED_ON:
                asked.send_header(name, value)
        asked.send_header("Content-Length", str(len(answer.content)))
        asked.end_headers()
        asked.wfile.write(answer.content)
