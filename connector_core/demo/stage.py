"""Everything the story needs, put up in one folder: both sides' stand-ins, configuration, daemon."""

from __future__ import annotations

import os
import secrets
import socket
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import requests
from pydantic import SecretStr
from ruamel.yaml import YAML

from connector_core.config import Config, read_config
from connector_core.contract.errors import ConfigError
from connector_core.contract.sandboxes import Sandbox, SandboxAbility
from connector_core.demo.daemon import Daemon
from connector_core.demo.platform import SamplePlatform
from connector_core.demo.sandboxes import has_sandbox, open_sandbox, require_sandbox
from connector_core.plugins import Plugin, PluginSet
from connector_core.secrets import SecretBox, generate_key
from connector_core.store import Store
from connector_core.store.opening import open_store

ORGANIZATION = "acme"
INTEGRATION = "acme-helpdesk"
SAMPLE_SOURCE = "http"
SEEN_WITHIN_S = 60.0
#: How often tickets are read where webhooks may tell of changes, and where there are none: what a lost delivery would
#: have told is found well before nobody waits for it any more.
SELDOM, OFTEN = "20s", "2s"

# What takes long is looked for more rarely, since looking takes time from whatever is waited for.
_LOOK_AGAIN_S, _LOOK_AGAIN_SHARE, _LOOK_AGAIN_LONGEST_S = 0.005, 0.05, 0.25
_FIRST_PORT, _PORTS = 20_000, 12_000


