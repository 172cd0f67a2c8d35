"""Which integrations there are right now, with handles that hooks can be given.

Reads the store again whenever an integration changed, in this process or another. Everything handed out is immutable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from connector_core.clock import Clock
from connector_core.config import Config
from connector_core.contract.errors import ConfigError
from connector_core.contract.handles import Integration
from connector_core.contract.models import Site
from connector_core.engine.breakers import Breakers, Circuit
from connector_core.metrics import Metrics
from connector_core.plugins import Plugin, PluginSet
from connector_core.registry.answers import link_settings, settings_of
from connector_core.registry.fresh import Fresh
from connector_core.registry.grants import GrantKeeper
from connector_core.registry.handles import IntegrationHandles, circuit_of
from connector_core.registry.sources import Sources
from connector_core.store import IntegrationRecord, IntegrationState, Link, Store, Target

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


@dataclass(frozen=True)
class Entry:
    """One integration: its record, its plugin and its handle with today's settings, made when it is first needed."""

    record: IntegrationRecord
    plugin: Plugin
    keeper: GrantKeeper
    handles: IntegrationHandles = field(repr=False, compare=False)

    @cached_property
    def handle(self) -> Integration:
        """What hooks are given."""
        return self.handles.make(self.record, self.plugin, self.keeper)


@dataclass(frozen=True)
class _State:
    entries: Mapping[str, Entry]
    broken: Mapping[str, tuple[IntegrationRecord, ConfigError]]
    ambiguous: frozenset[str]


