"""Faults in the session of an integration: the vendor's stand-in, or the vendor, need not know of them.

An adapter stands before the one that calls. It counts calls, tells writes from reads, and where a rule says so a call
ends badly: before it is sent, or after the other side has done it.

    session = FaultySession(integration.session)
    session.strike(ANSWER_LOST, Rule.writes())         # the next write is done, and nobody hears of it
    session.strike(refusal(429, {"Retry-After": "7"}), Rule.reads(nth=2))
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any, Self

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3 import HTTPResponse
from urllib3.exceptions import ProtocolError

from connector_core.http.session import SAFE_METHODS

#: Paths that are asked with POST and change nothing, by what they are usually called; a plugin may name its own.
USUAL_READS = (r"POST .*(search|query|bulk_?fetch|/tokens?\b|oauth|login|filter|graphql)",)
HTML = b"<!DOCTYPE html><html><head><title>Maintenance</title></head><body><h1>Back soon</h1></body></html>"

# Sends a request and returns its answer.
Send = Callable[[requests.PreparedRequest], requests.Response]


@dataclass(frozen=True)
class Fault:
    """One way in which a call goes wrong. `is_done` says that the other side has done by then what it was asked."""

    name: str
    strike: Callable[[requests.PreparedRequest, Send], requests.Response]
    is_done: bool = False


@dataclass
class Rule:
    """Which calls a fault strikes: the nth and the following ones of those that match, as many as `times` says."""

    matches: Callable[[Call], bool]
    nth: int = 1
    times: int | None = 1
    seen: int = 0

    @classmethod
    def writes(cls, nth: int = 1, times: int | None = 1) -> Self:
        """Strike writes."""
        return cls(lambda call: call.writes, nth, times)

    @classmethod
    def reads(cls, nth: int = 1, times: int | None = 1) -> Self:
        """Strike reads."""
        return cls(lambda call: not call.writes, nth, times)

    @classmethod
    def calls(cls, pattern: str = "", nth: int = 1, times: int | None = None) -> Self:
        """Strike whatever call of `METHOD address` has the pattern in it, all calls unless it is given."""
        return cls(lambda call: re.search(pattern, call.line) is not None, nth, times)

    def hits(self, call: Call) -> bool:
        """Return whether this call is struck."""
        if not self.matches(call):
            return False
        self.seen += 1
        return self.seen >= self.nth and (self.times is None or self.seen < self.nth + self.times)


@dataclass(frozen=True)
class Call:
    """One request that was made."""

    method: str
    url: str
    writes: bool
    #: The name of the fault that struck it, empty when it went well.
    fault: str = ""

    @property
    def line(self) -> str:
        """Method and address."""
        return f"{self.method} {self.url}"


@dataclass
class _Struck:
    fault: Fault
    rule: Rule


class FaultySession(BaseAdapter):
    """Stands before the adapters of a session from now on."""

    def __init__(self, session: requests.Session, reads: Sequence[str] = ()) -> None:
        super().__init__()
        self._inner = session.get_adapter("http://127.0.0.1")
        self._reads = [re.compile(pattern) for pattern in (*USUAL_READS, *reads)]
        self._struck: list[_Struck] = []
        self.calls: list[Call] = []
        self.stand_before(session)

    def stand_before(self, session: requests.Session) -> None:
        """Stand before another session too, such as the one that renews the grant."""
        session.mount("https://", self)
        session.mount("http://", self)

    def strike(self, fault: Fault, rule: Rule) -> None:
        """Let a fault strike from now on; of several the first that fits does."""
        self._struck.append(_Struck(fault, rule))

    def heal(self) -> None:
        """Let every call through again, but for what `lie` put there."""
        self._struck = [one for one in self._struck if one.rule.times is None and one.fault.name.startswith(LIE)]

    @property
    def written(self) -> list[Call]:
        """The calls that may have changed something."""
        return [call for call in self.calls if call.writes]

    @property
    def struck(self) -> list[Call]:
        """The calls that a fault struck."""
        return [call for call in self.calls if call.fault and not call.fault.startswith(LIE)]

    def send(self, request: requests.PreparedRequest, *_: Any, **options: Any) -> requests.Response:  # noqa: ANN401 - requests' own signature
        """Send a request, unless a fault is to strike it."""
        call = Call(request.method or "", request.url or "", self.writes(request))
        honest_first = sorted(self._struck, key=lambda one: one.fault.name.startswith(LIE))
        hit = next((one for one in honest_first if one.rule.hits(call)), None)
        self.calls.append(call if hit is None else Call(call.method, call.url, call.writes, hit.fault.name))

        def through(asked: requests.PreparedRequest) -> requests.Response:
            return self._inner.send(asked, **options)

        response = through(request) if hit is None else hit.fault.strike(request, through)
        response.connection = self  # type: ignore[assignment]  # who repeats a request does so here
        return response

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()

    def writes(self, request: requests.PreparedRequest) -> bool:
        """Return whether a request may change something."""
        line = f"{request.method} {request.url}"
        return (request.method or "") not in SAFE_METHODS and not any(one.search(line) for one in self._reads)


def answer(
    request: requests.PreparedRequest, status: int, body: bytes = b"", headers: Mapping[str, str] = MappingProxyType({})
) -> requests.Response:
    """Return an answer that nobody gave."""
    return _built(request, status, io.BytesIO(body), {"Content-Length": str(len(body)), **headers})


def refusal(
    status: int,
    headers: Mapping[str, str] = MappingProxyType({}),
    body: bytes = b'{"message": "No."}',
    kind: str = "application/json",
) -> Fault:
    """Return a fault that answers in the other side's place, which never hears of the call."""
    given = {"Content-Type": kind, **headers}
    name = f"{status}{' with ' + ', '.join(headers) if headers else ''}{' HTML' if 'html' in kind else ''}"
    return Fault(name, lambda request, _: answer(request, status, body, given))