class Stage:
    """A sandbox, a platform and a daemon that know each other; nothing is left behind after `close`."""

    daemon_class: type[Daemon] = Daemon

    def __init__(  # noqa: PLR0913 - all but the first two are ways to vary it, by keyword
        self,
        plugin: Plugin,
        folder: Path,
        *,
        source: Plugin | None = None,
        port: int = 0,
        with_webhook: bool = True,
        reconcile: str = "",
        in_file: bool = True,
        source_in_file: bool = True,
        sandbox: Sandbox | None = None,
        database: str = "sqlite:///connector.db",
        public_url: str = "",
    ) -> None:
        self.plugin = plugin
        self.sandbox: Sandbox = sandbox or open_sandbox(plugin)
        self.environ = {
            "DEMO_SECRET_KEY": generate_key(),
            "DEMO_EVENTS_SECRET": f"whsec_{b64encode(secrets.token_bytes(24)).decode()}",
            "DEMO_WEBHOOK_SECRET": secrets.token_hex(24),
            "DEMO_CONSOLE_PASSWORD": secrets.token_hex(6),
        }
        self._source_name = SAMPLE_SOURCE if source is None else source.name
        # Any, for tests and benchmarks also use what only one of the two can.
        self.platform: Any = (
            SamplePlatform(self.environ["DEMO_EVENTS_SECRET"]) if source is None else open_sandbox(source)
        )
        port = port or free_port()
        url = f"http://127.0.0.1:{port}"
        #: Where both sides and people reach the connector: the daemon itself, or what stands before several.
        self.public_url = public_url or url
        self.config_path = folder / "connector.yaml"
        self._source_in_file = source_in_file
        self.database = database
        self._write_config(port, self.public_url, with_webhook=with_webhook, reconcile=reconcile, in_file=in_file)
        self.daemon = self.daemon_class(self.config_path, url, folder / "daemon.log", self.environ)
        if source is None:
            self.platform.events_url = f"{self.public_url}/v1/sources/{ORGANIZATION}/events"
        if with_webhook and self._tells:
            self.sandbox.register_webhook(
                f"{self.public_url}/external/{plugin.info.webhook_route}/webhook", self.environ["DEMO_WEBHOOK_SECRET"]
            )

    def open(self) -> float:
        """Start platform and daemon and authorize access as a person would; return the daemon's start-up seconds."""
        took = self.open_unauthorized()
        self.authorize()
        return took

    def open_unauthorized(self) -> float:
        """Start platform and daemon only."""
        if self._source_name == SAMPLE_SOURCE:
            self.platform.start()
        return self.daemon.start()

    @property
    def has_consent(self) -> bool:
        """Whether access is authorized on a page of the helpdesk."""
        return SandboxAbility.CONSENT in self.sandbox.abilities

    @property
    def _tells(self) -> bool:
        """Whether the helpdesk tells of changes by itself."""
        return SandboxAbility.WEBHOOKS in self.sandbox.abilities

    def authorize(self, integration: str = INTEGRATION) -> None:
        """Authorize access as a person would: ask for the address, consent, come back to the daemon, confirm.

        Where there is no consent the settings prove themselves, at once, if the plugin wants that at all.
        """
        if not self.has_consent:
            if self.plugin.implements("authorize"):
                answer = self.daemon.command("integrations", "authorize", integration)
                if answer.returncode != 0:
                    raise ConfigError(f"Access could not be authorized: {answer.stdout}{answer.stderr}")
            return
        requests.get(self.sandbox.approve(self.consent_page(integration)), timeout=10).raise_for_status()
        answer = self.daemon.command("integrations", "authorize", integration, "--confirm", "--yes")
        if answer.returncode != 0:
            raise ConfigError(f"The authorization could not be confirmed: {answer.stdout}{answer.stderr}")

    def consent_page(self, integration: str = INTEGRATION) -> str:
        """Start an authorization; return the address of the page where a person consents."""
        answer = self.daemon.command("integrations", "authorize", integration)
        link = next((line.strip() for line in answer.stdout.splitlines() if line.strip().startswith("http")), None)
        if link is None:
            raise ConfigError(f"Authorization could not be started: {answer.stdout}{answer.stderr}")
        return link

    def close(self) -> None:
        """Stop everything."""
        self.daemon.stop()
        self.platform.stop()
        self.sandbox.stop()

    @contextmanager
    def opened_store(self) -> Iterator[Store]:
        """Open the connector's own store, to look into it beside the daemon."""
        config = self._config
        store = open_store(config.database, SecretBox(config.secret_keys))
        try:
            yield store
        finally:
            store.close()

    @cached_property
    def _config(self) -> Config:
        """The configuration as it was first read: where the database is and what seals it do not change."""
        config, _ = read_config(self.config_path, environ={**os.environ, **self.environ})
        return config

    def ticket_of(self, incident_id: str, *, integration: str | None = None) -> dict[str, Any] | None:
        """Return the ticket of an incident as the sandbox shows it, found through the connector's own store.

        Where several integrations are active the incident has a ticket in each, and one has to be named.
        """
        with self.opened_store() as store:
            links = store.links.find(text=incident_id, integration_id=integration)
        keys = {link.ticket.key for link in links if link.ticket is not None}
        return next((dict(ticket) for ticket in self.sandbox.tickets() if ticket["key"] in keys), None)

    def _write_config(self, port: int, url: str, *, with_webhook: bool, reconcile: str, in_file: bool) -> None:
        integration = {"plugin": self.plugin.name, **self._referenced("DEMO", self.sandbox.integration_settings())}
        if with_webhook and self._tells:
            integration["webhook_secret"] = "${env:DEMO_WEBHOOK_SECRET}"  # noqa: S105 - a reference
        organization: dict[str, Any] = {"integrations": {INTEGRATION: integration} if in_file else {}}
        if self._source_in_file:
            organization["source"] = {
                "plugin": self._source_name,
                **self._referenced("DEMO_SOURCE", self.platform.source_settings()),
            }
        tree = {
            "database": self.database,
            "secret_key": "${env:DEMO_SECRET_KEY}",
            "server": {"host": "127.0.0.1", "port": port, "public_url": url},
            "console": {"password": "${env:DEMO_CONSOLE_PASSWORD}"},
            "reconcile": {"every": reconcile or (SELDOM if self._tells else OFTEN)},
            "plugins": {self.plugin.name: self._referenced("DEMO_SHARED", self.sandbox.plugin_settings())},
            "organizations": {ORGANIZATION: organization},
        }
        with self.config_path.open("w") as file:
            YAML().dump(tree, file)

    def _referenced(self, prefix: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return settings with secrets as references, whose values go into the environment."""
        settings: dict[str, Any] = {}
        for name, value in given.items():
            if isinstance(value, Mapping):
                settings[name] = self._referenced(f"{prefix}_{name.upper()}", value)
            elif isinstance(value, SecretStr):
                variable = f"{prefix}_{name.upper()}"
                self.environ[variable] = value.get_secret_value()
                settings[name] = f"${{env:{variable}}}"
            else:
                settings[name] = value
        return settings


def until(seen: Callable[[], object], *, within_s: float = SEEN_WITHIN_S) -> float:
    """Wait until something is seen; return after how many seconds.

    Raises:
        TimeoutError: it was not seen in time.
    """
    started = monotonic()
    pause = Event()
    while not seen():
        if monotonic() - started > within_s:
            raise TimeoutError(f"not seen within {within_s:.0f} s")
        pause.wait(min(max(_LOOK_AGAIN_S, (monotonic() - started) * _LOOK_AGAIN_SHARE), _LOOK_AGAIN_LONGEST_S))
    return monotonic() - started


def sandbox_plugin(plugins: PluginSet, name: str | None) -> Plugin:
    """Return the ticketing plugin to show: the named one, or the first that has a sandbox.

    Raises:
        ConfigError: there is none, or its sandbox is not installed.
    """
    candidates = [plugin for plugin in plugins.ready if plugin.implements("on_incident_event")]
    if not candidates:
        raise ConfigError(
            "No ticketing plugin is installed.",
            code="no_sandbox",
            fix="Install one and its sandbox from folders or wheels: pip install ./path/to/plugin ./path/to/sandbox",
        )
    if name is None:
        return require_sandbox(next(filter(has_sandbox, candidates), candidates[0]), plugins)
    return require_sandbox(_named(_in_full(name, plugins), candidates, plugins), plugins)


def _in_full(name: str, plugins: PluginSet) -> str:
    """Return the name of the plugin that people mean: with hyphens, or only its beginning.

    Raises:
        ConfigError: none is called so; the error says what to install.
    """
    folded = name.strip().lower().replace("-", "_")
    names = {record.name for record in plugins.records}
    begun = sorted(one for one in names if one.startswith(f"{folded}_"))
    if folded in names or len(begun) == 1:
        return folded if folded in names else begun[0]
    raise ConfigError(
        f"No plugin {name} is installed.",
        code="plugin_missing",
        fix="Install it and its sandbox from folders or wheels: pip install ./path/to/plugin ./path/to/sandbox",
    )


def source_plugin(plugins: PluginSet, name: str | None) -> Plugin | None:
    """Return the incident source to show: the named one, or the first that has a sandbox.

    None stands for the sample platform, which speaks the built-in source's language.

    Raises:
        ConfigError: the named one is no source, or its sandbox is not installed.
    """
    if name == SAMPLE_SOURCE:
        return None
    candidates = [plugin for plugin in plugins.ready if plugin.implements("apply_change")]
    if name is None:
        return next(filter(has_sandbox, candidates), None)
    return require_sandbox(_named(name, candidates, plugins), plugins)


def _named(name: str, candidates: Sequence[Plugin], plugins: PluginSet) -> Plugin:
    """Return a plugin by its name, if it is of the kind that is wanted."""
    plugin = plugins.get(name)
    if plugin not in candidates:
        known = ", ".join(one.name for one in candidates)
        raise ConfigError(f"The demo cannot use {name} here.", code="wrong_kind_of_plugin", fix=f"Use one of: {known}")
    return plugin


def free_port() -> int:
    """Return a port that nobody listens on, below those that systems give to outgoing connections meanwhile."""
    while True:
        port = _FIRST_PORT + secrets.randbelow(_PORTS)
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
