"""Where Request Tracker 5 is on this machine, as Debian installs it, and how its programs are run on a folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

LIBRARIES = Path("/usr/share/request-tracker5/lib")
SERVER = Path("/usr/share/request-tracker5/libexec/rt-server")
PERL = Path(__file__).with_name("perl")
#: What an administrator types where it is missing.
INSTALL = (
    "apt-get install --no-install-recommends"
    " dbconfig-no-thanks msmtp-mta request-tracker5 rt5-standalone rt5-db-sqlite starlet"
)


class NotInstalledError(FileNotFoundError):
    """Request Tracker 5 is not on this machine; the text says what to type."""


class RequestTrackerError(Exception):
    """Request Tracker did not do what it was told; the text has its own words."""


def database_program() -> Path:
    """Return the program that makes its database.

    Raises:
        NotInstalledError: it, the server or the libraries are missing.
    """
    found = shutil.which("rt-setup-database-5", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin")
    if found is None or not SERVER.is_file() or not (LIBRARIES / "RT.pm").is_file():
        raise NotInstalledError(f"Request Tracker 5 is not installed here. As root: {INSTALL}")
    return Path(found)


def version() -> str:
    """Return its version as Debian spells it, such as `5.0.3+dfsg-3~deb12u6`."""
    found = re.search(r"VERSION = '([^']+)'", (LIBRARIES / "RT" / "Generated.pm").read_text())
    return found[1] if found else "5"


def environment(folder: Path, port: int = 0) -> dict[str, str]:
    """Return what its programs are to see, and nothing else of ours: all that they write goes into the folder."""
    return {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "RT_SITE_CONFIG": str(PERL / "RT_SiteConfig.pm"),
        "RT_SITE_CONFIG_DIR": str(folder / "no-more-settings"),
        "CONNECTOR_RT_FOLDER": str(folder),
        "CONNECTOR_RT_PORT": str(port) if port else "",
        "CONNECTOR_RT_LIBRARIES": str(LIBRARIES),
        "CONNECTOR_RT_SERVER": str(SERVER),
    }


def run(command: Sequence[str | Path], folder: Path, told: str = "") -> str:
    """Run one of its programs to the end; return what it printed.

    Raises:
        RequestTrackerError: it failed.
    """
    ended = subprocess.run(  # noqa: S603 - found above
        command, env=environment(folder), cwd=folder, input=told, capture_output=True, text=True, check=False
    )
    if ended.returncode != 0:
        raise RequestTrackerError(f"{Path(command[-1]).name}: {(ended.stderr or ended.stdout).strip()[-2000:]}")
    return ended.stdout


def perl(script: str) -> list[str]:
    """Return the command that runs a script of ours."""
    return ["perl", str(PERL / script)]
