"""Hooks that are named by where they are: pluggy sees them as any other, and what they call is imported when called."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from connector_core import LazyHooks, hookspecs
from connector_core.contract.lazy_hooks import implementation_of
from connector_core.plugins import PluginStatus, load_plugins
from connector_core.testing import make_integration

SETTINGS = """
from connector_core import PluginInfo, Settings

def describe():
    return PluginInfo(name="lazy", title="Lazy", settings=Settings)
"""
STEPS = """
from connector_core import SetupStep

class Shown:
    def steps(self, integration):
        return (SetupStep("of", integration.id, "", ()),)

SHOWN = Shown()
"""


class Point:
    """An entry point of a package that was put together here."""

    name, dist = "lazy", None

    def __init__(self, module: ModuleType) -> None:
        self.module = module

    def load(self) -> ModuleType:
        """Return the package."""
        return self.module


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Write a package whose hooks are elsewhere in it; return its module."""
    folder = tmp_path / "lazy_desk"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "settings.py").write_text(SETTINGS)
    (folder / "steps.py").write_text(STEPS)
    monkeypatch.syspath_prepend(tmp_path)
    hook, module = LazyHooks("lazy_desk"), ModuleType("lazy_desk_hooks")
    module.describe_plugin = hook(hookspecs.describe_plugin, "settings:describe")  # type: ignore[attr-defined]
    module.configure_steps = hook(hookspecs.configure_steps, "steps:SHOWN.steps")  # type: ignore[attr-defined]
    module.check_integration = hook(hookspecs.check_integration, "nowhere:check")  # type: ignore[attr-defined]
    yield module
    for name in [one for one in sys.modules if one.partition(".")[0] == "lazy_desk"]:
        del sys.modules[name]


def test_a_hook_is_imported_when_it_is_called_first(package):
    """Until then only what says who the plugin is was loaded; pluggy hands over each argument by its name."""
    plugins = load_plugins(entry_points=[Point(package)])
    plugin = plugins.get("lazy")
    before = {name for name in sys.modules if name.startswith("lazy_desk.")}

    (step,) = plugin.configure_steps(make_integration(plugin.info, {}))

    assert plugin.hooks == {"describe_plugin", "configure_steps", "check_integration"}
    assert before == {"lazy_desk.settings"}
    assert step.title == "test"
    assert implementation_of(package.configure_steps).__name__ == "steps"


def test_a_hook_without_an_implementation_is_found_by_the_contract(package):
    """It loads as long as nobody calls it; whoever looks for what it calls is told."""
    assert [one.status for one in load_plugins(entry_points=[Point(package)]).records] == [PluginStatus.READY]

    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        implementation_of(package.check_integration)


def test_a_hook_that_is_no_hook_of_ours_is_refused(package):
    """As any other function with the mark: a plugin may be older, or misspelt."""

    def configure_stops(integration):
        raise NotImplementedError

    package.configure_stops = LazyHooks("lazy_desk")(configure_stops, "steps:SHOWN.steps")

    (record,) = load_plugins(entry_points=[Point(package)]).records
    assert record.status is PluginStatus.LOAD_FAILED
    assert "did you mean configure_steps?" in record.reason
