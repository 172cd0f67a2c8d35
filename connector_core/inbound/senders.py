"""By whose secret a delivery was signed, among thousands of them.

The first active integration whose secret matches wins. Nobody has to try them in that order: once one secret is known
to have signed, the integrations that have it are known. So those that are likely are tried first: what signed for the
same site and project before, and the secrets of the integrations at that site. Only what nobody likely has signed is
held against every secret, and strangers get so much of that and no more.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice

from pydantic import SecretStr

from connector_core.clock import Clock, SystemClock
from connector_core.contract.errors import WebhookRejected
from connector_core.contract.models import Signature
from connector_core.health.refusals import SEARCH_LIMIT
from connector_core.registry.listeners import Listeners, text_of

#: What searches among all secrets may hash in a second, in bytes; more is answered 429 with Retry-After.
SEARCH_BYTES_PER_S = 64 * 1024 * 1024
#: … and at once, after a pause.
SEARCH_BURST_BYTES = 4 * SEARCH_BYTES_PER_S
#: A try costs as much as hashing this, beside the hashing of the body.
_A_TRY = 2 * 1024
_REMEMBERED = 4096
_LAST = 4
_AT_A_SITE = 16


@dataclass
class Allowance:
    """So many bytes a second; what is spent at once beyond that is made up for by a pause."""

    clock: Clock
    per_s: float = SEARCH_BYTES_PER_S
    burst: float = SEARCH_BURST_BYTES

    def __post_init__(self) -> None:
        self._left = self.burst
        self._at = self.clock.monotonic()
        self._lock = threading.Lock()

    def spend(self, size: float) -> float:
        """Spend some and return 0, or return how long to wait, in seconds, when nothing is left."""
        with self._lock:
            now = self.clock.monotonic()
            self._left = min(self.burst, self._left + (now - self._at) * self.per_s)
            self._at = now
            if self._left <= 0:
                return -self._left / self.per_s + 1
            self._left -= size
            return 0


class Senders:
    """Finds the secret that signed a delivery."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.allowance = Allowance(clock or SystemClock())
        self._signed: OrderedDict[tuple[str, str], SecretStr] = OrderedDict()
        self._last: deque[SecretStr] = deque(maxlen=_LAST)
        self._lock = threading.Lock()

    def likely(self, listeners: Listeners, signature: Signature) -> SecretStr | None:
        """Return the secret that signed if it is one of those that are likely: a few tries at most."""
        usual = self._signed.get(_place(signature))
        if usual is not None and listeners.have(usual) and signature.is_by(usual):
            return usual
        for secret in self._candidates(listeners, signature):
            if signature.is_by(secret):
                self._remember(signature, secret)
                return secret
        return None

    def _candidates(self, listeners: Listeners, signature: Signature) -> Iterator[SecretStr]:
        """Return secrets that integrations have today, the likeliest first."""
        yield from (secret for secret in tuple(self._last) if listeners.have(secret))
        if signature.site:
            at_site = (secret for entry in listeners.at(signature.site) for secret in entry.record.webhook_secrets)
            yield from islice(_distinct(at_site), _AT_A_SITE)

    def search(self, listeners: Listeners, signature: Signature, size: int) -> SecretStr | None:
        """Return the secret that signed a body of some size, in bytes, whosever it is; None when nobody's did.

        Raises:
            WebhookRejected: too much was looked for already (429).
        """
        secrets = listeners.secrets()
        wait_s = self.allowance.spend(len(secrets) * (size + _A_TRY))
        if wait_s:
            raise WebhookRejected(
                "Nobody likely signed this, and too many such deliveries came for each to be held against every"
                " secret.",
                status=HTTPStatus.TOO_MANY_REQUESTS,
                reply="too many requests",
                code=SEARCH_LIMIT,
                after_s=wait_s,
            )
        found = next((one for one in secrets if signature.is_by(one)), None)
        if found is not None:
            self._remember(signature, found)
        return found

    def _remember(self, signature: Signature, secret: SecretStr) -> None:
        with self._lock:
            self._signed[_place(signature)] = secret
            if len(self._signed) > _REMEMBERED:
                self._signed.popitem(last=False)
            if secret not in self._last:
                self._last.append(secret)


def _place(signature: Signature) -> tuple[str, str]:
    return signature.site, signature.part


def _distinct(secrets: Iterable[SecretStr]) -> Iterator[SecretStr]:
    seen: set[str] = set()
    for secret in secrets:
        text = text_of(secret)
        if text and text not in seen:
            seen.add(text)
            yield secret
