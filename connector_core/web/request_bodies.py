"""Bodies of requests, read within limits of size and time, and of what all of them together may take."""

from __future__ import annotations

import threading
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from connector_core.contract.errors import WebhookRejected
from connector_core.http.bodies import too_large

TOO_SLOW = "too_slow"
TOO_BUSY = "too_busy"
GAVE_WAY = "made_room"
OUT_OF_MEMORY = "out_of_memory"
IN_PIECES = "body_in_pieces"
#: What the connection says of a request, in its state: for which reason it is to be refused.
REFUSED_FOR = "connector.refused_for"
#: Smaller bodies are not counted: there are no more of them than connections, and they pass while large ones may not.
UNCOUNTED_BYTES = 64 * 1024
RETRY_AFTER_S = 5.0
_DIGITS = 20  # of the largest size that a connection takes

#: Why the rest of a body is not read though its sender did nothing wrong.
_OURS = {
    GAVE_WAY: "The connection gave way to others before the body was there.",
    OUT_OF_MEMORY: "There is no memory left for the body.",
}

_BUDGET, _HELD = "connector.body_budget", "connector.body_held"


class BodyBudget:
    """Middleware that counts the bytes of large bodies from when they come in until they are answered."""

    def __init__(self, app: ASGIApp, *, limit: int) -> None:
        self._app = app
        self._limit = limit
        self._held = 0
        self._lock = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and give back what it held."""
        state = scope.setdefault("state", {})
        state[_BUDGET] = self
        try:
            await self._app(scope, receive, send)
        finally:
            held = state.get(_HELD)
            if held:
                with self._lock:
                    self._held -= held

    def hold(self, state: dict[str, Any], size: int) -> None:
        """Count bytes that a request holds from now on.

        Raises:
            WebhookRejected: all requests together would hold too much.
        """
        with self._lock:
            if self._held + size > self._limit:
                raise WebhookRejected(
                    "Too many large requests are being read at once.",
                    status=503,
                    reply="try again later",
                    code=TOO_BUSY,
                    after_s=RETRY_AFTER_S,
                )
            self._held += size
        state[_HELD] = state.get(_HELD, 0) + size


def hold(request: Request, size: int) -> None:
    """Count bytes that a request holds until it is answered; may be called from any thread.

    Raises:
        WebhookRejected: all requests together would hold too much.
    """
    budget: BodyBudget = request.scope["state"][_BUDGET]
    budget.hold(request.scope["state"], size)


def declared_size(request: Request) -> int | None:
    """Return how large a body is said to be, None when nothing usable is said."""
    declared = request.headers.get("content-length", "")
    # Any number of noughts may stand in front, and more digits than some thousand are not read as a number.
    return int(declared.lstrip("0")[:_DIGITS] or 0) if declared.isdecimal() else None


def refuse_too_large(request: Request, limit: int) -> None:
    """Refuse a request whose body is said to be too large."""
    declared = declared_size(request)
    if declared is not None and declared > limit:
        raise too_large(limit)


async def read_body(request: Request, limit: int) -> bytes:
    """Read the body, refusing one that is too large before or while it is read, or that comes too slowly."""
    refuse_too_large(request, limit)
    pieces: list[bytes] = []
    size = counted = 0
    while True:
        message = await request.receive()
        _refuse_cut_short(request)
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece = message.get("body", b"")
        size += len(piece)
        if size > limit:
            raise too_large(limit)
        if size > UNCOUNTED_BYTES:
            hold(request, size - counted)
            counted = size
        pieces.append(piece)
        if not message.get("more_body", False):
            return b"".join(pieces)


def _refuse_cut_short(request: Request) -> None:
    """Refuse a request of which the connection reads no more, for the reason that it gave."""
    code = request.scope["state"].get(REFUSED_FOR)
    if code == TOO_SLOW:
        raise WebhookRejected("The body came too slowly.", status=408, reply="too slow", code=code)
    if code == IN_PIECES:
        raise WebhookRejected(
            "The body came in too many tiny pieces.", status=400, reply="body in too many tiny pieces", code=code
        )
    if code in _OURS:
        raise WebhookRejected(_OURS[code], status=503, reply="try again later", code=code, after_s=RETRY_AFTER_S)
