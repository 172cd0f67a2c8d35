"""Which integrations and sources there are right now, as handles that hooks can be given.

Reads the store again whenever an integration changed, in this process or another. Everything handed out is immutable.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.config import Config, SourceConfig
from connector_core.contract.comment_rules import ToIncident
from connector_core.contract.errors import ConfigError
from connector_core.contract.handles import Integration, Source
from connector_core.contract.memory import written
from connector_core.contract.models import AuthorizationRenewal, Grant, Site
from connector_core.contract.plugin_info import Settings
from connector_core.contract.secret_lists import STORED
from connector_core.engine.breakers import Breakers
from connector_core.metrics import Meters
from connector_core.plugins import Plugin, PluginSet
from connector_core.registry.grants import GrantKeeper
from connector_core.registry.sources import SourceHandles
from connector_core.store import IntegrationRecord, IntegrationState, Link, SourceRecord, Store, Target

if TYPE_CHECKING:
    from connector_core.http.session import HTTPSession


LONGEST_LABEL = 200


@dataclass(frozen=True)
class Entry:
    """One integration: its record, its plugin and its handle with today's settings, made when it is first needed."""

    record: IntegrationRecord
    plugin: Plugin
    keeper: GrantKeeper
    make_handle: Callable[[], Integration] = field(repr=False, compare=False)

    @cached_property
    def handle(self) -> Integration:
        """What hooks are given."""
        return self.make_handle()


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


@dataclass(frozen=True)
class _State:
    version: int = -1
    entries: Mapping[str, Entry] = field(default_factory=dict)
    broken: Mapping[str, tuple[IntegrationRecord, ConfigError]] = field(default_factory=dict)
    ambiguous: frozenset[str] = frozenset()
    made_sources: Mapping[str, SourceRecord] = field(default_factory=dict)
    sources: Sequence[str] = ()


