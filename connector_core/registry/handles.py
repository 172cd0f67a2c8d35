"""The handles of integrations: what hooks are given, with whom they ask and tell behind it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from connector_core.clock import Clock
from connector_core.config import Config
from connector_core.contract.comment_rules import ToIncident
from connector_core.contract.errors import PluginError
from connector_core.contract.handles import AnyIntegration, AnySource, Integration
from connector_core.contract.memory import written
from connector_core.contract.models import AuthorizationRenewal, Grant, Site
from connector_core.engine.breakers import Breakers
from connector_core.engine.circuits import Circuit
from connector_core.http.answers import AnswerBudget
from connector_core.http.outbound import Outbound
from connector_core.metrics import Metrics
from connector_core.plugins import Plugin
from connector_core.registry.answers import settings_if_complete
from connector_core.registry.grants import GrantKeeper
from connector_core.registry.observing import known_secrets, observer
from connector_core.store import IntegrationRecord, Origin, Store

if TYPE_CHECKING:
    import requests
    from structlog.typing import FilteringBoundLogger

    from connector_core.delivery_log.recorder import DeliveryLog
    from connector_core.http.deadlines import TimedAdapter

LONGEST_LABEL = 200
MOST_HANDLES = 500  # each has a session, open connections and what its plugin remembers


@dataclass(frozen=True)
class IntegrationHandles:
    """Makes the handles of integrations when they are used, and lets those go that were not used for longest."""

    store: Store
    config: Config
    breakers: Breakers
    metrics: Metrics
    clock: Clock
    log: FilteringBoundLogger
    permit: Callable[[], None] | None = None
    answers: AnswerBudget = field(default_factory=AnswerBudget)
    delivery_log: DeliveryLog | None = None
    most: int = MOST_HANDLES
    _made: OrderedDict[str, _Made] = field(default_factory=OrderedDict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def of(self, record: IntegrationRecord, plugin: Plugin, keeper: GrantKeeper) -> AnyIntegration:
        """Return the handle of an integration with today's settings."""
        with self._lock:
            known = self._made.get(record.id)
            if known is not None and known.record is record:
                self._made.move_to_end(record.id)
                return known.integration
        kept = _Kept() if known is None else known.kept
        made = _Made(record, keeper, kept, self._make(record, plugin, keeper, kept))
        with self._lock:
            self._made[record.id] = made
            self._made.move_to_end(record.id)
            while len(self._made) > self.most:
                self._made.popitem(last=False)[1].keeper.forget()
        return made.integration

    def webhook_url(self, plugin: Plugin) -> str:
        """Return where the webhooks of a plugin's integrations are sent to."""
        return f"{self.config.server.public_url}/external/{plugin.info.webhook_route}/webhook"

    def let_go(self, integration_id: str) -> None:
        """Close the connections of an integration that was removed, and forget its cache."""
        with self._lock:
            made = self._made.pop(integration_id, None)
        if made is not None and made.kept.connections is not None:
            made.kept.connections[1].close()

    # Private

    def _make(self, record: IntegrationRecord, plugin: Plugin, keeper: GrantKeeper, kept: _Kept) -> AnyIntegration:
        """Return the handle of an integration with today's settings, and with an empty cache.

        A grant is renewed through a handle of its own, whose requests carry none: a renewal cannot ask for another.
        """
        # What calls is slow to load, and most commands call nobody.
        from connector_core.delivery_log.entries import Whose  # noqa: PLC0415
        from connector_core.http.grant_auth import GrantAuth  # noqa: PLC0415
        from connector_core.http.session import HTTPSession, user_agent  # noqa: PLC0415

        kept.cache.clear()
        adapter = kept.adapter(self._outbound(record))
        settings = settings_if_complete(plugin, record)
        plugin_settings = self.config.plugin_settings.get(plugin.name) or plugin.info.plugin_settings()
        secret = (settings, plugin_settings, record.secret_answers, record.webhook_secrets)
        whose = Whose(record.organization, record.id, partial(known_secrets, self.config, *secret))
        tell = None if self.delivery_log is None else partial(self.delivery_log.called, whose)
        agent = user_agent(plugin.name, plugin.version)
        observe = observer(self.metrics, self.clock, plugin.name, record.id, tell)
        own = self.store.webhooks.managed(record.id)
        about = (self.store, self.breakers, plugin, record, keeper)
        renewing = Integration(
            id=record.id,
            organization=record.organization,
            settings=settings,
            answers=record.answers,
            secret_answers=record.secret_answers,
            plugin_settings=plugin_settings,
            session=HTTPSession(agent, observe=observe, permit=self.permit, adapter=adapter, answers=self.answers),
            core=_CoreAtRenewal(*about),
            webhook_secrets=record.webhook_secrets,
            webhook_url=self.webhook_url(plugin),
            clock=self.clock,
            log=self.log.bind(organization=record.organization, integration=record.id),
            cache=kept.cache,
            webhook_registration=None if own is None else own.registration,
            reads_comments=record.comments.to_incident is not ToIncident.NONE,
            memory=_StoredMemory(self.store, self.clock, record.id),
            shaping=plugin.info.shaping(settings),
        )
        if not plugin.implements("authorize"):  # what its requests prove themselves with is among its settings
            return renewing
        renewal = Renewal(plugin, renewing)
        core = _Core(*about, renewal)
        session = HTTPSession(agent, observe=observe, permit=self.permit, adapter=adapter, answers=self.answers)
        session.auth = GrantAuth(core, renewal.is_curable, observe, session.holdings)
        return replace(renewing, core=core, session=session)

    def _outbound(self, record: IntegrationRecord) -> Outbound:
        is_written = record.origin is Origin.YAML
        return self.config.calls() if is_written else self.config.calls_of_setup(record.organization, record.plugin)


