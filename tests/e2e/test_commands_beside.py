"""Commands beside a running daemon, as processes: it does them, so that the shell needs nothing but the file."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
import requests

from connector_core.cli.beside import place
from connector_core.demo.daemon import Daemon
from connector_core.demo.stage import free_port, until
from connector_core.http_source.signatures import sign, signing_keys

SECRETS = {
    "OUR_KEY": "a passphrase of many letters",
    "OUR_EVENTS": "whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0",
}
CONFIG = """
database: sqlite:///state/of/the/connector/connector.db
secret_key: ${env:OUR_KEY}
server: {port: PORT}
organizations:
  acme:
    source: {plugin: http, secret: "${env:OUR_EVENTS}"}
"""
WITHIN_S = 60


class Shell:
    """A shell without any secret beside a daemon."""

    def __init__(self, folder):
        self.config, port = folder / "connector.yaml", free_port()
        self.config.write_text(CONFIG.replace("PORT", str(port)))
        self.daemon = Daemon(self.config, f"http://127.0.0.1:{port}", folder / "daemon.log", SECRETS)
        self.socket = f"{folder}/state/of/the/connector/connector.db.sock"
        self.words = [sys.executable, "-m", "connector_core", "--config", str(self.config)]

    def start(self):
        """Start the daemon and wait until it takes commands."""
        self.daemon.start()
        until(lambda: Path(self.socket).exists())

    def run(self, *words, **options):
        """Run a command."""
        return subprocess.run(
            [*self.words, *words], capture_output=True, text=True, timeout=WITHIN_S, check=False, **options
        )


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """Start a daemon in a folder whose path is longer than a socket's may be."""
    opened = Shell(tmp_path_factory.mktemp("a" * 100))
    opened.start()
    yield opened
    pid = opened.daemon.pid
    assert opened.daemon.stop() == 0
    until(lambda: processes_of(opened) == [])
    assert not psutil.pid_exists(pid)
    assert not Path(opened.socket).exists()


def processes_of(shell):
    """Return all processes that know the configuration file."""
    return [one.pid for one in psutil.process_iter(["cmdline"]) if str(shell.config) in (one.info["cmdline"] or ())]


def test_a_command_needs_no_secret(shell):
    """What is shown is what the daemon has; nothing else is on standard output; the code is the command's."""
    found = shell.run("sources", "list", "--json")

    assert (found.returncode, found.stderr) == (0, "")
    assert [row["organization"] for row in json.loads(found.stdout)] == ["acme"]
    doctor = shell.run("doctor", "--json")
    assert doctor.returncode == 0
    assert {row["severity"] for row in json.loads(doctor.stdout)} <= {"ok", "warning"}
    refused = shell.run("integrations", "show", "nope")
    assert (refused.returncode, refused.stdout) != (0, "")
    assert "nope" in refused.stderr


def test_a_file_is_read_by_the_caller(shell, tmp_path):
    """The daemon's user may not be able to; `-` works as well."""
    rules = tmp_path / "rules.yaml"
    rules.write_text("- {unknown: 1}\n")

    by_name = shell.run("routing", "set", "acme", str(rules))
    by_stdin = shell.run("routing", "set", "acme", "-", input=rules.read_text())

    assert by_name.returncode == by_stdin.returncode == 3
    assert by_name.stderr == by_stdin.stderr


def test_files_are_found_from_where_the_caller_is(shell, tmp_path):
    """Not from where the daemon was started; and what is made is the caller's."""
    here = tmp_path / "of the caller"
    here.mkdir()
    (here / "t.csv").write_text("incident,ticket\nnone-such,SUP-1\n")

    incident = {"id": "inc-1", "title": "Dark", "status": "active"}
    event = {"id": "evt-1", "type": "incident.opened", "occurred_at": "2026-11-28T10:00:00Z", "incident": incident}
    body = json.dumps(event).encode()
    headers = sign(signing_keys(SECRETS["OUR_EVENTS"]), "evt-1", datetime.now(UTC), body)
    requests.post(f"{shell.daemon.url}/v1/sources/acme/events", body, headers=headers, timeout=20).raise_for_status()

    linked = shell.run("link", "--csv", "t.csv", "--dry-run", "--report=r.csv", cwd=here)
    exported = shell.run("export", "acme", "--to", "acme.jsonl", cwd=here)
    again = shell.run("export", "acme", "--to", "acme.jsonl", cwd=here)
    unknown = shell.run("export", "nobody", "--to", "nobody.jsonl", cwd=here)

    assert (linked.returncode, exported.returncode) == (1, 0), linked.stderr + exported.stderr
    assert "none-such" in (here / "r.csv").read_text(encoding="utf-8-sig")
    assert '"kind": "export"' in (here / "acme.jsonl").read_text()
    assert (again.returncode, "is there already" in again.stderr) == (3, True)
    assert unknown.returncode != 0
    assert sorted(path.name for path in here.iterdir()) == ["acme.jsonl", "r.csv", "t.csv"]


