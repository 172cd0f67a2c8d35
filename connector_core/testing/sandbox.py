"""A base for stand-ins of ticketing systems: what every one of them needs, and nothing of any vendor.

    class DeskSandbox(HttpSandbox):
        title = "Desk sandbox"

        def routes(self):
            return [Route("GET", "/tickets/{id}", self.show), Route("POST", "/tickets", self.create)]

        def show(self, asked):
            if asked.parameters["id"] not in self.tickets_by_id:
                raise Refused(404, {"error": "no such ticket"})
            return self.tickets_by_id[asked.parameters["id"]]

It answers on loopback from a thread of its own, one call at a time, so that handlers need no locks; what tests call of
it beside takes `lock`. Its clock is moved by tests. What it tells of is signed and sent again until it is taken.
"""

from __future__ import annotations

import html
import json
import queue
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

import requests
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route as Served

from connector_core.clock import Clock, SystemClock
from connector_core.local_server import LocalServer

MOST_TRIES = 6
_TIMEOUT_S = 10.0
_CONSENT = "/consent"
_PAGE = """<!DOCTYPE html><html lang="en"><title>{title}</title><h1>{title}</h1>
<p>{who} asks for access.</p>
<form method="post"><button name="decision" value="accept">Accept</button>
<button name="decision" value="decline">Decline</button></form></html>"""


class Refused(Exception):
    """A call is refused: with a status, and a body that is sent as JSON."""

    def __init__(self, status: int, body: object = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status}")
        self.status = status
        self.body = body
        self.headers = dict(headers or {})


@dataclass(frozen=True)
class Asked:
    """One call, as a handler gets it."""

    method: str
    path: str
    #: What stood in the braces of the route.
    parameters: Mapping[str, str]
    #: What stood behind the question mark; of several values of one name the last.
    query: Mapping[str, str]
    #: By names in lower case.
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON
        """The body; a call whose body is no JSON is refused with 400."""
        try:
            return json.loads(self.body or b"null")
        except ValueError as exc:
            raise Refused(HTTPStatus.BAD_REQUEST, {"error": "not JSON"}) from exc

    @property
    def form(self) -> Mapping[str, str]:
        """The body as a form."""
        return dict(parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True))


@dataclass(frozen=True)
class Answer:
    """An answer that is more than JSON with status 200: what a handler gives back for it."""

    status: int
    #: Sent as JSON; None for no body.
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Route:
    """A method, a path with names in braces, and who answers."""

    method: str
    path: str
    handle: Callable[[Asked], object]


@dataclass(frozen=True)
class Answered:
    """One call and the status of its answer."""

    asked: Asked
    status: int


@dataclass(frozen=True)
class Sent:
    """One try of a delivery; status 0 where nobody answered."""

    url: str
    body: bytes
    status: int


