"""Signing and verifying requests as the Standard Webhooks specification says.

A request carries `webhook-id`, `webhook-timestamp` (unix seconds) and `webhook-signature`: any number of `v1,<base64>`
parted by spaces, each the HMAC-SHA256 of `{id}.{timestamp}.{body}` (https://www.standardwebhooks.com).

The specification's own library is not used here: on hostile input it lets ValueError, binascii.Error and
UnicodeDecodeError escape, and it reads the machine's clock. The tests use it as an independent signer and verifier.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from connector_core.contract.errors import ConfigError, WebhookRejected

SECRET_PREFIX = "whsec_"  # noqa: S105 - the prefix that all such secrets share
TOLERANCE_S = 300

# More signatures than anyone's rotation needs; the bound keeps a header full of them from costing time.
_MAX_SIGNATURES = 16
_VERSION = "v1,"
_ID = re.compile(r"[\x21-\x7e]{1,255}")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


def signing_keys(secret: str) -> tuple[bytes, ...]:
    """Return the keys that a secret may stand for.

    With the prefix `whsec_` there is one: the rest, decoded. Without it there may be two, the text itself and what it
    decodes to, because senders differ in whether they decode a secret that merely looks like base64; both are as hard
    to guess as the secret. An empty secret is refused: it would accept everybody.
    """
    if secret.startswith(SECRET_PREFIX):
        key = _decoded(secret.removeprefix(SECRET_PREFIX))
        if not key:
            raise ConfigError(
                f"What follows {SECRET_PREFIX} in the secret is not base64.",
                code="webhook_secret_invalid",
                fix="Copy the secret again, as a whole.",
            )
        return (key,)
    if not secret:
        raise ConfigError("The webhook secret is empty.", code="webhook_secret_invalid")
    try:
        text = secret.encode()
    except UnicodeEncodeError as exc:  # bytes of the environment that were no UTF-8
        raise ConfigError("The webhook secret is no text.", code="webhook_secret_invalid") from exc
    key = _decoded(secret)
    return (key, text) if key else (text,)


def sign(keys: Iterable[bytes], message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Return the headers that go with a body: one signature for each key, so that either side may rotate."""
    timestamp = str(int(at.timestamp()))
    digests = [base64.b64encode(_digest(key, message_id, timestamp, body)).decode() for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_VERSION + digest for digest in digests),
    }


def verify(  # noqa: PLR0913 - what is verified, and by what
    keys: Sequence[bytes],
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
    tolerance_s: int = TOLERANCE_S,
    *,
    forms: Sequence[bytes] = (),
) -> str:
    """Return the message id of an authentic request; raise `WebhookRejected` for any other.

    Args:
        keys: the keys of all secrets that are accepted at present.
        headers: as received, names in lower case.
        body: the exact bytes that were received.
        now: the present, aware.
        tolerance_s: how far the sender's clock may be off, and how old a repeated request may be.
        forms: other forms of the body that the sender may have signed.
    """
    message_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not _ID.fullmatch(message_id):
        raise _rejected("webhook-id is missing or has characters other than printable ASCII")
    if not _TIMESTAMP.fullmatch(timestamp):
        raise _rejected("webhook-timestamp is missing or not in unix seconds")
    offset_s = int(timestamp) - now.timestamp()
    if abs(offset_s) > tolerance_s:
        raise _rejected(f"webhook-timestamp is {offset_s:+.0f} s off our clock, {tolerance_s} s are allowed")
    given = _signatures(headers.get("webhook-signature", ""))
    if not given:
        raise _rejected("webhook-signature is missing or holds no readable v1 signature")
    if not _any_equal([_digest(key, message_id, timestamp, one) for key in keys for one in (body, *forms)], given):
        raise _rejected("no signature fits; the secrets differ or the body was changed on its way")
    return message_id


def _signatures(header: str) -> list[bytes]:
    """Read the v1 signatures; those of other versions or that are no base64 are passed over."""
    texts = [part.removeprefix(_VERSION) for part in header.split(" ")[:_MAX_SIGNATURES] if part.startswith(_VERSION)]
    return [digest for digest in map(_decoded, texts) if digest]


def _any_equal(expected: list[bytes], given: list[bytes]) -> bool:
    """Compare every pair, each in constant time, without stopping at the first that fits."""
    return any([hmac.compare_digest(ours, theirs) for ours in expected for theirs in given])  # noqa: C419 - a generator would stop early


def _digest(key: bytes, message_id: str, timestamp: str, body: bytes) -> bytes:
    return hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)


def _decoded(text: str) -> bytes:
    """Decode base64, padded or not; nothing when it is none."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):  # ValueError: characters beyond ASCII
        return b""


def _rejected(reason: str) -> WebhookRejected:
    return WebhookRejected(reason, status=401, reply="signature not accepted", code="signature_not_accepted")
