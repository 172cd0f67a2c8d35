"""What commands need that only look: the parts of the app that read, without those that work.

Each is made as the app makes it. To load the others takes a command longer than its work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from connector_core.clock import Clock
from connector_core.config import Config
from connector_core.engine.breakers import Breakers
from connector_core.metrics import Metrics
from connector_core.operations import Operations
from connector_core.plugins import PluginSet
from connector_core.polling.reconcile import Reconciler
from connector_core.polling.sources import SourcePoller
from connector_core.registry.integrations import Registry
from connector_core.store import Store

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


@dataclass(frozen=True)
class Reader:
    """The parts that read."""

    config: Config
    store: Store
    registry: Registry
    poller: SourcePoller
    operations: Operations
    clock: Clock


def build_reader(config: Config, plugins: PluginSet, *, log: FilteringBoundLogger, store: Store) -> Reader:
    """Put the parts together over an open store; nothing is called."""
    clock, metrics = store.database.clock(), Metrics()
    breakers = Breakers(store.breakers, clock, log, metrics)
    registry = Registry(store, plugins, config, breakers=breakers, metrics=metrics, clock=clock, log=log)
    reconciler = Reconciler(store, registry, breakers, clock, log, after=_nothing, listening_since=clock.now())
    return Reader(
        config=config,
        store=store,
        registry=registry,
        poller=SourcePoller(store, registry, breakers, clock, log, after=_nothing),
        operations=Operations(store, registry, reconciler, clock, log),
        clock=clock,
    )


def _nothing() -> None:
    """Wake nobody: no lane runs here."""