class Registry:
    """The present set of integrations; `sources` is that of incident sources."""

    def __init__(  # noqa: PLR0913 - its parts, by keyword
        self,
        store: Store,
        plugins: PluginSet,
        config: Config,
        *,
        breakers: Breakers,
        metrics: Metrics,
        clock: Clock,
        log: FilteringBoundLogger,
    ) -> None:
        self._store = store
        self._plugins = plugins
        self._config = config
        self._clock = clock
        self._log = log
        self._keepers: dict[str, GrantKeeper] = {}
        self._handles = IntegrationHandles(store, config, breakers, metrics, clock, log)
        self._fresh = Fresh(store, self._load)
        self.sources = Sources(store, plugins, config, metrics, clock, log)

    def entries(self) -> Sequence[Entry]:
        """Return the integrations whose plugin is at hand, in the order in which they were made."""
        return tuple(self._fresh.get().entries.values())

    def broken(self) -> Sequence[tuple[IntegrationRecord, ConfigError]]:
        """Return the integrations whose plugin is not at hand, and why."""
        return tuple(self._fresh.get().broken.values())

    def entry(self, integration_id: str) -> Entry:
        """Return one integration.

        Raises:
            ConfigError: there is none of that name, or its plugin is not at hand.
        """
        state = self._fresh.get()
        if integration_id in state.entries:
            return state.entries[integration_id]
        if integration_id in state.broken:
            raise state.broken[integration_id][1]
        if any(integration_id in one.integrations for one in self._config.organizations.values()):
            raise ConfigError(
                f"{integration_id} is in the configuration file, and the connector has not taken it over yet.",
                code="integration_not_taken_over",
                fix="Start the connector, or run: connector config apply",
            )
        raise ConfigError(
            f"There is no integration {integration_id!r}.",
            code="integration_unknown",
            fix="See them all with: connector integrations list",
        )

    def usable(self, integration_id: str) -> bool:
        """Return whether there is an integration of that name whose plugin is at hand."""
        return integration_id in self._fresh.get().entries

    def for_link(self, link: Link) -> tuple[Entry, Integration]:
        """Return a link's integration, and a handle whose settings are those the link was made with."""
        entry = self.entry(link.integration_id)
        return entry, self.with_settings(entry, link.settings)

    def with_settings(self, entry: Entry, kept: Mapping[str, Any]) -> Integration:
        """Return an integration's handle with the settings that a link keeps."""
        answers = {**entry.record.answers, **kept}
        if answers == entry.record.answers:
            return entry.handle
        settings = settings_of(entry.plugin, answers, entry.record)
        return replace(entry.handle, settings=settings, answers=answers, shaping=entry.plugin.info.shaping(settings))

    def site(self, entry: Entry) -> Site | None:
        """Return the site that an integration's authorization is for, as it is known here; nobody is asked."""
        grant = entry.keeper.present()
        return None if grant is None else grant.site

    def circuit(self, entry: Entry) -> Circuit:
        """Return the circuit breakers of an integration's site and app; integrations with one site share them."""
        return circuit_of(entry.plugin, entry.record, entry.keeper.site())

    def present_settings(self, integration_id: str) -> dict[str, Any]:
        """Return the settings that a link of an integration would keep if it were made now."""
        entry = self.entry(integration_id)
        return link_settings(entry.plugin, entry.record.answers)

    def targets(self, organization: str) -> list[Target]:
        """Return the active integrations that an organization's incidents go to."""
        return [
            Target(
                integration_id=entry.record.id,
                link_settings=link_settings(entry.plugin, entry.record.answers),
                activated_at=entry.record.activated_at or entry.record.created_at,
            )
            for entry in self._fresh.get().entries.values()
            if entry.record.organization == organization and entry.record.state is IntegrationState.ACTIVE
        ]

    def listeners(self, route: str, integration_id: str | None = None) -> list[Entry]:
        """Return the active integrations that a webhook on a route may be for, in the order in which they were made."""
        return [
            entry
            for entry in self._fresh.get().entries.values()
            if entry.plugin.info.webhook_route == route
            and entry.record.state is IntegrationState.ACTIVE
            and integration_id in {None, entry.record.id}
        ]

    def is_ambiguous(self, integration_id: str) -> bool:
        """Return whether an active integration of another organization has a webhook secret of this one.

        Who signed with that secret may then belong to either. Asked of what `listeners` gave, so the store is not read
        again: that would cost every delivery as much as the reading before.
        """
        return integration_id in self._fresh.last().ambiguous

    def routes(self) -> frozenset[str]:
        """Return the webhook routes of all plugins."""
        return frozenset(
            plugin.info.webhook_route for plugin in self._plugins.ready if plugin.info.webhook_route is not None
        )

    def reload(self) -> None:
        """Build everything anew when it is next asked for: what the configuration file says has changed."""
        self._fresh.forget()
        self.sources.forget()

    # Private

    def _load(self) -> _State:
        entries: dict[str, Entry] = {}
        broken: dict[str, tuple[IntegrationRecord, ConfigError]] = {}
        for record in self._store.integrations.every():
            try:
                plugin = self._plugins.get(record.plugin)
            except ConfigError as exc:
                broken[record.id] = (record, exc)
                self._log.warning("integration_unusable", integration=record.id, code=exc.code, reason=exc.message)
                continue
            keeper = self._keepers.setdefault(record.id, GrantKeeper(self._store, record.id, self._clock))
            keeper.forget()
            entries[record.id] = Entry(record, plugin, keeper, self._handles)
        return _State(entries, broken, _ambiguous(entries.values()))


def _ambiguous(entries: Iterable[Entry]) -> frozenset[str]:
    """Return the active integrations that share a webhook secret with one of another organization, on one route."""
    owners: dict[tuple[str | None, str], dict[str, list[str]]] = {}
    for entry in entries:
        if entry.record.state is IntegrationState.ACTIVE:
            for secret in entry.record.webhook_secrets:
                shared = owners.setdefault((entry.plugin.info.webhook_route, secret.get_secret_value()), {})
                shared.setdefault(entry.record.organization, []).append(entry.record.id)
    return frozenset(
        name for shared in owners.values() if len(shared) > 1 for names in shared.values() for name in names
    )
