"""A port of the suite's that catches what the other side delivers, to hand it to the plugin once more, spoiled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from typing import Any

from connector_core.contract.models import InboundRequest

PATIENCE_S = 15.0
SHOWN = 300  #: so many bytes of a delivery are shown
#: Headers that say nothing of who sent a request.
_OF_HTTP = frozenset(
    {"host", "content-length", "connection", "accept", "accept-encoding", "user-agent", "content-type"}
)


@dataclass(frozen=True)
class Caught:
    """A delivery as it came: header names in lower case, the body's exact bytes."""

    headers: Mapping[str, str]
    body: bytes

    def request(self, at: datetime) -> InboundRequest:
        """Return it as the plugin gets it, at a time."""
        return InboundRequest(headers=dict(self.headers), body=self.body, received_at=at)

    def mentions(self, text: str) -> bool:
        """Return whether a text stands in it."""
        return text.encode() in self.body

    def with_body(self, body: bytes) -> Caught:
        """Return it with another body."""
        return replace(self, body=body)

    @property
    def telling_headers(self) -> list[str]:
        """The headers that may have to do with who sent it, and when."""
        return [name for name in self.headers if name not in _OF_HTTP]

    def without(self, header: str) -> Caught:
        """Return it without a header."""
        return replace(self, headers={name: text for name, text in self.headers.items() if name != header})

    def spoiled(self, header: str) -> Caught:
        """Return it with one letter of a header changed."""
        text = self.headers[header]
        other = text[:-1] + ("0" if text[-1:] != "0" else "1")
        return replace(self, headers={**self.headers, header: other})


class Catcher:
    """Serves on loopback and keeps what is sent there."""

    def __init__(self) -> None:
        #: How long a delivery is waited for.
        self.patience_s = PATIENCE_S
        self._caught: list[Caught] = []
        self._changed = Condition()
        catcher = self

        class Handler(BaseHTTPRequestHandler):
            """Takes everything."""

            def do_POST(self) -> None:
                """Keep a delivery."""
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                catcher.keep(Caught({name.lower(): text for name, text in self.headers.items()}, body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - its signature
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/webhook"
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,), name="catcher", daemon=True)
        self._thread.start()

    def keep(self, caught: Caught) -> None:
        """Take a delivery."""
        with self._changed:
            self._caught.append(caught)
            self._changed.notify_all()

    def all(self) -> list[Caught]:
        """Return what was caught so far."""
        with self._changed:
            return list(self._caught)

    def wait_for(self, wanted: Callable[[Caught], bool], *, count: int = 1, what: str = "delivery") -> list[Caught]:
        """Return the deliveries that are wanted, when there are so many; `what` is what an error calls them.

        Raises:
            TimeoutError: they did not come.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(list(filter(wanted, self._caught))) >= count, self.patience_s):
                raise self._lack(what, self._caught)
            return list(filter(wanted, self._caught))

    def next_of(self, wanted: Callable[[Caught], bool], *, after: int, what: str = "delivery") -> Caught:
        """Return the first delivery that is wanted behind so many others.

        Raises:
            TimeoutError: it did not come.
        """
        with self._changed:
            if not self.comes(wanted, after=after):
                raise self._lack(what, self._caught[after:])
            return next(filter(wanted, self._caught[after:]))

    def _lack(self, what: str, others: Sequence[Caught]) -> TimeoutError:
        """Say what did not come, and what came in its place."""
        said = f"no {what} came within {self.patience_s:g} s"
        if not others:
            return TimeoutError(
                f"{said}, nor any other: does the stand-in tell those that `register_webhook` was given?"
            )
        last = others[-1].body[:SHOWN].decode(errors="replace")
        return TimeoutError(f"{said}; of {len(others)} others the last was: {last}")

    def comes(self, wanted: Callable[[Caught], bool], *, after: int) -> bool:
        """Return whether, behind so many others, a delivery comes that is wanted."""
        with self._changed:
            return self._changed.wait_for(lambda: any(map(wanted, self._caught[after:])), self.patience_s)

    def stop(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
