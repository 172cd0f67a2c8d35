"""What is counted while the process lives; the only core module besides `web` that knows Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter


class Meters:
    """The counters, in a registry of their own so that several apps can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._calls = self._counter(
            "connector_calls", "Calls to the systems on both sides.", "place", "method", "answer"
        )
        self._retries = self._counter("connector_retries", "Work put off to be tried again.", "integration", "code")
        self._trips = self._counter(
            "connector_breaker_trips", "Pauses of all calls to a place, by reason.", "kind", "code"
        )
        self.received = self._counter(
            "connector_received", "Events and deliveries that were authenticated and stored.", "kind", "outcome"
        )
        self.rejected = self._counter("connector_rejected", "Requests that were refused, by reason.", "kind", "code")

    def called(self, place: str, method: str, status: int | None) -> None:
        """Count a call to an integration's or a source's system, by the first digit of the answer's status."""
        answer = "none" if status is None else f"{status // 100}xx"
        self._calls.labels(place=place, method=method, answer=answer).inc()

    def put_off(self, integration: str, code: str) -> None:
        """Count that a lane is to be tried again later."""
        self._retries.labels(integration=integration, code=code).inc()

    def tripped(self, key: str, code: str) -> None:
        """Count that a circuit breaker tripped; its kind is the key's first part."""
        self._trips.labels(kind=key.partition(":")[0], code=code).inc()

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)
