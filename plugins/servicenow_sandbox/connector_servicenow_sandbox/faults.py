"""Trouble on demand: which calls go wrong, how, and how often."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

FaultKind = Literal["status", "reset", "slow", "lost_answer", "done_then_500", "html", "truncated"]


@dataclass(slots=True)
class Fault:
    """One kind of trouble for the calls that match.

    `reset` drops the connection before anything happens, `lost_answer` after the call was done, `done_then_500`
    answers 500 after it was done; `slow` answers rightly, but late; `html` answers 200 with a page in place of doing
    anything; `truncated` cuts the answer. `times` of None goes on for ever. `path` is searched in the address without
    its host, `method` must match fully.
    """

    kind: FaultKind
    method: str = ".*"
    path: str = ".*"
    times: int | None = 1
    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    delay_s: float = 0.0
    hits: int = 0

    def __post_init__(self) -> None:
        if self.kind not in get_args(FaultKind):
            raise ValueError(f"unknown kind of fault: {self.kind}")

    def matches(self, method: str, path: str) -> bool:
        """Return whether a call is one of those that go wrong."""
        return re.fullmatch(self.method, method) is not None and re.search(self.path, path) is not None

    def shown(self) -> Any:  # noqa: ANN401 - JSON
        """Return the body that goes with its status."""
        if self.body is not None:
            return self.body
        message = f"Refused by the sandbox with {self.status}"
        return {"error": {"message": message, "detail": None}, "status": "failure"}


def rate_limited(*, retry_after: int = 60, limit: int = 100, path: str = "/api/", times: int | None = 1) -> Fault:
    """Make a 429 as the instance sends it, without any counting."""
    detail = f"Rate limit of {limit} requests per hour for Table API exceeded"
    body = {"error": {"message": "Rate limit exceeded", "detail": detail}, "status": "failure"}
    headers = {"Retry-After": str(retry_after), "X-RateLimit-Limit": str(limit)}
    return Fault("status", path=path, times=times, status=429, headers=headers, body=body)


class FaultPlan:
    """The faults in force; the first that matches a call strikes."""

    def __init__(self) -> None:
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

    def strike(self, method: str, path: str) -> Fault | None:
        """Return the fault that this call meets, if any."""
        with self._lock:
            for fault in self._faults:
                if fault.matches(method, path):
                    fault.hits += 1
                    if fault.times is not None and fault.hits >= fault.times:
                        self._faults.remove(fault)
                    return fault
        return None
