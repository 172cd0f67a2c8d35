"""What a new operator does, from the wheels of a release, on an empty machine: each step by the docs, as its users.

Extended: minutes. Which step or which other test holds what was found once is in `held.py`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import stat
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import requests
from ruamel.yaml import YAML

from connector_core.demo.stage import INTEGRATION, ORGANIZATION, until
from tests.operate import held
from tests.operate.machine import ADA, SERVICE_USER
from tests.operate.service import (
    CONFIG,
    DATABASE,
    LAST_RELEASE,
    ROOT,
    Host,
    build_last_release,
    files_of,
    operated,
    product,
)
from tests.support.linking import incident_shows, open_incident, ticket_shows
from tools.release import build

pytestmark = [
    pytest.mark.extended,
    pytest.mark.skipif(os.geteuid() != 0, reason="an empty machine takes root: mounts and chroot"),
    pytest.mark.skipif(not Path("/usr/bin/unshare").exists(), reason="an empty machine takes unshare of util-linux"),
]
SETTINGS = 3  # an exit code


@contextmanager
def step(name):
    """Name what is done, where it fails."""
    assert name in held.STEPS, name
    try:
        yield
    except BaseException as exc:
        exc.add_note(f"step: {name}")
        raise


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """Build what a release would publish."""
    return build(tmp_path_factory.mktemp("release"), ("wheel",))


@pytest.fixture(scope="module")
def host(tmp_path_factory, wheels):
    """Make a machine with an environment, in which nothing of ours is."""
    made = Host(tmp_path_factory.mktemp("machine") / "root")
    made.prepare(product(wheels))
    yield made
    shutil.rmtree(made.root)


def removal():
    """Return the commands of the page about the service that remove it."""
    section = (ROOT / "docs" / "service.md").read_text().split("## Remove it")[1]
    (line,) = re.findall(r"^ {4}(rm -rf .*)$", section, re.MULTILINE)
    return line


def uninstall(stage):
    """Do what the page says; only what pip and Python made beforehand is kept, for the next test."""
    host = stage.daemon.host
    stage.daemon.command("integrations", "disable", INTEGRATION)
    assert stage.daemon.stop() == 0
    line = removal()
    assert "/opt/connector " in line
    host.must("/bin/sh", "-c", line.replace("/opt/connector ", "").replace("/var/lib/private/", "/var/lib/"))
    host.must(
        "/opt/connector/bin/pip",
        "uninstall",
        "--yes",
        "--quiet",
        *("connector-core", "connector-jira-jsm", "connector-xyte"),
    )
    host.must("/bin/sh", "-c", "rm -rf /srv/* /run/connector /var/log/connector.log /tmp/* /root/.cache")


def configure(stage):
    """Begin a file by the command, then edit it."""
    host = stage.daemon.host
    done = host.connector("config", "init", CONFIG)
    assert done.returncode == 0, done.stderr
    YAML().load(host.at(CONFIG).read_text())
    shutil.copy(stage.config_path, host.at(CONFIG))
    host.at(CONFIG).chmod(0o644)


def edit(stage, change):
    """Edit the file on the machine."""
    path = stage.daemon.host.at(CONFIG)
    tree = YAML().load(path)
    change(tree)
    YAML().dump(tree, path)


def owners(host):
    """Return who owns the files of the service, and what others may do with them."""
    found = [path.stat() for path in host.at(DATABASE).parent.iterdir()]
    return {one.st_uid for one in found}, {stat.S_IMODE(one.st_mode) & 0o077 for one in found}


def tickets_of(stage, title):
    """Return how many tickets there are for an incident."""
    return len([one for one in stage.sandbox.tickets() if title in stage.sandbox.ticket(one["id"])["title"]])


def test_a_new_operator_installs_runs_breaks_restores_and_removes_it(host, wheels, tmp_path):  # noqa: PLR0915 - a story
    """From nothing to nothing: what is left afterwards is what was there before."""
    before = files_of(host)
    with operated(host, tmp_path / "scratch") as stage:
        service = stage.daemon
        with step("install"):
            host.install(wheels, "release")
            listed = json.loads(host.must("/opt/connector/bin/connector", "plugins", "list", "--json", user=ADA))
            assert {row["name"]: row["status"] for row in listed} == dict.fromkeys(
                ("http", "jira_jsm", "xyte"), "ready"
            )
            unit = Path(
                next(host.root.glob("opt/connector/lib/*/site-packages/connector_core/config/connector.service"))
            )
            assert unit.read_bytes() == (ROOT / "deploy" / "connector.service").read_bytes()
        with step("the demo says what it needs"):
            told = host.connector("demo", "--once", user=ADA)
            assert (told.returncode, "sandbox" in told.stderr) == (SETTINGS, True), told.stderr
        with step("configure"):
            configure(stage)
            wrong = host.connector("config", "check")
            assert wrong.returncode == SETTINGS
            assert "DEMO_SECRET_KEY" in wrong.stderr
            checked = host.connector("config", "check", environ=service.secrets)
            assert checked.returncode == 0, checked.stderr
        with step("a first command as root spoils nothing"):
            for words in (("status",), ("links", "--json"), ("db", "check")):
                said = host.connector(*words)
                assert "Traceback" not in said.stderr
            assert host.connector("db", "migrate", environ=service.secrets).returncode == 0
        with step("a folder that cannot be written"):
            state = host.at(DATABASE).parent
            os.chown(state, 0, 0)
            state.chmod(0o755)
            refused = host.connector("run", user=ADA, environ=service.secrets)
            assert refused.returncode == SETTINGS
            assert "Traceback" not in refused.stderr + refused.stdout
            assert DATABASE in refused.stderr
            assert not service.unit.starts_again(refused.returncode)
        with step("service"):
            service.start()
            assert owners(host) == ({SERVICE_USER}, {0})
            assert [service.unit.starts_again(code) for code in (0, 1, 5, -9)] == [True] * 4
        with step("reverse proxy"):
            assert requests.get(f"{stage.public_url}/login", timeout=10).status_code == 200
            assert requests.get(f"{stage.public_url}/metrics", timeout=10).status_code == 403
        with step("authorize"):
            stage.authorize()
        with step("live"):
            incident, ticket = open_incident(stage, "Display is dark")
            stage.sandbox.edit_ticket(ticket, title="Fuse blown")
            incident_shows(stage, incident, title="Fuse blown")
            stage.sandbox.finish_ticket(ticket)
            incident_shows(stage, incident, status="closed")
        with step("commands beside the service"):
            assert "SUP-" in service.must("explain", incident)
            assert json.loads(service.must("status", "--json"))
            assert service.command("doctor", "--json").returncode in {0, 1}
            assert service.command("integrations", "show", "nope").returncode == 2
            assert owners(host) == ({SERVICE_USER}, {0})
            stranger = host.connector("links", "--json", user=ADA)
            assert stranger.returncode == SETTINGS
            assert "Traceback" not in stranger.stderr
        with step("looking changes nothing"):
            edit(stage, lambda tree: tree["organizations"][ORGANIZATION].update(name="Acme, Inc."))
            service.must("integrations", "list")
            assert not service.said("config_taken_over")
        with step("reload"):
            os.kill(service.pid, signal.SIGHUP)
            until(lambda: "Acme, Inc." in service.log_path.read_text())
            assert service.is_ready()
        with step("killed"):
            service.kill()
            held_back = stage.platform.open("Opened while it was down")
            service.start()
            until(lambda: stage.ticket_of(held_back))
        with step("backup"):
            copy = "/root/backup.db"
            service.must("db", "backup", copy)
            assert stat.S_IMODE(host.at(copy).stat().st_mode) == 0o600
            assert service.command("db", "backup", copy).returncode == SETTINGS
        with step("restore"):
            late, _ = open_incident(stage, "After the backup")
            service.kill()
            for path in host.at(DATABASE).parent.glob("connector.db*"):
                if path.name in {"connector.db", "connector.db-wal", "connector.db-shm"}:
                    path.rename(host.at("root") / path.name)
            host.must("cp", copy, DATABASE)
            assert host.connector("db", "check").returncode == 0
            service.start()
            until(lambda: stage.ticket_of(late))
            stage.platform.resolve(late)
            until(lambda: stage.sandbox.ticket(stage.ticket_of(late)["id"])["done"])
            assert tickets_of(stage, "After the backup") == 1
            host.must("/bin/sh", "-c", "rm /root/connector.db* /root/backup.db")
        with step("a lost secret key"):
            assert service.stop() == 0
            kept, service.secrets["DEMO_SECRET_KEY"] = service.secrets["DEMO_SECRET_KEY"], "f" * 64
            service.start()
            assert "SUP-" in service.must("explain", late)
            assert service.stop() == 0
            service.secrets["DEMO_SECRET_KEY"] = kept
            service.start()
        with step("support bundle"):
            service.must("support-bundle", "/root/bundle.zip", "--no-doctor", "--log", "/var/log/connector.log")
            host.at("root/bundle.zip").unlink()
        with step("uninstall"):
            uninstall(stage)
    assert files_of(host) == before


def test_the_last_release_is_upgraded_rolled_back_and_upgraded_again(host, wheels, tmp_path):  # noqa: PLR0915 - a story
    """Its database, its file and its running links; the way back is the backup."""
    last = build_last_release(tmp_path / "last", tmp_path / "sources")
    if last is None:
        pytest.skip(f"the sources of {LAST_RELEASE[0]} are not at hand: a clone with its history has them")
    with operated(host, tmp_path / "scratch") as stage:
        service = stage.daemon
        with step("the last release runs"):
            host.lay(last)
            host.install(last, "last")
            shutil.copy(stage.config_path, host.at(CONFIG))
            service.shell = service.secrets
            service.start()
            stage.authorize_as_0_2_0()
            incident, ticket = open_incident(stage, "Before the upgrade")
            over, over_ticket = open_incident(stage, "Over before")
            stage.sandbox.finish_ticket(over_ticket)
            incident_shows(stage, over, status="closed")
        with step("upgrade"):
            service.must("db", "backup", "/root/before.db")
            host.install(wheels, "present")
            service.shell = {}
            looked = service.command("status")  # the daemon of before still runs
            assert (looked.returncode, "db migrate" in looked.stderr) == (SETTINGS, True), looked.stderr
            assert host.connector("config", "check", environ=service.secrets).returncode == 0
            assert service.stop() == 0
            service.start()
            rows = {row["incident"]: row for row in json.loads(service.must("links", "--json"))}
            assert rows[incident]["ticket"] == stage.sandbox.ticket(ticket)["key"]
            assert over in rows
            stage.sandbox.edit_ticket(ticket, title="After the upgrade")
            incident_shows(stage, incident, title="After the upgrade")
            assert "Before the upgrade" in service.must("explain", incident)
        with step("an older program refuses the newer database"):
            late, late_ticket = open_incident(stage, "Opened on the new one")
            assert service.stop() == 0
            host.install(last, "last")
            refused = host.connector("run", environ=service.secrets)
            assert refused.returncode == SETTINGS
            assert "newer version" in refused.stderr
            assert "Traceback" not in refused.stderr
        with step("rollback by backup"):
            for path in host.at(DATABASE).parent.glob("connector.db*"):
                path.unlink()
            host.must("mv", "/root/before.db", DATABASE)
            service.shell = service.secrets
            service.start()
            stage.platform.change(incident, title="Rolled back")
            ticket_shows(stage, ticket, title="Rolled back")
        with step("upgrade again"):
            assert service.stop() == 0
            host.install(wheels, "present")
            service.shell = {}
            service.start()
            stage.sandbox.finish_ticket(ticket)
            incident_shows(stage, incident, status="closed")
            with closing(sqlite3.connect(host.at(DATABASE))) as db:
                assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert late_ticket in {one["id"] for one in stage.sandbox.tickets()}
            assert late
        with step("uninstall"):
            uninstall(stage)


@pytest.fixture(autouse=True)
def nothing_left(host):
    """Leave no process behind that sees the machine."""
    yield
    left = [pid for pid in os.listdir("/proc") if pid.isdigit() and _sees(pid, host.root)]  # noqa: PTH208 - names only
    assert left == []


def _sees(pid, root):
    try:
        return os.readlink(f"/proc/{pid}/root").startswith(str(root))  # noqa: PTH115 - a path of another process
    except OSError:
        return False
