"""Hosts of one PostgreSQL database in one process, each with a configuration file and a daemon that is not running.

host = Host(folder, place).has("1").start()  # as far as it applies its file
host.in_force()
"""

from __future__ import annotations

from typing import Any

import structlog

from connector_core.app import build_app
from connector_core.config import load_config
from connector_core.plugins import load_plugins
from connector_core.secrets import SecretBox
from connector_core.store.opening import open_store
from connector_core.testing import FrozenClock, MemoryDesk, MemoryPlatform
from tests.core.conftest import PASSPHRASE

FILE = """
secret_key: a passphrase that is long enough
organizations: {{acme: {{source: {{plugin: platform}}, integrations: {{desk: {{plugin: desk, desk: "{version}"}}}}}}}}
"""


class Host:
    """A host with a file, on which a daemon is started and stopped."""

    def __init__(self, folder, place) -> None:
        self.path, self._place = folder / "connector.yaml", place
        folder.mkdir()
        self.app: Any = None

    def has(self, version):
        """Let the file say something."""
        self.path.write_text(FILE.format(version=version))
        return self

    def start(self):
        """Start a daemon as far as it applies its file."""
        clock = FrozenClock()
        plugins = load_plugins(entry_points=[MemoryDesk(clock).entry_point(), MemoryPlatform(clock).entry_point()])
        store = open_store(self._place, SecretBox([PASSPHRASE]))
        self.app = build_app(load_config(self.path, plugins), plugins, log=structlog.get_logger("test"), store=store)
        self.app.engine.join()
        self.app.applying.at_start()
        return self

    def stop(self):
        """Stop it."""
        if self.app is not None:
            self.app.engine.node.stop()
            self.app.store.close()
        self.app = None
        return self

    def start_again(self):
        """Start it anew."""
        return self.stop().start()

    def in_force(self):
        """Return what is stored of the integration that the files are about."""
        return next(one.answers["desk"] for one in self.app.store.integrations.every() if one.id == "desk")
