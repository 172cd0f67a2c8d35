"""How quick the command line and the daemon are there, and what an idle daemon weighs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from statistics import median
from threading import Event
from time import perf_counter

import psutil

from benchmarks.figures import Figure, Reading, require
from benchmarks.stages import unopened_stage

TIMES = 9

BARE = Figure("a Python that does nothing", "ms")
HELP = Figure("connector --help", "ms")
HELP_SHARE = Figure("… multiple of a Python that does nothing", "times", 20)
READY = Figure("connector run until /readyz", "ms")
READY_SHARE = Figure("… multiple of connector --help", "times", 7)
RESIDENT = Figure("idle daemon, resident", "MB", 100)
FIGURES = (BARE, HELP, HELP_SHARE, READY, READY_SHARE, RESIDENT)


def measure(*, times: int = TIMES) -> Iterator[Reading]:
    """Measure help, readiness and idle memory."""
    bare = median(bare_seconds() for _ in range(times))
    asked = median(help_seconds() for _ in range(times))
    yield BARE, bare * 1000
    yield HELP, asked * 1000
    yield HELP_SHARE, asked / bare
    with unopened_stage() as stage:
        ready = stage.open()
        yield READY, ready * 1000
        yield READY_SHARE, ready / asked
        Event().wait(2)
        yield RESIDENT, psutil.Process(stage.daemon.pid).memory_info().rss / 1e6


def bare_seconds() -> float:
    """Tell how long a Python takes that does nothing."""
    started = perf_counter()
    subprocess.run([sys.executable, "-c", ""], check=True)
    return perf_counter() - started


def help_seconds() -> float:
    """Tell how long the command line takes to say what it can do."""
    command = [sys.executable, "-m", "connector_core", "--help"]
    started = perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own
    took_s = perf_counter() - started
    require("Usage:" in done.stdout, f"connector --help printed no help: {done.stdout[:200]}")
    return took_s
