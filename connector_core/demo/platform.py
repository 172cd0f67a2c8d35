"""A small sample incident platform: it opens, changes and resolves incidents, tells the connector, and takes changes.

Events go out and changes come in exactly as the `http` source says; what cannot be sent is sent again, in order.
"""

from __future__ import annotations

import asyncio
import json
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

import requests
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from connector_core.contract.errors import WebhookRejected
from connector_core.demo.platform_pages import incident_list
from connector_core.http_source.signatures import sign, signing_keys, verify
from connector_core.local_server import LocalServer

RESEND_AFTER_S = 0.5
_AUTHOR = "Ada"
_CHANGEABLE = frozenset({"title", "description", "priority", "status", "comment"})

# What cannot get better by sending it again; a clock that is wrong or a server in trouble can.
_FINAL = frozenset({400, 404, 413, 422})

SAMPLE_DEVICE = {
    "id": "dev-9",
    "name": "Lobby display",
    "model": "X-200",
    "serial_number": "SN1",
    "firmware": "1.4.2",
    "vendor": "Acme",
}
SAMPLE_LOCATION = {
    "id": "3220",
    "name": "Lobby",
    "path": "Acme/US/New York/Lobby",
    "address": "New York, NY, USA",
    "timezone": "America/New_York",
}


@dataclass(frozen=True)
class PlatformFault:
    """How the platform fails to take a change: it answers late and badly, perhaps although the change was `applied`.

    With a status of 0 it hangs up in the middle of its answer.
    """

    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    applied: bool = False


