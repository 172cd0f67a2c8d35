"""Which stand-ins are installed, and starting one; each is a distribution of its own that the demo finds by itself."""

from __future__ import annotations

from importlib import metadata
from typing import Any

from connector_core.contract.errors import ConfigError
from connector_core.plugins import Plugin, PluginSet

ENTRY_POINT_GROUP = "connector_core.sandboxes"


def has_sandbox(plugin: Plugin) -> bool:
    """Return whether a stand-in of a plugin's vendor is installed."""
    return plugin.name in metadata.entry_points(group=ENTRY_POINT_GROUP).names


def open_sandbox(plugin: Plugin, *, port: int = 0) -> Any:  # noqa: ANN401 - a Sandbox or a SourceSandbox, as the plugin is
    """Start the stand-in of a plugin's vendor on loopback, on any free port unless one is named.

    Raises:
        ConfigError: it is not installed whole, or serves a real system that is not on this machine.
    """
    found = metadata.entry_points(group=ENTRY_POINT_GROUP)[plugin.name]
    try:
        start = found.load()
    except (ImportError, AttributeError) as exc:
        raise ConfigError(
            f"The sandbox of {plugin.info.title} cannot be loaded ({exc}).",
            code="sandbox_broken",
            fix=f"Install the distribution {found.dist.name} again." if found.dist else "",
        ) from exc
    try:
        return start(port=port)
    except FileNotFoundError as exc:
        raise ConfigError(
            f"{plugin.info.title} is not on this machine.", code="real_system_missing", fix=str(exc)
        ) from exc


def require_sandbox(plugin: Plugin, plugins: PluginSet) -> Plugin:
    """Return the plugin, if a stand-in of its vendor is installed.

    Raises:
        ConfigError: it is not; the error says what to install.
    """
    if has_sandbox(plugin):
        return plugin
    record = plugins.record(plugin.name)
    distribution = record.distribution if record else plugin.name
    raise ConfigError(
        f"No sandbox of {plugin.info.title} is installed.",
        code="no_sandbox",
        fix=f"Install {distribution.replace('_', '-')}-sandbox from its folder or wheel: pip install ./path/to/sandbox",
    )
