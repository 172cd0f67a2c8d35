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
from connector_core.plugins import PluginSet
from connector_core.polling.sources import SourcePoller
from connector_core.registry.integrations import Registry
from connector_core.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from structlog.typing import FilteringBoundLogger

    from connector_core.contract.setup_steps import SetupStep
    from connector_core.operations import Operations
    from connector_core.polling.statuses import Statuses
    from connector_core.setup.routing import RoutingSetup


@dataclass(frozen=True)
class Reader:
    """The parts that read."""

    config: Config
    plugins: PluginSet
    store: Store
    registry: Registry
    poller: SourcePoller
    breakers: Breakers
    clock: Clock
    log: FilteringBoundLogger

    @property
    def statuses(self) -> Statuses:
        """How integrations stand; only a draft needs the steps of set-up."""
        from connector_core.polling.statuses import Statuses  # noqa: PLC0415 - most listings say nothing of it

        return Statuses(self.store, self.registry, self.poller, self.clock, missing=self._missing)

    def _missing(self, integration_id: str) -> Sequence[SetupStep]:
        from connector_core.setup.integrations import SetupFlow  # noqa: PLC0415 - slow to load

        flow = SetupFlow(self.store, self.registry, self.plugins, self.config, self.clock, self.log)
        return flow.missing(integration_id)

    @property
    def operations(self) -> Operations:
        """What there is to say of links; most listings say nothing of them."""
        from connector_core.operations import Operations  # noqa: PLC0415 - slow to load
        from connector_core.polling.reconcile import Reconciler  # noqa: PLC0415 - as above

        since = self.clock.now()
        about = (self.store, self.registry, self.breakers, self.clock, self.log)
        reconciler = Reconciler(*about, after=_nothing, listening_since=since)
        return Operations(self.store, self.registry, reconciler, self.clock, self.log)

    @property
    def routing(self) -> RoutingSetup:
        """What there is to say of rules for incidents."""
        from connector_core.setup.routing import RoutingSetup  # noqa: PLC0415 - as above

        return RoutingSetup(self.store, self.registry, self.config, self.clock, self.log)


def build_reader(config: Config, plugins: PluginSet, *, log: FilteringBoundLogger, store: Store) -> Reader:
    """Put the parts together over an open store; nothing is called."""
    clock, metrics = store.database.clock(), Metrics()
    breakers = Breakers(store.breakers, clock, log, metrics)
    registry = Registry(
        store, plugins, config, breakers=breakers, metrics=metrics, clock=clock, log=log, takes_deliveries=False
    )
    return Reader(
        config=config,
        plugins=plugins,
        store=store,
        registry=registry,
        poller=SourcePoller(store, registry, breakers, clock, log, after=_nothing),
        breakers=breakers,
        clock=clock,
        log=log,
    )


def _nothing() -> None:
    """Wake nobody: no lane runs here."""
