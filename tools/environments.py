"""Test the core and the plugins in other environments than .venv: the oldest libraries, or every Python at hand.

    python -m tools.environments lowest     the lowest version of each dependency that pyproject.toml allows
    python -m tools.environments pythons    each Python of PYTHONS on PATH or in pyenv, with the pinned libraries; that
                                            of .venv is left out, since `make test` runs there

Every environment is made anew, so that nothing of an earlier run counts. What is not under test is pinned by
constraints.txt, as everywhere.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

from tools import steady

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
DISTRIBUTIONS = (ROOT, *sorted(path.parent for path in ROOT.glob("*/*/pyproject.toml")))
# Of the core: what its tests load.
EXTRAS = ("oidc", "postgresql")
# What the tests below import or load; browsers and linters are left to .venv.
TOOLS = (
    "aiosmtpd",
    "atlassian-python-api",
    "hypothesis",
    "jira",
    "jsonschema",
    "psutil",
    "pytest",
    "pytest-randomly",
    "pytest-socket",
    "pytest-xdist",
    "requests-mock",
    "standardwebhooks",
)
TESTS = ("tests/core", "tests/plugins")
# What depends on the Python shows in the core, and in the plugin that has the most code.
OF_PYTHONS = ("tests/core", "tests/plugins/jira_jsm")


def main() -> int:
    """Make the environments that were asked for, test each, and say how each went."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("which", choices=["lowest", "pythons"])
    lowest = parser.parse_args().which == "lowest"
    found = {version: path for version in PYTHONS if (path := find_python(version))}
    if lowest:
        found = dict(list(found.items())[:1])
    else:
        for version in PYTHONS:
            print(f"Python {version}: {found.get(version, 'not found, not tested')}", flush=True)
        found.pop(_version_of_venv(), None)
    results = [test(version, python, lowest=lowest) for version, python in found.items()]
    print(f"{sum(results)} of {len(results)} environments passed", flush=True)
    return 0 if all(results) and (results or not lowest) else 1


def find_python(version: str) -> Path | None:
    """Return a Python of that version that starts; pyenv has commands on PATH that do not."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    on_path = shutil.which(f"python{version}")
    candidates = [*([Path(on_path)] if on_path else []), *pyenv.glob(f"{version}.*/bin/python{version}")]
    return next(filter(None, map(_started, candidates)), None)


def test(version: str, python: Path, *, lowest: bool) -> bool:
    """Install everything for one Python, run the tests, and print what it took."""
    started = time.monotonic()
    name = "lowest" if lowest else version
    home = ROOT / f".venv-{name}"
    _run("uv", "venv", "--quiet", "--clear", "--python", python, home)
    _install(home, lowest=lowest)
    installed = time.monotonic()
    # What PostgreSQL does is no matter of the Python; of the library that talks to it, some of it is.
    if lowest:
        chosen = (*TESTS, "-k", "not postgresql or test_postgres or two_stores")
    else:
        chosen = (*OF_PYTHONS, "-k", "not postgresql")
    options = ["-q", "-n", str(os.cpu_count() or 2), "--dist", "loadfile", *chosen]
    code = steady.run(home / "bin" / "python", options, cache=home / ".pytest_cache", environ=os.environ)
    print(
        f"{name} on Python {version}: {'passed' if code == 0 else 'FAILED'}, "
        f"installed in {installed - started:.0f} s, tested in {time.monotonic() - installed:.0f} s",
        flush=True,
    )
    return code == 0


def _started(python: Path) -> Path | None:
    """Return where the Python behind a command is, if it starts."""
    ended = subprocess.run(  # noqa: S603 - our own command
        [python, "-c", "import sys; print(sys.executable)"], capture_output=True, text=True, check=False
    )
    return Path(ended.stdout.strip()) if ended.returncode == 0 else None


def _version_of_venv() -> str:
    return _run("python", "-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip()


def _install(home: Path, *, lowest: bool) -> None:
    pins = home / "constraints.txt"
    pinned = (ROOT / "constraints.txt").read_text().splitlines()
    packages = [
        part for path in DISTRIBUTIONS for part in ("-e", f"{path}[{','.join(EXTRAS)}]" if path == ROOT else path)
    ]
    if not lowest:
        _pip(home, "-c", ROOT / "constraints.txt", *packages, *TOOLS)
        return
    floors = _floors()
    pins.write_text("\n".join(one for one in pinned if _name(one) not in floors))
    _pip(home, "--resolution", "lowest-direct", "-c", pins, *packages)
    lows = _run("uv", "pip", "freeze", "--exclude-editable", "--python", home).splitlines()
    for name, version in (one.split("==") for one in lows):
        floor = floors.get(_name(name))
        if floor is None:
            continue
        print(f"  {name} {version}", flush=True)
        if _numbers(floor) != _numbers(version):
            raise SystemExit(f"{name}: pyproject.toml allows {floor}, but the lowest version that fits is {version}.")
    # From here on the lowest versions are the pins, so that no tool brings a later one.
    fixed = {_name(one) for one in lows}
    pins.write_text("\n".join([*lows, *(one for one in pinned if _name(one) not in fixed)]))
    _pip(home, "-c", pins, *TOOLS)


def _floors() -> dict[str, str]:
    """Return the lowest version of each library of others that a distribution asks for."""
    floors: dict[str, str] = {}
    for path in DISTRIBUTIONS:
        project = tomllib.loads((path / "pyproject.toml").read_text())["project"]
        extras = project.get("optional-dependencies", {})
        for one in (*project["dependencies"], *(part for name in EXTRAS for part in extras.get(name, ()))):
            if _name(one).startswith("connector-"):  # ours, of which there is one version
                continue
            (version,) = re.findall(r"^[\w.-]+(?:\[\w+\])?>=([\d.]+)", one)
            floors[_name(one)] = max(version, floors.get(_name(one), version), key=_numbers)
    floors["psycopg-binary"] = floors["psycopg"]  # its extra asks for the same version
    return floors


def _numbers(version: str) -> tuple[int, ...]:
    """Return a version for comparison; 4 and 4.0 are one."""
    return tuple(int(number) for number in re.sub(r"(\.0)+$", "", version).split("."))


def _name(requirement: str) -> str:
    """Return the name of a requirement as registries compare names."""
    return re.sub(r"[-_.]+", "-", re.split(r"[=<>;@ \[]", requirement, maxsplit=1)[0]).lower()


def _pip(home: Path, *arguments: str | Path) -> None:
    _run("uv", "pip", "install", "--quiet", "--python", home, *arguments)


def _run(tool: str, *arguments: str | Path) -> str:
    command = [ROOT / ".venv" / "bin" / tool, *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603 - as above


if __name__ == "__main__":
    sys.exit(main())
