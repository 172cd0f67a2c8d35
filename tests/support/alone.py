"""A stand-in as a process of its own, started as its README says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

END_WITHIN_S = 60


@contextmanager
def started(module: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Start a module on any free port; yield its process and the lines up to the one that says how it is ended."""
    command = [sys.executable, "-m", module, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told: list[str] = []
        try:
            for line in process.stdout:
                told.append(line.rstrip("\n"))
                if "ends it" in line:
                    break
            yield process, told
        finally:
            process.kill()


def ended(process: subprocess.Popen[str], signal_number: int) -> int:
    """Send a signal; return the exit code."""
    process.send_signal(signal_number)
    return process.wait(timeout=END_WITHIN_S)
