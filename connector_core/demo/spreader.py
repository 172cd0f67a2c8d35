"""One address for several daemons, as a load balancer gives them: each request goes to one that says it is ready.

    spreader = Spreader()
    spreader.start([first.url, second.url])
    requests.post(f"{spreader.url}/v1/sources/acme/events", ...)

Who is ready is asked all the time. A request that nobody has taken yet goes to the next daemon. One whose answer is
lost is answered with 502, for only its sender knows whether it may be sent again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from http.client import HTTPConnection, HTTPException
from itertools import count
from time import monotonic
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connector_core.local_server import LocalServer
from connector_core.loops import Loop

LOOK_EVERY_S = 0.25
READY_WITHIN_S = 1.0
ANSWERS_WITHIN_S = 10.0
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
#: What belongs to one connection and is not passed on.
_OF_A_CONNECTION = {"connection", "keep-alive", "content-length", "transfer-encoding"}


class Spreader:
    """Listens at `url`; `refused` tells when and why no daemon answered."""

    def __init__(self, *, port: int = 0) -> None:
        self._addresses: Sequence[str] = ()
        self._turns = count()
        self._ready: set[str] = set()
        self._looks: Sequence[Loop] = ()
        self._server = LocalServer(Starlette(routes=[Route("/{path:path}", self._take, methods=_METHODS)]), port=port)
        self.url = self._server.url
        self.refused: list[tuple[float, str]] = []

    @property
    def ready(self) -> frozenset[str]:
        """The addresses of the daemons that said lately that they are ready."""
        return frozenset(self._ready)

    def start(self, addresses: Sequence[str]) -> None:
        """Begin to spread over daemons at these addresses."""
        self._addresses = tuple(addresses)
        self._looks = [
            Loop(f"spreader-{number}", partial(self._look, address)) for number, address in enumerate(addresses, 1)
        ]
        for look in self._looks:
            look.start()
        self._server.start()

    def stop(self) -> None:
        """End."""
        self._server.stop()
        for look in self._looks:
            look.end()
        for look in self._looks:
            look.join(READY_WITHIN_S * 2)

    def _look(self, address: str) -> float:
        """Ask one daemon whether it is ready."""
        try:
            is_ready = _ask(address, "GET", "/readyz", {}, b"", READY_WITHIN_S).status_code == 200  # noqa: PLR2004
        except (OSError, HTTPException):
            is_ready = False
        (self._ready.add if is_ready else self._ready.discard)(address)
        return LOOK_EVERY_S

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        target = request.scope["raw_path"].decode() + (f"?{request.url.query}" if request.url.query else "")
        headers = {name: value for name, value in request.headers.items() if name not in _OF_A_CONNECTION}
        return await run_in_threadpool(self._pass_on, request.method, target, headers, body)

    def _pass_on(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Response:
        turn = next(self._turns)
        ready = [address for address in self._addresses if address in self._ready]
        for place in range(len(ready)):
            address = ready[(turn + place) % len(ready)]
            try:
                return _ask(address, method, target, headers, body, ANSWERS_WITHIN_S)
            except ConnectionRefusedError:  # nobody has taken it
                self._ready.discard(address)
            except (OSError, HTTPException) as exc:
                self._ready.discard(address)
                return self._refuse(502, f"The answer was lost: {exc!r}")
        return self._refuse(503, "No daemon is ready.")

    def _refuse(self, status: int, why: str) -> Response:
        self.refused.append((monotonic(), why))
        return Response(why, status_code=status, headers={"Retry-After": "1"})


def _ask(  # noqa: PLR0913, PLR0917 - a request is all of that
    address: str, method: str, target: str, headers: Mapping[str, str], body: bytes, within_s: float
) -> Response:
    connection = HTTPConnection(urlsplit(address).netloc, timeout=within_s)
    try:
        connection.request(method, target, body, dict(headers))
        answer = connection.getresponse()
        response = Response(answer.read(), status_code=answer.status)
        response.raw_headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in answer.getheaders()
            if name.lower() not in _OF_A_CONNECTION
        ]
        response.raw_headers.append((b"content-length", str(len(response.body)).encode()))
        return response
    finally:
        connection.close()
