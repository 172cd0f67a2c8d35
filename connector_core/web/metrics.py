"""What Prometheus is told beside the process's counters, and at which address.

The gauges are read from the store at each scrape.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from datetime import datetime

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from connector_core.clock import Clock
from connector_core.contract.errors import RetryLater
from connector_core.contract.models import Severity
from connector_core.databases import DatabasePlace, PostgreSQL
from connector_core.health.refusals import NO_ROUTE
from connector_core.loops import Watched
from connector_core.plugins import PluginSet
from connector_core.polling.statuses import Statuses
from connector_core.registry.integrations import Registry
from connector_core.store import MISSED, REFUSED, LinkState, NodeState, Store, different_files, living
from connector_core.version import VERSION

METRICS = "/metrics"
_OF_PLUGIN = ("plugin", "version", "status")


class OwnAddress:
    """Keeps /metrics and everything else apart by the port that a request came in at.

    It is the port of the socket, not the one that the request names.
    """

    def __init__(self, app: ASGIApp, *, port: int) -> None:
        self._app = app
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on if it came to the right address."""
        is_here = scope["server"][1] == self._port
        if is_here == (scope["path"] == METRICS):
            await self._app(scope, receive, send)
        else:
            await Response("not found", status_code=404)(scope, receive, send)


class StoreGauges(Collector):
    """Links, lanes, breakers, how old what waits is, and how long authorizations are good."""

    def __init__(self, store: Store, registry: Registry, clock: Clock, statuses: Statuses) -> None:
        self._statuses = statuses
        self._store = store
        self._registry = registry
        self._clock = clock

    def describe(self) -> Iterator[Metric]:
        """Name nothing in advance, so that registering does not read the store."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        """Read the store. One that cannot be read does not keep the process's own figures from being given."""
        try:
            read = tuple(self._read())
        except RetryLater:
            read = ()
        yield from read
        yield _single("store_readable", "1 while the database can be read, 0 when it cannot.", 1 if read else 0)

    def _read(self) -> Iterator[Metric]:
        stats = self._store.overview.stats()
        links = _gauge("links", "Links by integration and state.", "integration", "state")
        unlinked = _gauge("links_unlinked", "Of the paused links, those that someone unlinked.", "integration")
        oldest = _gauge("oldest_undelivered_seconds", "Age of the oldest change not synced yet.", "integration", "to")
        for name, backlog in stats.backlogs.items():
            if not backlog.links:  # ten thousand that have none would be a hundred thousand lines of zeros
                continue
            for state in LinkState:
                links.add_metric((name, state.value), backlog.links.get(state.value, 0))
            unlinked.add_metric((name,), backlog.unlinked)
            oldest.add_metric((name, "ticket"), self._age(backlog.to_ticket_since))
            oldest.add_metric((name, "incident"), self._age(backlog.to_incident_since))
        yield links
        yield unlinked
        yield oldest
        lanes = _gauge("lanes", "Lanes that are due, worked on, or parked on a breaker.", "state")
        lanes.add_metric(("due",), stats.due_lanes)
        lanes.add_metric(("running",), stats.claimed_lanes)
        lanes.add_metric(("parked",), stats.parked_lanes)
        yield lanes
        yield _single("oldest_due_lane_seconds", "How long the oldest due lane waits.", self._age(stats.oldest_due))
        yield _single("early_tickets_dropped", "Tickets heard of early that were nobody's.", stats.early_dropped)
        yield from self._nodes()
        yield from self._breakers()
        yield from self._integrations()
        yield from self._status()
        yield from self._sources()
        yield from self._notifiers()
        yield from self._findings()
        yield from self._unsent()

    def _nodes(self) -> Iterator[Metric]:
        labels = ("node", "host", "port")
        nodes = _gauge("nodes", "Daemons of this database by state; the same on each of them.", "state")
        beats = _gauge("node_beat_age_seconds", "Age of the last beat of a daemon that is not lost.", *labels)
        running = _gauge("node_lanes_running", "Lanes that a daemon works on.", *labels)
        said = "1 while a daemon, and another one of the same version, have different configuration files, else 0."
        differing = _gauge("node_config_differs", said, *labels, "config")
        found, now = self._store.nodes.every(), self._clock.now()
        different = different_files(living(found))
        for state in NodeState:
            nodes.add_metric((state.value,), sum(one.state(now) is state for one in found))
        for one in found:
            if one.ended is None:
                of_node = (one.node.id, one.node.host, str(one.node.port))
                beats.add_metric(of_node, self._age(one.seen_at))
                running.add_metric(of_node, one.lanes)
                digest = one.node.config_digest
                differing.add_metric((*of_node, digest), int(digest in different))
        yield nodes
        yield beats
        yield running
        yield differing

    def _breakers(self) -> Iterator[Metric]:
        tripped = _gauge("breaker_tripped", "Seconds since a circuit breaker tripped.", "breaker", "code")
        for breaker in self._store.breakers.every():
            tripped.add_metric((breaker.key, breaker.code), self._age(breaker.since))
        yield tripped

    def _integrations(self) -> Iterator[Metric]:
        problems = _gauge(
            "integration_problem", "1 while someone has to act for an integration.", "integration", "code"
        )
        ends = _gauge("authorization_ends_seconds", "Seconds until someone has to authorize again.", "integration")
        refused = _gauge(
            "webhook_refused",
            "Deliveries turned away; no integration when whose is unknown.",
            "route",
            "integration",
            "code",
        )
        missed = _gauge("webhook_missed", "Changes found only by polling.", "integration")
        now, facts_of = self._clock.now(), self._store.webhooks.facts_of_all()
        until = self._store.grants.ends()
        for entry in self._registry.entries():
            facts = facts_of.get(entry.record.id, {})
            missed.add_metric((entry.record.id,), facts[MISSED].count if MISSED in facts else 0)
            for name in (name for name in facts if name.startswith(REFUSED)):
                labels = (entry.plugin.info.webhook_route or "", entry.record.id, name.removeprefix(REFUSED))
                refused.add_metric(labels, facts[name].count)
            if entry.record.problem_code:
                problems.add_metric((entry.record.id, entry.record.problem_code), 1)
            if entry.record.id in until:
                ends.add_metric((entry.record.id,), (until[entry.record.id] - now).total_seconds())
        for route in (NO_ROUTE, *self._registry.routes()):
            for code, fact in self._store.webhooks.refused(route).items():
                refused.add_metric((route, "", code), fact.count)
        yield problems
        yield missed
        yield refused
        yield ends

    def _status(self) -> Iterator[Metric]:
        """Say how each integration stands, with the words of the console."""
        said = "1 for the status of an integration and its reason, as on the console and in the status command."
        status, known = _gauge("integration_status", said, "integration", "status", "code"), self._statuses.known()
        for entry in self._registry.entries():
            found = self._statuses.of_entry(entry, known)
            status.add_metric((entry.record.id, found.word.value, found.code), 1)
        yield status
        outages = _gauge("outage_seconds", "Seconds since a side does not answer.", "breaker", "name")
        for outage in self._statuses.outages(known):
            outages.add_metric((outage.key, outage.title), self._age(outage.since))
        yield outages

    def _sources(self) -> Iterator[Metric]:
        ages = _gauge("source_answer_age_seconds", "Age of the last look at a source that worked.", "organization")
        incidents = _gauge("source_open_incidents", "Open incidents that the last look showed.", "organization")
        failing = _gauge("source_failing", "1 while looks at a source fail, by reason.", "organization", "code")
        for name, state in self._store.sources.states().items():
            ages.add_metric((name,), self._age(state.worked_at))
            if state.open_incidents is not None:
                incidents.add_metric((name,), state.open_incidents)
            if state.outcome != "ok":
                failing.add_metric((name, state.outcome), 1)
        yield ages
        yield incidents
        yield failing

    def _notifiers(self) -> Iterator[Metric]:
        labels = ("organization", "notifier", "code")
        failing = _gauge("notifier_failing", "1 while messages of a notifier do not arrive, by reason.", *labels)
        for status in self._registry.notifiers.statuses():
            if status.code:
                failing.add_metric((status.notifier.organization, status.notifier.name, status.code), 1)
        yield failing

    def _unsent(self) -> Iterator[Metric]:
        unsent = _gauge(
            "incidents_unsent", "Open incidents that lack a ticket by routing rules.", "organization", "reason"
        )
        for name, counts in self._store.routing.unsent_open().items():
            for state, count in counts.items():
                unsent.add_metric((name, state.value), count)
        yield unsent

    def _findings(self) -> Iterator[Metric]:
        """Count what the last check of each integration found, and say how long ago that was."""
        found = _gauge("findings", "Findings of the last check, by severity.", "integration", "severity")
        age = _gauge("checked_seconds", "How long ago everything was last tried.", "integration")
        for name, checkup in self._store.checkups.every().items():
            for severity in Severity:
                found.add_metric((name, severity.value), sum(one.severity is severity for one in checkup.findings))
            age.add_metric((name,), self._age(checkup.at))
        yield found
        yield age

    def _age(self, since: datetime | None) -> float:
        return 0.0 if since is None else max(0.0, (self._clock.now() - since).total_seconds())


