"""The one asynchronous edge: read a body, hand it to intake, answer after the commit."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from http import HTTPStatus
from time import monotonic
from typing import Any

from pydantic import SecretStr
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.contract.errors import ConnectorError, RetryLater, WebhookRejected
from connector_core.contract.models import InboundRequest, Push
from connector_core.delivery_log.entries import Arrival
from connector_core.delivery_log.recorder import DeliveryLog
from connector_core.health.refusals import NO_ROUTE, events_route
from connector_core.http.bodies import encoding_of, unpack
from connector_core.http_source.event_wire import EVENT_UNREADABLE
from connector_core.inbound.intake import Intake, Taken, unknown_address
from connector_core.metrics import Metrics
from connector_core.store import Accepted, SettingsMoved
from connector_core.store.failures import shortage
from connector_core.web.batches import Batches
from connector_core.web.refusals import Refusals
from connector_core.web.request_bodies import UNCOUNTED_BYTES, declared_size, hold, read_body, refuse_too_large

WEBHOOKS_AT = "/external/"
_DELIVERED_TO = re.compile(rf"{WEBHOOKS_AT}(?P<route>[^/]+)/webhook(?:/(?P<integration>[^/]+))?")
MAX_EVENTS_BYTES = 1024 * 1024
MAX_WEBHOOK_BYTES = 25 * 1024 * 1024
READERS = 2

# Verifying and reading more than this would hold up the other requests of the event loop.
INLINE_BYTES = 64 * 1024

#: What strangers send has other processes' changes looked for this seldom at most.
LOOKED_JUST_NOW_S = 0.05


class Deliveries:
    """Middleware that takes deliveries before anything is routed: they are what comes most often."""

    def __init__(self, app: ASGIApp, *, receiver: Receiver) -> None:
        self._app = app
        self._receiver = receiver

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a delivery, pass on what is none."""
        is_posted = scope["type"] == "http" and scope["method"] == "POST"
        found = _DELIVERED_TO.fullmatch(scope["path"]) if is_posted else None
        if found is None:
            await self._app(scope, receive, send)
            return
        scope["path_params"] = found.groupdict()
        response = await self._receiver.webhook(Request(scope, receive))
        await response(scope, receive, send)


