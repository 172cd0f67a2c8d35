"""From a file to a `Config`: read, replace references, validate core and plugin parts, report all at once."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from connector_core.config.complaints import Complaints, clause, nearest
from connector_core.config.loaded import Config, IntegrationConfig, OrganizationConfig, SourceConfig
from connector_core.config.mistakes import ConfigInvalid, Mistake
from connector_core.config.models import (
    DATABASE_PREFIX,
    ConfigFile,
    FieldEntry,
    IntegrationEntry,
    OrganizationEntry,
    SourceEntry,
)
from connector_core.config.positions import Document, KeyPath, read_document
from connector_core.config.references import References
from connector_core.config.snapshot import Snapshot
from connector_core.contract.comment_rules import COMMENT_HOOKS
from connector_core.contract.errors import ConfigError
from connector_core.contract.merge import Direction, FieldRule
from connector_core.contract.plugin_info import SAME_PLACE_FIX, Settings, same_place
from connector_core.passwords import is_hash
from connector_core.plugins import EntryPoint, Plugin, PluginSet, PluginStatus, load_plugins

_ATTEMPTS = 4
_SOURCE_HOOK = "apply_change"
_TICKETING_HOOK = "on_incident_event"
_ROLES = {_SOURCE_HOOK: "an incident source", _TICKETING_HOOK: "a ticketing plugin"}
_RESERVED = {
    _SOURCE_HOOK: frozenset(SourceEntry.model_fields),
    _TICKETING_HOOK: frozenset(IntegrationEntry.model_fields),
}


def read_config(
    path: Path, entry_points: Iterable[EntryPoint] | None = None, environ: Mapping[str, str] | None = None
) -> tuple[Config, PluginSet]:
    """Load the plugins that a file does not disable, then the file; raise `ConfigInvalid` with all mistakes."""
    document = read_document(path)
    plugins = load_plugins(_disabled(document), entry_points)
    return _load(path, document, plugins, environ), plugins


@dataclass(frozen=True)
class Peek:
    """What a command has to know before it can look into the database; `secret_keys` is empty where none is set here.

    `problem` says why nothing else of the file may be usable.
    """

    path: Path
    document: Document
    database_path: Path
    secret_keys: tuple[SecretStr, ...]
    problem: str = ""


def peek(path: Path, environ: Mapping[str, str] | None = None) -> Peek:
    """Read where the database is and what it is sealed with; whatever else the file says may be unfinished.

    Raises:
        ConfigInvalid: the file is not YAML, or these two keys are wrong.
    """
    document = read_document(path)
    first = {key: document.values[key] for key in ("database", "secret_key") if key in document.values}
    only = replace(document, values=first)
    references = References(only, path.absolute().parent, os.environ if environ is None else environ, lenient=True)
    values = references.resolve()
    complaints = Complaints(references, values)
    file = complaints.validated(ConfigFile, values, ())
    if file is None:
        raise ConfigInvalid([*references.missing, *complaints.mistakes])
    return Peek(path, document, _database_path(path, file), _usable_keys(file, references))


def read_leniently(found: Peek, environ: Mapping[str, str] | None = None) -> tuple[Config, PluginSet]:
    """Load a file for a command that only reads: a value that is not set here is no mistake.

    Raises:
        ConfigInvalid: something else is wrong with the file.
    """
    plugins = load_plugins(_disabled(found.document))
    return _load(found.path, found.document, plugins, environ, lenient=True), plugins


def read_taken_over(found: Peek, taken: Snapshot) -> tuple[Config, PluginSet]:
    """Return the configuration that the daemon took over, whatever the file says by now."""
    values = {**taken.values, "secret_key": [key.get_secret_value() for key in found.secret_keys]}
    values.pop("console", None)
    document = Document(str(found.path), values, found.document.positions)
    plugins = load_plugins(_disabled(document))
    config = _load(found.path, document, plugins, {}, as_it_is=True)
    config.database_path = found.database_path
    config.administered = _administered(found.document)  # of users the daemon leaves fingerprints only
    config.snapshot = taken
    return config, plugins


def peek_disabled(path: Path) -> frozenset[str]:
    """Return the names under `disabled_plugins` without checking anything else."""
    return _disabled(read_document(path))


def load_config(path: Path, plugins: PluginSet | None, environ: Mapping[str, str] | None = None) -> Config:
    """Load a file; raise `ConfigInvalid` with all mistakes.

    Without plugins only the core's part is checked, and the settings of sources and integrations are None.
    """
    return _load(path, read_document(path), plugins, environ)


def _disabled(document: Document) -> frozenset[str]:
    names = document.values.get("disabled_plugins")
    return frozenset(name for name in names if isinstance(name, str)) if isinstance(names, list) else frozenset()


def _load(  # noqa: PLR0913 - by keyword, what is special about a reading
    path: Path,
    document: Document,
    plugins: PluginSet | None,
    environ: Mapping[str, str] | None,
    *,
    lenient: bool = False,
    as_it_is: bool = False,
) -> Config:
    """Validate a document; `as_it_is` holds no references any more, `lenient` does without what is not set here."""
    environ = os.environ if environ is None else environ
    references = References(document, path.absolute().parent, environ, lenient=lenient)
    values = dict(document.values) if as_it_is else references.resolve()
    for attempt in range(_ATTEMPTS if lenient else 1):
        complaints = Complaints(references, values)
        file = complaints.validated(ConfigFile, values, ())
        sections = _PluginSections(complaints, values)
        if plugins is not None:
            sections.check(plugins)
        _check_unique_ids(complaints, values)
        _check_people(complaints, values)
        if file is not None and not complaints.of_broken:
            break
        # A placeholder does not fit there: do without the key, then without what needs it.
        values = _without(values, {path[: max(1, len(path) - attempt)] for path in complaints.of_broken})
    mistakes = [*references.mistakes, *complaints.mistakes]
    if mistakes or file is None:
        raise ConfigInvalid([*mistakes, *references.missing])
    return _config(path, file, sections, references, values)


def _without(values: Any, paths: Collection[KeyPath], here: KeyPath = ()) -> Any:  # noqa: ANN401 - YAML holds anything
    if not isinstance(values, dict):
        return values
    return {key: _without(child, paths, (*here, key)) for key, child in values.items() if (*here, key) not in paths}


def _database_path(path: Path, file: ConfigFile) -> Path:
    return path.absolute().parent / file.database.removeprefix(DATABASE_PREFIX)


def _usable_keys(file: ConfigFile, references: References) -> tuple[SecretStr, ...]:
    """Return the keys; none when one of them stands behind a reference that leads nowhere here."""
    return () if any(path[0] == "secret_key" for path in references.broken) else file.secret_key


@dataclass
class _PluginSections:
    """The parts of a file that only plugins can read, validated wherever they stand, right or wrong around them."""

    complaints: Complaints
    values: Mapping[str, Any]
    shared: dict[str, Settings] = field(default_factory=dict)
    settings: dict[KeyPath, Settings] = field(default_factory=dict)
    warnings: list[Mistake] = field(default_factory=list)

    def check(self, plugins: PluginSet) -> None:
        """Validate every plugin's shared settings, every source and every integration."""
        users: dict[str, KeyPath] = {}
        for path, entry, hook in _entries(self.values):
            plugin = self._plugin(plugins, path, entry, hook)
            if plugin is None:
                continue
            users.setdefault(plugin.name, (*path, "plugin"))
            self._check_comments(plugin, path, entry)
            own = {key: value for key, value in entry.items() if key not in _RESERVED[hook]}
            settings = self.complaints.validated(plugin.info.settings, own, path, also_known=_RESERVED[hook])
            if settings is not None:
                self.settings[path] = settings
        self._check_shared(plugins, users)
        self._check_places(plugins)

    def _check_places(self, plugins: PluginSet) -> None:
        """Warn of integrations of one organization that make tickets in the same place, as after copy and paste."""
        seen: dict[tuple[str, str], list[KeyPath]] = {}
        for path, entry, hook in _entries(self.values):
            if hook != _TICKETING_HOOK or path not in self.settings or entry.get("enabled") is False:
                continue
            name = str(entry["plugin"])
            before = seen.setdefault((str(path[1]), name), [])
            is_one_place = plugins.get(name).info.is_one_place
            twins = [str(one[-1]) for one in before if is_one_place(self.settings[one], self.settings[path])]
            if twins:
                message = same_place(twins)
                self.warnings.append(
                    self.complaints.references.document.mistake((*path, "plugin"), message, SAME_PLACE_FIX)
                )
            before.append(path)

    def _plugin(self, plugins: PluginSet, path: KeyPath, entry: Mapping[str, Any], hook: str) -> Plugin | None:
        name, place = entry.get("plugin"), (*path, "plugin")
        if not isinstance(name, str) or place in self.complaints.references.broken:
            return None
        try:
            plugin = plugins.get(name)
        except ConfigError as exc:
            self.complaints.note(place, clause(exc.message), clause(exc.fix))
            return None
        if not plugin.implements(hook):
            fitting = ", ".join(other.name for other in plugins.ready if other.implements(hook)) or "none is installed"
            self.complaints.note(place, f"the plugin {name} is not {_ROLES[hook]}", f"use one of: {fitting}")
            return None
        return plugin

    def _check_comments(self, plugin: Plugin, path: KeyPath, entry: Mapping[str, Any]) -> None:
        """Refuse to carry comments where the plugin cannot."""
        for key, value in _mapping(entry.get("comments")).items():
            if key in COMMENT_HOOKS and value != "none" and not plugin.implements(COMMENT_HOOKS[key]):
                message = f"the plugin {plugin.name} cannot carry comments this way"
                self.complaints.note((*path, "comments", key), message, "use none")

    def _check_shared(self, plugins: PluginSet, users: Mapping[str, KeyPath]) -> None:
        """Validate `plugins:`; a plugin that nobody uses needs no complete settings there."""
        given = _mapping(self.values.get("plugins"))
        for name in given:
            if plugins.record(name) is None:
                known = [record.name for record in plugins.records]
                self.complaints.note(("plugins", name), f"no plugin named {name} is installed", nearest(name, known))
        for record in plugins.records:
            path = ("plugins", record.name)
            if record.status is PluginStatus.DISABLED or (record.info is None and record.name not in given):
                continue
            if record.info is None:
                self.warnings.append(self.complaints.references.document.mistake(path, f"not used: {record.reason}"))
                continue
            model = record.info.plugin_settings
            if record.name in given:
                settings = self.complaints.validated(model, _mapping(given[record.name]), path)
            elif record.name in users or not any(info.is_required() for info in model.model_fields.values()):
                settings = self.complaints.validated(model, {}, path)
            else:
                continue
            if settings is not None:
                self.shared[record.name] = settings