class Registry:
    """The present set of integrations and sources."""

    def __init__(  # noqa: PLR0913 - its parts, by keyword
        self,
        store: Store,
        plugins: PluginSet,
        config: Config,
        *,
        breakers: Breakers,
        meters: Meters,
        clock: Clock,
        log: FilteringBoundLogger,
    ) -> None:
        self._store = store
        self._plugins = plugins
        self._config = config
        self._breakers = breakers
        self._meters = meters
        self._clock = clock
        self._log = log
        self._lock = threading.Lock()
        self._state = _State()
        self._keepers: dict[str, GrantKeeper] = {}
        self._parts: dict[str, tuple[HTTPSession, dict[str, Any]]] = {}
        self._source_handles = SourceHandles(store, plugins, config, meters, clock, log)

    # Integrations

    def entries(self) -> Sequence[Entry]:
        """Return the integrations whose plugin is at hand, in the order in which they were made."""
        return tuple(self._current().entries.values())

    def broken(self) -> Sequence[tuple[IntegrationRecord, ConfigError]]:
        """Return the integrations whose plugin is not at hand, and why."""
        return tuple(self._current().broken.values())

    def entry(self, integration_id: str) -> Entry:
        """Return one integration.

        Raises:
            ConfigError: there is none of that name, or its plugin is not at hand.
        """
        state = self._current()
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
        """Tell whether there is an integration of that name whose plugin is at hand."""
        return integration_id in self._current().entries

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

    def site_key(self, entry: Entry) -> str:
        """Return the key of the circuit breaker of an integration's site; integrations with one site share it."""
        site = self.site(entry)
        return f"site:{entry.plugin.name}:{entry.record.id if site is None else site.id}"

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
            for entry in self._current().entries.values()
            if entry.record.organization == organization and entry.record.state is IntegrationState.ACTIVE
        ]

    def listeners(self, route: str, integration_id: str | None = None) -> list[Entry]:
        """Return the active integrations that a webhook on a route may be for, in the order in which they were made."""
        return [
            entry
            for entry in self._current().entries.values()
            if entry.plugin.info.webhook_route == route
            and entry.record.state is IntegrationState.ACTIVE
            and integration_id in {None, entry.record.id}
        ]

    def is_ambiguous(self, integration_id: str) -> bool:
        """Tell whether an active integration of another organization has a webhook secret of this one.

        Who signed with that secret may then belong to either. Asked of what `listeners` gave, so the store is not read
        again: that would cost every delivery as much as the reading before.
        """
        return integration_id in self._state.ambiguous

    def routes(self) -> frozenset[str]:
        """Return the webhook routes of all plugins."""
        return frozenset(
            plugin.info.webhook_route for plugin in self._plugins.ready if plugin.info.webhook_route is not None
        )

    # Sources

    def sources(self) -> list[str]:
        """Return the organizations that have a source whose plugin is at hand and whose settings are complete."""
        return list(self._current().sources)

    def source_plugin(self, organization: str) -> Plugin:
        """Return the plugin of an organization's incident platform.

        Raises:
            ConfigError: no such organization, or it has no source.
        """
        return self._source_handles.plugin(organization, self.made_source(organization))

    def source(self, organization: str) -> tuple[Plugin, Source]:
        """Return the incident platform of an organization.

        Raises:
            ConfigError: no such organization, or it has no source that can be used.
        """
        return self._source_handles.handle(organization, self.made_source(organization))

    def written_source(self, organization: str) -> SourceConfig | None:
        """Return the source that an organization has in the configuration file: it goes before one made in set-up."""
        return self._source_handles.written(organization)

    def made_source(self, organization: str) -> SourceRecord | None:
        """Return the source that was made in set-up, finished or not, also where the file has one too."""
        return self._current().made_sources.get(organization)

    def can_make_source(self, organization: str) -> bool:
        """Tell whether the source of an organization is a matter of set-up: the file has none, a plugin has steps."""
        is_free = organization in self._config.organizations and self.written_source(organization) is None
        return is_free and any(plugin.implements("configure_source") for plugin in self._plugins.ready)

    def unfinished_source(self, record: SourceRecord) -> Source:
        """Return a handle for a source that is being set up; its settings are None while answers are missing."""
        return self._source_handles.unfinished(record)

    def reload(self) -> None:
        """Build everything anew when it is next asked for: what the configuration file says has changed."""
        with self._lock:
            self._state = _State()
            self._source_handles.forget()

    # Private

    def _current(self) -> _State:
        version = self._store.integrations.version()
        if self._state.version == version:
            return self._state
        with self._lock:
            if self._state.version != version:
                self._state = self._load(version)
            return self._state

    def _load(self, version: int) -> _State:
        entries: dict[str, Entry] = {}
        broken: dict[str, tuple[IntegrationRecord, ConfigError]] = {}
        for record in self._store.integrations.every():
            try:
                entries[record.id] = self._build(record)
            except ConfigError as exc:
                broken[record.id] = (record, exc)
                self._log.warning("integration_unusable", integration=record.id, code=exc.code, reason=exc.message)
        made = {record.organization: record for record in self._store.sources.every()}
        usable = self._source_handles.usable(made)
        return _State(version, entries, broken, _ambiguous(entries.values()), made, usable)

    def _build(self, record: IntegrationRecord) -> Entry:
        plugin = self._plugins.get(record.plugin)
        keeper = self._keepers.setdefault(record.id, GrantKeeper(self._store, record.id, self._clock))
        keeper.forget()
        entry = Entry(record, plugin, keeper, lambda: self._handle(entry))

        def renew(grant: Grant) -> Grant:
            renewed = plugin.call("authorize", integration=entry.handle, request=AuthorizationRenewal(grant=grant))
            if not isinstance(renewed, Grant):
                raise ConfigError("The plugin cannot renew this authorization by itself.")
            return renewed

        keeper.renewer = renew
        return entry

    def _handle(self, entry: Entry) -> Integration:
        record, plugin, keeper = entry.record, entry.plugin, entry.keeper
        session, cache = self._parts_of(record, plugin, keeper)
        settings = _settings_if_complete(plugin, record)
        return Integration(
            id=record.id,
            organization=record.organization,
            settings=settings,
            answers=record.answers,
            plugin_settings=self._plugin_settings(plugin),
            session=session,
            grant=keeper.grant,
            renew=keeper.renew,
            webhook_secrets=record.webhook_secrets,
            webhook_url=f"{self._config.server.public_url}/external/{plugin.info.webhook_route}/webhook",
            clock=self._clock,
            log=self._log.bind(organization=record.organization, integration=record.id),
            cache=cache,
            own_webhook=own.registration if (own := self._store.webhooks.managed(record.id)) is not None else None,
            reads_comments=record.comments.to_incident is not ToIncident.NONE,
            memory=_StoredMemory(self._store, self._clock, record.id),
            tell_label=partial(self._keep_label, record.id),
            shaping=plugin.info.shaping(settings),
            near_limit=lambda until: self._breakers.near_limit(self.site_key(entry), until),
        )

    def _parts_of(
        self, record: IntegrationRecord, plugin: Plugin, keeper: GrantKeeper
    ) -> tuple[HTTPSession, dict[str, Any]]:
        """Return what outlives a change of settings: open connections, and the plugin's cache, emptied."""
        from connector_core.registry.http_sessions import open_session  # noqa: PLC0415 - see there

        if record.id not in self._parts:
            self._parts[record.id] = (open_session(plugin, partial(self._meters.called, record.id), keeper), {})
        session, cache = self._parts[record.id]
        cache.clear()
        return session, cache

    def _keep_label(self, integration_id: str, key: str, value: str, label: str) -> None:
        """Keep what people call an answer, if that is news."""
        kept = " ".join(label.split())[:LONGEST_LABEL]
        if kept and self._store.integrations.labels(integration_id).get((key, value)) != kept:
            self._store.integrations.remember_label(integration_id, key, value, kept)

    def _plugin_settings(self, plugin: Plugin) -> Settings:
        return self._config.plugin_settings.get(plugin.name) or plugin.info.plugin_settings()


def settings_of(plugin: Plugin, answers: Mapping[str, Any], record: IntegrationRecord) -> Settings:
    """Validate answers with the plugin's model.

    Raises:
        ConfigError: something is missing or wrong; the message names it.
    """
    try:
        return plugin.info.settings.model_validate({**answers, **record.secret_answers}, context=STORED)
    except ValidationError as exc:
        places = "; ".join(f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in exc.errors())
        raise ConfigError(
            f"The settings of {record.id} are not complete: {places}.",
            code="settings_incomplete",
            fix=f"Run: connector integrations setup {record.id}",
        ) from exc


def link_settings(plugin: Plugin, answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answers that a link keeps."""
    return {key: answers[key] for key in plugin.info.link_settings if key in answers}


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


def _settings_if_complete(plugin: Plugin, record: IntegrationRecord) -> Settings | None:
    try:
        return settings_of(plugin, record.answers, record)
    except ConfigError:
        return None
