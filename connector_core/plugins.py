"""Finding plugins by their entry points, checking them against the contract, and calling them.

A plugin that is broken is a row in a table with a reason; the others run on.
"""

from __future__ import annotations

import difflib
import inspect
import signal
import sys
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from importlib import metadata
from types import FrameType
from typing import Any, Protocol

import pluggy

from connector_core.contract import hookspecs
from connector_core.contract.errors import ConfigError, ConnectorError, PluginError
from connector_core.contract.plugin_info import PluginInfo, PolledSettings, Settings
from connector_core.logs import get_logger
from connector_core.relay import Relay

ENTRY_POINT_GROUP = "connector_core.plugins"
#: A plugin that is not loaded by then is not loaded at all. On a busy machine one takes a few seconds.
LOADED_WITHIN_S = 60.0

log = get_logger(__name__)


class PluginStatus(StrEnum):
    """What became of an installed plugin."""

    READY = "ready"
    DISABLED = "disabled"
    LOAD_FAILED = "load_failed"
    CONFIG_INVALID = "config_invalid"


@dataclass(frozen=True)
class PluginRecord:
    """One installed plugin: who it is, whether it works, and if not why."""

    name: str
    distribution: str
    version: str
    status: PluginStatus
    reason: str = ""
    info: PluginInfo | None = None
    hooks: frozenset[str] = frozenset()


class Distribution(Protocol):
    """The part of `importlib.metadata.Distribution` that is looked at."""

    @property
    def name(self) -> str:
        """Name of the distribution."""
        ...

    @property
    def version(self) -> str:
        """Version of the distribution."""
        ...


class EntryPoint(Protocol):
    """The part of `importlib.metadata.EntryPoint` that is looked at."""

    @property
    def name(self) -> str:
        """Name that the plugin registers under."""
        ...

    @property
    def dist(self) -> Distribution | None:
        """Distribution that brought the entry point."""
        ...

    def load(self) -> Any:  # noqa: ANN401 - whatever the entry point names
        """Import the plugin's module."""
        ...


class Plugin(Relay):
    """A plugin that was loaded and kept the contract, with its own relay so that every call is addressed to it."""

    def __init__(self, info: PluginInfo, version: str, manager: pluggy.PluginManager, hooks: frozenset[str]) -> None:
        super().__init__(info.name, manager, hooks)
        self.info = info
        self.version = version


class PluginSet:
    """All installed plugins, working or not. Each is loaded when it is first asked for; what fails is recorded."""

    def __init__(self, entry_points: Iterable[EntryPoint], disabled: Collection[str] = ()) -> None:
        self._disabled = frozenset(disabled)
        self._waiting: dict[str, list[EntryPoint]] = {}
        self._records: dict[str, list[PluginRecord]] = {}
        self._plugins: dict[str, Plugin] = {}
        for entry_point in entry_points:
            self._waiting.setdefault(entry_point.name, []).append(entry_point)

    def load_all(self) -> None:
        """Load those that nobody asked for yet."""
        for name in sorted(self._waiting):
            self._load(name)

    @property
    def records(self) -> tuple[PluginRecord, ...]:
        """What became of each, by name."""
        self.load_all()
        return self.loaded

    @property
    def loaded(self) -> tuple[PluginRecord, ...]:
        """What became of each that was asked for by now."""
        return tuple(record for name in sorted(self._records) for record in self._records[name])

    @property
    def ready(self) -> tuple[Plugin, ...]:
        """The plugins that can be called, by name."""
        self.load_all()
        return tuple(self._plugins[name] for name in sorted(self._plugins))

    def get(self, name: str) -> Plugin:
        """Return a plugin that is ready; raise `ConfigError` that says why there is none of that name."""
        record = self.record(name)
        plugin = self._plugins.get(name)
        if plugin is not None:
            return plugin
        if record is not None:
            raise ConfigError(
                f"The plugin {name} is not usable ({record.status}): {record.reason}",
                code="plugin_not_ready",
                fix="Remove it from disabled_plugins."
                if record.status is PluginStatus.DISABLED
                else f"Update or remove the distribution {record.distribution}; the log has the traceback.",
            )
        known = [plugin.name for plugin in self.ready]
        raise ConfigError(f"There is no plugin named {name}.", code="plugin_unknown", fix=_how_to_get(name, known))

    def is_ready(self, name: str) -> bool:
        """Return whether a plugin of that name can be called."""
        self._load(name)
        return name in self._plugins

    def record(self, name: str) -> PluginRecord | None:
        """Return what is known about an installed plugin; when two share the name, the first."""
        self._load(name)
        return next(iter(self._records.get(name, ())), None)

    def _load(self, name: str) -> None:
        for entry_point in self._waiting.pop(name, ()):
            record = self._loaded(entry_point)
            self._records.setdefault(name, []).append(record)

    def _loaded(self, entry_point: EntryPoint) -> PluginRecord:
        record = PluginRecord(entry_point.name, *_origin(entry_point), PluginStatus.LOAD_FAILED)
        if record.name in self._disabled:
            return replace(record, status=PluginStatus.DISABLED, reason="listed in disabled_plugins")
        try:
            with redirect_stdout(sys.stderr), _loaded_in_time():
                plugin = _load(entry_point, record.version, taken=self._records)
        except KeyboardInterrupt:
            raise
        except BaseException as exc:
            # One of the places that catch everything: importing a plugin runs the code of strangers.
            log.warning("plugin_load_failed", plugin=record.name, distribution=record.distribution, exc_info=True)
            return replace(record, reason=_reason(exc))
        self._plugins[plugin.name] = plugin
        return replace(record, status=PluginStatus.READY, info=plugin.info, hooks=plugin.hooks)


