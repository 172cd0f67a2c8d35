"""The path below which people and systems reach this server, where `server.public_url` has one.

Inside, every address begins at the root: routes, links in templates, redirects. Here, and nowhere else, they are
turned into those that are seen from outside, and back. So nothing else has to know of the path.

A proxy in front passes the path on as it is. One that takes it away is served all the same, and named in the log once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from connector_core.config.models import ServerSettings

#: Where a scope keeps the path that a request came with, if people reach this server below one.
ASKED_AT = "connector.asked_at"
_OURS = re.compile(r'(\s(?:href|action|src|formaction)=")(?=/(?!/))')
# What only proxies say.
_OF_PROXIES = frozenset({b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"forwarded", b"via"})
# Asked of the server itself, by whoever watches it.
_OF_MONITORING = frozenset({"/healthz", "/readyz", "/metrics"})


def inside(base: str, path: str) -> str | None:
    """Return a path as routes know it; None for one that is not below ours."""
    if path == base:
        return "/"
    return path.removeprefix(base) if path.startswith(f"{base}/") else None


def in_page(base: str, page: str) -> str:
    """Return a page whose links and forms lead to where they are seen from outside.

    An address in a page that begins with one slash is ours: those of others are whole.
    """
    return _OURS.sub(rf"\g<1>{base}", page) if base else page


class PublicPath:
    """Middleware that takes the path off what comes in, and puts it before the redirects that go out."""

    def __init__(self, app: ASGIApp, *, base: str, log: FilteringBoundLogger) -> None:
        self._app = app
        self._base = base
        self._log = log
        self._is_said = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on at the address that routes know."""
        if not self._base or scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = inside(self._base, scope["path"])
        scope = {**scope, ASKED_AT: scope["path"]}
        if path is None:
            self._note_without(scope)
        else:
            scope |= {"path": path, "raw_path": path.encode()}

        async def put_before(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                address = headers.get("location", "")
                if address.startswith("/") and not address.startswith("//"):
                    headers["location"] = f"{self._base}{address}"
            await send(message)

        await self._app(scope, receive, put_before)

    def _note_without(self, scope: Scope) -> None:
        """Say once that a proxy takes the path away."""
        is_passed_on = any(name in _OF_PROXIES for name, _ in scope["headers"])
        if self._is_said or not is_passed_on or scope["path"] in _OF_MONITORING:
            return
        self._is_said = True
        self._log.warning(
            "proxy_takes_path_away",
            path=scope["path"],
            public_path=self._base,
            fix="It works. Let the proxy pass the path on as it is, so that its log and this one name the same "
            "addresses: in nginx no path behind proxy_pass, in Caddy handle in place of handle_path.",
        )


@dataclass(frozen=True)
class PrivateCookie:
    """A cookie that browsers send to this server alone: to its host, and below its path.

    Its prefix makes them insist on TLS, and where the whole host is ours on the host, too.
    """

    #: Its names: where people come without TLS, and what stands behind the prefix where they come with it.
    plain_name: str
    name_after_prefix: str
    server: ServerSettings

    @property
    def is_secure(self) -> bool:
        """Return whether people reach us through TLS."""
        return self.server.public_url.startswith("https://")

    @property
    def name(self) -> str:
        """Return its name: browsers take `__Host-` for whole hosts only."""
        if not self.is_secure:
            return self.plain_name
        return f"{'__Secure-' if self.server.public_path else '__Host-'}{self.name_after_prefix}"

    def read(self, request: Request) -> str:
        """Return what a browser sent; nothing when it has none."""
        return request.cookies.get(self.name, "")

    def put(self, response: Response, value: str, *, max_age_s: float) -> None:
        """Have a browser keep it."""
        response.set_cookie(
            self.name,
            value,
            max_age=int(max_age_s),
            path=self._path,
            secure=self.is_secure,
            httponly=True,
            samesite="lax",  # strict would log people out on their way back from authorizing
        )

    def remove(self, response: Response) -> None:
        """Have a browser forget it."""
        response.delete_cookie(self.name, path=self._path, secure=self.is_secure, httponly=True, samesite="lax")

    @property
    def _path(self) -> str:
        return self.server.public_path or "/"
