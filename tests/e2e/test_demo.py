"""The demo as a newcomer runs it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

import psutil
import pytest

from connector_core.contract.errors import ConfigError
from connector_core.demo.stage import source_plugin, until
from connector_core.plugins import load_plugins
from tests.support.postgres import connected


def test_demo_tells_the_whole_story_and_ends_well():
    """`connector demo --once` shows eight steps and exits with 0."""
    ended = subprocess.run(
        [sys.executable, "-m", "connector_core", "demo", "--once"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.count("→") == 8
    assert "Every step was seen on both sides" in ended.stdout

    (note,) = [line for line in ended.stdout.splitlines() if line.startswith(" * ")]
    assert "gateway" in note
    assert [line.split(".")[0].strip() for line in ended.stdout.splitlines() if " * " in line and "→" in line] == [
        "4",
        "5",
    ]


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        pytest.param(signal.SIGTERM, "its folder is made", marks=pytest.mark.extended),
        (signal.SIGHUP, "its daemon is started"),
        pytest.param(signal.SIGINT, "it tells its story", marks=pytest.mark.extended),
    ],
)
def test_a_signal_ends_the_demo_at_any_moment(tmp_path, number, moment):
    """No process and no folder stays."""
    command = [sys.executable, "-m", "connector_core", "demo"]
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        demo = psutil.Process(process.pid)
        if moment == "it tells its story":
            assert process.stdout.readline()
            until(lambda: " 1. " in process.stdout.readline(), within_s=300)
        elif moment == "its daemon is started":
            until(demo.children, within_s=300)
        else:
            until(lambda: list(tmp_path.glob("connector-demo-*")), within_s=300)
        begun = demo.children(recursive=True)
        process.send_signal(number)
        process.stdout.read()
        assert process.wait(timeout=120) in {0, 1}

    until(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in begun))
    assert list(tmp_path.glob("connector-demo-*")) == []


def demo(*arguments):
    """Run the command to its end."""
    command = [sys.executable, "-m", "connector_core", "demo", "--once", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.extended
def test_three_daemons_tell_the_story_and_one_is_killed_in_the_middle(bare_postgresql_url):
    """The others go on with what it had in its hands, and the story ends well."""
    ended = demo("--nodes", "3", "--database", bare_postgresql_url)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.count("→") == 8
    assert "3 daemons behind http://127.0.0.1:" in ended.stdout
    (killed,) = [line for line in ended.stdout.splitlines() if "was killed (kill -9) while it worked on" in line]
    assert killed.endswith(", and 2 are left.")
    assert "Every step was seen on both sides" in ended.stdout


@pytest.mark.extended
def test_several_daemons_over_sqlite_are_refused():
    """It is said what they need."""
    ended = demo("--nodes", "3")

    assert ended.returncode != 0
    assert "Several daemons need a database on a server: SQLite has one." in ended.stderr
    assert "connector demo --nodes 3 --database postgresql://" in ended.stderr


def test_the_demo_shows_the_source_that_brings_a_sandbox():
    """Without being told, it takes the stand-in of a vendor; a name that is none is answered with those that are."""
    plugins = load_plugins()

    assert source_plugin(plugins, None).name == "xyte"
    assert source_plugin(plugins, "http") is None
    with pytest.raises(ConfigError) as caught:
        source_plugin(plugins, "jira_jsm")
    assert caught.value.fix == "Use one of: http, xyte"


@pytest.mark.extended
def test_a_database_that_cannot_be_told_in_is_refused(bare_postgresql_url):
    """One that is not there, and one in which something is: said before anything is started."""
    missing = demo("--database", re.sub(r"connector_test\w*", "nowhere", bare_postgresql_url))
    with connected(bare_postgresql_url) as connection:
        connection.execute("CREATE TABLE customers (id INT)")
    used = demo("--database", bare_postgresql_url)

    assert (missing.returncode, used.returncode) == (3, 3)
    assert "does not exist" in missing.stderr
    assert "is not empty: customers is there." in used.stderr
    assert "Traceback" not in missing.stderr + used.stderr