class SandboxClock(SystemClock):
    """The clock of this machine, as far ahead as tests move it."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def now(self) -> datetime:
        """Return the time."""
        return super().now() + timedelta(seconds=self._ahead_s)

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self._ahead_s += seconds


class HttpSandbox:
    """Serves `routes` and sends deliveries between `start` and `stop`; the rest of a stand-in is the subclass's."""

    #: What people call the ticketing system.
    title = "Sandbox"
    #: How long it waits before it sends a delivery again, in seconds.
    send_again_after_s = 0.05

    def __init__(self, *, port: int = 0, clock: Clock | None = None) -> None:
        self.clock = clock or SandboxClock()
        self.lock = threading.RLock()
        #: Every call of a route so far, the oldest first.
        self.calls: list[Answered] = []
        #: Every try of a delivery so far.
        self.sent: list[Sent] = []
        #: The addresses that are told, each with its secret.
        self.webhooks: dict[str, str] = {}
        self._codes: dict[str, str] = {}
        self._outbox: queue.Queue[tuple[str, str, bytes] | None] = queue.Queue()
        self._stopping = threading.Event()
        served = [Served(route.path, self._serving(route), methods=[route.method]) for route in self.routes()]
        served += [Served(_CONSENT, self._consent_page, methods=["GET", "POST"])]
        self._server = LocalServer(Starlette(routes=served), port=port)
        self.url = self._server.url
        self._sender = threading.Thread(target=self._send_all, name="sandbox-sender", daemon=True)

    # What a subclass says

    def routes(self) -> Sequence[Route]:
        """Return what is answered, the more exact paths first."""
        raise NotImplementedError

    def signature(self, secret: str, body: bytes, at: datetime) -> Mapping[str, str]:  # noqa: ARG002 - for those that sign
        """Return the headers that prove who sent a delivery; none unless a subclass signs."""
        return {}

    # What tests and demos do

    def start(self) -> None:
        """Begin to serve and to send."""
        self._server.start()
        self._sender.start()

    def stop(self) -> None:
        """End; what was not sent yet is dropped."""
        self._stopping.set()
        self._outbox.put(None)
        if self._sender.is_alive():
            self._sender.join()
        self._server.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def call_count(self) -> int:
        """Return how many calls of routes were answered."""
        return len(self.calls)

    def register_webhook(self, url: str, secret: str) -> None:
        """Send signed deliveries to an address from now on."""
        with self.lock:
            self.webhooks[url] = secret

    def tell(self, event: object) -> None:
        """Tell all who want to know, in order; what is not taken is sent again."""
        body = json.dumps(event).encode()
        with self.lock:
            for url, secret in self.webhooks.items():
                self._outbox.put((url, secret, body))

    def wait_for_deliveries(self) -> None:
        """Wait until everything was sent, or given up."""
        self._outbox.join()

    # Consent, where access is authorized on a page

    def consent_url(self, **parameters: str) -> str:
        """Return the address of the page of consent: `redirect_uri` and `state` are among its parameters."""
        return f"{self.url}{_CONSENT}?{urlencode(parameters)}"

    def approve(self, authorize_url: str) -> str:
        """Play the person who consents; return the address that their browser would be sent to."""
        with requests.Session() as browser:
            browser.trust_env = False
            browser.get(authorize_url, timeout=_TIMEOUT_S).raise_for_status()
            answer = browser.post(authorize_url, data={"decision": "accept"}, timeout=_TIMEOUT_S, allow_redirects=False)
            answer.raise_for_status()
            return answer.headers["Location"]

    def redeem(self, code: str, redirect_uri: str) -> None:
        """Take a code of the page of consent, once; refuse any other with 400."""
        if self._codes.pop(code, None) != redirect_uri:
            raise Refused(HTTPStatus.BAD_REQUEST, {"error": "invalid_grant"})

    # Inside

    def _serving(self, route: Route) -> Callable[[Request], Any]:
        async def serve(request: Request) -> Response:
            asked = Asked(
                method=request.method,
                path=request.url.path,
                parameters=request.path_params,
                query=dict(request.query_params),
                headers=dict(request.headers),
                body=await request.body(),
            )
            return await run_in_threadpool(self._answer, route, asked)

        return serve

    def _answer(self, route: Route, asked: Asked) -> Response:
        with self.lock:
            try:
                given = route.handle(asked)
            except Refused as refused:
                given = Answer(refused.status, refused.body, refused.headers)
            answer = given if isinstance(given, Answer) else Answer(HTTPStatus.OK, given)
            self.calls.append(Answered(asked, answer.status))
        content = b"" if answer.body is None else json.dumps(answer.body).encode()
        kind = {"content-type": "application/json"} if content else {}
        return Response(content, status_code=answer.status, headers={**kind, **answer.headers})

    async def _consent_page(self, request: Request) -> Response:
        asked = request.query_params
        if request.method == "GET":
            who = html.escape(asked.get("client_id", "An application"))
            return HTMLResponse(_PAGE.format(title=html.escape(self.title), who=who))
        back, state = asked.get("redirect_uri", ""), asked.get("state", "")
        if urlsplit(back).scheme not in {"http", "https"}:
            return Response("redirect_uri is missing", status_code=HTTPStatus.BAD_REQUEST)
        if dict(parse_qsl((await request.body()).decode())).get("decision") != "accept":
            return RedirectResponse(f"{back}?{urlencode({'error': 'access_denied', 'state': state})}", status_code=303)
        code = secrets.token_urlsafe(16)
        with self.lock:
            self._codes[code] = back
        return RedirectResponse(f"{back}?{urlencode({'code': code, 'state': state})}", status_code=303)

    def _send_all(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while (delivery := self._outbox.get()) is not None:
                for _ in range(MOST_TRIES):
                    if self._stopping.is_set() or self._is_taken(session, *delivery):
                        break
                    self._stopping.wait(self.send_again_after_s)
                self._outbox.task_done()
            self._outbox.task_done()

    def _is_taken(self, session: requests.Session, url: str, secret: str, body: bytes) -> bool:
        headers = {"Content-Type": "application/json", **self.signature(secret, body, self.clock.now())}
        try:
            status = session.post(url, data=body, headers=headers, timeout=_TIMEOUT_S).status_code
        except requests.RequestException:
            status = 0
        self.sent.append(Sent(url, body, status))
        return HTTPStatus.OK <= status < HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.TOO_MANY_REQUESTS
