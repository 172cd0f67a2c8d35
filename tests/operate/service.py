"""The connector as a service on a machine, and all that it talks to; installed from wheels, never from the checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import requests

from connector_core.demo.daemon import Daemon
from connector_core.demo.stage import INTEGRATION, Stage, free_port, sandbox_plugin, source_plugin
from connector_core.plugins import load_plugins
from tests.operate.machine import Machine, Unit, lay_dependencies
from tests.support.front import load_balancer, proxy_example

ROOT = Path(__file__).parents[2]
PRODUCT = ("connector_core", "connector_jira_jsm", "connector_xyte")
#: The last release: its tag, or the commit that it was made of where there are no tags.
LAST_RELEASE = ("v0.2.0", "f531acc")
CONFIG, DATABASE = "/etc/connector/connector.yaml", "/var/lib/connector/connector.db"
CONNECTOR, PIP = "/opt/connector/bin/connector", "/opt/connector/bin/pip"


def packed_sources() -> bytes | None:
    """Return the sources of the last release as an archive, or None where they are not at hand."""
    git = shutil.which("git")
    if git is None:
        return None
    for name in LAST_RELEASE:
        packed = subprocess.run([git, "archive", name], cwd=ROOT, capture_output=True, check=False)
        if packed.returncode == 0:
            return packed.stdout
    return None


def build_last_release(place: Path, folder: Path) -> list[Path] | None:
    """Build what the last release published; return its wheels, or None where its sources are not at hand."""
    packed = packed_sources()
    if packed is None:
        return None
    with tarfile.open(fileobj=BytesIO(packed)) as sources:
        sources.extractall(folder, filter="data")
    for one in (folder, folder / "plugins" / "jira_jsm", folder / "plugins" / "xyte"):
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place)]
        subprocess.run(command, cwd=one, check=True, capture_output=True)
    return sorted(place.glob("*.whl"))


def product(wheels: Iterable[Path]) -> list[Path]:
    """Return those of the wheels that a service has."""
    return [path for path in wheels if path.name.partition("-")[0] in PRODUCT]


class Host(Machine):
    """A machine with an environment for the connector, in which everything is but the connector."""

    def prepare(self, wheels: Iterable[Path]) -> None:
        """Make the environment, with the libraries that wheels ask for."""
        self.must("python3", "-m", "venv", "/opt/connector")
        self.lay(wheels)

    def lay(self, wheels: Iterable[Path]) -> None:
        """Put the libraries there that wheels ask for, also those that others did not."""
        (site,) = self.root.glob("opt/connector/lib/python3*/site-packages")
        lay_dependencies(site, wheels)

    def install(self, wheels: Iterable[Path], name: str) -> None:
        """Install from wheels that were put into a folder of the machine; all that they need has to be there."""
        place = self.at(f"srv/{name}")
        place.mkdir(exist_ok=True)
        files = [shutil.copy(path, place) for path in product(wheels)]
        inside = [f"/srv/{name}/{Path(path).name}" for path in files]
        self.must(PIP, "install", "--quiet", "--no-index", *inside)
        self.must(PIP, "check")

    def connector(
        self, *words: str, user: int = 0, environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of the connector; nothing but the place of the configuration is in the shell."""
        return self.run(CONNECTOR, *words, user=user, environ={"CONNECTOR_CONFIG": CONFIG, **(environ or {})})


class Service(Daemon):
    """The connector as its unit says."""

    def __init__(self, host: Host, unit: Unit, url: str, environ: Mapping[str, str]) -> None:
        super().__init__(host.at(CONFIG), url, host.at("var/log/connector.log"), {})
        self.host, self.unit, self.secrets = host, unit, dict(environ)
        #: Commands of 0.2.0 needed the secrets of the daemon in the shell.
        self.shell: dict[str, str] = {}

    def launch(self) -> subprocess.Popen[str]:
        """Start it."""
        secrets = self.host.at("etc/connector/secrets")
        secrets.write_text("".join(f"{name}={value}\n" for name, value in self.secrets.items()))
        secrets.chmod(0o600)
        self._process = process = self.unit.start(self.log_path)
        return process

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command beside it, as root."""
        return self.host.connector(*arguments, environ=self.shell)

    def must(self, *arguments: str) -> str:
        """Run a command that has to succeed; return what it printed."""
        done = self.command(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def said(self, event: str) -> list[dict[str, Any]]:
        """Return the lines of the log about an event."""
        lines = [json.loads(line) for line in self.log_path.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]


class Operated(Stage):
    """A service on a machine between stand-ins, whose address is that of a proxy."""

    daemon: Service

    def ticket_of(self, incident_id: str, *, integration: str | None = None) -> dict[str, Any] | None:
        """Return the ticket of an incident as the sandbox shows it, found by a command."""
        rows = json.loads(self.daemon.must("links", "--json"))
        keys = {row["ticket"] for row in rows if row["incident"] == incident_id and integration in {None, INTEGRATION}}
        return next((dict(ticket) for ticket in self.sandbox.tickets() if ticket["key"] in keys), None)

    def authorize_as_0_2_0(self) -> None:
        """Authorize where the way back from consent finishes it."""
        requests.get(self.sandbox.approve(self.consent_page()), timeout=10).raise_for_status()


@contextmanager
def operated(host: Host, scratch: Path) -> Iterator[Operated]:
    """Set up everything but the service; end all of it, whatever became of it."""
    scratch.mkdir()
    unit = Unit(host, ROOT / "deploy" / "connector.service")
    plugins, port = load_plugins(), free_port()

    class Here(Service):
        def __init__(self, _config_path: Path, url: str, _log_path: Path, environ: Mapping[str, str]) -> None:
            super().__init__(host, unit, url, environ)

    class Stand(Operated):
        daemon_class = Here

    host.at("etc/connector").mkdir()
    stage = Stand(
        sandbox_plugin(plugins, "jira_jsm"),
        scratch,
        source=source_plugin(plugins, "xyte"),
        database=f"sqlite:///{DATABASE}",
        public_url=f"http://127.0.0.1:{port}",
    )
    daemon_port = int(stage.daemon.url.rpartition(":")[2])
    config = proxy_example("nginx", "nginx-host.conf", (port, daemon_port), scratch)
    with load_balancer("nginx", config, scratch, port):
        try:
            yield stage
        finally:
            if stage.daemon._process is not None and stage.daemon._process.poll() is None:
                stage.daemon.kill()
            stage.close()


def files_of(host: Host) -> list[str]:
    """Return every file on the machine that is not lent to it."""
    found = []
    for folder, names, files in os.walk(host.root):
        names[:] = [
            name for name in names if f"{folder}/{name}" not in {f"{host.root}/{one}" for one in ("dev", "proc")}
        ]
        found += [f"{folder}/{name}".removeprefix(str(host.root)) for name in files]
    return sorted(found)
