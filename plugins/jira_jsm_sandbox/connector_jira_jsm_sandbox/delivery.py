"""Sends webhook deliveries from a thread of its own: signs, retries, remembers every attempt.

The rules are those of https://community.developer.atlassian.com/t/new-jira-cloud-webhook-retry-policy/30554, with the
waiting made shorter by a factor.
"""

from __future__ import annotations

import heapq
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from urllib.parse import urlsplit

import requests

from connector_jira_jsm_sandbox.faults import WebhookFault
from connector_jira_jsm_sandbox.middlemen import MIDDLEMEN, signature

_log = logging.getLogger(__name__)

RETRIED = frozenset({408, 409, 425, 429})
MOST_RETRIES = 5
RETRY_DELAY_S = (5 * 60.0, 15 * 60.0)
HOST_PATIENCE_S = 30 * 60.0
_TIMEOUT_S = (3.0, 10.0)
_MOST_ATTEMPTS_KEPT = 2_000


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one address; retries and doubles keep its identifier."""

    webhook_id: int
    identifier: str
    event: str
    issue_key: str
    url: str
    body: bytes
    secret: str
    retry: int = 0

    def headers(self) -> dict[str, str]:
        """Return the headers that go with it."""
        headers = {
            "Content-Type": "application/json; charset=UTF-8",
            "User-Agent": "jira-sandbox-webhooks",
            "X-Atlassian-Webhook-Identifier": self.identifier,
            "X-Atlassian-Webhook-Flow": "Primary",
        }
        if self.retry:
            headers["X-Atlassian-Webhook-Retry"] = str(self.retry)
        if self.secret:
            headers["X-Hub-Signature"] = signature(self.secret, self.body)
        return headers


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of sending a delivery once; status 0 means no answer."""

    at: datetime
    delivery: Delivery
    status: int

    @property
    def is_success(self) -> bool:
        """Whether the receiver took it."""
        return 200 <= self.status < 300  # noqa: PLR2004 - the range is its own name


class Dispatcher:
    """A queue of deliveries by due time and the thread that works it off."""

    def __init__(self, clock: Callable[[], datetime], rng: random.Random, retry_factor: float) -> None:
        self.retry_factor = retry_factor
        self.middleman = ""  # one of MIDDLEMEN, or nobody
        self._clock = clock
        self._rng = rng
        self._changed = threading.Condition()
        self._queue: list[tuple[float, int, Delivery]] = []
        self._order = count()
        self._faults: list[WebhookFault] = []
        self._held: Delivery | None = None
        self._is_sending = False
        self._is_stopped = False
        self._failing_since: dict[str, float] = {}
        self._attempts: deque[Attempt] = deque(maxlen=_MOST_ATTEMPTS_KEPT)
        self._thread = threading.Thread(target=self._work, name="sandbox-webhooks", daemon=True)
        self._session = requests.Session()
        self._session.trust_env = False

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the delivery in hand; what is queued is dropped."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout=sum(_TIMEOUT_S))
        self._session.close()

    def add_fault(self, fault: WebhookFault) -> None:
        """Put trouble in the way of the next deliveries."""
        with self._changed:
            self._faults.append(fault)

    def clear_faults(self) -> None:
        """End all trouble; a delivery held back for reordering is sent."""
        with self._changed:
            self._faults.clear()
            if self._held is not None:
                self._push(self._held, 0.0)
                self._held = None

    def send(self, delivery: Delivery) -> None:
        """Queue a delivery."""
        with self._changed:
            fault = self._strike()
            if self._held is not None:
                held, self._held = self._held, None
                self._push(delivery, 0.0)
                self._push(held, 0.0)
            elif fault is None:
                self._push(delivery, 0.0)
            elif fault.kind == "reordered":
                self._held = delivery
            elif fault.kind == "doubled":
                self._push(delivery, 0.0)
                self._push(delivery, 0.0)
            elif fault.kind == "delayed":
                self._push(delivery, fault.delay_s)

    def wait_until_idle(self, timeout_s: float = 60.0) -> bool:
        """Wait until nothing is queued or being sent; False when that takes too long."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue and not self._is_sending, timeout_s)

    def attempts(self) -> list[Attempt]:
        """List what was sent, oldest first."""
        with self._changed:
            return list(self._attempts)

    def _strike(self) -> WebhookFault | None:
        if not self._faults or self._held is not None:
            return None
        fault = self._faults[0]
        fault.times -= 1
        if fault.times <= 0:
            self._faults.pop(0)
        return fault

    def _push(self, delivery: Delivery, delay_s: float) -> None:
        heapq.heappush(self._queue, (time.monotonic() + delay_s, next(self._order), delivery))
        self._changed.notify_all()

    def _work(self) -> None:
        while (delivery := self._next()) is not None:
            status = self._post(delivery)
            with self._changed:
                self._attempts.append(Attempt(self._clock(), delivery, status))
                self._plan_retry(delivery, status)
                self._is_sending = False
                self._changed.notify_all()

    def _next(self) -> Delivery | None:
        with self._changed:
            while not self._is_stopped:
                wait_s = self._queue[0][0] - time.monotonic() if self._queue else None
                if wait_s is not None and wait_s <= 0:
                    self._is_sending = True
                    return heapq.heappop(self._queue)[2]
                self._changed.wait(wait_s)
        return None

    def _post(self, delivery: Delivery) -> int:
        headers, body = delivery.headers(), delivery.body
        if self.middleman:
            headers, body = MIDDLEMEN[self.middleman](headers, body, delivery.secret)
        try:
            answer = self._session.post(
                delivery.url,
                data=body,
                headers=headers,
                timeout=_TIMEOUT_S,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            _log.debug("webhook delivery to %s failed: %s", delivery.url, type(error).__name__)
            return 0
        return answer.status_code

    def _plan_retry(self, delivery: Delivery, status: int) -> None:
        host = urlsplit(delivery.url).netloc
        is_failure = status in RETRIED or status == 0 or status >= 500  # noqa: PLR2004 - the range is its own name
        if not is_failure:
            self._failing_since.pop(host, None)
            return
        since = self._failing_since.setdefault(host, time.monotonic())
        # A host that has failed for half an hour gets one attempt per new delivery until it is well again.
        is_given_up = delivery.retry == 0 and time.monotonic() - since > HOST_PATIENCE_S * self.retry_factor
        if delivery.retry < MOST_RETRIES and not is_given_up:
            delay_s = self._rng.uniform(*RETRY_DELAY_S) * self.retry_factor
            self._push(replace(delivery, retry=delivery.retry + 1), delay_s)
