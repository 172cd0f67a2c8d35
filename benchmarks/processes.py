"""Helpers of a measurement that run as processes of their own and print the address they serve at."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figures import require


@contextmanager
def serving(module: str, *arguments: str, log: Path, environ: Mapping[str, str] = os.environ) -> Iterator[str]:
    """Run a module, yield the address that it prints, end it.

    Raises:
        PartFailed: it printed no address, or had ended by itself before it was told to.
    """
    command = [sys.executable, "-m", module, *arguments]
    with log.open("ab") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=environ, text=True)  # noqa: S603 - our own
    assert process.stdout is not None
    try:
        address = process.stdout.readline().strip()
        require(address, f"{module} did not start:\n{log.read_text()[-3000:]}")
        yield address
        require(process.poll() is None, f"{module} ended by itself:\n{log.read_text()[-3000:]}")
    finally:
        process.terminate()
        process.wait(timeout=40)
        process.stdout.close()
