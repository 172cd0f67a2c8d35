"""From a file to a `Config`: read, replace references, validate core and plugin parts, report all at once."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from connector_core.config.complaints import Complaints
from connector_core.config.loaded import (
    Config,
    IntegrationConfig,
    NotifierConfig,
    OrganizationConfig,
    SourceConfig,
)
from connector_core.config.mistakes import ConfigInvalid, Mistake
from connector_core.config.models import ConfigFile, FieldEntry, IntegrationEntry, OrganizationEntry, SourceEntry
from connector_core.config.positions import Document, KeyPath, read_document
from connector_core.config.references import References
from connector_core.config.sections import (
    PluginSections,
    administered,
    check_routing,
    check_webhook_secrets,
    refuse_doubled_ids,
    refuse_unknown_organizations,
)
from connector_core.config.snapshot import Snapshot
from connector_core.config.values import DATABASE_PREFIX
from connector_core.contract.merge import Direction, FieldRule
from connector_core.contract.plugin_info import Settings
from connector_core.databases import DatabasePlace, PostgreSQL, is_postgresql, passwords_in
from connector_core.passwords import is_hash
from connector_core.plugins import EntryPoint, PluginSet, find_plugins, load_plugins

_ATTEMPTS = 4
_REFERENCE = re.compile(r"\$\{[^}]*\}")
_SOMETHING = "\ue000"  # stands for a reference, whose own text has characters of a URL


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
    database: DatabasePlace
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
    database = _database(path, file)
    if isinstance(database, PostgreSQL) and ("database",) in references.broken:
        # A file with a placeholder in its name is not there; a server would be asked with a made-up password.
        raise ConfigInvalid([one for one in references.missing if one.key_path == "database"])
    return Peek(path, document, database, _usable_keys(file, references))


def read_leniently(found: Peek, environ: Mapping[str, str] | None = None) -> tuple[Config, PluginSet]:
    """Load a file for a command that only reads: a value that is not set here is no mistake.

    Raises:
        ConfigInvalid: something else is wrong with the file.
    """
    plugins = load_plugins(_disabled(found.document))
    return _load(found.path, found.document, plugins, environ, lenient=True), plugins


def read_applied(found: Peek, taken: Snapshot) -> tuple[Config, PluginSet]:
    """Return the configuration that the daemon took over, whatever the file says by now.

    Only plugins that it names are loaded yet; another one is when it is asked for.
    """
    values = {**taken.values, "secret_key": [key.get_secret_value() for key in found.secret_keys]}
    values.pop("console", None)
    document = Document(found.document.file, values, found.document.positions)
    plugins = find_plugins(_disabled(document))
    config = _load(found.path, document, plugins, {}, as_it_is=True)
    config.database = found.database
    config.administered = administered(found.document.values)  # of users the daemon leaves fingerprints only
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
        sections = PluginSections(complaints, values)
        if plugins is not None:
            sections.check(plugins)
        refuse_doubled_ids(complaints, values)
        refuse_unknown_organizations(complaints, values)
        warnings = [*check_routing(complaints, values), *check_webhook_secrets(complaints, values)]
        if file is not None and not complaints.of_broken:
            break
        # A placeholder does not fit there: do without the key, then without what needs it.
        values = _without(values, {path[: max(1, len(path) - attempt)] for path in complaints.of_broken})
    mistakes = [*references.mistakes, *complaints.mistakes]
    if mistakes or file is None:
        raise ConfigInvalid([*mistakes, *references.missing], [*sections.warnings, *warnings])
    sections.warnings += warnings
    return _config(path, file, sections, references, values)


def _without(values: Any, paths: Collection[KeyPath], here: KeyPath = ()) -> Any:  # noqa: ANN401 - YAML holds anything
    if not isinstance(values, dict):
        return values
    return {key: _without(child, paths, (*here, key)) for key, child in values.items() if (*here, key) not in paths}


def _database(path: Path, file: ConfigFile) -> DatabasePlace:
    if is_postgresql(file.database):
        return PostgreSQL(file.database)
    return path.absolute().parent / file.database.removeprefix(DATABASE_PREFIX)


def _usable_keys(file: ConfigFile, references: References) -> tuple[SecretStr, ...]:
    """Return the keys; none when one of them stands behind a reference that leads nowhere here."""
    return () if any(path[0] == "secret_key" for path in references.broken) else file.secret_key


def _config(
    path: Path, file: ConfigFile, sections: PluginSections, references: References, values: Mapping[str, Any]
) -> Config:
    document, database = references.document, _database(path, file)
    found = [*_secrets(file, ())]
    for name, shared in sections.shared.items():
        found += _secrets(shared, ("plugins", name))
    for place, settings in sections.settings.items():
        found += _secrets(settings, place)
    plain = [*_plain_secrets(found, references), *_plain_password(document)]
    if isinstance(database, PostgreSQL):
        found += [(("database",), SecretStr(secret)) for secret in sorted(database.secrets)]
    return Config(
        path=path,
        database=database,
        secret_keys=_usable_keys(file, references),
        server=file.server,
        console=file.console,
        outbound=file.outbound,
        administered=administered(document.values),
        engine=file.engine,
        history=file.history,
        delivery_log=file.delivery_log,
        reconcile_every_s=file.reconcile.every.total_seconds(),
        logging=file.logging,
        plugin_settings=sections.shared,
        disabled_plugins=tuple(file.disabled_plugins),
        organizations={
            name: _organization(name, entry, sections.settings, document) for name, entry in file.organizations.items()
        },
        secrets=tuple(secret for _, secret in found),
        warnings=tuple(sorted({*sections.warnings, *references.stripped, *plain})),
        snapshot=Snapshot.taken(document.values, values, [place for place, _ in found]),
        command_socket=file.command_socket,
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
    notifications = {
        key: NotifierConfig(settings, document.position((*path, "notifications", key))[0])
        for key, settings in entry.notifications.items()
    }
    return OrganizationConfig(
        name,
        entry.name or name,
        source,
        integrations,
        notifications,
        entry.routing or (),
        is_named=entry.name is not None,
    )


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
        test_at="" if entry.test == "off" else entry.test,
        name=entry.name or "",
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


def _plain_password(document: Document) -> Iterator[Mistake]:
    """Warn of a password in the address of the database, as of other secrets."""
    written = document.values.get("database")
    if isinstance(written, str) and is_postgresql(written):
        passwords = passwords_in(_REFERENCE.sub(_SOMETHING, written))
        if not all(_SOMETHING in password for password in passwords):
            yield document.mistake(
                ("database",), "the password in it is written in plain text", "use ${env:NAME} or ${file:/path}"
            )
