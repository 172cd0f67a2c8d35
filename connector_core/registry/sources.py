"""The source of each organization right now, as a handle that hooks can be given.

What the configuration file says comes first, else it is the source that was made in set-up. Everything handed out is
immutable; a source that did not change keeps its handle, and with that its cache.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pydantic import ValidationError
from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.config import Config, SourceConfig
from connector_core.contract.errors import ConfigError
from connector_core.contract.handles import Source
from connector_core.contract.plugin_info import Settings
from connector_core.contract.secret_lists import STORED
from connector_core.contract.setup_steps import AnswerUnfit
from connector_core.metrics import Meters
from connector_core.plugins import Plugin, PluginSet
from connector_core.store import SourceRecord, Store

INCOMPLETE = "source_incomplete"


@dataclass
class SourceHandles:
    """Makes the handles of sources, and keeps those that are in use."""

    store: Store
    plugins: PluginSet
    config: Config
    meters: Meters
    clock: Clock
    log: FilteringBoundLogger
    _made: dict[str, tuple[SourceRecord | None, Plugin, Source]] = field(default_factory=dict)

    def usable(self, records: Mapping[str, SourceRecord]) -> list[str]:
        """Return the organizations whose source has a plugin at hand and all its settings."""
        return [name for name in self.config.organizations if self._is_usable(name, records.get(name))]

    def written(self, organization: str) -> SourceConfig | None:
        """Return the source that an organization has in the file."""
        found = self.config.organizations.get(organization)
        return None if found is None else found.source

    def plugin(self, organization: str, record: SourceRecord | None) -> Plugin:
        """Return the plugin of an organization's source; `record` is what set-up made.

        Raises:
            ConfigError: it has no source, or the plugin is not at hand.
        """
        written = self.written(organization)
        if written is not None:
            return self.plugins.get(written.plugin)
        if record is None or organization not in self.config.organizations:
            raise ConfigError(
                f"Organization {organization!r} has no source.",
                code="source_unknown",
                fix=f"Run: connector sources setup {organization}",
            )
        return self.plugins.get(record.plugin)

    def handle(self, organization: str, record: SourceRecord | None) -> tuple[Plugin, Source]:
        """Return the source of an organization; `record` is what set-up made.

        Raises:
            ConfigError: it has none, its plugin is not at hand, or its settings are not complete.
        """
        written = self.written(organization)
        record = record if written is None else None
        known = self._made.get(organization)
        if known is not None and known[0] == record:
            return known[1], known[2]
        plugin = self.plugin(organization, record)
        if written is not None or record is None:
            source = self._handle(organization, plugin, written.settings if written else None, {})
        else:
            source = self._handle(organization, plugin, source_settings(plugin, record), record.answers)
        self._made[organization] = (record, plugin, source)
        return plugin, source

    def unfinished(self, record: SourceRecord) -> Source:
        """Return a handle for a source that is being set up, with an empty cache; its settings may be None."""
        plugin = self.plugins.get(record.plugin)
        try:
            settings = source_settings(plugin, record)
        except ConfigError:
            settings = None
        return self._handle(record.organization, plugin, settings, record.answers)

    def forget(self) -> None:
        """Make every handle anew: what the file says of sources or plugins has changed."""
        self._made.clear()

    def _is_usable(self, organization: str, record: SourceRecord | None) -> bool:
        written = self.written(organization)
        if written is not None:
            return self.plugins.is_ready(written.plugin)
        if record is None or not self.plugins.is_ready(record.plugin):
            return False
        try:
            source_settings(self.plugins.get(record.plugin), record)
        except ConfigError:
            return False
        return True

    def _handle(
        self, organization: str, plugin: Plugin, settings: Settings | None, answers: Mapping[str, Any]
    ) -> Source:
        from connector_core.registry.http_sessions import open_session  # noqa: PLC0415 - see there

        shared = self.config.plugin_settings.get(plugin.name) or plugin.info.plugin_settings()
        return Source(
            organization=organization,
            settings=settings,
            plugin_settings=shared,
            session=open_session(plugin, partial(self.meters.called, f"source {organization}")),
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
    """Tell of the first mistake, else of what is missing; the value itself is left out, for it may be a secret."""
    errors = error.errors(include_url=False, include_input=False)
    first = next((one for one in errors if one["type"] != "missing"), errors[0])
    key = str(first["loc"][0]) if first["loc"] else ""
    said = first["msg"].removeprefix("Value error, ").removesuffix(".") + "."
    code = INCOMPLETE if first["type"] == "missing" else None
    return AnswerUnfit(said, key=key, code=code, fix="Correct it, and try again.")
