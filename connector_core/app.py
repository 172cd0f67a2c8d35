"""The composition root: the only place where everything meets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from socket import gethostname
from time import monotonic
from uuid import uuid4

from structlog.typing import FilteringBoundLogger

from connector_core.by_the_clock import RECONCILE, ByTheClock
from connector_core.clock import Clock
from connector_core.config import Config
from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.models.record import build_all
from connector_core.delivery_log.recorder import DeliveryLog, Keeping
from connector_core.engine.backoff import Waits
from connector_core.engine.breakers import Breakers
from connector_core.engine.cluster_node import ClusterNode
from connector_core.engine.duties import Duties, OwnDuties, SharedDuties
from connector_core.engine.engine import Engine
from connector_core.engine.nodes import LoneNode, ThisNode
from connector_core.health.clock_watch import ClockWatch
from connector_core.inbound.intake import Intake
from connector_core.inbound.managed_webhooks import ManagedWebhooks
from connector_core.inbound.replaying import Replaying
from connector_core.inbound.senders import Senders
from connector_core.linking.existing import Linker
from connector_core.linking.rebuild import Rebuilder
from connector_core.loops import Loop, Watched
from connector_core.metrics import Metrics
from connector_core.operations import Operations
from connector_core.plugins import PluginSet
from connector_core.polling.conditions import Conditions
from connector_core.polling.job import telling
from connector_core.polling.notifying import Notifying
from connector_core.polling.reconcile import Reconciler
from connector_core.polling.round_trips import RoundTrips
from connector_core.polling.schedule import Schedule
from connector_core.polling.sources import SourcePoller
from connector_core.polling.statuses import Statuses
from connector_core.registry.integrations import Registry
from connector_core.secrets import LOST_KEY_FIX, SecretBox
from connector_core.setup.applying import Applying
from connector_core.setup.authorizing import Authorizing
from connector_core.setup.configured import ConfiguredIntegrations
from connector_core.setup.display_names import DisplayNameSetup
from connector_core.setup.integrations import SetupFlow
from connector_core.setup.notifiers import NotifierSetup
from connector_core.setup.open_incidents import OpenIncidents
from connector_core.setup.organizations import Organizations
from connector_core.setup.routing import RoutingSetup
from connector_core.setup.setup_links import SetupLinks
from connector_core.setup.sources import SourceSetup
from connector_core.shares import SharedCrew
from connector_core.store import Node, Store
from connector_core.store.opening import open_store
from connector_core.sync.advance import Synchronizer
from connector_core.words.advice import for_terminal, joined

# Vendors are asked for authorizations while the file is applied.
APPLIED_WITHIN_S = 1800.0
#: So many pages may wait for vendors at once, and so many of them for one site; more are told to come again.
PAGES_THAT_CALL = 128
PAGES_PER_SITE = 8
#: So much of the time for a stop is kept for what comes after the last lane.
GOODBYE_S = 2.0


@dataclass(frozen=True)
class App:
    """All parts of the connector, built but not running."""

    config: Config
    plugins: PluginSet
    store: Store
    registry: Registry
    breakers: Breakers
    metrics: Metrics
    setup: SetupFlow
    open_incidents: OpenIncidents
    display_names: DisplayNameSetup
    authorizing: Authorizing
    source_setup: SourceSetup
    routing: RoutingSetup
    setup_links: SetupLinks
    configured: ConfiguredIntegrations
    applying: Applying
    intake: Intake
    engine: Engine
    reconciler: Reconciler
    poller: SourcePoller
    operations: Operations
    linker: Linker
    rebuilder: Rebuilder
    duties: Duties
    notifier_setup: NotifierSetup
    round_trips: RoundTrips
    organizations: Organizations
    by_the_clock: ByTheClock
    delivery_log: DeliveryLog
    replaying: Replaying
    statuses: Statuses
    schedule: Schedule
    clock_watch: ClockWatch
    hang_up: Loop
    page_calls: SharedCrew
    """Where pages call vendors: apart from all other pages, and from what works by itself."""
    clock: Clock
    log: FilteringBoundLogger

    def start(self) -> None:
        """Begin to work: apply the file's integrations, run lanes, reconcile.

        The keys come first: nothing can be sealed before. What was blocked is tried once more: the file, a plugin or
        the other side may have been mended meanwhile.
        """
        self._take_up_keys()
        self.store.grants.note_sites()
        self.store.integrations.note_signed()
        why = self.store.life.begin(self.clock.now())
        if why:
            self.log.info("earlier_tickets_are_looked_for", why=why)
        self.engine.join()
        self.duties.begin(RECONCILE)
        self.applying.at_start()
        self._say_unreadable()
        self.source_setup.tell_unused()
        self.store.lanes.wake_blocked(self.clock.now())
        self.poller.forget_refusals()
        self.delivery_log.start()
        self.engine.start()
        self.schedule.start()
        self.clock_watch.start()
        self.hang_up.start()

    @cached_property
    def loops(self) -> Sequence[Watched]:
        """All threads that must not stop; whether they go on is what `/healthz` says."""
        return (
            *self.store.database.loops,
            *self.engine.loops,
            *self.schedule.loops,
            self.clock_watch.loop,
            self.hang_up,
            self.delivery_log.loop,
            *self.page_calls.loops,
        )

    def _take_up_keys(self) -> None:
        """Have everything sealed with the first key; what none of them opens stays, and is missing meanwhile."""
        if (taken := self.store.secrets.take_up(self.clock.now())).resealed:
            self.log.info("secrets_resealed", count=taken.resealed)

    def _say_unreadable(self) -> None:
        """Say what none of the keys opens, as `connector status` does: without what the file has given again."""
        if lost := self.store.secrets.still_unreadable():
            self.log.warning(
                "secrets_unreadable",
                what=[str(one) for one in lost],
                fix=joined(LOST_KEY_FIX, for_terminal((Advice(Remedy.FORGET_SECRETS),))),
            )

    def stop(self, within_s: float | None = None) -> None:
        """Finish or give back what is running, within the configured deadline, and close the store."""
        until = monotonic() + (self.config.engine.stop_deadline_s if within_s is None else within_s)
        self.hang_up.end()
        self.clock_watch.stop()
        self.schedule.stop()
        self.page_calls.shutdown()
        left_s = max(until - monotonic(), 0.0)
        ended = self.engine.stop(left_s - min(GOODBYE_S, left_s / 2))
        self.delivery_log.stop()
        with telling(self.log, "beat"):
            self.store.life.beat(self.clock.now())
        self.log.info("stopped", all_work_ended=ended)
        self.store.close()


def build_app(
    config: Config,
    plugins: PluginSet,
    *,
    log: FilteringBoundLogger,
    clock: Clock | None = None,
    store: Store | None = None,
) -> App:
    """Put the parts together. Opens the database if no store is given, starts nothing else."""
    build_all()
    if store is None:
        store = open_store(config.database, SecretBox(config.secret_keys))
    clock = clock or store.database.clock()
    metrics = Metrics()

    def at_break() -> None:
        if store.life.has_moved():
            log.warning("earlier_tickets_are_looked_for", why="moved")
            registry.reload()

    node = _node(config, store, clock, log, at_break)
    breakers = Breakers(store.breakers, clock, log, metrics, node=node)
    delivery_log = _delivery_log(config, store, metrics, clock, log)
    registry = Registry(
        store,
        plugins,
        config,
        breakers=breakers,
        metrics=metrics,
        clock=clock,
        log=log,
        permit=node.check,
        delivery_log=delivery_log,
    )
    sync = Synchronizer(
        store,
        registry,
        breakers,
        clock,
        log,
        metrics,
        changes_per_minute=config.engine.changes_per_minute,
        is_alone=node.is_alone,
    )
    engine = Engine(
        store.lanes,
        sync,
        workers=config.engine.workers,
        per_integration=config.engine.per_integration,
        clock=clock,
        log=log,
        metrics=metrics,
        sites=registry.sites,
        node=node,
    )
    duties = OwnDuties(clock) if node.is_alone else SharedDuties(store.duties, node, clock, log)
    reconciler = Reconciler(
        store,
        registry,
        breakers,
        clock,
        log,
        after=engine.nudge,
        listening_since=clock.now(),
        every_s=config.reconcile_every_s,
    )
    managed_webhooks = ManagedWebhooks(store.webhooks, registry, log)
    setup = SetupFlow(store, registry, plugins, config, clock, log, before_rest=managed_webhooks.drop)
    open_incidents = OpenIncidents(store, registry, breakers, clock, log, engine.nudge)
    poller = SourcePoller(store, registry, breakers, clock, log, after=engine.nudge)
    authorizing = Authorizing(setup)
    source_setup = SourceSetup(store, registry, plugins, config, poller, clock, log)
    configured = ConfiguredIntegrations(authorizing, Waits(clock))
    applying = Applying(
        store,
        registry,
        configured,
        poller,
        plugins,
        config,
        clock,
        log,
        after=engine.nudge,
        duties=duties,
        is_alone=node.is_alone,
    )
    replaying = Replaying(store, registry, delivery_log, duties, clock, log, after=engine.nudge)
    round_trips = RoundTrips(store, registry, reconciler, clock, log, after=engine.nudge)
    notifying = Notifying(
        store,
        registry.notifiers,
        config,
        Conditions(store, registry, poller, clock).of,
        clock,
        log,
        organization_name=registry.organization_name,
        called=registry.title_of,
    )
    by_the_clock = ByTheClock(
        store=store,
        registry=registry,
        breakers=breakers,
        reconciler=reconciler,
        poller=poller,
        managed_webhooks=managed_webhooks,
        setup=setup,
        open_incidents=open_incidents,
        configured=configured,
        applying=applying,
        duties=duties,
        notifying=notifying,
        replaying=replaying,
        round_trips=round_trips,
        keep_history=config.history.keep,
        keep_log=(config.delivery_log.keep, config.delivery_log.payloads),
        clock=clock,
        log=log,
        nudge=engine.nudge,
    )
    schedule = Schedule(
        jobs=by_the_clock.jobs(),
        rounds=by_the_clock.rounds(),
        crews=by_the_clock.crews,
        registry=registry,
        duties=duties,
        clock=clock,
        log=log,
    )
    node.when_one_ends(schedule.one_ended)
    return App(
        config=config,
        plugins=plugins,
        store=store,
        registry=registry,
        breakers=breakers,
        metrics=metrics,
        setup=setup,
        open_incidents=open_incidents,
        display_names=DisplayNameSetup(store, setup, config, log),
        authorizing=authorizing,
        source_setup=source_setup,
        routing=RoutingSetup(store, registry, config, clock, log),
        setup_links=SetupLinks(store.setup_links, setup, source_setup, clock, log),
        configured=configured,
        applying=applying,
        intake=Intake(store, registry, log, Senders(clock)),
        engine=engine,
        reconciler=reconciler,
        poller=poller,
        operations=Operations(store, registry, reconciler, clock, log),
        rebuilder=Rebuilder(store, registry, breakers, clock, log, after=engine.nudge),
        linker=Linker(store, registry, breakers, clock, log, after=engine.nudge),
        duties=duties,
        notifier_setup=NotifierSetup(store, registry.notifiers, notifying, config, clock, log),
        round_trips=round_trips,
        organizations=Organizations(store, config, managed_webhooks.drop, log),
        by_the_clock=by_the_clock,
        delivery_log=delivery_log,
        replaying=replaying,
        statuses=Statuses(store, registry, poller, clock, missing=setup.missing),
        schedule=schedule,
        clock_watch=ClockWatch(
            store.life,
            clock,
            log,
            after=(breakers.clock_was_set, schedule.clock_was_set, engine.nudge),
            is_alone=node.is_alone,
        ),
        hang_up=_hang_up(applying, clock),
        page_calls=SharedCrew("page", PAGES_THAT_CALL, most=PAGES_PER_SITE),
        clock=clock,
        log=log,
    )


def _node(
    config: Config, store: Store, clock: Clock, log: FilteringBoundLogger, at_break: Callable[[], None]
) -> ThisNode:
    """Return the node of this process: one of several where the database allows that."""
    together = store.database.together()
    about = Node(
        id=uuid4().hex,
        host=gethostname(),
        version=version("connector-core"),
        config_digest=config.digest,
        started_at=clock.now(),
        port=config.server.port,
    )
    if together is None:
        return LoneNode(store.lanes, store.nodes, about, clock)
    return ClusterNode(
        together,
        store.nodes,
        store.lanes,
        about=about,
        clock=clock,
        log=log,
        config_digest=lambda: config.digest,
        at_break=at_break,
    )


def _delivery_log(
    config: Config, store: Store, metrics: Metrics, clock: Clock, log: FilteringBoundLogger
) -> DeliveryLog:
    said = config.delivery_log
    keeping = Keeping(said.enabled, said.keep, said.payloads, said.most)
    return DeliveryLog(store.delivery_log, keeping, metrics=metrics, clock=clock, log=log)


def _hang_up(applying: Applying, clock: Clock) -> Loop:
    """Return the loop that applies the file when it is woken, as by SIGHUP."""

    def apply() -> None:
        applying.apply()

    return Loop("apply-config", apply, first_s=None, silent_after_s=APPLIED_WITHIN_S, monotonic=clock.monotonic)
