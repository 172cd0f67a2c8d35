"""Which integrations there are right now, with handles that hooks can be given.

Reads the store again whenever an integration changed, in this process or another. Everything handed out is immutable.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from connector_core.clock import Clock
from connector_core.config import Config
from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.errors import ConfigError
from connector_core.contract.handles import AnyIntegration
from connector_core.contract.models import Site
from connector_core.engine.breakers import Breakers
from connector_core.engine.circuits import Circuit
from connector_core.http.answers import AnswerBudget
from connector_core.metrics import Metrics
from connector_core.plugins import PluginSet
from connector_core.registry.answers import link_settings, settings_of
from connector_core.registry.entry import Entry
from connector_core.registry.fresh import Fresh
from connector_core.registry.grants import GrantKeeper
from connector_core.registry.handles import IntegrationHandles, circuit_of
from connector_core.registry.listeners import NOBODY, Ids, Index, Listeners, Places, is_alike, is_listening, regrouped
from connector_core.registry.notifiers import Notifiers
from connector_core.registry.observing import known_secrets
from connector_core.registry.sources import Sources
from connector_core.store import IntegrationRecord, IntegrationState, Link, SettingsMoved, Store, Target
from connector_core.words.link_status import fix_of, reason_of
from connector_core.words.names import Names

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from connector_core.delivery_log.recorder import DeliveryLog


T = TypeVar("T")


@dataclass(frozen=True)
class _State:
    #: Of the settings, as stored.
    version: int = -1
    #: In the order in which they were made.
    entries: Mapping[str, Entry] = field(default_factory=dict)
    broken: Mapping[str, tuple[IntegrationRecord, ConfigError]] = field(default_factory=dict)
    of_organization: Mapping[str, Ids] = field(default_factory=dict)
    #: By webhook route.
    listening: Mapping[str, Index] = field(default_factory=dict)


class Registry:
    """The present set of integrations; `sources` is that of incident sources, `notifiers` of who is told."""

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
        permit: Callable[[], None] | None = None,
        takes_deliveries: bool = True,
        delivery_log: DeliveryLog | None = None,
    ) -> None:
        """Read nothing yet; what takes no deliveries does not group integrations by whose a webhook may be."""
        self._store = store
        self._plugins = plugins
        self._config = config
        self._clock = clock
        self._log = log
        self._routes = frozenset(
            plugin.info.webhook_route
            for plugin in (plugins.ready if takes_deliveries else ())
            if plugin.info.webhook_route is not None
        )
        self._keepers: dict[str, GrantKeeper] = {}
        answers = AnswerBudget()
        self._handles = IntegrationHandles(store, config, breakers, metrics, clock, log, permit, answers, delivery_log)
        self._fresh = Fresh(store, self._load)
        self.sources = Sources(store, plugins, config, metrics, clock, log, permit, answers, delivery_log)
        self._names = Fresh(store, self._load_names)
        self.notifiers = Notifiers(store, config)

    def entries(self) -> Sequence[Entry]:
        """Return the integrations whose plugin is at hand, in the order in which they were made."""
        return tuple(self._fresh.get().entries.values())

    def broken(self) -> Sequence[tuple[IntegrationRecord, ConfigError]]:
        """Return the integrations whose plugin is not at hand, and why."""
        return tuple(self._fresh.get().broken.values())

    def records(self) -> Mapping[str, IntegrationRecord]:
        """Return all integrations by their id, also those whose plugin is not at hand."""
        state = self._fresh.get()
        whole = {name: entry.record for name, entry in state.entries.items()}
        return whole | {name: record for name, (record, _) in state.broken.items()}

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
                fix="It does when it starts.",
                advice=Advice(Remedy.APPLY_CONFIG),
            )
        raise ConfigError(
            f"There is no integration {integration_id!r}.",
            code="integration_unknown",
            advice=Advice(Remedy.LIST_INTEGRATIONS),
        )

    def usable(self, integration_id: str) -> bool:
        """Return whether there is an integration of that name whose plugin is at hand."""
        return integration_id in self._fresh.get().entries

    def secrets_of(self, organization: str, integration_id: str) -> tuple[str, ...]:
        """Return the secrets of an integration, or of an organization's source, and those of this connector."""
        try:
            if integration_id:
                one = self.entry(integration_id).handle
                found = (one.settings, one.plugin_settings, one.secret_answers, one.webhook_secrets)
                return known_secrets(self._config, *found)
            source = self.sources.handle(organization)[1]
            return known_secrets(self._config, source.settings, source.plugin_settings)
        except ConfigError:  # of what is not there nothing is known
            return known_secrets(self._config)

    def title_of(self, integration_id: str) -> str:
        """Return what people call an integration, also one whose plugin is not at hand or that was removed."""
        state = self._fresh.get()
        if integration_id in state.entries:
            return state.entries[integration_id].record.title
        broken = state.broken.get(integration_id)
        return integration_id if broken is None else broken[0].title

    def organization_name(self, organization: str) -> str:
        """Return what people call an organization: as the file says, else as it was named in set-up."""
        known = self._config.organizations.get(organization)
        if known is not None and known.is_named:
            return known.name
        return self._names.get().get(organization, organization)

    def names(self, integration_id: str, organization: str) -> Names:
        """Return what both systems are called, as far as their plugins are at hand."""
        state, names = self._fresh.get(), Names()
        if integration_id in state.entries:
            names = replace(names, desk=state.entries[integration_id].plugin.info.spoken)
        try:
            return replace(names, source=self.sources.plugin(organization).info.spoken)
        except ConfigError:
            return names

    def worded(self, link: Link) -> Link:
        """Return a link with its reason and fix in words, as a surface shows them."""
        names = self.names(link.integration_id, link.organization)
        status = replace(link.status, reason=reason_of(link, names), fix=fix_of(link, names))
        return replace(link, status=status)

    def for_link(self, link: Link) -> tuple[Entry, AnyIntegration]:
        """Return a link's integration, and a handle whose settings are those the link was made with."""
        entry = self.entry(link.integration_id)
        return entry, self.with_settings(entry, link.settings)

    def with_settings(self, entry: Entry, kept: Mapping[str, Any]) -> AnyIntegration:
        """Return an integration's handle with the settings that a link keeps."""
        answers = {**entry.record.answers, **kept}
        if answers == entry.record.answers:
            return entry.handle
        settings = settings_of(entry.plugin, answers, entry.record)
        return replace(entry.handle, settings=settings, answers=answers, shaping=entry.plugin.info.shaping(settings))

    def site(self, entry: Entry) -> Site | None:
        """Return the site that an integration's authorization is for, as it is known here; nobody is asked."""
        return entry.record.site

    def circuit(self, entry: Entry) -> Circuit:
        """Return the circuit breakers of an integration: of site and app, which others share, and of its grant."""
        return circuit_of(entry.plugin, entry.record, entry.record.site)

    def site_of(self, integration_id: str) -> str:
        """Name the site that an integration calls; by itself while it is not known. Nobody is asked."""
        return self.sites()(integration_id)

    def sites(self) -> Callable[[str], str]:
        """Return what names sites as `site_of` does, as they are now: no database is asked meanwhile."""
        entries = self._fresh.get().entries

        def site_of(integration_id: str) -> str:
            entry = entries.get(integration_id)
            return integration_id if entry is None else self.circuit(entry).site

        return site_of

    def present_settings(self, integration_id: str) -> dict[str, Any]:
        """Return the settings that a link of an integration would keep if it were made now."""
        entry = self.entry(integration_id)
        return link_settings(entry.plugin, entry.record.answers)

    def of(self, organization: str) -> Sequence[Entry]:
        """Return an organization's integrations whose plugin is at hand, in the order in which they were made."""
        return _of(self._fresh.get(), organization)

    def targets(self, organization: str) -> list[Target]:
        """Return the active integrations that an organization's incidents go to."""
        return self.targets_as_of(organization)[0]

    def targets_as_of(self, organization: str) -> tuple[list[Target], int]:
        """Return the same, and of which version of the settings they are."""
        state = self._fresh.get()
        targets = [
            Target(
                integration_id=entry.record.id,
                link_settings=link_settings(entry.plugin, entry.record.answers),
                activated_at=entry.record.activated_at or entry.record.created_at,
            )
            for entry in _of(state, organization)
            if entry.record.state is IntegrationState.ACTIVE
        ]
        return targets, state.version

    def with_targets(self, organization: str, write: Callable[[list[Target], int], T]) -> T:
        """Have something written for the targets, and once more should they have changed unheard meanwhile."""
        while True:
            with suppress(SettingsMoved):
                return write(*self.targets_as_of(organization))
            self.look()

    def look(self, after_s: float = 0.0) -> None:
        """Look what other processes have changed, unless that was done a moment ago."""
        self._fresh.look(after_s)
        self.sources.look(after_s)

    @property
    def known(self) -> tuple[int, int]:
        """Numbers that have grown when more is known than before; nothing is looked for."""
        return self._fresh.times, self.sources.known

    def listeners(self, route: str) -> Listeners:
        """Return the active integrations that a webhook on a route may be for."""
        state = self._fresh.get()
        return Listeners(state.entries, state.listening.get(route, NOBODY))

    def disabled(self, route: str) -> Iterator[Entry]:
        """Yield the disabled integrations that a webhook on a route may be for."""
        for entry in self._fresh.get().entries.values():
            if entry.record.state is IntegrationState.DISABLED and entry.plugin.info.webhook_route == route:
                yield entry

    def routes(self) -> frozenset[str]:
        """Return the webhook routes of all plugins, on which deliveries are taken."""
        return self._routes

    def times_read(self) -> tuple[int, int]:
        """Return numbers that grow whenever what is known of integrations or sources changes."""
        self._fresh.get()
        return self._fresh.times, self.sources.times_read()

    def reload(self) -> None:
        """Build everything anew when it is next asked for: what the configuration file says has changed."""
        self._fresh.forget()
        self._names.forget()
        self.sources.forget()
        self.notifiers.forget()

    # Private

    def _load(self, before: tuple[int, _State] | None) -> tuple[int, _State]:
        """Return what there is: what did not change since the last time stays as it was."""
        version, known = (-1, _State()) if before is None else before
        found = self._store.integrations.since(version)
        entries, broken = dict(known.entries), dict(known.broken)
        for record in found.changed:
            broken.pop(record.id, None)
            try:
                entries[record.id] = self._entry(record)
            except ConfigError as exc:
                entries.pop(record.id, None)
                broken[record.id] = (record, exc)
                self._log.warning("integration_unusable", integration=record.id, code=exc.code, reason=exc.message)
        if any(_is_another(record, known.entries.get(record.id)) for record in found.changed):
            known = _State()  # it comes last now: group all of them once more
            found = replace(found, changed=[entry.record for entry in entries.values()])
        if found.count != len(known.entries) + len(known.broken) or not _are_same(known, entries, broken):
            ids = self._store.integrations.ids()
            entries = {name: entries[name] for name in ids if name in entries}
            broken = {name: broken[name] for name in ids if name in broken}
            self._let_go(self._keepers.keys() - entries.keys())
        grouped = _grouped(known, entries, found.changed, self._routes)
        return found.version, _State(found.version, entries, broken, *grouped)

    def _load_names(self, _: tuple[int, Mapping[str, str]] | None) -> tuple[int, Mapping[str, str]]:
        version = self._store.integrations.version()  # first: what changes meanwhile is read again
        return version, self._store.display_names.of_organizations()

    def _let_go(self, removed: Collection[str]) -> None:
        """Let go of what outlives a change of settings, but not the integration."""
        for name in removed:
            self._keepers.pop(name, None)
            self._handles.let_go(name)

    def _entry(self, record: IntegrationRecord) -> Entry:
        plugin = self._plugins.get(record.plugin)
        keeper = self._keepers.setdefault(record.id, GrantKeeper(self._store, record.id, self._clock))
        keeper.forget()
        return Entry(record, plugin, keeper, self._handles)