def _entries(values: Mapping[str, Any]) -> Iterator[tuple[KeyPath, Mapping[str, Any], str]]:
    """Find sources and integrations, also in a file that is wrong elsewhere; with the hook that each has to have."""
    for organization, entry in _mapping(values.get("organizations")).items():
        path = ("organizations", organization)
        source = _mapping(entry).get("source")
        if isinstance(source, dict):
            yield (*path, "source"), source, _SOURCE_HOOK
        for name, integration in _mapping(_mapping(entry).get("integrations")).items():
            if isinstance(integration, dict):
                yield (*path, "integrations", name), integration, _TICKETING_HOOK


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _check_unique_ids(complaints: Complaints, values: Mapping[str, Any]) -> None:
    seen: dict[object, KeyPath] = {}
    for path, _, hook in _entries(values):
        if hook != _TICKETING_HOOK:
            continue
        first = seen.setdefault(path[-1], path)
        if first is not path:
            message = f"the organization {first[1]} has an integration with this id too"
            complaints.note(path, message, "ids are unique across the file; choose another one")


def _check_people(complaints: Complaints, values: Mapping[str, Any]) -> None:
    """Hold the organizations of the console's users against those that there are."""
    known = [str(name) for name in _mapping(values.get("organizations"))]
    for user, entry in _mapping(_mapping(values.get("console")).get("users")).items():
        listed = _mapping(entry).get("organizations")
        for index, name in enumerate(listed if isinstance(listed, list) else ()):
            if name not in known:
                place = ("console", "users", user, "organizations", index)
                complaints.note(place, f"there is no organization {name}", nearest(str(name), known))


