"""Lies about calls: what a session of a broken plugin does with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests

from connector_core.testing.conformance.faults import FaultySession, Rule, Send, answer, lie

# Tells a lie in a session from now on.
SessionLie = Callable[[FaultySession], None]


def session(
    name: str, strike: Callable[[requests.PreparedRequest, Send], requests.Response], rule: Callable[[], Rule]
) -> SessionLie:
    return lambda session: session.strike(lie(name, strike), rule())


def yes(status: int, body: bytes) -> Callable[[requests.PreparedRequest, Send], requests.Response]:
    return lambda request, _: answer(request, status, body, {"Content-Type": "application/json"})


def twice(request: requests.PreparedRequest, send: Send) -> requests.Response:
    send(request).content  # noqa: B018 - read, so that it is done
    return send(request)


def again_when_lost(session: FaultySession) -> None:
    """Repeat a write whose answer was lost, as a helpful HTTP library does."""
    honest = session.send

    def send(request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        try:
            response = honest(request, *args, **options)
        except requests.RequestException:
            return honest(request, *args, **options)
        return honest(request, *args, **options) if response.status_code >= 500 else response  # noqa: PLR2004 - the range

    session.send = send  # type: ignore[method-assign]  # that is the lie


def believing(status: int) -> SessionLie:
    """Take every refusal for an empty answer that is well."""

    def put(session: FaultySession) -> None:
        honest = session.send

        def send(request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
            response = honest(request, *args, **options)
            if response.status_code < 400:  # noqa: PLR2004 - the range
                return response
            return answer(request, status, b"{}", {"Content-Type": "application/json"})

        session.send = send  # type: ignore[method-assign]  # as above

    return put


def stale(session: FaultySession) -> None:
    """Answer a read as it was answered the first time."""
    honest, known = session.send, {}

    def send(request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        key = (request.method, request.url, request.body)
        if session.writes(request):
            return honest(request, *args, **options)
        if key not in known:
            response = honest(request, *args, **options)
            if response.status_code >= 400:  # noqa: PLR2004 - the range
                return response
            known[key] = (response.status_code, response.content, response.headers.get("Content-Type", ""))
        status, body, kind = known[key]
        return answer(request, status, body, {"Content-Type": kind})

    session.send = send  # type: ignore[method-assign]  # as above
