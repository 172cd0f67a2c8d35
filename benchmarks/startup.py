"""How quick the command line and the daemon are there, and what an idle daemon weighs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from statistics import median
from threading import Event
from time import perf_counter

import psutil

from benchmarks.figures import line
from benchmarks.stages import unopened_stage


def measure() -> Iterator[str]:
    """Measure help, readiness and idle memory."""
    yield line("connector --help, median of 9", median(_help() for _ in range(9)) * 1000, "ms", 300)
    with unopened_stage() as stage:
        yield line("connector run until /readyz", stage.open() * 1000, "ms", 1500)
        Event().wait(2)
        yield line("idle daemon, resident", psutil.Process(stage.daemon.pid).memory_info().rss / 1e6, "MB", 100)


def _help() -> float:
    started = perf_counter()
    subprocess.run([sys.executable, "-m", "connector_core", "--help"], check=True, capture_output=True)
    return perf_counter() - started
