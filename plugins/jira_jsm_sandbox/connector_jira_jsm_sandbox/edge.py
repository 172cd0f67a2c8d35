"""The outermost layer of the server: records API calls and makes the trouble that the fault plan asks for."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connector_jira_jsm_sandbox.faults import Fault, FaultPlan, default_body
from connector_jira_jsm_sandbox.recorder import RecordedCall, Recorder

_API_PREFIXES = ("/rest/", "/ex/jira/", "/oauth/", "/authorize")
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

    @property
    def media_type(self) -> str:
        """The answer's content type without parameters."""
        found = next((value for name, value in self.headers if name.lower() == b"content-type"), b"")
        return found.decode().partition(";")[0]


class Edge:
    """Wraps the application; pages and the control API pass untouched."""

    def __init__(self, app: ASGIApp, recorder: Recorder, faults: FaultPlan, clock: Callable[[], datetime]) -> None:
        self._app = app
        self._recorder = recorder
        self._faults = faults
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not scope["path"].startswith(_API_PREFIXES):
            await self._app(scope, receive, send)
            return
        request_body = await _read_all(receive)
        fault = self._faults.strike(scope["method"], scope["path"])
        if fault is not None and fault.delay_s:
            await asyncio.sleep(fault.delay_s)
        started = time.perf_counter()
        answer = _Buffered()
        if fault is None or fault.kind in {"slow", "lost_answer", "truncated"}:
            await self._app(scope, _replay(request_body), answer.send)
        dropped = fault is not None and fault.kind in {"reset", "lost_answer"}
        if fault is not None:
            _spoil(answer, fault, scope["path"])
        call = RecordedCall(
            time=self._clock(),
            method=scope["method"],
            full_path=scope["path"],
            query_string=scope.get("query_string", b"").decode("latin-1"),
            request_body=request_body,
            status=0 if dropped else answer.status,
            response_body=b"" if dropped else answer.body,
            fault=fault.kind if fault else None,
        )
        self._recorder.add(call, time.perf_counter() - started)
        if dropped:
            await _drop_connection(send, receive)
            return
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body})


def _spoil(answer: _Buffered, fault: Fault, path: str) -> None:
    if fault.kind == "status":
        body = json.dumps(default_body(fault, path)).encode()
        answer.replace(fault.status, body, "application/json", dict(fault.headers))
    elif fault.kind == "html":
        answer.replace(200, _PAGE, "text/html; charset=utf-8", dict(fault.headers))
    elif fault.kind == "truncated":
        answer.replace(answer.status, answer.body[: len(answer.body) // 2], "application/json", dict(fault.headers))


async def _read_all(receive: Receive) -> bytes:
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return body
        body += bytes(message.get("body", b""))
        if not message.get("more_body", False):
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
