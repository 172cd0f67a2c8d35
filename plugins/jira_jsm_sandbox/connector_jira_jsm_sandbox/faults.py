"""Trouble on demand: which calls go wrong, how, and how often. How each kind is done is in `edge.py`."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

FaultKind = Literal["status", "reset", "slow", "lost_answer", "html", "truncated"]
WebhookFaultKind = Literal["doubled", "reordered", "delayed", "dropped"]
_SERVER_ERROR = 500


@dataclass(slots=True)
class Fault:
    """One kind of trouble for the calls that match.

    `reset` drops the connection before anything happens, `lost_answer` after the write was done; `slow` answers
    rightly, but late; `html` answers 200 with a page in place of doing anything; `truncated` cuts the answer.
    `times` of None goes on for ever. `path` is searched in the address without its host, `method` must match fully.
    """

    kind: FaultKind
    method: str = ".*"
    path: str = ".*"
    times: int | None = 1
    probability: float = 1.0
    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    delay_s: float = 0.0
    hits: int = 0

    def __post_init__(self) -> None:
        if self.kind not in get_args(FaultKind):
            raise ValueError(f"unknown kind of fault: {self.kind}")
        for pattern in (self.method, self.path):
            try:
                re.compile(pattern)
            except re.error as exc:
                raise ValueError(f"not a pattern: {pattern}") from exc

    def matches(self, method: str, path: str) -> bool:
        """Return whether a call is one of those that go wrong."""
        return re.fullmatch(self.method, method) is not None and re.search(self.path, path) is not None

    def is_spent(self) -> bool:
        """Return whether it has struck as often as it should."""
        return self.times is not None and self.hits >= self.times


def rate_limited(
    *,
    retry_after: int | None = None,
    reason: str | None = None,
    reset: str | None = None,
    path: str = "/rest/",
    times: int | None = 1,
) -> Fault:
    """Make a 429 as the site sends it; without `retry_after` it is the gateway's, which names only a reset time."""
    headers: dict[str, str] = {}
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    else:
        headers["X-Failure-Category"] = "FAILURE CLIENT RATE LIMITED"
    if reason is not None:
        headers["RateLimit-Reason"] = reason
    if reset is not None:
        headers["X-RateLimit-Reset"] = reset
    return Fault("status", path=path, times=times, status=429, headers=headers)


def default_body(fault: Fault, path: str) -> Any:  # noqa: ANN401 - JSON
    """Return the body that goes with a fault's status, in the shape of the API that was called."""
    if fault.body is not None:
        return fault.body
    if fault.status == 401:  # noqa: PLR2004 - the number is the name
        return {"code": 401, "message": "Unauthorized"}
    text = "Internal server error" if fault.status == _SERVER_ERROR else f"Refused by the sandbox with {fault.status}."
    if "/servicedeskapi/" in path:
        return {"errorMessage": text, "i18nErrorMessage": {"i18nKey": "sd.error", "parameters": []}}
    if path.startswith("/oauth/"):
        return {"error": "temporarily_unavailable", "error_description": text}
    return {"errorMessages": [text], "errors": {}}


class FaultPlan:
    """The faults in force; the first that matches a call strikes."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        """Put a fault in force."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """End all trouble."""
        with self._lock:
            self._faults.clear()

    def listed(self) -> list[Fault]:
        """List the faults in force."""
        with self._lock:
            return list(self._faults)

    def strike(self, method: str, path: str) -> Fault | None:
        """Return the fault that this call meets, if any."""
        with self._lock:
            for fault in self._faults:
                if fault.matches(method, path) and self._rng.random() < fault.probability:
                    fault.hits += 1
                    if fault.is_spent():
                        self._faults.remove(fault)
                    return fault
        return None


@dataclass(slots=True)
class WebhookFault:
    """Trouble for the next webhook deliveries; `reordered` sends two in the wrong order."""

    kind: WebhookFaultKind
    times: int = 1
    delay_s: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(WebhookFaultKind):
            raise ValueError(f"unknown kind of webhook fault: {self.kind}")
