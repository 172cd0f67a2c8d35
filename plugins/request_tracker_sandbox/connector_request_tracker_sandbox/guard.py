"""Runs a command, and ends it when its owner is gone: nothing of a killed run stays.

    python guard.py OWNER FOLDER SOCKET COMMAND...

The owner is the process that started this. When it is gone, however it went, or says SIGTERM, the command and all that
it started are killed and the folder is removed. When the command ends by itself, so does this, with its exit code, and
the folder stays for who wants to read why. When this is killed, the system stops the command (on Linux).
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress

LOOK_EVERY_S = 0.1
# Of Linux.
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def main(owner: int, folder: str, socket: int, command: list[str]) -> int:
    """Run the command until it ends, the owner is gone or somebody says so; it alone has the socket."""
    _adopt_orphans()
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
    # In a group of its own: it starts workers, which have to go with it.
    server = subprocess.Popen(  # noqa: S603 - ours
        command,
        pass_fds=(socket,),
        start_new_session=True,
        preexec_fn=_ended_with_parent(),  # noqa: PLW1509 - there is one thread
    )
    os.close(socket)
    while not told and os.getppid() == owner:
        try:
            return server.wait(LOOK_EVERY_S)
        except subprocess.TimeoutExpired:
            continue
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    _wait_for_orphans()
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def _adopt_orphans() -> None:
    """Become the parent of workers whose server was killed, to see when they are gone; where the system can do it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _wait_for_orphans() -> None:
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def _ended_with_parent() -> Callable[[], object] | None:
    """Return what has the command told to end when this process is killed, where the system can do it."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4:]))
