"""Plugins for tests, made on the spot: modules out of functions, and entry points that lead to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from connector_core import PluginInfo, Settings, hookimpl
from connector_core.plugins import load_plugins


@dataclass(frozen=True)
class FakeDistribution:
    """The distribution that a fake plugin pretends to come from."""

    name: str = "connector-fake"
    version: str = "1.2.3"


@dataclass(frozen=True)
class FakeEntryPoint:
    """An entry point that loads whatever it is told to."""

    name: str
    load: Callable[[], Any]
    dist: FakeDistribution | None = field(default_factory=FakeDistribution)


class DeskApp(BaseModel):
    """A part of settings that has keys of its own."""

    model_config = ConfigDict(extra="forbid")

    client_id: str = Field(description="ID of the app.")


class DeskSettings(Settings):
    """Settings of a made-up ticketing plugin."""

    desk: str = Field(description="ID of the desk.")
    token: SecretStr | None = Field(None, description="Token.")
    app: DeskApp | None = Field(None, description="The app.")
    queues: str | list[str] = Field("all", description="Queues to look at.")
    limits: dict[str, int] = Field(default_factory=dict, description="Limits by name.")


class DeskShared(Settings):
    """Shared settings of a made-up ticketing plugin."""

    region: str = Field("eu", description="Region.")
    client_secret: SecretStr | None = Field(None, description="Secret of the app.")


def module_of(*functions: Callable[..., Any], info: PluginInfo | None = None) -> ModuleType:
    """Make a plugin module of hook implementations, with `describe_plugin` when an info is given."""
    module = ModuleType("fake_plugin")
    if info is not None:

        def describe_plugin() -> PluginInfo:
            return info

        functions = (*functions, hookimpl(describe_plugin))
    for function in functions:
        setattr(module, function.__name__, function)
    return module


@hookimpl
def on_incident_event(integration: Any, change: Any) -> Any:  # noqa: ANN401 - a stand-in
    """Do nothing, as a plugin must not."""


@hookimpl
def apply_change(source: Any, update: Any) -> Any:  # noqa: ANN401 - a stand-in
    """Do nothing, as a plugin must not."""


def desk_entry_point() -> FakeEntryPoint:
    """Return a ticketing plugin named desk."""
    info = PluginInfo(name="desk", title="Desk", settings=DeskSettings, plugin_settings=DeskShared)
    return FakeEntryPoint("desk", lambda: module_of(on_incident_event, info=info))


def platform_entry_point() -> FakeEntryPoint:
    """Return an incident source named platform, whose settings have one secret."""

    class PlatformSettings(Settings):
        """Settings of a made-up source."""

        secret: SecretStr = Field(description="Secret.")

    info = PluginInfo(name="platform", title="Platform", settings=PlatformSettings)
    return FakeEntryPoint("platform", lambda: module_of(apply_change, info=info))


def broken_entry_point() -> FakeEntryPoint:
    """Return a plugin that cannot be imported."""

    def load() -> ModuleType:
        raise ImportError("No module named 'left_pad'")

    return FakeEntryPoint("broken", load)


def fake_plugins() -> Any:  # noqa: ANN401 - a plugin set
    """Return a set of one ticketing plugin, one source and one that is broken."""
    return load_plugins(entry_points=[desk_entry_point(), platform_entry_point(), broken_entry_point()])
