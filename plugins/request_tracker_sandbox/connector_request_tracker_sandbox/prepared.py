"""A database with people, queues and rights in it: made once, and copied for each server.

To make it takes ten seconds, to copy it a hundredth of one. It is kept in the folder for temporary files, for
this user, this version of Request Tracker and these scripts.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from connector_request_tracker_sandbox import installed

DATABASE = "rt.sqlite"
_TOKENS = "tokens.json"
_MADE_FROM = ("RT_SiteConfig.pm", "prepare.pl")


def copy_into(folder: Path) -> Mapping[str, str]:
    """Put a database into a folder; return the tokens of its users.

    Raises:
        NotInstalledError: Request Tracker is not on this machine.
        RequestTrackerError: the database could not be made.
    """
    program = installed.database_program()
    kept = _own_folder() / _fingerprint()
    with _alone(kept.parent):
        if not kept.is_dir():
            _make(kept, program)
    shutil.copyfile(kept / DATABASE, folder / DATABASE)
    tokens: Mapping[str, str] = json.loads((kept / _TOKENS).read_text())
    return tokens


def _own_folder() -> Path:
    """Return a folder that nobody else can have put anything into."""
    folder = Path(tempfile.gettempdir()) / f"connector-request-tracker-{os.geteuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.lstat().st_uid != os.geteuid() or folder.is_symlink():
        raise PermissionError(f"{folder} belongs to somebody else.")
    return folder


def _fingerprint() -> str:
    texts = (installed.version(), *((installed.PERL / name).read_text() for name in _MADE_FROM))
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(kept: Path, program: Path) -> None:
    """Make a database beside, and give it its name when it is whole: a killed run leaves no half of one."""
    for left in kept.parent.glob("making-*"):
        shutil.rmtree(left)
    folder = Path(tempfile.mkdtemp(prefix="making-", dir=kept.parent))
    installed.run([program, "--action", "init", "--dba", "", "--dba-password", "", "--skip-create"], folder)
    (folder / _TOKENS).write_text(installed.run(installed.perl("prepare.pl"), folder))
    folder.rename(kept)
