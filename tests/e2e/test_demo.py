"""The demo as a newcomer runs it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from connector_core.contract.errors import ConfigError
from connector_core.demo.stage import source_plugin
from connector_core.plugins import load_plugins


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


def test_the_demo_shows_the_source_that_brings_a_sandbox():
    """Without being told, it takes the stand-in of a vendor; a name that is none is answered with those that are."""
    plugins = load_plugins()

    assert source_plugin(plugins, None).name == "xyte"
    assert source_plugin(plugins, "http") is None
    with pytest.raises(ConfigError) as caught:
        source_plugin(plugins, "jira_jsm")
    assert caught.value.fix == "Use one of: http, xyte"
