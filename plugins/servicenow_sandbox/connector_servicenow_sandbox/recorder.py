"""Remembers the calls that came in, for tests that ask what was really sent."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

_MOST_CALLS = 20_000


@dataclass(frozen=True)
class RecordedCall:
    """One call. One whose connection was dropped has status 0; `fault` names the trouble that it met."""

    time: datetime
    method: str
    path: str
    query_string: str
    request_body: bytes
    status: int
    response_body: bytes
    fault: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def query(self) -> dict[str, list[str]]:
        """The query's values by name."""
        return parse_qs(self.query_string, keep_blank_values=True)

    @property
    def request_json(self) -> Any:  # noqa: ANN401 - JSON
        """The request's body; None when it was empty or no JSON."""
        return _read(self.request_body)

    @property
    def response_json(self) -> Any:  # noqa: ANN401 - JSON
        """The answer's body; None when it was empty or no JSON."""
        return _read(self.response_body)


def _read(body: bytes) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None


class Recorder:
    """A bounded log of calls."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: deque[RecordedCall] = deque(maxlen=_MOST_CALLS)
        self._total = 0

    def add(self, call: RecordedCall) -> None:
        """Remember a call."""
        with self._lock:
            self._calls.append(call)
            self._total += 1

    def calls(self) -> list[RecordedCall]:
        """List the calls, oldest first."""
        with self._lock:
            return list(self._calls)

    def clear(self) -> None:
        """Forget the calls; tests do this after arranging."""
        with self._lock:
            self._calls.clear()
            self._total = 0

    @property
    def total(self) -> int:
        """How many calls came in, those that fell out of the log included."""
        with self._lock:
            return self._total
