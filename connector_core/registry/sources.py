"""The source of each organization right now, as a handle that hooks can be given.

What the configuration file says comes first, else it is the source that was made in set-up. Everything handed out is
immutable; a source that did not change keeps its handle, and with that its cache.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from connector_core.clock import Clock
from connector_core.config import Config, SourceConfig
from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.errors import ConfigError
from connector_core.contract.handles import AnySource, Source
from connector_core.contract.plugin_info import Settings
from connector_core.contract.secret_lists import STORED
from connector_core.contract.setup_steps import AnswerUnfit
from connector_core.http.answers import AnswerBudget
from connector_core.metrics import Metrics
from connector_core.plugins import Plugin, PluginSet
from connector_core.registry.fresh import Fresh
from connector_core.registry.observing import known_secrets, observer
from connector_core.store import SECRETS_UNREADABLE, SourceRecord, Store

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from connector_core.delivery_log.recorder import DeliveryLog


class SourceUnknown(ConfigError):
    """An organization has no source."""

    default_code = "source_unknown"


class SecretsUnreadable(ConfigError):
    """A source has secrets that no key opens."""

    default_code = SECRETS_UNREADABLE

    def __init__(self, organization: str) -> None:
        super().__init__(
            "Its stored secrets cannot be opened: secret_key is not the key that they were sealed with.",
            fix="Put the former key back into secret_key, or enter them again.",
            advice=Advice(Remedy.SET_UP_SOURCE, organization),
        )


class AnswerMissing(AnswerUnfit):
    """The answers of a source are not all there; those that are may well be right."""

    default_code = "source_incomplete"


@dataclass(frozen=True)
class _Stored:
    made: Mapping[str, SourceRecord]
    usable: Sequence[str]


@dataclass(eq=False)
class Sources:
    """The present set of sources."""

    store: Store
    plugins: PluginSet
    config: Config
    metrics: Metrics
    clock: Clock
    log: FilteringBoundLogger
    permit: Callable[[], None] | None = None
    answers: AnswerBudget = field(default_factory=AnswerBudget)
    delivery_log: DeliveryLog | None = None

    def __post_init__(self) -> None:
        self._fresh = Fresh(self.store, self._load)
        self._handles: dict[str, tuple[SourceRecord | None, Plugin, AnySource]] = {}

    def usable(self) -> list[str]:
        """Return the organizations that have a source whose plugin is at hand and whose settings are complete."""
        return list(self._fresh.get().usable)

    def written(self, organization: str) -> SourceConfig | None:
        """Return the source that an organization has in the configuration file: it goes before one made in set-up."""
        found = self.config.organizations.get(organization)
        return None if found is None else found.source

    def place(self, organization: str) -> str:
        """Say where the source of an organization is written down; empty for one made in set-up, or none."""
        written = self.written(organization)
        return "" if written is None else f"{self.config.path}:{written.line}"

    def made(self, organization: str) -> SourceRecord | None:
        """Return the source that was made in set-up, finished or not, also where the file has one too."""
        return self._fresh.get().made.get(organization)

    def can_make(self, organization: str) -> bool:
        """Return whether the source of an organization is a matter of set-up: the file has none, a plugin has steps."""
        is_free = organization in self.config.organizations and self.written(organization) is None
        return is_free and any(plugin.implements("configure_source") for plugin in self.plugins.ready)

    def plugin(self, organization: str) -> Plugin:
        """Return the plugin of an organization's source.

        Raises:
            SourceUnknown: there is no such organization, or it has no source.
            ConfigError: the plugin is not at hand.
        """
        return self._plugin(organization, self.made(organization))

    def handle(self, organization: str) -> tuple[Plugin, AnySource]:
        """Return the source of an organization, with its plugin.

        Raises:
            ConfigError: there is none, its plugin is not at hand, or its settings are not complete.
        """
        written = self.written(organization)
        record = self.made(organization) if written is None else None
        known = self._handles.get(organization)
        if known is not None and known[0] == record:
            return known[1], known[2]
        plugin = self._plugin(organization, record)
        if record is not None and record.has_unreadable:
            raise SecretsUnreadable(organization)
        if written is not None or record is None:
            source = self._handle(organization, plugin, written.settings if written else None, {})
        else:
            source = self._handle(organization, plugin, source_settings(plugin, record), record.answers)
        self._handles[organization] = (record, plugin, source)
        return plugin, source

    def settings(self, organization: str) -> tuple[Plugin, Settings | None]:
        """Return what a source is set to, with its plugin; no handle is made.

        Raises:
            ConfigError: there is none, its plugin is not at hand, or its settings are not complete.
        """
        written = self.written(organization)
        record = self.made(organization) if written is None else None
        plugin = self._plugin(organization, record)
        return plugin, written.settings if written else source_settings(plugin, record) if record else None

    def unfinished(self, record: SourceRecord) -> AnySource:
        """Return a handle for a source that is being set up, with an empty cache; its settings may be None."""
        plugin = self.plugins.get(record.plugin)
        try:
            settings = source_settings(plugin, record)
        except ConfigError:
            settings = None
        return self._handle(record.organization, plugin, settings, record.answers)

    def times_read(self) -> int:
        """Return a number that grows whenever what is known of sources changes."""
        self._fresh.get()
        return self._fresh.times

    def look(self, after_s: float = 0.0) -> None:
        """Look what other processes have changed, unless that was done a moment ago."""
        self._fresh.look(after_s)

    @property
    def known(self) -> int:
        """A number that has grown when more is known than before; nothing is looked for."""
        return self._fresh.times

    def forget(self) -> None:
        """Make every handle anew: what the file says of sources or plugins has changed."""
        self._fresh.forget()
        self._handles.clear()

    # Private

    def _load(self, _: tuple[int, _Stored] | None) -> tuple[int, _Stored]:
        version = self.store.integrations.version()  # first: what changes meanwhile is read again
        made = {record.organization: record for record in self.store.sources.every()}
        usable = [name for name in self.config.organizations if self._is_usable(name, made.get(name))]
        return version, _Stored(made, usable)

    def _plugin(self, organization: str, record: SourceRecord | None) -> Plugin:
        written = self.written(organization)
        if written is not None:
            return self.plugins.get(written.plugin)
        if organization not in self.config.organizations:
            raise SourceUnknown(f"There is no organization {organization!r}.", code="organization_unknown")
        if record is None:
            raise SourceUnknown(
                f"Organization {organization!r} has no source.",
                advice=Advice(Remedy.SET_UP_SOURCE, organization),
            )
        return self.plugins.get(record.plugin)

    def _is_usable(self, organization: str, record: SourceRecord | None) -> bool:
        written = self.written(organization)
        if written is not None:
            return self.plugins.is_ready(written.plugin)
        if record is None or record.has_unreadable or not self.plugins.is_ready(record.plugin):
            return False
        try:
            source_settings(self.plugins.get(record.plugin), record)
        except ConfigError:
            return False
        return True

    def _handle(
        self, organization: str, plugin: Plugin, settings: Settings | None, answers: Mapping[str, Any]
    ) -> AnySource:
        # What calls is slow to load, and most commands call nobody.
        from connector_core.delivery_log.entries import Whose  # noqa: PLC0415
        from connector_core.http.session import HTTPSession, connections, user_agent  # noqa: PLC0415

        shared = self.config.plugin_settings.get(plugin.name) or plugin.info.plugin_settings()
        is_written = self.written(organization) is not None
        outbound = self.config.calls() if is_written else self.config.calls_of_setup(organization, plugin.name)
        whose = Whose(organization, known=partial(known_secrets, self.config, settings, shared))
        tell = None if self.delivery_log is None else partial(self.delivery_log.called, whose)
        return Source(
            organization=organization,
            settings=settings,
            plugin_settings=shared,
            session=HTTPSession(
                user_agent(plugin.name, plugin.version),
                observe=observer(self.metrics, self.clock, plugin.name, f"source {organization}", tell),
                permit=self.permit,
                answers=self.answers,
                adapter=connections(outbound=outbound),
            ),
            clock=self.clock,
            log=self.log.bind(organization=organization, plugin=plugin.name),
            answers=answers,
            events_url=f"{self.config.server.public_url}/v1/sources/{organization}/events",
            followed=partial(self.store.sources.followed, organization),
        )


def source_settings(plugin: Plugin, record: SourceRecord, *, new: bool = False) -> Settings:
    """Validate the answers of a source with the plugin's model; those that are `new` more strictly.

    Raises:
        AnswerUnfit: something is missing or wrong; the message names it.
    """
    try:
        return plugin.info.settings.model_validate(
            {**record.answers, **record.secret_answers}, context=None if new else STORED
        )
    except ValidationError as exc:
        raise _unfit(exc) from exc


def _unfit(error: ValidationError) -> AnswerUnfit:
    """Return the error of the first mistake, else of what is missing, without the value: it may be a secret."""
    errors = error.errors(include_url=False, include_input=False)
    first = next((one for one in errors if one["type"] != "missing"), errors[0])
    key = str(first["loc"][0]) if first["loc"] else ""
    said = first["msg"].removeprefix("Value error, ").removesuffix(".") + "."
    kind = AnswerMissing if first["type"] == "missing" else AnswerUnfit
    return kind(said, key=key, fix="Correct it, and try again.")
