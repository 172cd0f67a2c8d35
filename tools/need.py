"""Finds what a group of tests needs beside Python packages, or gets it; a newcomer has to install nothing by hand.

    python tools/need.py browser compiler

For each a line says where it is, or why it could not be had and what to do. What cannot be had is no failure: its
tests are left out as one group, with the same line. Where everything has to run, `CONNECTOR_REQUIRE=all` makes it one.
With `--once` nothing is tried that failed before: whoever runs one test does not wait for a download each time.
A group is a row of `NEEDS`: add one, name it in the Makefile, and have the fixture of its tests call `require` in
`tests/support/needed.py`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

GET_WITHIN_S = 900
ONCE = "--once"
# Has a file for each thing that could not be had when it was last tried.
FAILED = Path(sys.prefix) / ".not-to-be-had"
# Chromium as tests start it: without a window, and without calls of its own to the network.
BROWSER_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


@dataclass(frozen=True)
class Need:
    """Something that a group of tests needs."""

    #: Returns where it is, ready to be used, or None.
    find: Callable[[], Path | None]
    #: Names of Debian's packages that hold it, after options of apt-get's, if there are any.
    packages: tuple[str, ...]
    #: A command that gets it without an administrator, if there is one.
    download: tuple[str, ...] | None
    #: What somebody can do where neither works.
    advice: str
    #: A file that has to be there before the packages are installed, and its line.
    beforehand: tuple[Path, str] | None = None
    #: Returns whether there is nothing better than what was found: else the packages are tried, once.
    is_best: Callable[[Path], bool] = lambda _: True
    #: Names of packages that do, too, where neither the first ones nor the download can be had.
    lesser: tuple[str, ...] = ()


# Chromium built without windows: it takes half of the time, for the whole one draws windows that nobody sees.
WINDOWLESS = ("chromium-headless-shell", "chrome-headless-shell", "headless_shell")


def find_browser() -> Path | None:
    """Return a Chromium that starts: the one named by `CONNECTOR_CHROMIUM`, the system's, or Playwright's own.

    One that is built without windows comes first. There is none where Playwright cannot drive it: a bare Debian lacks a
    library that its Node.js loads.
    """
    driven = _of_playwright()
    if driven is None:
        return None
    named = os.environ.get("CONNECTOR_CHROMIUM")
    if named:
        return Path(named) if _starts(named) else None
    found = [*map(shutil.which, (WINDOWLESS[0], "chromium", "chromium-browser")), *driven]
    candidates = sorted((Path(one) for one in found if one), key=lambda one: one.name not in WINDOWLESS)
    return next((one for one in candidates if _starts(str(one))), None)


def is_best_browser(found: Path) -> bool:
    """Return whether a browser is built without windows, or is the one that is wanted."""
    return found.name in WINDOWLESS or "CONNECTOR_CHROMIUM" in os.environ


# A process of its own: a driver that does not start ends it with a traceback.
_PLACE_OF_PLAYWRIGHT = """
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    print(playwright.chromium.executable_path)
"""


def _of_playwright() -> list[str] | None:
    """Return the browsers that Playwright downloaded; None where it cannot drive any.

    The one without windows has a folder beside the whole one's.
    """
    command = [sys.executable, "-c", _PLACE_OF_PLAYWRIGHT]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603 - our own
    except (OSError, subprocess.SubprocessError):
        return None
    whole = Path(asked.stdout.strip())
    folder = whole.parents[1]
    beside = folder.with_name(folder.name.replace("chromium", "chromium_headless_shell"))
    return [str(one) for one in (*beside.glob("*/*"), whole) if one.is_file() and one.name in (*WINDOWLESS, whole.name)]


def _starts(browser: str) -> bool:
    """Return whether a browser is whole: one whose libraries are missing is there and does not start."""
    command = [browser, "--headless", *BROWSER_FLAGS, "--dump-dom", "about:blank"]
    try:
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0  # noqa: S603 - found above
    except (OSError, subprocess.TimeoutExpired):
        return False


def find_compiler() -> Path | None:
    """Return a C compiler that has the headers of the C library."""
    found = shutil.which("cc") or shutil.which("gcc")
    if found is None:
        return None
    command = [found, "-fsyntax-only", "-x", "c", "-"]
    whole = subprocess.run(command, input=b"#include <stdio.h>\n", capture_output=True, check=False)  # noqa: S603 - found above
    return Path(found) if whole.returncode == 0 else None


def find_postgresql() -> Path | None:
    """Return the folder of PostgreSQL's programs: the one named, or Debian's latest version, or what is on PATH."""
    named = os.environ.get("CONNECTOR_POSTGRESQL_BIN")
    if named:
        candidates = [Path(named)]
    else:
        candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version_above, reverse=True)
        # On PATH there may be a link: what initdb needs is beside the real one.
        candidates += [Path(found).resolve().parent for found in (shutil.which("initdb"),) if found]
    return next((one for one in candidates if _has_postgresql(one)), None)


def _version_above(folder: Path) -> int:
    name = folder.parent.name
    return int(name) if name.isdecimal() else 0


def _has_postgresql(folder: Path) -> bool:
    """Return whether the server, and not only its clients, is there and can be loaded."""
    try:
        for program in ("initdb", "pg_ctl", "postgres"):
            subprocess.run([folder / program, "--version"], capture_output=True, timeout=60, check=True)  # noqa: S603 - as above
    except (OSError, subprocess.SubprocessError):
        return False
    return True


# Atlassian's converter of wiki markup, and what turns its result into JSON.
_RENDERER = ("@atlaskit/editor-wikimarkup-transformer@12.2.2", "@atlaskit/editor-json-transformer@9.8.2")
_RENDERER_FOLDER = Path(sys.prefix) / "wiki-renderer"


def find_wiki_renderer() -> Path | None:
    """Return the folder that holds Atlassian's converter, where there is a Node.js to run it."""
    packages = [_RENDERER_FOLDER / "node_modules" / one.rpartition("@")[0] / "package.json" for one in _RENDERER]
    return _RENDERER_FOLDER if shutil.which("node") and all(one.is_file() for one in packages) else None


