"""The script that an administrator pasted, played: a signed request after each insert and update, and before a delete.

What the script signs, and how, is its author's; `RuleScheme` describes it. The instance asks once: there is no retry.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import queue
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import requests

from connector_servicenow_sandbox.times import SandboxClock
from connector_servicenow_sandbox.writing import Change, Operation

_TIMEOUT_S = 10.0
_MOST_ATTEMPTS = 2_000
RuleFault = Literal["dropped", "doubled", "reordered"]


def small_body(change: Change, timestamp: str) -> dict[str, Any]:
    """Return what tells a receiver where to look, and nothing more."""
    row = change.row
    return {
        "event": change.operation,
        "table": change.table,
        "sys_id": row["sys_id"],
        "number": row["number"],
        "sys_mod_count": row["sys_mod_count"],
        "sys_updated_on": row["sys_updated_on"],
        "sys_updated_by": change.user_name,
        "sent_at": timestamp,
    }


@dataclass(frozen=True, slots=True)
class RuleScheme:
    """How the script signs. The body is ASCII: what is not is escaped, so that signed and sent bytes are the same."""

    signature_header: str = "X-Signature"
    #: An empty name sends no timestamp; then `message` must not ask for it.
    timestamp_header: str = "X-Timestamp"
    #: What is signed, of `timestamp`, `body`, `sys_id`, `sys_mod_count` and `event`.
    message: str = "{timestamp}.{body}"
    prefix: str = ""
    unit: Literal["s", "ms"] = "s"
    #: The secret is the base64 of the key; otherwise the script encodes it, and the key is its text.
    secret_is_base64: bool = False
    more_headers: Mapping[str, str] = field(default_factory=dict)
    #: What is sent, made of the write and of the time as `unit` says.
    body: Callable[[Change, str], Mapping[str, Any]] = small_body
    operations: frozenset[Operation] = frozenset({"insert", "update", "delete"})

    def request(self, change: Change, secret: str, now: datetime) -> tuple[bytes, dict[str, str]]:
        """Return the body and the headers of one request."""
        moment = now.timestamp()
        timestamp = str(int(moment * 1000) if self.unit == "ms" else int(moment))
        text = json.dumps(self.body(change, timestamp), ensure_ascii=True, separators=(",", ":"))
        names = {
            "sys_id": change.row["sys_id"],
            "sys_mod_count": change.row["sys_mod_count"],
            "event": change.operation,
        }
        signed = self.message.format(timestamp=timestamp, body=text, **names)
        headers = {"Content-Type": "application/json", **self.more_headers}
        headers[self.signature_header] = self.prefix + self.sign(signed, secret)
        if self.timestamp_header:
            headers[self.timestamp_header] = timestamp
        return text.encode("ascii"), headers

    def sign(self, text: str, secret: str) -> str:
        """Return the MAC in base64, as generateMac does with a key in base64."""
        key = base64.b64decode(secret) if self.secret_is_base64 else secret.encode()
        return base64.b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).decode()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request that the script sent; status 0 when nobody answered, or when it was lost on its way."""

    at: datetime
    url: str
    operation: Operation
    sys_id: str
    body: bytes
    headers: Mapping[str, str]
    status: int


@dataclass(frozen=True, slots=True)
class _Rule:
    url: str
    secret: str
    scheme: RuleScheme


@dataclass(frozen=True, slots=True)
class _Job:
    rule: _Rule
    change: Change
    at: datetime


class BusinessRules:
    """Runs the pasted script from a thread of its own, in the order of the writes unless a fault says otherwise."""

    def __init__(self, clock: SandboxClock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._rules: list[_Rule] = []
        self._faults: list[RuleFault] = []
        self._held: list[_Job] = []
        self._attempts: deque[Attempt] = deque(maxlen=_MOST_ATTEMPTS)
        self._jobs: queue.Queue[_Job | None] = queue.Queue()
        self._thread = threading.Thread(target=self._work, name="sandbox-business-rules", daemon=True)

    def start(self) -> None:
        """Begin to run."""
        self._thread.start()

    def stop(self) -> None:
        """End; what waits is not sent."""
        self._jobs.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout=_TIMEOUT_S)

    def paste(self, url: str, secret: str, scheme: RuleScheme) -> None:
        """Set a rule up, as an administrator does who pastes the script."""
        with self._lock:
            self._rules.append(_Rule(url, secret, scheme))

    def remove_all(self) -> None:
        """Delete the rules."""
        with self._lock:
            self._rules.clear()

    def add_fault(self, kind: RuleFault) -> None:
        """Make trouble for the next request: one fault, one request; `reordered` swaps two."""
        with self._lock:
            self._faults.append(kind)

    def tell(self, change: Change) -> None:
        """Take a write; called while the database is locked, so the order is that of the writes."""
        with self._lock:
            rules = [one for one in self._rules if change.operation in one.scheme.operations]
        for rule in rules:
            self._jobs.put(_Job(rule, change, self._clock.now()))

    def attempts(self) -> list[Attempt]:
        """List what was sent, oldest first."""
        with self._lock:
            return list(self._attempts)

    def wait(self) -> None:
        """Wait until everything that was told so far has been sent."""
        self._jobs.join()

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            try:
                if job is None:
                    return
                self._run(job)
            finally:
                self._jobs.task_done()

    def _run(self, job: _Job) -> None:
        with self._lock:
            fault = self._faults.pop(0) if self._faults and not self._held else None
            held, self._held = self._held, []
        if fault == "reordered":
            self._held = [job]
            return
        for one in (job, *held, *((job,) if fault == "doubled" else ())):
            self._send(one, is_lost=fault == "dropped")

    def _send(self, job: _Job, *, is_lost: bool) -> None:
        body, headers = job.rule.scheme.request(job.change, job.rule.secret, job.at)
        status = 0
        if not is_lost:
            try:
                with requests.Session() as session:
                    session.trust_env = False
                    sent = session.post(
                        job.rule.url, data=body, headers=headers, timeout=_TIMEOUT_S, allow_redirects=False
                    )
                status = sent.status_code
            except requests.RequestException:
                status = 0
        change = job.change
        attempt = Attempt(job.at, job.rule.url, change.operation, change.row["sys_id"], body, headers, status)
        with self._lock:
            self._attempts.append(attempt)
