"""Several daemons on one PostgreSQL database, behind one address, with both sides' stand-ins.

cluster = Cluster(plugin, folder, database="postgresql://…", nodes=3)
cluster.open()
cluster.stage.platform.open("Fan failed")  # whichever daemon takes it, any may work on it
cluster.nodes[0].kill()
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from connector_core.demo.daemon import Daemon
from connector_core.demo.spreader import Spreader
from connector_core.demo.stage import Stage, free_port, until
from connector_core.plugins import Plugin


class Cluster:
    """A stage whose daemon is the first of several; all of them have the same file but for their port.

    `databases` are the addresses by which each daemon reaches the database, where they are not the same; `prepare`
    may change the file before it is copied.
    """

    def __init__(  # noqa: PLR0913 - as a stage, by keyword
        self,
        plugin: Plugin,
        folder: Path,
        *,
        nodes: int,
        database: str,
        databases: Sequence[str] = (),
        settings: str = "",
        prepare: Callable[[Path], None] = lambda _: None,
        port: int = 0,
        **options: Any,  # noqa: ANN401 - those of a stage
    ) -> None:
        self.spreader = Spreader(port=port)
        addresses = databases or [database] * nodes
        self.stage = Stage(plugin, folder, database=addresses[0], public_url=self.spreader.url, **options)
        self.stage.config_path.write_text(f"{self.stage.config_path.read_text()}{settings}\n")
        prepare(self.stage.config_path)
        others = (self._another(folder, number, address) for number, address in enumerate(addresses[1:], start=2))
        self.nodes: Sequence[Daemon] = [self.stage.daemon, *others]

    def open(self) -> float:
        """Start everything and authorize access; return after how many seconds all daemons were ready."""
        took = self.stage.open_unauthorized()
        for daemon in self.nodes[1:]:
            took += daemon.start()
        self.spreader.start([daemon.url for daemon in self.nodes])
        until(lambda: len(self.spreader.ready) == len(self.nodes))
        self.stage.authorize()
        return took

    def close(self) -> None:
        """Stop everything."""
        for daemon in self.nodes[1:]:
            daemon.stop()
        self.stage.close()
        self.spreader.stop()

    def _another(self, folder: Path, number: int, database: str) -> Daemon:
        """Return a daemon with the same file, but for the port at which it listens itself."""
        first, stage = self.stage.daemon.url, self.stage
        port = free_port()
        text = stage.config_path.read_text().replace(f"port: {urlsplit(first).port}", f"port: {port}")
        path = folder / f"node{number}.yaml"
        path.write_text(text.replace(f"database: {stage.database}", f"database: {database}"))
        return stage.daemon_class(path, f"http://127.0.0.1:{port}", folder / f"node{number}.log", stage.environ)
