"""What most commands begin with: logging, plugins, configuration, and the app itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
import structlog
from structlog.typing import FilteringBoundLogger

from connector_core.app import App, build_app
from connector_core.config import Config, read_config
from connector_core.logs import configure_logging
from connector_core.plugins import PluginSet
from connector_core.secrets import Masker

F = TypeVar("F", bound=Callable[..., Any])


def config_option(command: F) -> F:
    """Let every command take `--config` too, after its name, where people write it."""
    return click.option(
        "--config",
        "config_path",
        type=click.Path(dir_okay=False),
        help="The configuration file.  [default: $CONNECTOR_CONFIG, then connector.yaml]",
    )(command)


def json_option(command: F) -> F:
    """Let a listing be printed for machines."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def chosen_path(config_path: str | None) -> Path:
    """Return the configuration file that was named on the command line, in the environment, or by default."""
    named: str = config_path or click.get_current_context().find_root().obj
    return Path(named)


def read(config_path: str | None, *, daemon: bool = False) -> tuple[Config, PluginSet, FilteringBoundLogger]:
    """Read the configuration and set logging up as it says; commands other than the daemon log warnings only."""
    masker = Masker()
    configure_logging("warning", masker=masker)
    config, plugins = read_config(chosen_path(config_path))
    masker.add(*(secret.get_secret_value() for secret in config.secrets))
    log: FilteringBoundLogger = structlog.get_logger("connector")
    if daemon:
        configure_logging(config.logging.level, config.logging.format, masker)
        for warning in config.warnings:
            log.warning("config_warning", place=warning.key_path, line=warning.line, reason=warning.message)
    return config, plugins, log


@contextmanager
def opened(config_path: str | None) -> Iterator[App]:
    """Build the app for one command and close its store afterwards; nothing is started."""
    config, plugins, log = read(config_path)
    app = build_app(config, plugins, log=log)
    try:
        yield app
    finally:
        app.store.close()