def find_service(name: str) -> Path | None:
    """Return a program that runs as a service: those of Debian are where only administrators look."""
    folders = (os.environ.get("PATH", ""), os.environ.get("CONNECTOR_SERVICES_BIN", "/usr/sbin"))
    found = shutil.which(name, path=os.pathsep.join(folders))
    return Path(found) if found else None


def find_request_tracker() -> Path | None:
    """Return the server of Request Tracker 5, where its database's program and the server before it are there, too."""
    setup = find_service("rt-setup-database-5")
    server = Path("/usr/share/request-tracker5/libexec/rt-server")
    if setup is None or shutil.which("perl") is None or not server.is_file():
        return None
    command = ["perl", "-MPlack::Handler::Starlet", "-MDBD::SQLite", "-e", "1"]
    return server if subprocess.run(command, capture_output=True, check=False).returncode == 0 else None  # noqa: S603 - our own


NEEDS = {
    "browser": Need(
        find_browser,
        # The last one is for Node.js, with which Playwright drives the browser.
        packages=("chromium-headless-shell", "fonts-liberation", "libatomic1"),
        download=(sys.executable, "-m", "playwright", "install", "--only-shell", "--with-deps", "chromium")
        if os.geteuid() == 0
        else (sys.executable, "-m", "playwright", "install", "--only-shell", "chromium"),
        advice="Install Chromium, or name one with CONNECTOR_CHROMIUM=/path/to/chromium; and what Node.js loads"
        " (apt-get install libatomic1).",
        is_best=is_best_browser,
        lesser=("chromium", "fonts-liberation", "libatomic1"),
    ),
    "wrk": Need(
        lambda: Path(found) if (found := shutil.which("wrk")) else None,
        packages=("wrk",),
        download=None,
        advice="Install wrk, which sends the load of two benchmarks.",
    ),
    "compiler": Need(
        find_compiler,
        packages=("gcc", "libc6-dev"),
        download=None,
        advice="Install a C compiler (gcc) and the headers of the C library (libc6-dev).",
    ),
    "postgresql": Need(
        find_postgresql,
        packages=("postgresql",),
        download=None,
        advice="Install PostgreSQL (apt-get install postgresql), or name the folder of its programs with"
        " CONNECTOR_POSTGRESQL_BIN=/path/to/bin.",
        # Tests start a server of their own: no other one is to be made and to run from now on.
        beforehand=(
            Path("/etc/postgresql-common/createcluster.d/no-main-cluster.conf"),
            "create_main_cluster = false",
        ),
    ),
    "pgbouncer": Need(
        lambda: find_service("pgbouncer"),
        packages=("pgbouncer",),
        download=None,
        advice="Install PgBouncer (apt-get install pgbouncer), which stands before PostgreSQL in two tests.",
    ),
    "haproxy": Need(
        lambda: find_service("haproxy"),
        packages=("haproxy",),
        download=None,
        advice="Install HAProxy (apt-get install haproxy), which stands before two connectors in one test.",
    ),
    "nginx": Need(
        lambda: find_service("nginx"),
        packages=("nginx-light",),
        download=None,
        advice="Install nginx (apt-get install nginx-light), which stands before two connectors in one test.",
    ),
    "caddy": Need(
        lambda: find_service("caddy"),
        packages=("--no-install-recommends", "caddy"),
        download=None,
        advice="Install Caddy (apt-get install caddy), which stands before a connector in a few tests.",
    ),
    "debootstrap": Need(
        lambda: find_service("debootstrap"),
        packages=("--no-install-recommends", "debootstrap"),
        download=None,
        advice="Install debootstrap (apt-get install debootstrap), which makes the root of the container's trial.",
    ),
    "promtool": Need(
        lambda: find_service("promtool"),
        packages=("--no-install-recommends", "prometheus"),
        download=None,
        advice="Install promtool (apt-get install prometheus), which checks the rules of alerts and what is scraped.",
    ),
    "request-tracker": Need(
        find_request_tracker,
        packages=(
            # Nothing of it is started, no mail is sent, and no database of its own is made.
            *("--no-install-recommends", "dbconfig-no-thanks", "msmtp-mta"),
            *("request-tracker5", "rt5-standalone", "rt5-db-sqlite", "starlet"),
        ),
        download=None,
        advice="Install Request Tracker 5 (apt-get install --no-install-recommends dbconfig-no-thanks msmtp-mta"
        " request-tracker5 rt5-standalone rt5-db-sqlite starlet); tests start it themselves.",
    ),
    "wiki-renderer": Need(
        find_wiki_renderer,
        packages=(),
        # Nothing of it is run at its installation; what it wants beside it is for browsers.
        download=(
            *("npm", "install", "--prefix", str(_RENDERER_FOLDER), "--ignore-scripts", "--legacy-peer-deps"),
            *("--no-audit", "--no-fund", "--no-save", *_RENDERER),
        ),
        advice="Install Node.js 20 or later with npm, then run: python -m tools.need wiki-renderer.",
    ),
}


