"""Runs a server of `postgres.py`, and ends it when its owner is gone: nothing of a killed run stays.

    python postgres_guard.py OWNER FOLDER PROGRAMS

Returns when the server takes connections, or with 1 when it does not come up; the guard stays behind. When the server
ends, as one does that a test stops, the guard ends and the folder stays. When the owner is gone, however it went, the
server is stopped and the folder removed. When the guard itself is killed, the system stops the server (on Linux).
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

LOOK_EVERY_S = 0.2
LOOK_FOR_READY_EVERY_S = 0.02
#: Whom a server runs as that root starts.
USER = "postgres"
#: The number in the name of its socket.
PORT = 5432
_PR_SET_PDEATHSIG = 1  # of Linux


def main(owner: int, folder: Path, programs: Path, port: int) -> int:
    """Leave a guard behind; return whether the server came up, as exit code."""
    reader, writer = os.pipe()
    if os.fork():
        os.close(writer)
        return 0 if os.read(reader, 1) else 1
    os.close(reader)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    guard(_process(owner), folder, programs, writer, port=port)
    return 0


def guard(owner: psutil.Process | None, folder: Path, programs: Path, writer: int, *, port: int) -> None:
    """Run the server for as long as its owner lives; say to the writer when it is ready."""
    with (folder / "log").open("ab") as log:
        server = subprocess.Popen(
            [programs / "postgres", "-D", folder / "data"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            preexec_fn=_dying_with_parent(),  # noqa: PLW1509 - there is one thread
            **as_server(),
        )
    is_told = False
    while lives(owner):
        if not is_told and is_ready(folder, programs, port):
            is_told = True
            os.write(writer, b"!")
            os.close(writer)
        try:
            server.wait(LOOK_EVERY_S if is_told else LOOK_FOR_READY_EVERY_S)
        except subprocess.TimeoutExpired:
            continue
        return
    server.send_signal(signal.SIGQUIT)  # at once: nobody needs what is in it
    server.wait()
    shutil.rmtree(folder, ignore_errors=True)


def as_server() -> dict[str, Any]:
    """Return what makes a child run as whom the server runs as: it refuses to be root."""
    return {"user": USER, "group": USER, "extra_groups": []} if os.geteuid() == 0 else {}


def is_ready(folder: Path, programs: Path, port: int = PORT) -> bool:
    """Return whether the server takes connections; `starting up` and `no response` are no."""
    command = [programs / "pg_isready", "-q", "-h", folder, "-p", str(port)]
    return subprocess.run(command, check=False).returncode == 0


def _process(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


def lives(process: psutil.Process | None) -> bool:
    """Return whether a process is there; another one with its number is not it, nor is what only waits to be reaped."""
    try:
        return process is not None and process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _dying_with_parent() -> Callable[[], object] | None:
    """Return what has the server stopped when this process is killed, where the system can do it."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])))
