"""A connector of the next version: it knows one more migration, and a step that removes something.

python -m tests.support.later_version --config connector.yaml run
"""

from __future__ import annotations

import sys
from urllib.parse import urlsplit

from connector_core.cli.main import run
from connector_core.demo.daemon import Daemon
from connector_core.demo.stage import free_port
from connector_core.store import postgres_steps, steps, version

ADDED, REMOVED = "m900_of_tomorrow", "finish_m900_of_tomorrow"
ADD = "ALTER TABLE link ADD COLUMN of_tomorrow TEXT"
REMOVE = "ALTER TABLE webhook_secret_change DROP COLUMN changed_at"


class LaterDaemon(Daemon):
    """A daemon of the next version."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self._command[1:3] = ["-m", __name__]


def later_beside(stage) -> LaterDaemon:
    """Return a daemon of the next version with the same file, but for the port at which it listens."""
    port, first, folder = free_port(), urlsplit(stage.daemon.url).port, stage.config_path.parent
    path = folder / "later.yaml"
    path.write_text(stage.config_path.read_text().replace(f"port: {first}", f"port: {port}"))
    return LaterDaemon(path, f"http://127.0.0.1:{port}", folder / "later.log", stage.environ)


def teach() -> None:
    """Have this process know what comes next, on both databases."""
    version.LATEST = ADDED
    postgres_steps.MIGRATIONS[ADDED] = lambda run: run(ADD)
    postgres_steps.FINISHING[REMOVED] = lambda run: run(REMOVE)
    steps.migrations(name=ADDED)(lambda db: db.conn.execute(ADD))
    steps.finishing(name=REMOVED)(lambda db: db.conn.execute(REMOVE))


if __name__ == "__main__":
    teach()
    sys.exit(run())