def _of(state: _State, organization: str) -> list[Entry]:
    return [state.entries[name] for name in state.of_organization.get(organization, ())]


def _is_another(record: IntegrationRecord, known: Entry | None) -> bool:
    """Return whether an integration was removed and made again under the same id."""
    return known is not None and known.record.created_at != record.created_at


def _are_same(known: _State, entries: Mapping[str, Entry], broken: Mapping[str, object]) -> bool:
    """Return whether it is the same integrations that can be used, and that cannot, as before."""
    return entries.keys() == known.entries.keys() and broken.keys() == known.broken.keys()


def _grouped(
    known: _State, entries: Mapping[str, Entry], changed: Sequence[IntegrationRecord], routes: frozenset[str]
) -> tuple[Mapping[str, Ids], Mapping[str, Index]]:
    """Return the integrations of each organization, and an index of the active ones of each of the webhook routes."""
    gone = known.entries.keys() - entries.keys()
    others = [one for one in changed if not _is_alike(known.entries.get(one.id), entries.get(one.id))]
    if not (gone or others):
        return known.of_organization, known.listening
    places = Places(entries)
    before = [known.entries[name] for name in {*gone, *(one.id for one in others)} if name in known.entries]
    after = [entries[one.id] for one in others if one.id in entries]
    of_organization = regrouped(
        known.of_organization,
        [(entry.record.organization, entry.record.id) for entry in before],
        [(entry.record.organization, entry.record.id) for entry in after],
        places,
    )
    listening = dict(known.listening)
    for route in routes & {entry.plugin.info.webhook_route for entry in (*before, *after)}:
        without, added = _listening(before, route), _listening(after, route)
        listening[route] = listening.get(route, NOBODY).changed(without, added, places)
    return of_organization, listening


def _is_alike(one: Entry | None, other: Entry | None) -> bool:
    return one is not None and other is not None and is_alike(one.record, other.record)


def _listening(entries: Iterable[Entry], route: str) -> list[IntegrationRecord]:
    return [one.record for one in entries if one.plugin.info.webhook_route == route and is_listening(one.record)]
