"""What the connector writes is for its own user, whatever the umask of whoever starts it."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from connector_core.demo.daemon import Daemon
from connector_core.demo.stage import Stage, sandbox_plugin
from connector_core.plugins import load_plugins
from connector_core.secrets import SecretBox
from connector_core.store import private
from connector_core.store.opening import open_store
from tests.support.linking import open_incident

BOX = SecretBox([SecretStr("a passphrase that is long enough")])


class CarelessDaemon(Daemon):
    """A daemon, and commands, whose shell lets everybody read and write what they make."""

    def __init__(self, config_path, url, log_path, environ):
        super().__init__(config_path, url, log_path, environ)
        self._command = ["/bin/sh", "-c", 'umask 000; exec "$0" "$@"', *self._command]


class CarelessStage(Stage):
    """A stage whose database is in a folder that the daemon makes."""

    daemon_class = CarelessDaemon

    def _write_config(self, port, url, **options):
        super()._write_config(port, url, **options)
        text = self.config_path.read_text()
        self.config_path.write_text(text.replace("sqlite:///connector.db", "sqlite:///made/deep/connector.db"))


@pytest.fixture
def stage(tmp_path):
    """Open a careless stage."""
    opened = CarelessStage(sandbox_plugin(load_plugins(), "jira_jsm"), tmp_path)
    opened.open()
    yield opened
    opened.close()


def modes(folder):
    """Return the mode of every file and folder below a folder, by name."""
    return {str(path.relative_to(folder)): oct(stat.S_IMODE(path.stat().st_mode)) for path in folder.rglob("*")}


@pytest.mark.extended
def test_database_and_all_beside_it_are_private(stage, tmp_path):
    """With umask 000: database, log, shared memory, locks, the life beside it, folders that it makes, and a backup."""
    open_incident(stage)
    folder = tmp_path / "made"
    backups = tmp_path / "backups"
    backups.mkdir()
    assert stage.daemon.command("db", "backup", str(backups / "copy.db")).returncode == 0
    assert stage.daemon.command("retry", "1").returncode == 0

    found = modes(folder)

    assert {"deep/connector.db", "deep/connector.db-wal", "deep/connector.db-shm"} <= found.keys()
    assert {"deep/connector.db.life", "deep/connector.db.daemon.lock", "deep/connector.db.migrate.lock"} <= found.keys()
    assert found.pop("deep") == oct(0o700)
    assert oct(stat.S_IMODE(folder.stat().st_mode)) == oct(0o700)
    assert set(found.values()) == {oct(0o600)}, found
    assert modes(backups) == {"copy.db": oct(0o600)}


@pytest.mark.extended
def test_files_of_an_earlier_version_are_narrowed_at_the_start(stage, tmp_path):
    """What others could read, they cannot any more after a restart; the folder is the operator's business."""
    folder = tmp_path / "made" / "deep"
    stage.daemon.kill()
    for path in folder.iterdir():
        path.chmod(0o666)
    folder.chmod(0o755)
    assert (folder / "connector.db-wal").exists()
    stage.daemon.start()

    assert set(modes(folder).values()) == {oct(0o600)}
    assert oct(stat.S_IMODE(folder.stat().st_mode)) == oct(0o755)
    assert "file_open_to_others" not in stage.daemon.log_path.read_text()


def test_the_store_alone_sees_to_it(tmp_path):
    """Also where no command set the umask: a program that uses the store as a library."""
    before = os.umask(0)
    try:
        with closing(open_store(tmp_path / "made" / "connector.db", BOX)) as store:
            store.life.begin(datetime(2026, 11, 23, tzinfo=UTC))
            with store.database.exclusive("grant-desk"):
                store.database.backup(tmp_path / "copy.db")
            found = modes(tmp_path)
    finally:
        os.umask(before)

    assert found.pop("made") == oct(0o700)
    assert {"copy.db", "made/connector.db-wal", "made/connector.db.life"} <= found.keys()
    assert set(found.values()) == {oct(0o600)}, found


def test_files_of_somebody_else_are_told(tmp_path, monkeypatch):
    """What cannot be narrowed stops nothing, and is named."""
    path = tmp_path / "connector.db"
    open_store(path, BOX).close()
    path.chmod(0o664)

    def not_ours(*_):
        raise PermissionError

    monkeypatch.setattr(os, "chmod", not_ours)
    with closing(open_store(path, BOX)):
        assert path in private.open_to_others(path)


def test_a_link_to_the_database_leads_to_the_files_beside_it(tmp_path):
    """SQLite puts its log beside the file itself, not beside a link to it."""
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "connector.db").symlink_to(real / "data.db")
    open_store(tmp_path / "connector.db", BOX).close()
    for name in ("data.db", "data.db-wal"):
        (real / name).touch()
        (real / name).chmod(0o644)

    with closing(open_store(tmp_path / "connector.db", BOX)):
        assert set(modes(real).values()) == {oct(0o600)}


@pytest.mark.extended
def test_demo_leaves_nothing_open_to_others(tmp_path):
    """Its folder has the settings, the log and the database of the daemon that it starts."""
    command = [sys.executable, "-m", "connector_core", "demo", "--source", "http"]
    environ = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    careless = ["/bin/sh", "-c", 'umask 000; exec "$0" "$@"', *command]
    with subprocess.Popen(careless, env=environ, stdout=subprocess.PIPE, text=True) as demo:
        try:
            told = []
            for line in demo.stdout:
                told.append(line)
                if "metrics" in line:
                    break
            found = modes(tmp_path)
        finally:
            demo.send_signal(signal.SIGINT)
            demo.stdout.read()
            demo.wait(60)

    assert any(re.search("stays up", line) for line in told), told
    files = {name: mode for name, mode in found.items() if Path(name).suffix}
    assert any(name.endswith("connector.db") for name in files)
    assert any(name.endswith("connector.yaml") for name in files)
    assert {mode for name, mode in files.items()} == {oct(0o600)}, found
    assert set(found.values()) <= {oct(0o600), oct(0o700)}, found
