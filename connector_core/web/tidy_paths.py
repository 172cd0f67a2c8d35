"""Addresses written with a slash too many: those that take what others send are taken as meant, pages lead there.

For the former a redirect would lose the request: senders of webhooks follow none, and a 404 is final to them. That of
pages names no host: the one in a request is whatever its sender, or who stands between, wrote there.
"""

from __future__ import annotations

import re

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_SENT_TO = ("/external/", "/v1/sources/")
_SLASHES = re.compile("/{2,}")


class TidyPaths:
    """Middleware that takes surplus slashes out of the path of what is sent to us, and sends those on who look."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, at the address that it means."""
        if scope["type"] == "http":
            path = scope["path"]
            if "//" in path or path.endswith("/"):
                path = tidy(path)
            if path != scope["path"] and path.startswith(_SENT_TO):
                scope = {**scope, "path": path, "raw_path": path.encode()}
            elif path != scope["path"] and scope["path"].endswith("/") and scope["method"] in {"GET", "HEAD"}:
                query = scope["query_string"].decode("latin-1")
                await RedirectResponse(f"{path}?{query}" if query else path)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def tidy(path: str) -> str:
    """Return a path without slashes that say nothing."""
    return _SLASHES.sub("/", path).rstrip("/") or "/"