class SamplePlatform:
    """Incidents in memory behind one lock; `events_url` is where the connector takes events."""

    title = "Sample incident platform"

    def __init__(self, secret: str, *, port: int = 0) -> None:
        self._secret = secret
        self._keys = signing_keys(secret)
        self._lock = threading.Lock()
        self._incidents: dict[str, dict[str, Any]] = {}
        self._comments: dict[str, list[dict[str, Any]]] = {}
        self._outbox: queue.Queue[bytes | None] = queue.Queue()
        self._stopping = threading.Event()
        self._answers: dict[str, dict[str, Any]] = {}
        self._fault: Callable[[], PlatformFault | None] = lambda: None
        self.events_url = ""
        self.acknowledged: set[str] = set()
        self.changes: list[Mapping[str, Any]] = []
        routes = [
            Route("/", self._page, methods=["GET"]),
            Route("/incidents", self._page_open, methods=["POST"]),
            Route("/incidents/{id}", self._page_change, methods=["POST"]),
            Route("/incidents/{id}/comments", self._page_comment, methods=["POST"]),
            Route("/api/incidents/{id}", self._patch, methods=["PATCH"]),
        ]
        self._server = LocalServer(Starlette(routes=routes), port=port)
        self.url = self._server.url
        self._sender = threading.Thread(target=self._send, name="platform-sender", daemon=True)

    def start(self) -> None:
        """Begin to serve and to send events."""
        self._server.start()
        self._sender.start()

    def stop(self) -> None:
        """End both."""
        self._stopping.set()
        self._outbox.put(None)
        self._sender.join()
        self._server.stop()

    def source_settings(self) -> Mapping[str, Any]:
        """Return the settings of the `http` source that this platform talks to."""
        return {"secret": SecretStr(self._secret), "callback_url": f"{self.url}/api/incidents"}

    def call_count(self) -> int:
        """Return how many changes were taken so far."""
        return len(self.changes)

    # What people and devices do

    def open(self, title: str, *, told: bool = True, **fields: Any) -> str:  # noqa: ANN401 - any field of an incident
        """Open an incident, and tell the connector of it unless that is lost; return its id."""
        now = _now()
        name = f"inc-{uuid4().hex[:6]}"
        incident = {
            "id": name,
            "title": title,
            "description": None,
            "priority": "moderate",
            "status": "active",
            "issue": "offline",
            "url": f"{self.url}/#{name}",
            "opened_at": now,
            "updated_at": now,
            "device": SAMPLE_DEVICE,
            "location": SAMPLE_LOCATION,
            **fields,
        }
        with self._lock:
            self._incidents[name] = incident
            if told:
                self._tell("incident.opened", incident)
        return name

    def change(self, incident_id: str, **fields: str) -> None:
        """Change fields of an incident."""
        with self._lock:
            incident = self._incidents[incident_id]
            incident.update(fields, updated_at=_now())
            self._tell("incident.resolved" if incident["status"] == "closed" else "incident.updated", incident)

    def resolve(self, incident_id: str) -> None:
        """Resolve an incident."""
        self.change(incident_id, status="closed")

    def comment(self, incident_id: str, author: str, text: str) -> str:
        """Write a comment on an incident; return its id."""
        comment = {"id": f"com-{uuid4().hex[:6]}", "author": author, "text": text, "created_at": _now()}
        with self._lock:
            self._keep_comment(self._incidents[incident_id], comment)
        return str(comment["id"])

    def comments(self, incident_id: str) -> list[dict[str, Any]]:
        """List the comments of an incident, oldest first; those from the helpdesk have `internal`."""
        with self._lock:
            return list(self._comments.get(incident_id, ()))

    def incident(self, incident_id: str) -> dict[str, Any]:
        """Show an incident."""
        with self._lock:
            return dict(self._incidents[incident_id])

    @property
    def waiting(self) -> int:
        """Return how many events the connector has not taken yet."""
        return self._outbox.unfinished_tasks

    def set_faults(self, fault: Callable[[], PlatformFault | None]) -> None:
        """Ask a function before each change what is to go wrong, from now on."""
        self._fault = fault

    def clear_faults(self) -> None:
        """Take every change again."""
        self._fault = lambda: None

    # The wire

    def _keep_comment(self, incident: Mapping[str, Any], comment: dict[str, Any]) -> None:
        self._comments.setdefault(incident["id"], []).append(comment)
        told = {name: comment[name] for name in ("id", "author", "text", "created_at")}
        self._tell("incident.commented", incident, comment=told)

    def _tell(self, kind: str, incident: Mapping[str, Any], **more: object) -> None:
        event = {"id": f"evt_{uuid4().hex}", "type": kind, "occurred_at": incident["updated_at"], "incident": incident}
        event |= more
        self._outbox.put(json.dumps(event).encode())

    def _send(self) -> None:
        session = requests.Session()
        session.trust_env = False
        while (body := self._outbox.get()) is not None:
            while not self._stopping.is_set() and not self._delivered(session, body):
                self._stopping.wait(RESEND_AFTER_S)
            self._outbox.task_done()

    def _delivered(self, session: requests.Session, body: bytes) -> bool:
        event = json.loads(body)["id"]
        headers = sign(self._keys, event, datetime.now(UTC), body)
        try:
            answer = session.post(self.events_url, data=body, headers=headers, timeout=10)
        except requests.RequestException:
            return False
        if answer.ok:
            self.acknowledged.add(event)
        return answer.ok or answer.status_code in _FINAL

    async def _patch(self, request: Request) -> Response:
        body = await request.body()
        fault = self._fault()
        if fault is None:
            return self._answer(request, body)
        if fault.applied:
            self._answer(request, body)
        await asyncio.sleep(fault.delay_s)
        if not fault.status:
            return Response("{", headers={"Content-Length": "100"})
        return JSONResponse({"error": "trouble"}, status_code=fault.status, headers=dict(fault.headers))

    def _answer(self, request: Request, body: bytes) -> Response:
        try:
            verify(self._keys, {k.lower(): v for k, v in request.headers.items()}, body, datetime.now(UTC))
        except WebhookRejected as exc:
            return JSONResponse({"error": exc.reply}, status_code=exc.status)
        return self._apply(request.path_params["id"], request.headers.get("idempotency-key", ""), json.loads(body))

    def _apply(self, incident_id: str, key: str, fields: dict[str, Any]) -> Response:
        with self._lock:
            incident = self._incidents.get(incident_id)
            if incident is None:
                return JSONResponse({"error": "no such incident"}, status_code=404)
            if unknown := fields.keys() - _CHANGEABLE:
                return JSONResponse({"error": f"unknown fields {sorted(unknown)}"}, status_code=400)
            if key not in self._answers:
                self.changes.append({"incident": incident_id, **fields})
                comment = fields.pop("comment", None)
                if comment is not None:
                    self._keep_comment(incident, comment)
                    self._answers[key] = dict(incident)
                    return JSONResponse(self._answers[key])
                incident.update(fields, updated_at=_now())
                self._answers[key] = dict(incident)
                self._tell("incident.resolved" if incident["status"] == "closed" else "incident.updated", incident)
            return JSONResponse(self._answers[key])

    # The page

    def _page(self, _: Request) -> Response:
        with self._lock:
            return HTMLResponse(incident_list(list(self._incidents.values()), self._comments))

    async def _page_open(self, request: Request) -> Response:
        form = await _form(request)
        self.open(form["title"], description=form.get("description") or None, priority=form.get("priority", "moderate"))
        return RedirectResponse("/", status_code=303)

    async def _page_change(self, request: Request) -> Response:
        form = await _form(request)
        given = {name: form[name] for name in ("title", "priority", "status") if name in form}
        if request.path_params["id"] in self._incidents:
            self.change(request.path_params["id"], **given)
        return RedirectResponse("/", status_code=303)

    async def _page_comment(self, request: Request) -> Response:
        text = (await _form(request)).get("comment", "").strip()
        if text and request.path_params["id"] in self._incidents:
            self.comment(request.path_params["id"], _AUTHOR, text)
        return RedirectResponse("/", status_code=303)


async def _form(request: Request) -> dict[str, str]:
    """Read a form; Starlette itself would need one more library for it."""
    return dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))


def _now() -> str:
    return datetime.now(UTC).isoformat()
