"""Writes the beginning of a plugin: package, settings, hooks, stand-in, tests, each with what is still to be done."""

from __future__ import annotations

import re
from importlib import metadata
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from connector_core.contract.errors import ConfigError
from connector_core.demo.sandboxes import ENTRY_POINT_GROUP
from connector_core.plugins import PluginSet
from connector_core.version import VERSION

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_SUFFIX = ".txt"  # so that nothing takes a template for what it becomes
_HIDDEN = {"gitignore": ".gitignore"}
_STAND_IN = """\
# The stand-in is for tests and for `connector demo`. Make it a distribution of its own before you publish the plugin.
[project.entry-points."connector_core.sandboxes"]
@name@ = "connector_@name@_sandbox:open_sandbox"

"""
_STAND_IN_SAID = "; `connector_@name@_sandbox` is a stand-in of @title@, to be made like the real one"
LONGEST_NAME = 40


def write_plugin(name: str, folder: Path, plugins: PluginSet) -> list[Path]:
    """Write a plugin into a folder that is not there yet; return its files.

    Where a stand-in for a plugin of that name is installed, its tests take that one, and none is written.

    Raises:
        ConfigError: nobody can be called so, somebody is, or the folder is there; nothing was written.
    """
    _require_name(name, plugins)
    if folder.exists():
        raise ConfigError(f"{folder} is there already.", code="folder_exists", fix="Name another one with --folder.")
    stand_in = f"connector_{name}_sandbox"
    is_there = name in metadata.entry_points(group=ENTRY_POINT_GROUP).names
    words = _parts([f"connector_{name}"] if is_there else [f"connector_{name}", stand_in]) | _words(name)
    written = []
    for part, path in _templates(files(__name__) / "template", Path()):
        if is_there and path.parts[0] == "connector_NAME_sandbox":
            continue
        place = folder / str(path).replace("NAME", name)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(_filled(part.read_text(encoding="utf-8"), words), encoding="utf-8")
        written.append(place)
    return written


def _require_name(name: str, plugins: PluginSet) -> None:
    if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise ConfigError(
            f"A plugin cannot be called {name!r}.",
            code="plugin_name_unfit",
            fix=f"Take small letters, digits and single underscores, at most {LONGEST_NAME}: acme_desk.",
        )
    taken = {record.name: record.distribution for record in plugins.records}
    if name in taken:
        raise ConfigError(
            f"The plugin {name} is installed already, by {taken[name]}.", code="plugin_name_taken", fix="Take another."
        )


def _words(name: str) -> dict[str, str]:
    parts = name.split("_")
    return {
        "@name@": name,
        "@dist@": f"connector-{name.replace('_', '-')}",
        "@title@": " ".join(part.capitalize() for part in parts),
        "@class@": "".join(part.capitalize() for part in parts),
        "@core@": VERSION,
    }


def _parts(packages: list[str]) -> dict[str, str]:
    """Return what pyproject.toml says of the packages: a stand-in that is installed already is not written again."""
    return {
        "@packages@": ", ".join(f'"{one}"' for one in packages),
        "@stand_in@": _STAND_IN if len(packages) > 1 else "",
        "@stand_in_said@": _STAND_IN_SAID if len(packages) > 1 else "",
    }


def _templates(folder: Traversable, at: Path) -> list[tuple[Traversable, Path]]:
    """Return each template with where it goes, in order."""
    found = []
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.is_dir():
            found += _templates(entry, at / entry.name)
        elif entry.name.endswith(_SUFFIX):
            plain = entry.name.removesuffix(_SUFFIX)
            found.append((entry, at / _HIDDEN.get(plain, plain)))
    return found


def _filled(text: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(word, value)
    return text
