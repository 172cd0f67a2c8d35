"""The outermost layer of the server: records calls, sleeps, and makes the trouble that the fault plan asks for."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connector_servicenow_sandbox.faults import Fault, FaultPlan
from connector_servicenow_sandbox.pages import ASLEEP
from connector_servicenow_sandbox.recorder import RecordedCall, Recorder
from connector_servicenow_sandbox.times import SandboxClock

_API_PREFIXES = ("/api/", "/oauth_token.do", "/oauth_auth.do")
_DONE_FIRST = frozenset({"slow", "lost_answer", "truncated", "done_then_500"})
_PAGE = b"<!doctype html><html><head><title>Please stand by</title></head><body><h1>Please stand by</h1></body></html>"


@dataclass(slots=True)
class _Buffered:
    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    async def send(self, message: Message) -> None:
        """Keep what the application sends, so that it can still be lost or cut."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = list(message.get("headers", []))
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")

    def replace(self, status: int, body: bytes, media_type: str, headers: dict[str, str]) -> None:
        """Put another answer in its place."""
        self.status, self.body = status, body
        self.headers = [(b"content-type", media_type.encode()), (b"content-length", str(len(body)).encode())]
        self.headers += [(name.lower().encode(), value.encode()) for name, value in headers.items()]


class Edge:
    """Wraps the application. While `asleep` it answers every address with a page, and does nothing."""

    def __init__(self, app: ASGIApp, recorder: Recorder, faults: FaultPlan, clock: SandboxClock) -> None:
        self._app = app
        self._recorder = recorder
        self._faults = faults
        self._clock = clock
        self.asleep = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not (self.asleep or scope["path"].startswith(_API_PREFIXES)):
            await self._app(scope, receive, send)
            return
        request_body = await _read_all(receive)
        fault = None if self.asleep else self._faults.strike(scope["method"], scope["path"])
        if fault is not None and fault.delay_s:
            await asyncio.sleep(fault.delay_s)
        answer = _Buffered()
        if self.asleep:
            answer.replace(200, ASLEEP.encode(), "text/html;charset=UTF-8", {})
        elif fault is None or fault.kind in _DONE_FIRST:
            await self._app(scope, _replay(request_body), answer.send)
        if fault is not None:
            _spoil(answer, fault)
        is_dropped = fault is not None and fault.kind in {"reset", "lost_answer"}
        self._recorder.add(_recorded(scope, request_body, answer, fault, self._clock.now(), is_dropped=is_dropped))
        if is_dropped:
            await _drop_connection(send, receive)
            return
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body})


def _recorded(  # noqa: PLR0913 - the parts of one call
    scope: Scope, request_body: bytes, answer: _Buffered, fault: Fault | None, time: datetime, *, is_dropped: bool
) -> RecordedCall:
    return RecordedCall(
        time=time,
        method=scope["method"],
        path=scope["path"],
        query_string=scope.get("query_string", b"").decode("latin-1"),
        request_body=request_body,
        status=0 if is_dropped else answer.status,
        response_body=b"" if is_dropped else answer.body,
        fault=fault.kind if fault else None,
        headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
    )


def _spoil(answer: _Buffered, fault: Fault) -> None:
    if fault.kind in {"status", "done_then_500"}:
        status = 500 if fault.kind == "done_then_500" else fault.status
        answer.replace(status, json.dumps(fault.shown()).encode(), "application/json", dict(fault.headers))
    elif fault.kind == "html":
        answer.replace(200, _PAGE, "text/html", {})
    elif fault.kind == "truncated":
        half = answer.body[: len(answer.body) // 2]
        kept = [(name, value) for name, value in answer.headers if name.lower() != b"content-length"]
        answer.body = half
        answer.headers = [*kept, (b"content-length", str(len(half)).encode())]


async def _read_all(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body


def _replay(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def _drop_connection(send: Send, receive: Receive) -> None:
    # ASGI has no word for dropping a connection. uvicorn's `send` is a method of the object that holds the
    # transport, and aborting that is what the other side sees when a server or a network dies.
    cycle: Any = getattr(send, "__self__", None)
    if cycle is None:
        raise RuntimeError("connection faults work under uvicorn only")
    cycle.transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
