"""Signatures of webhooks: which secret made one, over what, and when.

A plugin names its sender's scheme once, and uses it in both hooks:

    SCHEME = SignatureScheme("x-signature", prefix="sha256=")
    find_signature = SCHEME.find
    on_inbound_webhook = SCHEME.receiver(read)  # `read` makes a `Delivery` of a request that was signed, and its event

Whatever a stranger sends ends in None or in `WebhookRejected`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from pydantic import SecretStr

from connector_core.contract.errors import WebhookRejected
from connector_core.contract.handles import AnyIntegration
from connector_core.contract.models import Delivery, InboundRequest, Signature
from connector_core.http.bodies import object_of
from connector_core.kit.values import Json

LONGEST_NAME = 200

#: Hashing more than this at once gives way to other threads.
_LARGE = 64 * 1024
_LONGEST_HEADER = 1000
_SINCE_1970_MS = 1e11
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")


class Form(StrEnum):
    """How a signature is written."""

    #: As hexadecimal digits, in either case.
    HEX = "hex"
    #: In base64 (RFC 4648), of the usual alphabet or the one for addresses.
    BASE64 = "base64"


@dataclass(frozen=True)
class SignatureScheme:
    """How one kind of sender signs.

    SignatureScheme("x-desk-signature", form=Form.BASE64, time_header="x-desk-time")
    """

    #: The header that has the signature, in lower case.
    header: str
    #: The hash function of HMAC, by its name in `hashlib`.
    digest: str = "sha256"
    #: How it is written.
    form: Form = Form.HEX
    #: What stands before it in the header.
    prefix: str = ""
    #: The header that has the time of sending, in lower case: seconds or milliseconds since 1970, or as ISO 8601. Its
    #: value is signed before the body. Without it the body is all that is signed, and how old it is cannot be told.
    time_header: str = ""
    #: What stands between time and body where they are signed.
    between: bytes = b""
    #: How old, or how far ahead, a delivery may be, in seconds; only where there is a `time_header`.
    tolerance_s: float = 300.0

    def find(self, request: InboundRequest, *, site: str = "", part: str = "") -> Signature:
        """Say who may have sent a request, for `find_signature`; `site` and `part` are what it names of itself."""
        signed = request.once(self._parts)
        return Signature(is_by=signed.is_by, is_given=signed.is_given, site=site, part=part)

    def signer(self, request: InboundRequest, secrets: Iterable[SecretStr]) -> int | None:
        """Return the position of the secret that signed a request, None when none did.

        Raises:
            WebhookRejected: it is signed, and so old, or so far ahead, that it may be somebody's repetition; or there
                is no signature at all although one is expected, which none is at an address that only we were told.
        """
        signed = request.once(self._parts)
        known = list(secrets)
        position = signed.by(known)
        if position is not None and self.time_header:
            self._check_age(request)
        is_expected = not request.is_addressed and any(secret.get_secret_value() for secret in known)
        if position is None and not signed.is_given and is_expected:
            raise WebhookRejected(
                "The delivery has no signature.",
                status=HTTPStatus.FORBIDDEN,
                reply="forbidden",
                code="signature_missing",
            )
        return position

    def receiver(
        self, read: Callable[[InboundRequest, Json], Delivery]
    ) -> Callable[[AnyIntegration, InboundRequest], Delivery | None]:
        """Return the hook `on_inbound_webhook` of senders that tell of an event in a JSON object.

        `read` is handed a request that was signed for the integration, and its event, as `json_event` reads it; it may
        raise `WebhookRejected`. What no secret of the integration made is not read.

        receive = SCHEME.receiver(read)
        """

        def receive(integration: AnyIntegration, request: InboundRequest) -> Delivery | None:
            """Verify and read a delivery; None when it was not signed for this integration."""
            position = self.signer(request, integration.webhook_secrets)
            if position is None:
                return None
            return read(request, json_event(request)).model_copy(update={"signed_by": position})

        return receive

    def sign(self, secret: SecretStr, body: bytes, at: datetime | None = None) -> dict[str, str]:
        """Return the headers that a sender puts on a body: for a test event, and for tests.

        session.post(address, data=body, headers=SCHEME.sign(secret, body, clock.now()))
        """
        time = str(int(at.timestamp())) if at is not None and self.time_header else ""
        made = self._digest(secret.get_secret_value().encode(), self._message(time.encode(), body))
        text = made.hex() if self.form is Form.HEX else base64.b64encode(made).decode("ascii")
        timed = {self.time_header: time} if self.time_header else {}
        return {**timed, self.header: self.prefix + text}

    def _parts(self, request: InboundRequest) -> _SignedParts:
        time = request.headers.get(self.time_header, "").encode("utf-8", "replace") if self.time_header else b""
        return _SignedParts(
            self,
            is_given=bool(request.headers.get(self.header, "")),
            given=self._given(request.headers),
            forms=tuple(self._message(time, body) for body in request.signable),
        )

    def _given(self, headers: Mapping[str, str]) -> bytes:
        """Return the digest that was sent, nothing for what is none; relays differ in the case that they write in."""
        text = headers.get(self.header, "")[:_LONGEST_HEADER]
        if not text.lower().startswith(self.prefix.lower()):
            return b""
        text = text[len(self.prefix) :]
        try:
            if self.form is Form.HEX:
                return binascii.unhexlify(text)
            usual = text.translate(_USUAL).rstrip("=")
            return base64.b64decode(usual + "=" * (-len(usual) % 4), validate=True)
        except (ValueError, binascii.Error):
            return b""

    def _message(self, time: bytes, body: bytes) -> bytes:
        return time + self.between + body

    def _digest(self, key: bytes, message: bytes) -> bytes:
        if len(message) <= _LARGE:
            return hmac.digest(key, message, self.digest)
        return hmac.new(key, message, getattr(hashlib, self.digest)).digest()

    def _check_age(self, request: InboundRequest) -> None:
        told = moment_of(request.headers.get(self.time_header, ""))
        if told is None or not is_fresh(told, request.received_at, self.tolerance_s):
            raise WebhookRejected(
                "The delivery is signed, and too old or too far ahead.",
                status=HTTPStatus.FORBIDDEN,
                reply="forbidden",
                code="delivery_too_old",
            )


_USUAL = str.maketrans("-_", "+/")


@dataclass(frozen=True)
class _SignedParts:
    """What a sender may have signed, and its signature; each secret is tried once."""

    scheme: SignatureScheme
    is_given: bool
    given: bytes
    forms: tuple[bytes, ...] = field(repr=False)
    _tried: dict[str, bool] = field(default_factory=dict, repr=False)

    def is_by(self, secret: SecretStr) -> bool:
        """Return whether a secret made the signature of one of the forms. An empty one proves nothing."""
        text = secret.get_secret_value()
        if text not in self._tried:
            key = text.encode("utf-8", "replace")
            # All forms are tried, so that the time it takes tells nothing.
            found = [hmac.compare_digest(self.scheme._digest(key, form), self.given) for form in self.forms]  # noqa: SLF001 - one thing in two parts
            self._tried[text] = bool(key) and any(found)
        return self._tried[text]

    def by(self, secrets: Iterable[SecretStr]) -> int | None:
        """Return which secret made it; all are tried, so that the time it takes tells nothing."""
        matches = [self.is_by(secret) for secret in secrets]
        return matches.index(True) if True in matches else None


def is_fresh(moment: datetime, received_at: datetime, tolerance_s: float = 300.0) -> bool:
    """Return whether a delivery that names its time in its body is neither old nor far ahead, as a repeated one is.

    if not is_fresh(sent_at, request.received_at): raise WebhookRejected("The delivery is too old.")
    """
    return abs((received_at - moment).total_seconds()) <= tolerance_s


def moment_of(text: str) -> datetime | None:
    """Read seconds or milliseconds since 1970, or ISO 8601, which is UTC where it names no zone; None for any other.

    moment_of("1764300000") == moment_of("2025-11-28T03:20:00Z")
    """
    text = text.strip()[:64]
    try:
        if re.fullmatch(r"[0-9]{1,14}(?:\.[0-9]{1,9})?", text):
            number = float(text)
            return datetime.fromtimestamp(number / (1000 if number >= _SINCE_1970_MS else 1), UTC)
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def json_event(request: InboundRequest) -> dict[str, Any]:
    """Return the body of a delivery as a JSON object whose texts can all be kept.

    Its size and depth are bounded by the core's intake; halves of characters, which JSON can say and no database can
    hold, are question marks.

    ticket_id = name_of(json_event(request).get("ticket_id"))

    Raises:
        WebhookRejected: it is something else.
    """
    event = object_of(request)
    if not _HALF.search(request.body):
        return event
    try:
        whole: dict[str, Any] = json.loads(json.dumps(event, ensure_ascii=False).encode("utf-8", "replace"))
    except RecursionError as exc:
        raise WebhookRejected("The body is too deep.", code="body_not_json") from exc
    return whole


def name_of(value: object) -> str:
    """Return a stranger's word for something, such as an id: printable, at most `LONGEST_NAME` long; else nothing.

    A whole number is its digits.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) < 10**LONGEST_NAME else ""
    if not isinstance(value, str):
        return ""
    printable = value if value.isprintable() else "".join(c for c in value if c.isprintable())
    return printable[:LONGEST_NAME].strip()


def delivery_id(request: InboundRequest, header: str = "") -> str:
    """Return what a sender calls a delivery over its retries; without such a header, a name made of the whole body.

    Delivery(id=delivery_id(request, "x-request-id"), event="updated", hints=frozenset({ticket_id}))
    """
    named = name_of(request.headers.get(header)) if header else ""
    return named or f"sha256:{hashlib.sha256(request.body).hexdigest()}"