class BuildInfo(Collector):
    """Which versions run: of the connector, of Python, of the kind of database, and of each plugin."""

    def __init__(self, plugins: PluginSet, database: DatabasePlace) -> None:
        self._plugins = plugins
        self._database = "postgresql" if isinstance(database, PostgreSQL) else "sqlite"

    def describe(self) -> Iterator[Metric]:
        """Name nothing in advance, as above."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        """Say it."""
        labels = ("version", "python", "database")
        build = _gauge("build_info", "1; its labels say which versions run.", *labels)
        build.add_metric((VERSION, platform.python_version(), self._database), 1)
        plugins = _gauge("plugin_info", "1 for each plugin, by its version and whether it works.", *_OF_PLUGIN)
        for record in self._plugins.records:
            plugins.add_metric((record.name, record.version, record.status.value), 1)
        yield build
        yield plugins


class LoopGauges(Collector):
    """Whether the threads that must not stop go on, and how often something unexpected was raised in them."""

    def __init__(self, loops: Sequence[Watched]) -> None:
        self._loops = loops

    def describe(self) -> Iterator[Metric]:
        """Name nothing in advance, as above."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        """Ask each."""
        works = _gauge("loop_works", "1 while a thread that must not stop goes on, 0 when it does not.", "loop")
        failures = CounterMetricFamily(
            "connector_loop_failures", "Unexpected errors that such a thread survived.", labels=["loop"]
        )
        for loop in self._loops:
            works.add_metric((loop.name,), 0 if loop.trouble() else 1)
            failures.add_metric((loop.name,), loop.failures)
        yield works
        yield failures


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"connector_{name}", text, labels=labels)


def _single(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"connector_{name}", text, value=value)
