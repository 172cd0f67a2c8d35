"""What becomes of a server whose owner is killed, and whether one left anything."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

GONE_WITHIN_S = 60
_LOOK_EVERY_S = 0.05


def started_and_killed(code: str) -> Path:
    """Run a program that prints a folder, kill it there and then, and return the folder."""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        folder = Path(owner.stdout.readline().strip())
        assert users_of(folder) != []
        owner.kill()
    return folder


def users_of(folder: Path) -> list[int]:
    """Return the processes that work in a folder or were told of it."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and str(folder) in (process.cwd(), *process.cmdline()):
                found.append(process.pid)
    return found


def wait_until(is_so: Callable[[], bool]) -> bool:
    """Wait for what another process does; return whether it came about."""
    ends_at = time.monotonic() + GONE_WITHIN_S
    while not is_so():
        if time.monotonic() > ends_at:
            return False
        time.sleep(_LOOK_EVERY_S)
    return True