class Receiver:
    """Handlers for pushed events and for webhooks."""

    def __init__(  # noqa: PLR0913 - its parts, by keyword
        self,
        intake: Intake,
        *,
        metrics: Metrics,
        nudge: Callable[[], None],
        clock: Clock,
        log: FilteringBoundLogger,
        delivery_log: DeliveryLog,
    ) -> None:
        self._intake = intake
        self._metrics = metrics
        self._nudge = nudge
        self._clock = clock
        self._log = log
        self._delivery_log = delivery_log
        self._refusals = Refusals(intake.store.webhooks, clock)
        self._batches = Batches(intake.store.inbox)
        # Threads of its own: what strangers send must not keep others waiting for one.
        self._reading = ThreadPoolExecutor(READERS, "reading")

    async def events(self, request: Request) -> Response:
        """Take incident events from a source."""
        arrival = self._arrival(request, "events")
        return await self._answered(request, arrival, self._take_events(request, arrival))

    async def webhook(self, request: Request) -> Response:
        """Take a delivery from a ticketing system, for whichever integration signed it or for the one named."""
        arrival = self._arrival(request, "webhook")
        return await self._answered(request, arrival, self._take_delivery(request, arrival))

    async def nowhere(self, request: Request, exc: Exception) -> Response:
        """Answer a request that no route takes; what was sent to an address like that of webhooks is seen that way."""
        if not isinstance(exc, HTTPException):
            raise exc
        is_sent = request.method == "POST" and request.scope["path"].startswith(WEBHOOKS_AT)
        if is_sent and exc.status_code == HTTPStatus.NOT_FOUND:
            arrival = self._arrival(request, "webhook")
            response = self._refused(request, arrival, unknown_address())
            self._note(arrival, response.status_code, monotonic())
            return response
        return PlainTextResponse(exc.detail, status_code=exc.status_code, headers=exc.headers)

    def _arrival(self, request: Request, kind: str) -> Arrival:
        scope = request.scope
        client = scope.get("client")
        return Arrival(self._clock.now(), kind, client[0] if client else "", scope["path"])

    async def _answered(self, request: Request, arrival: Arrival, taking: Awaitable[Response]) -> Response:
        """Return what the sender is told, also where nothing was taken; what came of it is logged."""
        began = monotonic()
        try:
            response = await taking
        except (ConnectorError, OSError, MemoryError, RuntimeError, ClientDisconnect) as exc:
            response = self._not_taken(request, arrival, exc)
        self._note(arrival, response.status_code, began)
        return response

    def _note(self, arrival: Arrival, status: int, began: float) -> None:
        arrival.status = status
        arrival.took_ms = round((monotonic() - began) * 1000)
        arrival.known = partial(self._intake.registry.secrets_of, arrival.organization, arrival.integration_id)
        self._delivery_log.arrived(arrival)

    def _not_taken(self, request: Request, arrival: Arrival, error: Exception) -> Response:
        """Return what the sender is told of which nothing was taken; what is none of its business goes on."""
        match error:
            case WebhookRejected():
                return self._refused_or_put_off(request, arrival, error)
            case RetryLater():
                return self._put_off(arrival, error)
            case ConnectorError():
                arrival.code = error.code
                self._metrics.rejected(arrival.kind, error.code)
                self._log.exception("request_failed", kind=arrival.kind, code=error.code, detail=error.detail)
                return JSONResponse({"error": "internal error"}, status_code=500)
            case ClientDisconnect():
                self._refused(request, arrival, WebhookRejected("The sender went away before the end.", code="cut_off"))
                return Response(status_code=400)
            case _:
                short = shortage(error)  # of descriptors, memory or threads: it passes
                if short is None:
                    raise error
                return self._put_off(arrival, short)

    def _put_off(self, arrival: Arrival, exc: RetryLater) -> Response:
        """Count a request that cannot be stored now, and have it sent again."""
        kind, arrival.code, arrival.is_put_off = arrival.kind, exc.code, True
        self._metrics.rejected(kind, exc.code)
        self._log.error("request_not_stored", kind=kind, code=exc.code, detail=exc.detail)
        return _later({"error": "try again later"}, 503, exc.after_s or 5)

    async def _take_events(self, request: Request, arrival: Arrival) -> Response:
        arrival.request = inbound = await self._inbound(request, MAX_EVENTS_BYTES)
        taken, accepted = await self._accepted_events(request.path_params["source"], inbound)
        self._count("events", accepted)
        arrival.organization, arrival.accepted = request.path_params["source"], accepted
        if taken.push is not None:
            arrival.events, arrival.unreadable = taken.push.events, len(taken.push.refused)
        answer: dict[str, Any] = _counts(accepted.new, accepted.duplicate, accepted.ignored)
        return JSONResponse(answer) if taken.push is None else self._told(request, taken.push, accepted, answer)

    async def _accepted_events(self, source: str, inbound: InboundRequest) -> tuple[Taken, Accepted]:
        take = partial(self._intake.take_events, source, inbound)
        while True:
            known = self._intake.registry.known
            try:
                taken = take() if len(inbound.body) <= INLINE_BYTES else await run_in_threadpool(take)
                return taken, await asyncio.wrap_future(taken.pending)
            except SettingsMoved:
                self._intake.registry.look()
            except WebhookRejected:
                if not await self._has_moved(known):
                    raise

    async def _has_moved(self, known: tuple[int, int]) -> bool:
        """Return whether more is known than when a refusal began: another process may have made its secret unheard."""
        registry = self._intake.registry
        await asyncio.get_running_loop().run_in_executor(self._reading, registry.look, LOOKED_JUST_NOW_S)
        return registry.known != known

    async def _take_delivery(self, request: Request, arrival: Arrival) -> Response:
        route, integration = request.path_params["route"], request.path_params.get("integration")
        if _may_be_large(request):
            refuse_too_large(request, MAX_WEBHOOK_BYTES)
            self._intake.refuse_unsigned(route, self._as_read(request, b""), integration)
        arrival.request = inbound = await self._inbound(request, MAX_WEBHOOK_BYTES)
        loop, inquire = asyncio.get_running_loop(), partial(self._intake.inquire, route, inbound, integration)
        is_small, given = len(inbound.body) <= INLINE_BYTES, None
        while given is None:
            known = self._intake.registry.known
            try:
                inquiry = inquire() if is_small else await loop.run_in_executor(self._reading, inquire)
                is_at_hand = is_small and inquiry.is_settled
                read = partial(self._intake.read, inquiry)
                given = read() if is_at_hand else await loop.run_in_executor(self._reading, read)
            except WebhookRejected:
                if not await self._has_moved(known):
                    raise
        arrival.organization, arrival.deliveries = given.organization, given.whole or given.deliveries
        arrival.integration_id = given.deliveries[0][0]
        accepted = arrival.accepted = await self._batches.accept(given)
        self._count("webhook", accepted)
        return _told_counts(accepted.new, accepted.duplicate, accepted.ignored)

    def _count(self, kind: str, accepted: Accepted) -> None:
        """Count what was stored, and have it worked on."""
        if accepted.new:  # nothing else wakes a lane
            self._nudge()
        for outcome in ("new", "duplicate", "ignored"):
            if number := getattr(accepted, outcome):
                self._metrics.received(kind, outcome, number)

    def _told(self, request: Request, push: Push, accepted: Accepted, answer: dict[str, Any]) -> Response:
        """Answer a push: for a list each event with what became of it, and 422 when one of them was not taken.

        A 2xx would say that all is on disk; whoever sends such a list again finds the others known already.
        """
        organization = request.path_params["source"]
        if push.unknown_fields:
            answer["unknown_fields"] = push.unknown_fields
            self._metrics.unknown_fields(organization, push.unknown_fields)
            self._log.info("event_fields_unknown", organization=organization, fields=push.unknown_fields)
        if push.is_list:
            answer["events"] = _by_position(push, accepted)
        if not push.refused:
            return JSONResponse(answer)
        self._metrics.rejected("events", EVENT_UNREADABLE, len(push.refused))
        self._note_events(organization, EVENT_UNREADABLE, len(push.refused))
        reasons = [one.reason for one in push.refused]
        self._log.warning(
            "events_rejected",
            organization=organization,
            code=EVENT_UNREADABLE,
            refused=len(reasons),
            taken=len(push.events),
            reasons=reasons[:5],
        )
        return JSONResponse({"error": reasons[0], **answer}, status_code=422)

    async def _inbound(self, request: Request, limit: int) -> InboundRequest:
        """Read a request, its body unpacked if it came compressed."""
        encoding = encoding_of(request.headers.get("content-encoding", ""))
        sent = await read_body(request, limit)
        if not encoding:
            return self._as_read(request, sent)
        body = await asyncio.get_running_loop().run_in_executor(self._reading, _unpacked, request, sent, limit)
        return self._as_read(request, body, packed=sent)

    def _as_read(self, request: Request, body: bytes, packed: bytes | None = None) -> InboundRequest:
        return InboundRequest(
            headers=dict(request.headers.items()),
            body=body,
            packed=packed,
            received_at=self._clock.now(),
            token=_token(request),
        )

    def _refused_or_put_off(self, request: Request, arrival: Arrival, exc: WebhookRejected) -> Response:
        try:
            return self._refused(request, arrival, exc)
        except RetryLater as late:  # whose it would be has to be read
            return self._put_off(arrival, late)

    def _refused(self, request: Request, arrival: Arrival, exc: WebhookRejected) -> Response:
        """Count a request that is refused, by its reason, and log it; told where webhooks and sources are shown."""
        kind, arrival.code = arrival.kind, exc.code
        self._metrics.rejected(kind, exc.code)
        if kind == "webhook":
            self._place(arrival, exc.integration)
            route = request.path_params.get("route", NO_ROUTE)
            known = route if route in self._intake.registry.routes() else NO_ROUTE  # made-up ones make no rows
            self._refusals.note(known, exc.integration, exc.code, self._clock.now())
        else:
            source = request.path_params["source"]
            arrival.organization = source if source in self._intake.registry.sources.usable() else ""
            self._note_events(source, exc.code, 1)
        self._log.warning(
            "request_rejected",
            kind=kind,
            path=request.scope["path"],
            status=exc.status,
            code=exc.code,
            reason=exc.message,
            **({"integration": exc.integration} if exc.integration else {}),
        )
        if exc.after_s is not None:
            return _later({"error": exc.reply}, exc.status, exc.after_s)
        return JSONResponse({"error": exc.reply}, status_code=exc.status)

    def _place(self, arrival: Arrival, integration_id: str) -> None:
        """Say whose a refused delivery is, where that is known."""
        record = self._intake.registry.records().get(integration_id) if integration_id else None
        if record is not None:
            arrival.organization, arrival.integration_id = record.organization, record.id

    def _note_events(self, organization: str, code: str, refused: int) -> None:
        """Count pushed events that are refused; made-up sources make no rows."""
        if organization in self._intake.registry.sources.usable():
            self._refusals.note(events_route(organization), "", code, self._clock.now(), refused)


