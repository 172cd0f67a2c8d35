"""How quick the command line and the daemon are there, and what an idle daemon weighs.

As where it is installed, all modules are compiled before; here they are once, into a folder of the run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from threading import Event
from time import perf_counter

import psutil

from benchmarks.figures import Figure, Reading, require
from benchmarks.stages import unopened_stage
from connector_core.demo.stage import INTEGRATION, Stage

TIMES = 9
#: By then the daemon has loaded what commands need.
SETTLED_S = 8.0

BARE = Figure("a Python that does nothing", "ms")
LIBRARIES = Figure("a Python that imports click, pydantic and requests", "ms")
HELP = Figure("connector --help", "ms", 200)
HELP_SHARE = Figure("… multiple of a Python that does nothing", "times", 20)
HELP_OF_LIBRARIES = Figure("… multiple of one that imports click, pydantic and requests", "times", 2)
BESIDE = Figure("connector status beside a daemon, whole process", "ms", 200)
BESIDE_SHARE = Figure("… multiple of a Python that does nothing, measured beside it", "times", 9)
BESIDE_OF_HELP = Figure("… multiple of connector --help, measured beside it", "times", 1.5)
STATUS = Figure("connector status without a daemon, whole process", "ms", 500)
STATUS_OF_LIBRARIES = Figure("… multiple of a Python that imports click, pydantic and requests", "times", 2)
READY = Figure("connector run until /readyz", "ms")
READY_SHARE = Figure("… multiple of connector --help", "times", 7)
RESIDENT = Figure("idle daemon, resident", "MB", 100)
FIGURES = (
    *(BARE, LIBRARIES, HELP, HELP_SHARE, HELP_OF_LIBRARIES, READY, READY_SHARE, RESIDENT),
    *(BESIDE, BESIDE_SHARE, BESIDE_OF_HELP, STATUS, STATUS_OF_LIBRARIES),
)


def measure(*, times: int = TIMES) -> Iterator[Reading]:
    """Measure help, status, readiness and idle memory."""
    with compiled(), unopened_stage() as stage:
        libraries, asked = _medians(times, libraries_seconds, help_seconds)
        bare = median(bare_seconds() for _ in range(times))
        yield BARE, bare * 1000
        yield LIBRARIES, libraries * 1000
        yield HELP, asked * 1000
        yield HELP_SHARE, asked / bare
        yield HELP_OF_LIBRARIES, asked / libraries
        stage.daemon.start()  # compiles what only the daemon loads
        stage.daemon.stop()
        ready = stage.open()
        yield READY, ready * 1000
        yield READY_SHARE, ready / asked
        Event().wait(SETTLED_S)
        yield RESIDENT, psutil.Process(stage.daemon.pid).memory_info().rss / 1e6
        bare, asked, told = _medians(times, bare_seconds, help_seconds, lambda: status_seconds(stage))
        yield BESIDE, told * 1000
        yield BESIDE_SHARE, told / bare
        yield BESIDE_OF_HELP, told / asked
        stage.daemon.stop()
        libraries, told = _medians(times, libraries_seconds, lambda: status_seconds(stage))
        yield STATUS, told * 1000
        yield STATUS_OF_LIBRARIES, told / libraries


@contextmanager
def compiled() -> Iterator[None]:
    """Let processes that are started meanwhile keep what they compile, although this one may be told not to."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = folder
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def _medians(times: int, *works: Callable[[], float]) -> list[float]:
    """Measure several alternately, so that what else the machine does meets all of them; the first time compiles."""
    rounds = [[work() for work in works] for _ in range(times + 1)][1:]
    return [median(column) for column in zip(*rounds, strict=True)]


def bare_seconds() -> float:
    """Tell how long a Python takes that does nothing."""
    started = perf_counter()
    subprocess.run([sys.executable, "-c", ""], check=True)
    return perf_counter() - started


def libraries_seconds() -> float:
    """Tell how long a Python takes that imports the libraries which no command can do without."""
    started = perf_counter()
    subprocess.run([sys.executable, "-c", "import click, pydantic, requests"], check=True)
    return perf_counter() - started


def status_seconds(stage: Stage) -> float:
    """Tell how long `connector status` takes with one integration."""
    started = perf_counter()
    done = stage.daemon.command("status")
    took_s = perf_counter() - started
    require(INTEGRATION in done.stdout, f"connector status shows {done.stdout[:500]}{done.stderr[:500]}")
    return took_s


def help_seconds() -> float:
    """Tell how long the command line takes to say what it can do."""
    command = [sys.executable, "-m", "connector_core", "--help"]
    started = perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own
    took_s = perf_counter() - started
    require("Usage:" in done.stdout, f"connector --help printed no help: {done.stdout[:200]}")
    return took_s
