"""A configuration from a text, and the real registry over a store and plugins, without a daemon around them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import structlog

from connector_core.clock import Clock
from connector_core.config import Config, load_config
from connector_core.engine.breakers import Breakers
from connector_core.metrics import Metrics
from connector_core.plugins import EntryPoint, PluginSet, load_plugins
from connector_core.registry.integrations import Registry
from connector_core.store import Store

CONFIG = """
secret_key: a passphrase that is long enough
organizations: {acme: {source: {plugin: platform}}}
"""


def config_of(plugins: PluginSet, text: str = CONFIG) -> Config:
    """Read a configuration as if it stood in a file."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "connector.yaml")
        path.write_text(text)
        return load_config(path, plugins)


def registry_of(
    store: Store, clock: Clock, entry_points: Iterable[EntryPoint], text: str = CONFIG
) -> tuple[Registry, Breakers]:
    """Make a registry over a desk and a platform, and the breakers that it tells of limits."""
    plugins = load_plugins(entry_points=entry_points)
    log, metrics = structlog.get_logger("test"), Metrics()
    breakers = Breakers(store.breakers, clock, log, metrics, Random(1))
    config = config_of(plugins, text)
    return Registry(store, plugins, config, breakers=breakers, metrics=metrics, clock=clock, log=log), breakers