def is_required(name: str) -> bool:
    """Return whether it is a failure that something cannot be had."""
    return os.environ.get("CONNECTOR_REQUIRE", "") in {"all", name}


def get(name: str, *, once: bool = False) -> Path | None:
    """Return where something is; get it, or a better one, first if need be. None if it cannot be had."""
    need, failed = NEEDS[name], FAILED / name
    found = need.find()
    if (found is not None and need.is_best(found)) or (failed.exists() and (once or found is not None)):
        return found
    failed.unlink(missing_ok=True)
    for command in (*_package_commands(need, need.packages), *([need.download] if need.download and not found else [])):
        found = _tried(name, command)
        if found is not None and need.is_best(found):
            return found
    failed.parent.mkdir(exist_ok=True)
    failed.touch()
    for command in _package_commands(need, need.lesser):
        found = found or _tried(name, command)
    return found


def _tried(name: str, command: tuple[str, ...]) -> Path | None:
    """Run what may get something; return where it is then."""
    print(f"{name}: {' '.join(command)}", flush=True)
    _run(command)
    return NEEDS[name].find()


def _package_commands(need: Need, packages: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return what installs packages, for whoever may; nobody is asked for a password."""
    apt = shutil.which("apt-get")
    if apt is None or not packages:
        return []
    as_root: tuple[str, ...] = ()
    if os.geteuid() != 0:
        sudo = shutil.which("sudo")
        if sudo is None:
            return []
        as_root = (sudo, "-n", "env", "DEBIAN_FRONTEND=noninteractive")
    # Lists of packages that are there already are tried first: to fetch them takes longer than the packages.
    install = (*as_root, apt, "install", "-y", "-qq", *packages)
    commands = [install, (*as_root, apt, "update", "-qq"), install]
    if need.beforehand is not None:
        path, line = need.beforehand
        write = 'mkdir -p "$(dirname "$0")" && echo "$1" > "$0"'
        commands.insert(0, (*as_root, "sh", "-c", write, str(path), line))
    return commands


def _run(command: tuple[str, ...]) -> None:
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        ended = subprocess.run(  # noqa: S603 - our own commands
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=GET_WITHIN_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        print(f"  {exc}", flush=True)
        return
    if ended.returncode != 0:
        said = ended.stdout.decode(errors="replace").strip().splitlines()
        lines = [line for line in said if not line.lstrip().startswith("at ")]  # where in Node.js it happened
        print("\n".join(f"  {line}" for line in lines[-2:]), flush=True)


def main(names: list[str]) -> int:
    """Get what is named, say so, and return the exit code."""
    code = 0
    for name in (name for name in names if name != ONCE):
        found = get(name, once=ONCE in names)
        print(f"{name}: {found or f'not to be had; its tests are left out. {NEEDS[name].advice}'}", flush=True)
        if found is None and is_required(name):
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
