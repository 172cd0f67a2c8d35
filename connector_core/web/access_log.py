"""One line a request, without query strings: the return from consent carries a code in its own."""

from __future__ import annotations

import re
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock

#: A delivery that was taken is in the database with its time and what came of it, and counted.
_STORED = "/external/"
#: What monitoring asks for, now and again.
MONITORING = frozenset({"/healthz", "/readyz", "/metrics"})
_TOKEN = re.compile(r"/hand-over/[^/]{20,}")


class AccessLog:
    """Middleware that logs who sent it, method, path, status and duration."""

    def __init__(self, app: ASGIApp, *, clock: Clock, log: FilteringBoundLogger) -> None:
        self._app = app
        self._clock = clock
        self._log = log.bind()  # once: an unbound logger is put together anew for every line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and log how it ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = self._clock.monotonic()
        status = 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            is_quiet = scope["path"] in MONITORING or (status == HTTPStatus.OK and scope["path"].startswith(_STORED))
            write = self._log.debug if is_quiet else self._log.info
            took_ms = round((self._clock.monotonic() - started) * 1000, 1)
            client = scope["client"][0] if scope.get("client") else ""
            write(
                "http_request",
                method=scope["method"],
                path=without_tokens(scope["path"]),
                status=status,
                took_ms=took_ms,
                client=client,
            )


def without_tokens(path: str) -> str:
    """Return a path as it may be logged: who reads the log could use a setup link."""
    return _TOKEN.sub("/hand-over/…", path) if "/hand-over/" in path else path
