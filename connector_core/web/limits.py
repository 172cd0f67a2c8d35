"""What connections are held to, and why one is closed."""

from __future__ import annotations

import math
import resource
from dataclasses import dataclass
from http import HTTPStatus

from connector_core.config.models import LimitSettings
from connector_core.web.request_bodies import GAVE_WAY, IN_PIECES, OUT_OF_MEMORY, TOO_SLOW

#: Descriptors that connections leave to the database, the log and calls to vendors.
RESERVED_DESCRIPTORS = 384
#: Connections beyond the limit, of those: where all others are being answered, monitoring still is.
SPARE = 16


@dataclass(frozen=True)
class Refusal:
    """Why a connection is closed, and what the client is told."""

    code: str
    status: HTTPStatus = HTTPStatus.BAD_REQUEST
    text: str = ""


FULL = Refusal("connections_full", HTTPStatus.SERVICE_UNAVAILABLE, "too many connections, try again later")
LARGE_HEADERS = Refusal("headers_too_large", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "headers too large")
SLOW_HEADERS = Refusal("headers_too_slow", HTTPStatus.REQUEST_TIMEOUT, "headers too slow")
NOT_HTTP = Refusal("not_http", HTTPStatus.BAD_REQUEST, "no HTTP request")
#: A proxy may have taken the other of two (RFC 9112, section 3.2).
NO_HOST = Refusal("not_one_host", HTTPStatus.BAD_REQUEST, "a request names one host")
PIPELINED = Refusal("pipelined", HTTPStatus.BAD_REQUEST, "too many requests at once")
SLOW_BODY = Refusal(TOO_SLOW)
SILENT = Refusal("silent")
MADE_ROOM = Refusal(GAVE_WAY)
NO_MEMORY = Refusal(OUT_OF_MEMORY, HTTPStatus.SERVICE_UNAVAILABLE, "no memory left, try again later")
TINY_PIECES = Refusal(IN_PIECES, HTTPStatus.BAD_REQUEST, "body in too many tiny pieces")
ANSWER_UNREAD = Refusal("answer_not_read")


@dataclass(frozen=True)
class Limits:
    """What connections are held to. A request has `request_s` from its first byte to its last.

    No more than `connections` are answered at once, but for monitoring; `spare` more may be there.
    """

    connections: int
    header_bytes: int
    headers_s: float
    request_s: float
    idle_s: int
    spare: int = SPARE

    @classmethod
    def of(cls, settings: LimitSettings, descriptors: int | None = None) -> Limits:
        """Return the configured limits, with no more connections than the process has descriptors for."""
        return cls(
            connections=min(settings.connections, spare_descriptors(descriptors)),
            header_bytes=settings.header_kib * 1024,
            headers_s=settings.headers_within.total_seconds(),
            request_s=settings.request_within.total_seconds(),
            idle_s=math.ceil(settings.idle.total_seconds()),
        )


def spare_descriptors(descriptors: int | None = None) -> int:
    """Return how many connections the process has descriptors for, beside all else that needs some."""
    if descriptors is None:
        descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if descriptors == resource.RLIM_INFINITY:
            return 1_000_000
    return descriptors - min(RESERVED_DESCRIPTORS, descriptors // 2)
