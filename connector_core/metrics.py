"""What is counted while the process lives; the only core module besides `web` that knows Prometheus.

Its library is loaded when the counters are first asked for: most commands count nothing, and it is slow to load.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter


class Metrics:
    """The counters, in a registry of their own so that several apps can live in one process."""

    def called(self, place: str, method: str, status: int | None) -> None:
        """Count a call to an integration's or a source's system, by the first digit of the answer's status."""
        answer = "none" if status is None else f"{status // 100}xx"
        self._counters.calls.labels(place=place, method=method, answer=answer).inc()

    def put_off(self, integration: str, code: str) -> None:
        """Count that a lane is to be tried again later."""
        self._counters.retries.labels(integration=integration, code=code).inc()

    def tripped(self, key: str, code: str) -> None:
        """Count that a circuit breaker tripped; its kind is the key's first part."""
        self._counters.trips.labels(kind=key.partition(":")[0], code=code).inc()

    def received(self, kind: str, outcome: str, number: int) -> None:
        """Count events or deliveries that were authenticated and stored."""
        self._counters.received.labels(kind=kind, outcome=outcome).inc(number)

    def rejected(self, kind: str, code: str, number: int = 1) -> None:
        """Count a request that was refused, or events of one."""
        self._counters.rejected.labels(kind=kind, code=code).inc(number)

    def unknown_fields(self, organization: str, number: int) -> None:
        """Count fields of events that nobody here knows."""
        self._counters.unknown_fields.labels(organization=organization).inc(number)

    @property
    def registry(self) -> CollectorRegistry:
        """The registry that holds all of them, for the page that shows them."""
        return self._counters.registry

    @cached_property
    def _counters(self) -> _Counters:
        return _Counters()


class _Counters:
    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry  # noqa: PLC0415 - see above

        self.registry = CollectorRegistry()
        self.calls = self._counter(
            "connector_calls", "Calls to the systems on both sides.", "place", "method", "answer"
        )
        self.retries = self._counter("connector_retries", "Work put off to be tried again.", "integration", "code")
        self.trips = self._counter(
            "connector_breaker_trips", "Pauses of all calls to a place, by reason.", "kind", "code"
        )
        self.received = self._counter(
            "connector_received", "Events and deliveries that were authenticated and stored.", "kind", "outcome"
        )
        self.unknown_fields = self._counter(
            "connector_event_unknown_fields", "Fields of pushed events that are not known and left out.", "organization"
        )
        self.rejected = self._counter("connector_rejected", "Requests that were refused, by reason.", "kind", "code")

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        from prometheus_client import Counter  # noqa: PLC0415 - see above

        return Counter(name, text, labels, registry=self.registry)
