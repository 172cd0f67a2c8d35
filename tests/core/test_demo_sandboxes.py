"""Which stand-in the demo takes, and what it says where one is missing or broken."""

from __future__ import annotations

from importlib import metadata

import pytest

from connector_core import ConfigError
from connector_core.demo.sandboxes import ENTRY_POINT_GROUP, open_sandbox
from connector_core.demo.stage import sandbox_plugin, source_plugin
from connector_core.plugins import load_plugins
from tests.support.fake_plugins import desk_entry_point, fake_plugins


@pytest.fixture
def install(monkeypatch):
    """Return a function that makes these stand-ins, by plugin and what starts them, the only ones installed."""

    def only(**starters):
        points = [metadata.EntryPoint(name, value, ENTRY_POINT_GROUP) for name, value in starters.items()]
        monkeypatch.setattr(metadata, "entry_points", lambda *, group: metadata.EntryPoints(points).select(group=group))

    return only


def test_a_plugin_without_its_sandbox_is_told_with_what_to_install(install):
    """The name is that of the plugin's own distribution, whoever made it."""
    install()

    with pytest.raises(ConfigError) as caught:
        sandbox_plugin(fake_plugins(), None)

    assert caught.value.message == "No sandbox of Desk is installed."
    assert caught.value.fix == "Install connector-fake-sandbox from its folder or wheel: pip install ./path/to/sandbox"


def test_a_named_source_without_its_sandbox_is_told_too(install):
    """Only where it was asked for; otherwise the sample platform plays."""
    install()

    with pytest.raises(ConfigError) as caught:
        source_plugin(fake_plugins(), "platform")

    assert caught.value.message == "No sandbox of Platform is installed."
    assert source_plugin(fake_plugins(), None) is None


def test_where_no_ticketing_plugin_is_installed_one_is_asked_for(install):
    """A sandbox alone shows nothing."""
    install(desk="builtins:dict")

    with pytest.raises(ConfigError) as caught:
        sandbox_plugin(load_plugins(entry_points=[]), None)

    assert caught.value.message == "No ticketing plugin is installed."


@pytest.mark.parametrize(
    ("choose", "name", "fix"), [(sandbox_plugin, "platform", "desk"), (source_plugin, "desk", "platform")]
)
def test_a_plugin_of_the_other_kind_is_refused(install, choose, name, fix):
    """Those that would do are named."""
    install(desk="builtins:dict", platform="builtins:dict")

    with pytest.raises(ConfigError) as caught:
        choose(fake_plugins(), name)

    assert caught.value.fix == f"Use one of: {fix}"


def test_a_sandbox_is_started_with_its_port(install):
    """What the entry point names is called."""
    install(desk="builtins:dict")
    desk = sandbox_plugin(fake_plugins(), None)

    assert desk.name == "desk"
    assert open_sandbox(desk, port=5) == {"port": 5}


@pytest.mark.parametrize("value", ["left_pad:open_sandbox", "builtins:left_pad"])
def test_a_sandbox_that_cannot_be_loaded_is_a_sentence(install, value):
    """Its module is missing, or what it names."""
    install(desk=value)

    with pytest.raises(ConfigError) as caught:
        open_sandbox(load_plugins(entry_points=[desk_entry_point()]).get("desk"))

    assert caught.value.message.startswith("The sandbox of Desk cannot be loaded (")
    assert "left_pad" in caught.value.message