@dataclass(frozen=True)
class Renewal:
    """Has a plugin renew a grant."""

    plugin: Plugin
    #: Its requests carry no grant.
    integration: AnyIntegration

    @property
    def leeway_s(self) -> float:
        """How long after a renewal the other side takes the grant of before."""
        return self.plugin.info.renewal_leeway_s

    def renewed(self, grant: Grant) -> Grant:
        """Return a new grant.

        Raises:
            AuthError: a person has to authorize again.
            RetryLater: the other side could not be asked now.
            ConfigError: this kind of authorization cannot be renewed.
        """
        request = AuthorizationRenewal(grant=grant)
        return self.plugin.authorize(self.integration, request)

    def is_curable(self, response: requests.Response) -> bool:
        """Return whether a renewed grant may do better than the one that this answer refuses."""
        if not self.plugin.implements("is_curable"):
            return True
        return self.plugin.is_curable(response)


def silent(integration: AnyIntegration) -> AnyIntegration:
    """Return a handle that calls nobody, not even to renew a grant: for what is looked at only."""
    from connector_core.http.session import SilentSession  # noqa: PLC0415 - as above

    core = integration.core
    if isinstance(core, _Core):
        core = _CoreAtRenewal(core.store, core.breakers, core.plugin, core.record, core.keeper)
    return replace(integration, core=core, session=SilentSession(), cache={})


def silent_source(source: AnySource) -> AnySource:
    """Return a handle of a source that calls nobody."""
    from connector_core.http.session import SilentSession  # noqa: PLC0415 - as above

    return replace(source, session=SilentSession())


def circuit_of(plugin: Plugin, record: IntegrationRecord, site: Site | None) -> Circuit:
    """Return the circuit breakers of a site and an app, which integrations share, and of the integration's grant.

    Those of other organizations share them only where it is proven which site it is.
    """
    name = record.id if site is None else site.known_as(record.organization)
    of = "" if site is not None and site.is_proven else record.organization
    return Circuit.of_site(plugin.name, name, record.id, of=of)


@dataclass
class _Kept:
    """What outlives a change of settings: open connections, and the plugin's cache."""

    connections: tuple[Outbound, TimedAdapter] | None = None
    cache: dict[str, Any] = field(default_factory=dict)

    def adapter(self, outbound: Outbound) -> TimedAdapter:
        """Return what holds connections open; those that were opened in another way are left."""
        from connector_core.http.session import connections  # noqa: PLC0415 - as above

        if self.connections is None or self.connections[0] != outbound:
            self.connections = (outbound, connections(outbound=outbound))
        return self.connections[1]


@dataclass(frozen=True)
class _Made:
    """A handle, and what it was made of."""

    record: IntegrationRecord
    keeper: GrantKeeper
    kept: _Kept
    integration: AnyIntegration


@dataclass(frozen=True)
class _CoreAtRenewal:
    """The core as a renewal sees it: the present grant is the one to be renewed."""

    store: Store
    breakers: Breakers
    plugin: Plugin
    record: IntegrationRecord
    keeper: GrantKeeper

    def grant(self) -> Grant | None:
        return self.keeper.present()

    def renew(self, refused: Grant) -> Grant:  # noqa: ARG002 - as all other work has it
        raise PluginError(f"The plugin {self.plugin.name} wants to renew a grant while it renews it.")

    def near_limit(self, until: datetime) -> None:
        self.breakers.near_limit(circuit_of(self.plugin, self.record, self.keeper.site()), until)

    def tell_label(self, key: str, value: str, label: str) -> None:
        kept = " ".join(label.split())[:LONGEST_LABEL]
        if kept and self.store.integrations.labels(self.record.id).get((key, value)) != kept:  # it is news
            self.store.integrations.remember_label(self.record.id, key, value, kept)

    def is_linked(self, ticket_id: str) -> bool:
        return any(self._is_at_this_site(*holder) for holder in self.store.links.with_ticket(ticket_id))

    def follows(self, ticket_id: str) -> bool:
        return self.store.links.follows(self.record.organization, ticket_id)

    def _is_at_this_site(self, integration_id: str, organization: str, site: Site | None) -> bool:
        if integration_id == self.record.id:
            return True
        mine = self.keeper.site()
        if mine is None or site is None:
            return False
        return bool(mine.names(self.record.organization) & site.names(organization))


@dataclass(frozen=True)
class _Core(_CoreAtRenewal):
    """The core as all other work sees it."""

    renewal: Renewal

    def grant(self) -> Grant | None:
        return self.keeper.grant(self.renewal)

    def renew(self, refused: Grant) -> Grant:
        return self.keeper.renew(refused, self.renewal)


@dataclass(frozen=True)
class _StoredMemory:
    """A plugin's memory of one integration, in the store."""

    store: Store
    clock: Clock
    integration_id: str

    def recall(self, key: str) -> Any:  # noqa: ANN401 - JSON
        return self.store.knowledge.recall(self.integration_id, key)

    def remember(self, key: str, value: Any) -> None:  # noqa: ANN401 - JSON
        self.store.knowledge.remember(self.integration_id, key, written(value), self.clock.now())
