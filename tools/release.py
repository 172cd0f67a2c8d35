"""What a release publishes, in `dist/`: wheels and sdists, pinned versions, a bill of materials, licences, checksums.

    make dist

Two runs on one commit give the same bytes: everything is as old as the commit. The bill lists what an installation from
these wheels has with the versions of `constraints.txt`, so it is made from one. A licence that nobody looked at ends it
with 1.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
#: What production installs; stand-ins are for the demo, and in no bill.
PRODUCT = (
    "connector_core",
    "connector_jira_jsm",
    "connector_servicenow",
    "connector_request_tracker",
    "connector_xyte",
)
#: Licences that go with ours (Apache-2.0) when a library is used as it is, by their SPDX names.
GOOD = frozenset(
    {
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "CNRI-Python",
        "ISC",
        "LGPL-3.0-only",
        "MIT",
        "MIT-0",
        "MPL-2.0",
        "PSF-2.0",
        "Python-2.0",
        "Public domain",
    }
)
#: What a distribution itself calls by no SPDX name.
CALLED = {
    "Apache 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: BSD License": "BSD-3-Clause",
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "License :: Public Domain": "Public domain",
    "MIT License": "MIT",
}
#: What names none in its metadata, looked up in its repository.
LOOKED_UP = {"sqlite-fts4": "Apache-2.0"}


def distributions() -> dict[str, Path]:
    """Return the folder of each of our distributions, by its name."""
    folders = [ROOT, *sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))]
    return {tomllib.loads((one / "pyproject.toml").read_text())["project"]["name"]: one for one in folders}


def build(place: Path, kinds: tuple[str, ...] = ("wheel", "sdist"), *, epoch: int | None = None) -> list[Path]:
    """Build every distribution into a folder; return what is there, by name.

    `epoch` are the seconds since 1970 that everything in it is dated with; by default those of the last commit.
    """
    dated = {**os.environ, "SOURCE_DATE_EPOCH": str(_commit_epoch() if epoch is None else epoch)}
    targets = [word for kind in kinds for word in ("-t", kind)]
    for folder in distributions().values():
        _run(sys.executable, "-m", "hatchling", "build", *targets, "-d", str(place), folder=folder, environ=dated)
    return sorted(path for path in place.iterdir() if path.suffix in {".whl", ".gz"})


def bill(wheels: list[Path], scratch: Path) -> dict[str, Any]:
    """Return the bill of materials (CycloneDX) of an installation from wheels, made for it in a folder."""
    _run(sys.executable, "-m", "venv", str(scratch))
    python = scratch / "bin" / "python"
    product = [path for path in wheels if path.suffix == ".whl" and path.name.split("-")[0] in PRODUCT]
    core = next(path for path in product if path.name.startswith("connector_core-"))
    named = [f"{path}[postgresql]" if path == core else str(path) for path in product]
    pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    _run(*pip, "install", "-c", str(ROOT / "constraints.txt"), *named)
    _run(*pip, "uninstall", "--yes", "pip", "setuptools")
    cyclonedx = [sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible", "--of", "JSON"]
    made: dict[str, Any] = json.loads(_run(*cyclonedx, str(python)))
    for component in made["components"]:
        # Where it was installed from is a path of this machine.
        component.pop("externalReferences", None)
        component["properties"] = [one for one in component.get("properties", ()) if "path" not in one["name"]]
    return made


def licences(made: dict[str, Any]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield name, version and licences of each component; an expression counts as each name in it."""
    for component in sorted(made["components"], key=lambda one: str(one["name"]).lower()):
        named = {LOOKED_UP[component["name"]]} if component["name"] in LOOKED_UP else set()
        for one in component.get("licenses", ()):
            if "expression" in one:
                named |= set(re.split(r" AND | OR ", one["expression"].replace("(", "").replace(")", "")))
            else:
                named.add(one["license"].get("id") or one["license"].get("name", ""))
        yield component["name"], component.get("version", ""), tuple(sorted({CALLED.get(one, one) for one in named}))


def unknown(made: dict[str, Any]) -> list[str]:
    """Return the components with a licence that nobody looked at, or with none: each a reason not to release."""
    return [
        f"{name} {version}: {', '.join(named) or 'names no licence'}"
        for name, version, named in licences(made)
        if not named or not set(named) <= GOOD
    ]


def page(made: dict[str, Any]) -> str:
    """Return the licences as a table."""
    rows = [f"| {name} | {version} | {', '.join(named)} |" for name, version, named in licences(made)]
    return "\n".join(
        ["# Licences of what is installed", "", "| Library | Version | Licence |", "|---|---|---|", *rows, ""]
    )


def checksums(paths: list[Path]) -> str:
    """Return a line for each file, as `sha256sum --check` reads them."""
    return "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in paths)


def main() -> int:
    """Build a release; return 1 where a licence is not known."""
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    built = build(DIST)
    with tempfile.TemporaryDirectory() as scratch:
        made = bill(built, Path(scratch) / "installed")
    (DIST / "sbom.cdx.json").write_text(json.dumps(made, indent=1, sort_keys=True) + "\n")
    (DIST / "licences.md").write_text(page(made))
    shutil.copy(ROOT / "constraints.txt", DIST)
    files = sorted(path for path in DIST.iterdir() if path.name != ".gitignore")
    (DIST / "SHA256SUMS.txt").write_text(checksums(files))
    print(f"{len(files)} files in {DIST.relative_to(ROOT)}/, {len(made['components'])} components in the bill")
    for line in unknown(made):
        print(f"licence: {line}", file=sys.stderr)
    return 1 if unknown(made) else 0


def _commit_epoch() -> int:
    return int(_run("git", "log", "-1", "--format=%ct"))


def _run(*command: str, folder: Path = ROOT, environ: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, env=environ)  # noqa: S603 - ours
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