def _reset(request: requests.PreparedRequest, _: Send) -> requests.Response:
    raise requests.ConnectionError(
        ProtocolError("Connection aborted.", ConnectionResetError(104, "reset")), request=request
    )


def _answer_lost(request: requests.PreparedRequest, send: Send) -> requests.Response:
    send(request).content  # noqa: B018 - read, so that it is done
    return _reset(request, send)


def _too_slow(request: requests.PreparedRequest, send: Send) -> requests.Response:
    send(request).content  # noqa: B018 - as above
    raise requests.ReadTimeout("Read timed out.", request=request)


def _done_then(status: int, body: bytes, kind: str) -> Callable[[requests.PreparedRequest, Send], requests.Response]:
    def strike(request: requests.PreparedRequest, send: Send) -> requests.Response:
        send(request).content  # noqa: B018 - as above
        return answer(request, status, body, {"Content-Type": kind})

    return strike


def _truncated(request: requests.PreparedRequest, send: Send) -> requests.Response:
    """Break off in the body: its length is told, and half of it comes."""
    real = send(request)
    body = real.content
    headers = {"Content-Type": real.headers.get("Content-Type", ""), "Content-Length": str(max(len(body), 2))}
    return _built(request, real.status_code, _Breaking(body[: len(body) // 2]), headers)


def _half_a_page(request: requests.PreparedRequest, send: Send) -> requests.Response:
    """Give half of the body as if it were all."""
    real = send(request)
    body = real.content or b'{"message": '
    kept = {name: text for name, text in real.headers.items() if name.lower() not in _OF_A_BODY}
    return answer(request, real.status_code, body[: max(len(body) // 2, 1)], kept)


class _Breaking(io.BytesIO):
    """A body whose connection breaks where it ends."""

    def read(self, size: int | None = -1) -> bytes:
        """Return what is left, and break once nothing is."""
        piece = super().read(size)
        if not piece:
            raise ConnectionResetError(104, "reset")
        return piece


_OF_A_BODY = frozenset({"content-length", "content-encoding", "transfer-encoding"})


def _built(
    request: requests.PreparedRequest, status: int, body: io.BytesIO, headers: Mapping[str, str]
) -> requests.Response:
    raw = HTTPResponse(
        body=body,
        headers=dict(headers),
        status=status,
        preload_content=False,
        request_method=request.method,
        enforce_content_length=True,
    )
    built: requests.Response = HTTPAdapter().build_response(request, raw)
    return built


RESET = Fault("reset", _reset)
ANSWER_LOST = Fault("answer lost", _answer_lost, is_done=True)
TOO_SLOW = Fault("too slow", _too_slow, is_done=True)
DONE_THEN_500 = Fault("done, then 500", _done_then(500, b'{"message": "Oops."}', "application/json"), is_done=True)
DONE_THEN_502 = Fault("done, then a proxy's 502", _done_then(502, HTML, "text/html"), is_done=True)
DONE_THEN_HTML = Fault("done, then HTML", _done_then(200, HTML, "text/html"), is_done=True)
DONE_THEN_NOTHING = Fault("done, then an empty 200", _done_then(200, b"", "application/json"), is_done=True)
TRUNCATED = Fault("truncated", _truncated, is_done=True)
HALF_A_PAGE = Fault("half a page", _half_a_page, is_done=True)
HTML_INSTEAD = refusal(200, body=HTML, kind="text/html")
HTML_404 = refusal(404, body=HTML, kind="text/html")
THROTTLED = refusal(429)
THROTTLED_FOR_7_S = refusal(429, {"Retry-After": "7"})
UNAVAILABLE = refusal(503, body=HTML, kind="text/html")

#: What becomes of a create: in each there is one ticket in the end.
OF_A_CREATE = (
    RESET,
    ANSWER_LOST,
    TOO_SLOW,
    DONE_THEN_500,
    DONE_THEN_502,
    DONE_THEN_HTML,
    DONE_THEN_NOTHING,
    TRUNCATED,
    HALF_A_PAGE,
    HTML_INSTEAD,
    THROTTLED,
    THROTTLED_FOR_7_S,
    UNAVAILABLE,
    refusal(500),
    refusal(408),
)
#: What becomes of a read: none of it says that a ticket is gone or changed.
OF_A_READ = (
    RESET,
    ANSWER_LOST,
    TOO_SLOW,
    TRUNCATED,
    HALF_A_PAGE,
    HTML_INSTEAD,
    HTML_404,
    THROTTLED,
    UNAVAILABLE,
    refusal(500),
    refusal(401),
    refusal(403),
)


def fuzzy_search(marker: str, other: str) -> Fault:
    """Return a fault that has a search look for another marker: as one that knows no exact match finds a neighbour."""

    def strike(request: requests.PreparedRequest, send: Send) -> requests.Response:
        asked = request.copy()
        asked.url = (asked.url or "").replace(marker, other)
        if isinstance(asked.body, str | bytes):
            body = asked.body if isinstance(asked.body, bytes) else asked.body.encode()
            asked.body = body.replace(marker.encode(), other.encode())
            asked.headers["Content-Length"] = str(len(asked.body))
        return send(asked)

    return Fault("a search that is not exact", strike)


def meanwhile(act: Callable[[], object], *, is_before: bool) -> Fault:
    """Return a fault that lets somebody act right before a call reaches the other side, or right behind its answer."""

    def strike(request: requests.PreparedRequest, send: Send) -> requests.Response:
        if is_before:
            act()
            return send(request)
        real = send(request)
        body = real.content
        act()
        kept = {name: text for name, text in real.headers.items() if name.lower() not in _OF_A_BODY}
        return answer(request, real.status_code, body, kept)

    return Fault(f"somebody acts {'before' if is_before else 'behind'} it", strike, is_done=not is_before)


def other_times(request: requests.PreparedRequest, send: Send) -> requests.Response:
    """Tell all times of an answer in whole seconds and in another zone: the same moments, less exactly."""
    real = send(request)
    kept = {name: text for name, text in real.headers.items() if name.lower() not in _OF_A_BODY}
    return answer(request, real.status_code, _TIME.sub(_elsewhere, real.content), kept)


def _elsewhere(found: re.Match[bytes]) -> bytes:
    moment = datetime.fromisoformat(found[0].decode()).replace(microsecond=0).astimezone(_ELSEWHERE)
    told = moment.isoformat()
    return (told if b":" in found[1] or found[1] == b"Z" else told[:-3] + told[-2:]).encode()


_ELSEWHERE = timezone(timedelta(hours=5, minutes=30))
_TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(Z|[+-]\d\d:?\d\d)")
OTHER_TIMES = Fault("whole seconds of another zone", other_times)
#: The other side says that it did something, and did nothing.
IGNORED = refusal(204, body=b"")
IGNORED_200 = refusal(200, body=b"{}")

#: How lies are called: they stay when faults are healed. See `mutants`.
LIE = "lie: "


def lie(name: str, strike: Callable[[requests.PreparedRequest, Send], requests.Response]) -> Fault:
    """Return a fault that stays: what a mutant of a plugin does with its calls."""
    return Fault(LIE + name, strike)
