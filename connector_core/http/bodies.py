"""Bodies of requests as they come in: unpacked within limits, and read as text and JSON.

Proxies compress what passes, some senders begin with a byte order mark, and either may be done before or after signing.
All of that is taken. What is refused has a code of its own, so that it can be counted and told by its reason.
"""

from __future__ import annotations

import json
import zlib
from http import HTTPStatus
from typing import Any

from connector_core.contract.errors import WebhookRejected
from connector_core.contract.models import BYTE_ORDER_MARK, InboundRequest

#: What a packed body may grow by: JSON seldom shrinks to a twentieth, and a stranger sends what grows most.
MOST_GROWTH = 100
#: How many values a webhook may have; a large ticket has thousands. Reading millions stops all threads for seconds,
#: whoever's they are. They are counted by commas, those in texts too.
MOST_VALUES = 500_000
_ROOM = 64 * 1024  # a small body may grow by more
_PIECE = 64 * 1024
_GZIP = 16 + zlib.MAX_WBITS
_PACKED = frozenset({"gzip", "x-gzip"})


def encoding_of(headers: str) -> str:
    """Return how a body is encoded, empty when it is not.

    Raises:
        WebhookRejected: in a way that is not read here.
    """
    named = [one.strip().casefold() for one in headers.split(",") if one.strip()]
    given = [one for one in named if one != "identity"]
    if not given:
        return ""
    if len(given) == 1 and given[0] in _PACKED:
        return "gzip"
    raise WebhookRejected(
        "The body is encoded in a way that is not read here; gzip is.",
        status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        reply="encoding not supported",
        code="encoding_unknown",
    )


def unpack(packed: bytes, limit: int) -> bytes:
    """Unpack gzip up to a limit that also depends on what was sent.

    Raises:
        WebhookRejected: it is no gzip, is cut off, has something behind its end, or grows beyond the limit.
    """
    most = min(limit, _ROOM + MOST_GROWTH * len(packed))
    pieces: list[bytes] = []
    size, rest = 0, packed
    try:
        while rest:  # one member after the other is gzip, too
            member = zlib.decompressobj(_GZIP)
            while not member.eof:
                piece = member.decompress(rest, _PIECE)
                rest = member.unconsumed_tail
                size += len(piece)
                if size > most:
                    raise too_large(most)
                if not piece and not rest and not member.eof:
                    raise _broken("is cut off")
                pieces.append(piece)
            rest = member.unused_data
    except zlib.error as exc:
        raise _broken("is none") from exc
    if not pieces:
        raise _broken("is empty")
    return b"".join(pieces)


def text_of(request: InboundRequest) -> str:
    """Return the body as text, without a byte order mark.

    Raises:
        WebhookRejected: it is empty, or no UTF-8.
    """
    if not request.body.removeprefix(BYTE_ORDER_MARK).strip():
        raise WebhookRejected("The request has no body.", code="body_empty")
    try:
        return request.body.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise WebhookRejected("The body is no UTF-8.", code="body_not_utf8") from exc


def object_of(request: InboundRequest) -> dict[str, Any]:
    """Return the body as a JSON object.

    Raises:
        WebhookRejected: it is something else, or has too many values.
    """
    return request.once(_object)


def _object(request: InboundRequest) -> dict[str, Any]:
    text = text_of(request)
    if request.body.count(b",") > MOST_VALUES:
        raise _too_large(f"holds more than {MOST_VALUES:,} values")
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError) as exc:  # ValueError: bad JSON, endless numbers
        raise WebhookRejected("The body is no JSON.", code="body_not_json") from exc
    if not isinstance(parsed, dict):
        raise WebhookRejected("The body is no JSON object.", code="body_not_object")
    return parsed


def too_large(limit: int) -> WebhookRejected:
    """Refuse a body for its size."""
    return _too_large(f"is larger than {limit} bytes")


def _too_large(why: str) -> WebhookRejected:
    return WebhookRejected(f"The body {why}.", status=413, reply="request too large", code="too_large")


def _broken(what: str) -> WebhookRejected:
    return WebhookRejected(f"The body is said to be gzip, and {what}.", code="encoding_broken")
