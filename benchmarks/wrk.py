"""Load from outside: `wrk`, a client in C, so that the sender costs little on the cores that it shares."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from benchmarks.figures import require

LOOK_AGAIN_S = 0.1
HOW_TO_GET = "wrk is not installed; get it with: apt-get install wrk"


@dataclass(frozen=True)
class Load:
    """What became of a load: how many requests were answered, all of them well, and how long answers took."""

    answered: int
    seconds: float
    median_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        """Requests answered in a second."""
        return self.answered / self.seconds


def send(
    url: str,
    script: str,
    *arguments: str,
    connections: int,
    seconds: float,
    enough: Callable[[], bool] = lambda: False,
) -> Load:
    """Send what a script in this folder makes, as fast as it is answered, for some time or until it is enough.

    Raises:
        PartFailed: wrk is not there, nothing was answered, or a request failed or was answered with an error.
    """
    require(shutil.which("wrk"), HOW_TO_GET)
    lua = Path(__file__).with_name(script)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--timeout", "30s", "-s", str(lua), url, "--"]
    process = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True)  # noqa: S603 - a fixed command
    while process.poll() is None:
        Event().wait(LOOK_AGAIN_S)
        if enough():
            process.send_signal(signal.SIGINT)
            break
    answer, _ = process.communicate(timeout=seconds + 60)
    return load_of(answer)


def load_of(answer: str) -> Load:
    """Read what a script printed at its end.

    Raises:
        PartFailed: it printed nothing, nothing was answered, or a request failed or was answered with an error.
    """
    result = next((line for line in answer.splitlines() if line.startswith("RESULT ")), "")
    require(result, f"wrk told no result: {answer[-500:]}")
    answered, took_us, errors, median_us, p99_us = map(int, result.split()[1:])
    require(answered and took_us, "no request was answered")
    require(not errors, f"{errors} of {answered} requests failed or were answered with an error")
    return Load(answered, took_us / 1e6, median_us / 1000, p99_us / 1000)
