"""The version of everything that is published, raised by one command.

    python -m tools.version                # what the tree calls itself, and where
    python -m tools.version 0.3.0          # a release: what is under Unreleased gets a heading with today's date
    python -m tools.version 0.4.0.dev0     # the commit after it: what is built of it upgrades 0.3.0

All distributions have one version, and each asks for the others of ours from that version up to the next middle number,
which may break hooks. A bound that names a development version is what lets pip take one.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from packaging.version import InvalidVersion, Version

ROOT = Path(__file__).parents[1]
#: Files that carry the version, and what stands around it; the bounds of what a distribution needs of ours come apart.
CARRIERS = {
    "pyproject.toml": r'(?m)^version = "([^"]+)"$',
    "plugins/*/pyproject.toml": r'(?m)^version = "([^"]+)"$',
    "examples/*/pyproject.toml": r'(?m)^version = "([^"]+)"$',
    "connector_core/version.py": r'(?m)^VERSION = "([^"]+)"$',
    "docs/openapi.yaml": r"(?m)^  version: (\S+)$",
    "deploy/kubernetes/*.yaml": r"(?m)^ +image: connector:(\S+)$",
    "Containerfile": r'(?m)^LABEL org\.opencontainers\.image\.version="([^"]+)"$',
}
_BOUNDS = re.compile(r'("connector-[a-z-]+)>=([^,"]+),<([^"]+)"')
_HEADING = re.compile(r"(?m)^## (\S+) \(\d{4}-\d\d-\d\d\)$")
_UNRELEASED = "## Unreleased\n"


def carried(root: Path = ROOT) -> Iterator[tuple[str, str]]:
    """Yield each file that carries the version, with what it says; ValueError where one says nothing."""
    for pattern, written in CARRIERS.items():
        for path in sorted(root.glob(pattern)):
            name, found = str(path.relative_to(root)), re.findall(written, path.read_text())
            if not found:
                raise ValueError(f"{name} has no version.")
            yield from ((name, one) for one in found)


def bounds(version: Version) -> str:
    """Return from where to where a distribution takes the others of ours."""
    return f">={version},<{version.major}.{version.minor + 1}"


def asked(root: Path = ROOT) -> Iterator[tuple[str, str]]:
    """Yield each file in which a distribution asks for another of ours, with the bounds."""
    for path in sorted(root.glob("*/*/pyproject.toml")):
        for _, low, high in _BOUNDS.findall(path.read_text()):
            yield str(path.relative_to(root)), f">={low},<{high}"


def last_release(root: Path = ROOT) -> Version:
    """Return the newest version that the changelog has a date for."""
    return Version(_HEADING.findall((root / "CHANGELOG.md").read_text())[0])


def present(root: Path = ROOT) -> Version:
    """Return the one version of the tree; ValueError where files say different ones."""
    said = dict(carried(root))
    if len(set(said.values())) != 1:
        raise ValueError(f"The files do not agree: {said}")
    return Version(said["pyproject.toml"])


def raise_to(version: Version, root: Path = ROOT, *, today: str) -> list[str]:
    """Write a version everywhere; return the files that changed. ValueError where it is no step forward."""
    before = present(root)
    if version <= before:
        raise ValueError(f"{version} is not later than {before}.")
    changelog = root / "CHANGELOG.md"
    told = changelog.read_text()
    changed: dict[Path, str] = {}
    if not version.is_devrelease:
        unreleased = told.partition(_UNRELEASED)[2].partition("\n## ")[0]
        if not unreleased.strip():
            raise ValueError("CHANGELOG.md has nothing under Unreleased.")
        changed[changelog] = told.replace(_UNRELEASED, f"{_UNRELEASED}\n## {version} ({today})\n", 1)
    for pattern, written in CARRIERS.items():
        for path in root.glob(pattern):
            text = re.sub(written, lambda found: found[0].replace(found[1], str(version)), path.read_text())
            changed[path] = _BOUNDS.sub(rf'\g<1>{bounds(version)}"', text)
    for path, text in changed.items():
        path.write_text(text)
    return sorted(str(path.relative_to(root)) for path in changed)


def main() -> int:
    """Say the version, or raise it."""
    parser = argparse.ArgumentParser(description="Raise the version of all distributions and of what names it.")
    parser.add_argument("version", nargs="?", help="the next one, like 0.3.0 or 0.4.0.dev0")
    given = parser.parse_args().version
    try:
        if given is None:
            print(present(), *sorted({name for name, _ in carried()}), sep="\n  ")
            return 0
        changed = raise_to(Version(given), today=f"{datetime.now(UTC):%Y-%m-%d}")
    except (InvalidVersion, ValueError) as exc:
        print(f"Error: {exc}", file=sys.stderr)
        return 1
    print(*changed, sep="\n")
    print("Now install again (make lint does), so that connector --version and plugins list follow.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
