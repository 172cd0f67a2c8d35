"""The daemon as a process of its own, started, awaited, killed and stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Protocol

import requests

from connector_core.demo.signals import held

READY_WITHIN_S = 120.0
COMMAND_WITHIN_S = 120.0
ENDED_WITHIN_S = 60.0
_LOOK_AGAIN_S = 0.02


class Process(Protocol):
    """The part of `subprocess.Popen` that is asked for."""

    @property
    def pid(self) -> int:
        """Its id."""
        ...

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal, or None."""
        ...

    def send_signal(self, number: int, /) -> None:
        """Send a signal unless it has ended."""
        ...

    def wait(self, timeout: float) -> int:
        """Return the exit code when it has ended."""
        ...


class Daemon:
    """`connector run` on one configuration file; its log goes to `log_path`."""

    def __init__(self, config_path: Path, url: str, log_path: Path, environ: Mapping[str, str]) -> None:
        self.url = url
        self.log_path = log_path
        self._command = [sys.executable, "-m", "connector_core", "--config", str(config_path)]
        self._environ = {**os.environ, **environ}
        self._process: Process | None = None

    def start(self) -> float:
        """Start the process; return after how many seconds it was ready.

        Raises:
            RuntimeError: it ended, or was not ready in time; the message holds the end of its log.
        """
        started = monotonic()
        process = self.launch()
        pause = threading.Event()
        while monotonic() - started < READY_WITHIN_S and process.poll() is None:
            if self.is_ready():
                return monotonic() - started
            pause.wait(_LOOK_AGAIN_S)
        raise RuntimeError(f"The daemon did not get ready:\n{self.log_path.read_text()[-3000:]}")

    def launch(self) -> Process:
        """Start the process without waiting until it is ready."""
        with held(), self.log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [*self._command, "run"], env=self._environ, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        return self._process

    def is_ready(self) -> bool:
        """Ask the daemon whether it can work."""
        try:
            return requests.get(f"{self.url}/readyz", timeout=10).ok
        except requests.RequestException:
            return False

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to stop and do not wait."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)

    def stop(self) -> int:
        """Ask it to stop; return its exit code."""
        return self._end(signal.SIGTERM)

    @property
    def pid(self) -> int:
        """Return the process id."""
        if self._process is None:
            raise RuntimeError("The daemon was not started.")
        return self._process.pid

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another command of the connector on the same configuration."""
        return subprocess.run(  # noqa: S603 - our own interpreter and module
            [*self._command, *arguments],
            env=self._environ,
            capture_output=True,
            text=True,
            timeout=COMMAND_WITHIN_S,
            check=False,
        )

    def _end(self, how: signal.Signals) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(how)
        try:
            code = self._process.wait(timeout=ENDED_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGKILL)
            raise
        self._process = None
        return code
