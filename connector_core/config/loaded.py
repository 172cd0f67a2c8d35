"""The configuration as the program sees it: checked, with defaults filled in and secrets as `SecretStr`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from socket import gethostname
from typing import Any

from pydantic import SecretStr

from connector_core.config.mistakes import Mistake
from connector_core.config.models import (
    ConsoleSettings,
    DeliveryLogSettings,
    EngineSettings,
    HistorySettings,
    LoggingSettings,
    OutboundSettings,
    ServerSettings,
)
from connector_core.config.snapshot import Change, Snapshot, differences
from connector_core.contract.comment_rules import ToIncident, ToTicket
from connector_core.contract.merge import Rules
from connector_core.contract.plugin_info import Settings
from connector_core.contract.routing import RoutingRules
from connector_core.databases import DatabasePlace
from connector_core.http.outbound import PUBLIC, Endpoint, Outbound, Places, endpoint_of
from connector_core.notify.settings import AnyNotifier


@dataclass(frozen=True)
class SourceConfig:
    """The incident platform of an organization; `settings` is None when the file was read without plugins.

    `answers` are the values as they are written, `secrets` the names of those that are not for reading; `line` is where
    the source stands.
    """

    plugin: str
    settings: Settings | None
    answers: Mapping[str, Any]
    secrets: frozenset[str]
    line: int


@dataclass(frozen=True)
class IntegrationConfig:
    """An integration that is written in the file.

    `answers` are the given values by key, as the wizard would have them, secrets as `SecretStr`. `line` is where the
    integration stands. `settings` is None when the file was read without plugins.
    """

    id: str
    organization: str
    plugin: str
    enabled: bool
    webhook_secrets: tuple[SecretStr, ...]
    settings: Settings | None
    answers: Mapping[str, Any]
    rules: Rules
    comments: tuple[ToTicket, ToIncident]
    line: int
    test_at: str = ""
    #: What people call it, nothing where that is its id.
    name: str = ""


@dataclass(frozen=True)
class NotifierConfig:
    """Someone who is told what needs attention, as it is written in the file, at `line`."""

    settings: AnyNotifier
    line: int


@dataclass(frozen=True)
class OrganizationConfig:
    """A tenant; it may have no source yet, and integrations may be made in the wizard later.

    `routing` are its rules, none when the file says nothing of them.
    """

    id: str
    name: str
    source: SourceConfig | None
    integrations: Mapping[str, IntegrationConfig]
    notifications: Mapping[str, NotifierConfig] = field(default_factory=dict)
    routing: RoutingRules = ()
    #: Whether the file says what people call it.
    is_named: bool = False


@dataclass
class Config:
    """A configuration file that was found right.

    Whoever holds it only reads it. It changes in one place: when the daemon applies what the file says now, see
    `apply`.

    `plugin_settings` has an entry for each plugin that is loaded and whose shared settings are complete. `secrets` are
    all secret values of the file, for the log's mask. `warnings` are what works but should be changed.
    `administered` are the organizations that have admins of their own, who are not those of the whole.
    """

    path: Path
    database: DatabasePlace
    secret_keys: tuple[SecretStr, ...]
    server: ServerSettings
    console: ConsoleSettings
    outbound: OutboundSettings
    administered: frozenset[str]
    engine: EngineSettings
    history: HistorySettings
    delivery_log: DeliveryLogSettings
    reconcile_every_s: float
    logging: LoggingSettings
    plugin_settings: Mapping[str, Settings]
    disabled_plugins: tuple[str, ...]
    organizations: Mapping[str, OrganizationConfig]
    secrets: tuple[SecretStr, ...]
    warnings: tuple[Mistake, ...]
    snapshot: Snapshot
    command_socket: str = ""

    @property
    def place(self) -> str:
        """Where the file is, told from those of other hosts."""
        return file_place(self.path)

    @property
    def database_path(self) -> Path | None:
        """Return SQLite's file; None with PostgreSQL."""
        return self.database if isinstance(self.database, Path) else None

    @property
    def digest(self) -> str:
        """Name what is in effect of the file; only who has the key can try out what is in it."""
        return self.digest_of(self.snapshot)

    def digest_of(self, snapshot: Snapshot) -> str:
        """Name what a file says that this daemon, or another one with the same key, has taken over."""
        return snapshot.digest_with(self.secret_keys[0].get_secret_value() if self.secret_keys else "")

    def calls(self) -> Outbound:
        """Return how calls go out whose address is written in the file, or is our own."""
        said = self.outbound
        password = said.proxy_password
        return Outbound(
            proxy=said.proxy or "",
            proxy_user=said.proxy_user,
            proxy_password=password.get_secret_value() if password is not None else "",
            no_proxy=Places.of(said.no_proxy),
            ca_file=self.path.absolute().parent / said.ca_file if said.ca_file else None,
        )

    def calls_of_setup(self, organization: str, plugin: str) -> Outbound:
        """Return how calls go out whose address was entered in set-up: where admins are limited, not everywhere.

        What the file says under `plugins:` is called all the same: it is not theirs.
        """
        allowed = self.outbound.allow
        if allowed is None and organization in self.administered:
            allowed = (PUBLIC,)
        if allowed is None:
            return self.calls()
        shared = self.plugin_settings.get(plugin)
        written = {} if shared is None else shared.model_dump(exclude_unset=True)
        return replace(self.calls(), allowed=Places.of(allowed), endpoints=frozenset(_endpoints(written)))

    def apply(self, file: Config) -> list[Change]:
        """Apply what another reading of the file says of organizations and plugins; return all that differs.

        The rest is about the process itself, and stays until the next start. Each attribute changes at once, so that
        other threads see the former one or the new one.
        """
        found = differences(self.snapshot, file.snapshot)
        self.organizations = file.organizations
        self.plugin_settings = file.plugin_settings
        self.warnings = file.warnings
        self.secrets = (*self.secrets, *file.secrets)
        self.snapshot = self.snapshot.with_live_parts_of(file.snapshot)
        return found


def _endpoints(value: object) -> Iterator[Endpoint]:
    """Return where the addresses of the web among values lead, however deep they stand."""
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, list | tuple | set | frozenset):
        for one in value:
            yield from _endpoints(one)
    elif isinstance(value, str) and value.startswith(("http://", "https://")):
        try:
            found = endpoint_of(value)
        except ValueError:  # nothing can be called there
            return
        yield found


def file_place(path: Path) -> str:
    """Return where a file is, told from those of other hosts."""
    return f"{gethostname()}:{path.absolute()}"