def _administered(document: Document) -> frozenset[str]:
    """Return the organizations that have admins who see no other, or not all of them."""
    users = _mapping(_mapping(document.values.get("console")).get("users")).values()
    limited = [_mapping(user).get("organizations") for user in users if _mapping(user).get("role") == "admin"]
    return frozenset(str(name) for names in limited if isinstance(names, list) for name in names)


def _config(
    path: Path, file: ConfigFile, sections: _PluginSections, references: References, values: Mapping[str, Any]
) -> Config:
    document = references.document
    found = [*_secrets(file, ())]
    for name, shared in sections.shared.items():
        found += _secrets(shared, ("plugins", name))
    for place, settings in sections.settings.items():
        found += _secrets(settings, place)
    return Config(
        path=path,
        database_path=_database_path(path, file),
        secret_keys=_usable_keys(file, references),
        server=file.server,
        console=file.console,
        outbound=file.outbound,
        administered=_administered(document),
        engine=file.engine,
        history=file.history,
        reconcile_every_s=file.reconcile.every.total_seconds(),
        logging=file.logging,
        plugin_settings=sections.shared,
        disabled_plugins=tuple(file.disabled_plugins),
        organizations={
            name: _organization(name, entry, sections.settings, document) for name, entry in file.organizations.items()
        },
        secrets=tuple(secret for _, secret in found),
        warnings=tuple(sorted({*sections.warnings, *references.stripped, *_plain_secrets(found, references)})),
        snapshot=Snapshot.taken(document.values, values, [place for place, _ in found]),
    )


