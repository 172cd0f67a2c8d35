"""What may stand between a site and a receiver, and changes deliveries on their way: proxies, gateways, relays."""

from __future__ import annotations

import gzip
import hashlib
import hmac
from collections.abc import Callable, Mapping

Headers = dict[str, str]
Middleman = Callable[[Headers, bytes, str], tuple[Headers, bytes]]

_SIGNATURE = "X-Hub-Signature"
_MARK = b"\xef\xbb\xbf"


def signature(secret: str, body: bytes) -> str:
    """Sign a body as WebSub says."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _packed(headers: Headers, body: bytes, _: str) -> tuple[Headers, bytes]:
    """Compress what was signed: a proxy knows no secret."""
    return {**headers, "Content-Encoding": "gzip"}, gzip.compress(body)


def _signed_packed(headers: Headers, body: bytes, secret: str) -> tuple[Headers, bytes]:
    """Sign what was compressed: a relay that knows the secret."""
    packed = gzip.compress(body)
    return {**headers, "Content-Encoding": "gzip", _SIGNATURE: signature(secret, packed)}, packed


def _marked(headers: Headers, body: bytes, _: str) -> tuple[Headers, bytes]:
    """Put a byte order mark before what was signed."""
    return headers, _MARK + body


def _signed_marked(headers: Headers, body: bytes, secret: str) -> tuple[Headers, bytes]:
    """Sign what begins with a byte order mark."""
    return {**headers, _SIGNATURE: signature(secret, _MARK + body)}, _MARK + body


def _in_capitals(headers: Headers, body: bytes, _: str) -> tuple[Headers, bytes]:
    """Write the signature in capital letters."""
    return {**headers, _SIGNATURE: headers.get(_SIGNATURE, "").upper()}, body


def _unsigned(headers: Headers, body: bytes, _: str) -> tuple[Headers, bytes]:
    """Drop headers that it does not know."""
    return {name: value for name, value in headers.items() if name != _SIGNATURE}, body


def _cut(headers: Headers, body: bytes, secret: str) -> tuple[Headers, bytes]:
    """Cut the end off, before signing."""
    half = body[: len(body) // 2]
    return {**headers, _SIGNATURE: signature(secret, half)}, half


def _recoded(headers: Headers, body: bytes, secret: str) -> tuple[Headers, bytes]:
    """Write UTF-16, and sign that."""
    wide = body.decode().encode("utf-16")
    return {**headers, _SIGNATURE: signature(secret, wide)}, wide


MIDDLEMEN: Mapping[str, Middleman] = {
    "packs": _packed,
    "signs_packed": _signed_packed,
    "marks": _marked,
    "signs_marked": _signed_marked,
    "capitals": _in_capitals,
    "drops_signature": _unsigned,
    "cuts": _cut,
    "recodes": _recoded,
}
