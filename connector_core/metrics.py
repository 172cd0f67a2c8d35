"""What is counted while the process lives; the only core module besides `web` that knows Prometheus.

Its library is loaded when the counters are first asked for: most commands count nothing, and it is slow to load.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

# In seconds. A call ends within a minute; a ticket may have to wait for a site that is away.
CALL_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
TICKET_BUCKETS = (1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21600)


class Metrics:
    """The counters, in a registry of their own so that several apps can live in one process."""

    def called(self, plugin: str, place: str, method: str, status: int | None, took_s: float) -> None:
        """Count a call to an integration's or a source's system, by the first digit of the answer's status.

        How long calls take is kept by plugin: by place it would be a dozen figures for each of thousands.
        """
        answer = "none" if status is None else f"{status // 100}xx"
        self._counters.calls.labels(place=place, method=method, answer=answer).inc()
        self._counters.call_seconds.labels(plugin=plugin, answer=answer).observe(took_s)

    def quota_left(self, place: str, share: float) -> None:
        """Note which share of its rate limit a place said to have left for us."""
        self._counters.quota_left.labels(place=place).set(share)

    def ticket_made(self, plugin: str, took_s: float) -> None:
        """Note how long it took from taking an incident to its ticket."""
        self._counters.ticket_seconds.labels(plugin=plugin).observe(max(0.0, took_s))

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

    def log_omitted(self, kind: str, number: int) -> None:
        """Count what the delivery log did not keep."""
        self._counters.log_omitted.labels(kind=kind).inc(number)

    @property
    def registry(self) -> CollectorRegistry:
        """The registry that holds all of them, for the page that shows them."""
        return self._counters.registry

    @cached_property
    def _counters(self) -> _Counters:
        return _Counters()


class _Counters:
    def __init__(self) -> None:
        from prometheus_client import (  # noqa: PLC0415 - see above
            CollectorRegistry,
            ProcessCollector,
            disable_created_metrics,
        )

        # When each counter began would be a row more for each, of which nobody makes anything.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no annotations
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.call_seconds = self._histogram(
            "connector_call_seconds",
            "How long calls to the systems on both sides take.",
            CALL_BUCKETS,
            "plugin",
            "answer",
        )
        self.ticket_seconds = self._histogram(
            "connector_ticket_seconds", "From taking an incident to its ticket.", TICKET_BUCKETS, "plugin"
        )
        self.quota_left = self._gauge(
            "connector_rate_limit_left_ratio",
            "Share of a place's rate limit that was left at the last answer.",
            "place",
        )
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
        self.log_omitted = self._counter(
            "connector_delivery_log_omitted",
            "Deliveries and calls that are not in the delivery log, because too many came at once.",
            "kind",
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        from prometheus_client import Counter  # noqa: PLC0415 - see above

        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        from prometheus_client import Gauge  # noqa: PLC0415 - see above

        return Gauge(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        from prometheus_client import Histogram  # noqa: PLC0415 - see above

        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)
