"""A configuration from a text, without a file that stays."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from connector_core.config import Config, load_config
from connector_core.plugins import PluginSet


def config_of(text: str, plugins: PluginSet) -> Config:
    """Read a configuration as if it stood in a file."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "connector.yaml")
        path.write_text(text)
        return load_config(path, plugins)
