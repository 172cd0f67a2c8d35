"""Who may have sent a delivery: the signature over its bytes, and the site and project that it names, unproven."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pydantic import SecretStr

from connector_core import InboundRequest, Signature

HEADER = "x-hub-signature"

_PREFIX = "sha256="
#: A delivery names its site and issue near its beginning; whoever hides them further back waits a little longer.
_LOOKED_AT = 16 * 1024
#: Hashing more than this at once gives way to other threads.
_LARGE = 64 * 1024
_SELF = re.compile(
    rb'"self"\s*:\s*"(https?:(?:\\?/){2}[^"/\\?#\s]+(?:\\?/[^"?#\s]*?)?)\\?/rest\\?/(?:api|servicedeskapi)'
)
_KEY = re.compile(rb'"key"\s*:\s*"([A-Z][A-Z0-9_]{1,30})-\d')


def find(request: InboundRequest) -> Signature:
    """Return who may have sent a delivery, before it is read."""
    begin = request.body[:_LOOKED_AT]
    site, project = _SELF.search(begin), _KEY.search(begin)
    signed = request.once(signed_parts)
    return Signature(
        is_by=signed.is_by,
        is_given=bool(signed.given),
        site=site[1].replace(b"\\", b"").decode("ascii", "ignore") if site else "",
        part=project[1].decode("ascii") if project else "",
    )


@dataclass(frozen=True)
class SignedParts:
    """What a sender may have signed, and its signature; each secret is tried once."""

    given: bytes
    forms: tuple[bytes, ...]
    _tried: dict[str, bool] = field(default_factory=dict, repr=False)

    def is_by(self, secret: SecretStr) -> bool:
        """Return whether a secret made the signature of one of the forms. An empty one proves nothing."""
        text = secret.get_secret_value()
        if text not in self._tried:
            key = text.encode("utf-8", "replace")
            # All forms are tried, so that the time it takes tells nothing.
            found = [hmac.compare_digest(_signature(key, form), self.given) for form in self.forms]
            self._tried[text] = bool(key) and any(found)
        return self._tried[text]

    def by(self, secrets: Iterable[SecretStr]) -> int | None:
        """Return which secret made it; all are tried, so that the time it takes tells nothing."""
        matches = [self.is_by(secret) for secret in secrets]
        return matches.index(True) if True in matches else None


def signed_parts(request: InboundRequest) -> SignedParts:
    """Return what of a request is signed, and how."""
    return SignedParts(_given(request.headers), request.signable)


def is_signed(secrets: Iterable[SecretStr], headers: Mapping[str, str], body: bytes) -> bool:
    """Return whether one of the secrets signed exactly these bytes. Without a secret nothing is authentic."""
    return SignedParts(_given(headers), (body,)).by(secrets) is not None


def _given(headers: Mapping[str, str]) -> bytes:
    """Return the signature that was sent; relays differ in the letters that they write it in."""
    return headers.get(HEADER, "").encode("utf-8", "replace").lower()


def _signature(key: bytes, body: bytes) -> bytes:
    digest = hmac.digest(key, body, "sha256") if len(body) <= _LARGE else hmac.new(key, body, hashlib.sha256).digest()
    return (_PREFIX + digest.hex()).encode("ascii")
