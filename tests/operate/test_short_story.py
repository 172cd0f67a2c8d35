"""What an operator does in a quarter of an hour, in seconds: the commands and their exit codes, as documented.

The short story of `test_operated.py`: the same commands beside a daemon as a process, with what is installed here; no
root, no network, no other machine.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import zipfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from ruamel.yaml import YAML

from connector_core.cli.exit_codes import ExitCode
from connector_core.demo.daemon import Daemon
from connector_core.demo.stage import free_port, until
from connector_core.http_source.signatures import sign, signing_keys

KEY, EVENTS = "a passphrase of many letters", "whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0"
SECRETS = {"CONNECTOR_SECRET_KEY": KEY, "CONNECTOR_CONSOLE_PASSWORD": "a password of the console", "EVENTS": EVENTS}
WITHIN_S = 60


class Operator:
    """Somebody in a folder with a file to begin with."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.config, self.port = folder, folder / "connector.yaml", free_port()
        self.daemon = Daemon(self.config, f"http://127.0.0.1:{self.port}", folder / "daemon.log", SECRETS)

    def does(self, *words: str, code: ExitCode = ExitCode.DONE, environ: dict[str, str] | None = None) -> str:
        """Run a command that ends with a code and never with a traceback; return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "connector_core", *words],
            cwd=self.folder,
            env={**os.environ, **(environ or {})},
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stdout + done.stderr
        return done.stdout + done.stderr

    def edits(self, change) -> None:
        """Edit the file, with its comments."""
        yaml = YAML()
        tree = yaml.load(self.config)
        change(tree)
        yaml.dump(tree, self.config)


@pytest.fixture
def operator(tmp_path):
    """Give somebody an empty folder; nothing runs afterwards."""
    one = Operator(tmp_path)
    yield one
    if one.daemon._process is not None:
        one.daemon.kill()


def own(port):
    """Return what makes the file that `config init` writes one's own: a port, a source, and no integration yet."""

    def change(tree):
        tree["server"].update(port=port, public_url=f"http://127.0.0.1:{port}")
        tree["server"].pop("metrics", None)
        tree["organizations"] = {"acme": {"source": {"plugin": "http", "secret": "${env:EVENTS}"}}}

    return change


@pytest.mark.extended
def test_an_operator_configures_runs_reloads_backs_up_restores_and_stops(operator):
    """From an empty folder, with the exit codes that are documented."""
    operator.does("status", code=ExitCode.SETTINGS)
    operator.does("config", "init")
    operator.does("config", "init", code=ExitCode.SETTINGS)  # what is there is not overwritten
    operator.edits(own(operator.port))
    assert "CONNECTOR_SECRET_KEY" in operator.does("config", "check", code=ExitCode.SETTINGS)
    assert "fine" in operator.does("config", "check", environ=SECRETS)

    operator.daemon.start()
    until((operator.folder / "var" / "connector.db.sock").exists)
    assert json.loads(operator.does("status", "--json"))["sources"][0]["organization"] == "acme"
    push(operator, "inc-1")
    operator.does("explain", "nothing-of-this-name", code=ExitCode.USAGE)
    operator.does("no-such-command", code=ExitCode.USAGE)

    operator.edits(lambda tree: tree["organizations"]["acme"].update(name="Acme, Inc."))
    assert "Acme, Inc." in operator.does("config", "diff", code=ExitCode.FAILED)  # as diff ends
    os.kill(operator.daemon.pid, signal.SIGHUP)
    until(lambda: "Acme, Inc." in operator.daemon.log_path.read_text())
    assert operator.daemon.is_ready()

    operator.does("support-bundle", "bundle.zip", "--no-doctor", "--log", "daemon.log", environ=SECRETS)
    with zipfile.ZipFile(operator.folder / "bundle.zip") as bundle:
        kept = b"".join(bundle.read(name) for name in bundle.namelist())
    assert [secret for secret in SECRETS.values() if secret.encode() in kept] == []

    operator.does("db", "backup", "kept.db")
    operator.does("db", "backup", "kept.db", code=ExitCode.SETTINGS)
    push(operator, "inc-2")
    assert operator.daemon.stop() == 0
    for path in (operator.folder / "var").glob("connector.db*"):
        path.unlink()
    (operator.folder / "kept.db").rename(operator.folder / "var" / "connector.db")
    operator.does("db", "check")
    operator.daemon.start()
    assert json.loads(operator.does("status", "--json"))["sources"][0]["organization"] == "acme"
    assert operator.daemon.stop() == 0
    with closing(sqlite3.connect(operator.folder / "var" / "connector.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def push(operator, incident):
    """Have the platform tell of an incident; a 2xx means that it is on disk."""
    at = datetime.now(UTC)
    told = {"id": incident, "title": "Dark", "status": "active"}
    event = {"id": f"evt-{incident}", "type": "incident.opened", "occurred_at": at.isoformat(), "incident": told}
    body = json.dumps(event).encode()
    headers = sign(signing_keys(EVENTS), event["id"], at, body)
    url = f"{operator.daemon.url}/v1/sources/acme/events"
    requests.post(url, data=body, headers=headers, timeout=10).raise_for_status()