def _counts(new: int, duplicate: int, ignored: int) -> dict[str, int]:
    """Return what the sender is told of what became of it."""
    return {"accepted": new, "duplicate": duplicate, "ignored": ignored}


@lru_cache(maxsize=64)
def _told_counts(new: int, duplicate: int, ignored: int) -> Response:
    return JSONResponse(_counts(new, duplicate, ignored))


def _may_be_large(request: Request) -> bool:
    """Return whether a body is large, or may turn out to be."""
    size = declared_size(request)
    return size is None or size > INLINE_BYTES or "content-encoding" in request.headers


def _unpacked(request: Request, packed: bytes, limit: int) -> bytes:
    body = unpack(packed, limit)
    if len(body) > UNCOUNTED_BYTES:
        hold(request, len(body))
    return body


def _token(request: Request) -> SecretStr | None:
    """Return the token in the address, if there is one."""
    token = request.query_params.get("token") if request.scope["query_string"] else None
    return SecretStr(token) if token else None


def _later(answer: dict[str, Any], status: int, after_s: float) -> Response:
    return JSONResponse(answer, status_code=status, headers={"Retry-After": str(math.ceil(after_s))})


def _by_position(push: Push, accepted: Accepted) -> list[dict[str, str]]:
    """Return what became of each event of a list, in the order in which it was sent."""
    taken = iter(zip(push.events, accepted.outcomes, strict=True))
    refused = {one.position: one for one in push.refused}
    told: list[dict[str, str]] = []
    for position in range(len(push.events) + len(refused)):
        if position in refused:
            one = refused[position]
            told.append({"id": one.id, "outcome": "refused", "error": one.reason})
        else:
            event, outcome = next(taken)
            told.append({"id": event.id, "outcome": "accepted" if outcome == "new" else outcome})
    return told