def load_plugins(disabled: Collection[str] = (), entry_points: Iterable[EntryPoint] | None = None) -> PluginSet:
    """Load every installed plugin but the disabled ones; what fails is recorded, never raised."""
    plugins = find_plugins(disabled, entry_points)
    plugins.load_all()
    return plugins


def find_plugins(disabled: Collection[str] = (), entry_points: Iterable[EntryPoint] | None = None) -> PluginSet:
    """Find every installed plugin, and load each when it is asked for: a command that only looks needs few."""
    return PluginSet(metadata.entry_points(group=ENTRY_POINT_GROUP) if entry_points is None else entry_points, disabled)


@contextmanager
def _loaded_in_time() -> Iterator[None]:
    """Interrupt a plugin that hangs when it is loaded, as one that waits for a server; only the main thread can be.

    Raises:
        PluginHangs: it did.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a handler's arguments
        raise PluginHangs

    former = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, LOADED_WITHIN_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


class PluginHangs(BaseException):
    """A plugin takes too long to load; no `except Exception` of its own stops this."""

    def __str__(self) -> str:
        return f"it was not loaded within {LOADED_WITHIN_S:.0f} s"


def _origin(entry_point: EntryPoint) -> tuple[str, str]:
    distribution = entry_point.dist
    return (distribution.name, distribution.version) if distribution else ("unknown", "unknown")


def _load(entry_point: EntryPoint, version: str, taken: Collection[str]) -> Plugin:
    if entry_point.name in taken:
        raise PluginError("another installed plugin has the same name")
    module = entry_point.load()
    manager = pluggy.PluginManager(hookspecs.PROJECT_NAME)
    manager.add_hookspecs(hookspecs)
    breaches = list(_breaches(manager, module))
    if breaches:
        raise PluginError("; ".join(breaches))
    manager.register(module, name=entry_point.name)
    manager.check_pending()
    hooks = frozenset(caller.name for caller in manager.get_hookcallers(module) or ())
    return Plugin(_described(entry_point.name, manager, hooks), version, manager, hooks)


def _breaches(manager: pluggy.PluginManager, module: object) -> Iterator[str]:
    """Say what pluggy would refuse, in words that help: the nearest hook and the arguments it really has."""
    specs = _specified()
    for name, function in inspect.getmembers(module, inspect.isroutine):
        if manager.parse_hookimpl_opts(module, name) is None:
            continue
        if name not in specs:
            near = difflib.get_close_matches(name, specs, n=1, cutoff=0.5)
            yield f"there is no hook named {name}" + (f"; did you mean {near[0]}?" if near else "")
            continue
        allowed = specs[name]
        wrong = [argument for argument in inspect.signature(function).parameters if argument not in allowed]
        if wrong:
            yield f"the hook {name} takes ({', '.join(allowed)}), not {', '.join(wrong)}"


@cache
def _specified() -> Mapping[str, tuple[str, ...]]:
    """Return the arguments of every hook that there is, by its name."""
    functions = inspect.getmembers(hookspecs, inspect.isfunction)
    marked = f"{hookspecs.PROJECT_NAME}_spec"
    return {name: tuple(inspect.signature(one).parameters) for name, one in functions if hasattr(one, marked)}


def _described(name: str, manager: pluggy.PluginManager, hooks: frozenset[str]) -> PluginInfo:
    if "describe_plugin" not in hooks:
        raise PluginError("it does not implement describe_plugin")
    info = manager.hook.describe_plugin()
    if not isinstance(info, PluginInfo):
        raise PluginError(f"describe_plugin gave back {type(info).__name__}, not PluginInfo")
    if info.name != name:
        raise PluginError(f"its entry point is named {name}, but it calls itself {info.name}")
    for model in (info.settings, info.plugin_settings):
        if not (isinstance(model, type) and issubclass(model, Settings)):
            raise PluginError("its settings models are not subclasses of Settings")
    if "poll_incidents" in hooks and not issubclass(info.settings, PolledSettings):
        raise PluginError("it implements poll_incidents, but its settings are no subclass of PolledSettings")
    return info


def _reason(exc: BaseException) -> str:
    match exc:
        case ConnectorError():
            return exc.message
        case PluginHangs():
            return str(exc)
        case SystemExit():
            return f"it ends the process when it is loaded (SystemExit: {exc.code})"
        case _:
            return f"{type(exc).__name__}: {exc}"


def _how_to_get(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    installed = f"Installed are: {', '.join(sorted(known))}." if known else "None is installed."
    # No name of a distribution: one that is on no index could be put there by anybody.
    install = f"{installed} Install another from its folder or wheel: pip install ./path/to/plugin"
    return f"Did you mean {near[0]}? {install}" if near else install