def _organization(
    name: str, entry: OrganizationEntry, settings: Mapping[KeyPath, Settings], document: Document
) -> OrganizationConfig:
    path = ("organizations", name)
    source = _source((*path, "source"), entry.source, settings, document) if entry.source else None
    integrations = {
        key: _integration((*path, "integrations", key), integration, settings, document)
        for key, integration in entry.integrations.items()
    }
    return OrganizationConfig(name, entry.name or name, source, integrations)


def _source(
    path: KeyPath, entry: SourceEntry, settings: Mapping[KeyPath, Settings], document: Document
) -> SourceConfig:
    own, written = settings.get(path), entry.model_extra or {}
    hidden = frozenset(str(place[0]) for place, _ in _secrets(own, ())) if own else frozenset(written)
    return SourceConfig(
        plugin=entry.plugin,
        settings=own,
        answers={key: value for key, value in written.items() if key not in hidden},
        secrets=hidden & written.keys(),
        line=document.position(path)[0],
    )


def _integration(
    path: KeyPath, entry: IntegrationEntry, settings: Mapping[KeyPath, Settings], document: Document
) -> IntegrationConfig:
    own = settings.get(path)
    return IntegrationConfig(
        id=str(path[-1]),
        organization=str(path[1]),
        plugin=entry.plugin,
        enabled=entry.enabled,
        webhook_secrets=entry.webhook_secret or (),
        settings=own,
        answers=own.model_dump(exclude_unset=True) if own else {},
        rules={name: _rule(field) for name, field in entry.fields.items()},
        comments=(entry.comments.to_ticket, entry.comments.to_incident),
        line=document.position(path)[0],
    )


def _rule(entry: Direction | FieldEntry) -> FieldRule:
    if isinstance(entry, Direction):
        return FieldRule(direction=entry)
    return FieldRule(direction=entry.direction, on_conflict=entry.on_conflict)


def _secrets(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, SecretStr]]:
    """Find all secrets in a validated value, with the key path that each came from."""
    match value:
        case SecretStr():
            yield path, value
        case BaseModel():
            for name, child in value:
                yield from _secrets(child, (*path, name))
        case dict():
            for key, child in value.items():
                yield from _secrets(child, (*path, key))
        case list() | tuple():
            for index, child in enumerate(value):
                yield from _secrets(child, (*path, index))


def _plain_secrets(found: Iterable[tuple[KeyPath, SecretStr]], references: References) -> Iterator[Mistake]:
    """Warn of secrets that are written into the file; anyone who may read or copy it has them."""
    positions = references.document.positions
    for path, secret in found:
        if is_hash(secret.get_secret_value()):
            continue  # made to be written down
        # A single secret may stand where a list could: then the file has no index.
        place = path if path in positions or not isinstance(path[-1], int) else path[:-1]
        if place in positions and place not in references.referenced:
            yield references.document.mistake(
                place, "this secret is written in plain text", "use ${env:NAME} or ${file:/path}"
            )
