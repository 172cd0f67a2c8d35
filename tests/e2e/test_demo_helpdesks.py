"""The demo with each helpdesk whose plugin is installed, named as people name it."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import pytest

from connector_core.contract.errors import ConfigError
from connector_core.demo.sandboxes import open_sandbox
from connector_core.demo.stage import sandbox_plugin
from connector_core.plugins import load_plugins

LEFT_OUT = {"roundup": 1, "request-tracker": 1}


@pytest.mark.extended
@pytest.mark.parametrize(
    "helpdesk",
    ["roundup", pytest.param("request-tracker", marks=pytest.mark.request_tracker), "servicenow", "jira"],
)
def test_the_same_story_is_told(helpdesk):
    """Every step is seen on both sides, but for those that the helpdesk cannot take, which are named."""
    try:
        sandbox_plugin(load_plugins(), helpdesk)
    except ConfigError as exc:
        pytest.skip(f"{exc.message} {exc.fix}")

    command = [sys.executable, "-m", "connector_core", "demo", "--once", "--helpdesk", helpdesk, "--source", "http"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    if "is not on this machine" in ended.stderr:
        pytest.skip(ended.stderr)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    left_out = LEFT_OUT.get(helpdesk, 0)
    assert (ended.stdout.count("→"), ended.stdout.count("Left out:")) == (8 - left_out, left_out)


@pytest.mark.parametrize(
    ("named", "meant"), [("jira", "jira_jsm"), ("jira-jsm", "jira_jsm"), ("roundup", "roundup"), (None, "jira_jsm")]
)
def test_a_helpdesk_is_named_as_people_do(named, meant):
    """By the beginning of the plugin's name, with hyphens, or not at all."""
    assert sandbox_plugin(load_plugins(), named).name == meant


def test_one_that_is_not_installed_is_told_with_what_installs_it():
    """The line can be typed as it is."""
    with pytest.raises(ConfigError) as caught:
        sandbox_plugin(load_plugins(), "some-desk")

    assert caught.value.message == "No plugin some-desk is installed."
    assert caught.value.fix == (
        "Install it and its sandbox from folders or wheels: pip install ./path/to/plugin ./path/to/sandbox"
    )


def test_a_real_server_that_is_not_here_is_told_with_what_installs_it(monkeypatch):
    """What its stand-in says is the fix."""
    plugin = load_plugins().get("roundup")

    def missing(port):
        raise FileNotFoundError("As root: apt-get install a-server")

    monkeypatch.setattr(metadata.EntryPoint, "load", lambda _: missing)
    with pytest.raises(ConfigError) as caught:
        open_sandbox(plugin)

    assert (caught.value.message, caught.value.fix) == (
        "Roundup is not on this machine.",
        "As root: apt-get install a-server",
    )
