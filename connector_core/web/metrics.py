"""What Prometheus is told. Counters live as long as the process; gauges are read from the store at each scrape."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from connector_core.clock import Clock
from connector_core.store import LinkState, Store


class Metrics:
    """The counters of the HTTP surface and the gauges of the store, in a registry of their own."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.registry = CollectorRegistry()
        self.received = Counter(
            "connector_received",
            "Events and deliveries that were authenticated and stored.",
            ("kind", "outcome"),
            registry=self.registry,
        )
        self.rejected = Counter(
            "connector_rejected", "Requests that were refused, by reason.", ("kind", "code"), registry=self.registry
        )
        self.registry.register(_StoreGauges(store, clock))


class _StoreGauges(Collector):
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def describe(self) -> Iterator[Metric]:
        """Name nothing in advance, so that registering does not read the store."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        """Read the store."""
        stats = self._store.stats()
        links = GaugeMetricFamily("connector_links", "Links by state.", labels=("state",))
        for state in LinkState:
            links.add_metric((state.value,), stats.links.get(state.value, 0))
        yield links
        lanes = GaugeMetricFamily("connector_lanes", "Lanes that wait or are worked on.", labels=("state",))
        lanes.add_metric(("due",), stats.due_lanes)
        lanes.add_metric(("running",), stats.claimed_lanes)
        yield lanes
        age = 0.0 if stats.oldest_due is None else max(0.0, (self._clock.now() - stats.oldest_due).total_seconds())
        yield GaugeMetricFamily("connector_oldest_due_lane_seconds", "How long the oldest due lane waits.", value=age)