def test_a_prompt_is_answered_in_the_callers_terminal(shell):
    """And a hidden one is not shown; Ctrl-C ends the command there."""
    outer, inner = pty.openpty()
    words = ["notifications", "add", "acme", "ops", "--channel", "slack"]
    with subprocess.Popen(
        [*shell.words, *words], stdin=inner, stdout=inner, stderr=inner, start_new_session=True
    ) as one:
        os.close(inner)
        assert b":" in read_until(outer, b": ")
        os.write(outer, b"\x03")
        assert one.wait(WITHIN_S) == 1
    os.close(outer)


def read_until(terminal, sign):
    """Read what a terminal shows up to a sign."""
    shown = b""
    while sign not in shown:
        shown += os.read(terminal, 1024)
    return shown


@pytest.mark.extended
def test_another_file_of_the_same_database_is_read_by_the_command(shell, tmp_path):
    """The daemon answers for its own file only: a copy may say something else."""
    other = tmp_path / "other.yaml"
    other.write_text(shell.config.read_text().replace("sqlite:///", f"sqlite:///{shell.config.parent}/"))

    found = subprocess.run(
        [sys.executable, "-m", "connector_core", "--config", str(other), "config", "check"],
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )

    assert found.returncode == 3
    assert "OUR_KEY" in found.stderr


def test_mistakes_name_the_file_as_the_caller_wrote_it(shell):
    """Not by the address that the daemon knows it by, which is none of the caller's words."""
    text = shell.config.read_text()
    shell.config.write_text(f"{text}nope: 1\n")
    words = [sys.executable, "-m", "connector_core", "--config", "../connector.yaml", "config", "check"]
    try:
        found = subprocess.run(
            words, cwd=shell.config.parent / "state", capture_output=True, text=True, timeout=WITHIN_S, check=False
        )
    finally:
        shell.config.write_text(text)

    assert found.returncode == 3
    assert "\n../connector.yaml:" in found.stderr
    assert str(shell.config) not in found.stderr
    assert "OUR_KEY" not in found.stderr  # the daemon did it


@pytest.mark.cases_in_test(1)
@pytest.mark.parametrize("sent", [b"", b"\0\0\0\x02{}", b"\0\0\0\x05hello", b"\xff" * 5000])
def test_nonsense_ends_nothing(shell, sent):
    """Whoever says nothing, or what nobody understands, is hung up on; the next one is served."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stranger, place.address(shell.socket) as short:
        stranger.connect(short)
        stranger.sendall(sent)

    assert shell.run("links", "--json").stdout == "[]\n"


@pytest.mark.extended
def test_killed_daemon_takes_its_door_along(tmp_path):
    """No process stays, and a command opens the database itself then; the next daemon listens again."""
    shell = Shell(tmp_path)
    shell.start()
    shell.daemon.kill()
    until(lambda: processes_of(shell) == [])

    assert shell.run("links", "--json").stdout == "[]\n"
    assert "OUR_KEY" in shell.run("config", "check").stderr
    shell.start()
    os.kill(shell.daemon.pid, signal.SIGHUP)
    assert shell.run("config", "check").returncode == 0
    assert shell.daemon.stop() == 0


@pytest.mark.extended
def test_of_two_daemons_one_listens_and_the_other_takes_over(tmp_path, bare_postgresql_url):
    """Over one PostgreSQL on one host, with one file: commands are served by the one that is left."""
    config = tmp_path / "connector.yaml"
    config.write_text(
        f"database: {bare_postgresql_url}\ncommand_socket: commands.sock\nsecret_key: ${{env:OUR_KEY}}\n"
        "server: {port: '${env:OUR_PORT}'}\norganizations: {acme: {}}\n"
    )
    ports = [free_port(), free_port()]
    daemons = [
        Daemon(config, f"http://127.0.0.1:{port}", tmp_path / f"{port}.log", {**SECRETS, "OUR_PORT": str(port)})
        for port in ports
    ]
    shell = [sys.executable, "-m", "connector_core", "--config", str(config), "config", "check"]

    def is_served():  # a shell without variables can only be served by a daemon
        return subprocess.run(shell, capture_output=True, timeout=WITHIN_S, check=False).returncode == 0

    try:
        daemons[0].start()
        until(is_served)
        daemons[1].start()
        daemons[0].kill()
        until(is_served)
        daemons[0].start()
        assert daemons[1].stop() == 0
        until(is_served)
        assert daemons[0].stop() == 0
        assert not is_served()
        assert not (tmp_path / "commands.sock").exists()
    finally:
        for daemon in daemons:
            daemon.kill()
