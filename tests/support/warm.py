"""The daemon and its commands in processes of their own that need not import everything first.

They are forked from a helper process that has imported the connector once. A test that has to start the interpreter
itself, because it preloads a library or changes how threads are started, gets the slow way.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from connector_core.cli.main import run
from connector_core.demo.daemon import COMMAND_WITHIN_S, Daemon
from connector_core.demo.stage import Stage

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["connector_core.cli.run", "connector_core.web.server", "tests.support.warm_imports"])


class WarmDaemon(Daemon):
    """A daemon whose process starts within some hundredths of a second."""

    def launch(self):
        """Start the process without waiting until it is ready."""
        if {"LD_PRELOAD", "NO_THREADS"} & self._environ.keys():
            return super().launch()
        self._process = Forked([*self._command[2:], "run"], self._environ, self.log_path, self.log_path)
        return self._process

    def command(self, *arguments):
        """Run another command of the connector on the same configuration."""
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder, "out"), Path(folder, "err")
            whole = [*self._command[2:], *arguments]
            code = Forked(whole, self._environ, out, err).wait(COMMAND_WITHIN_S)
            return subprocess.CompletedProcess(whole, code, out.read_text(), err.read_text())


class Forked:
    """A process as `subprocess.Popen` shows one, as far as `Daemon` asks."""

    def __init__(self, arguments, environ, out, err):
        self._process: ForkServerProcess = _context.Process(target=_main, args=(arguments, environ, out, err))
        self._process.start()
        self.pid: int = self._process.pid or 0

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal, or None."""
        return self._process.exitcode

    def send_signal(self, number: int, /) -> None:
        """Send a signal unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def wait(self, timeout: float) -> int:
        """Return the exit code when it has ended."""
        self._process.join(timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired("connector", timeout)
        return code


def _main(arguments, environ, out, err):
    """Be the `connector` command: in the forked process."""
    os.environ.clear()
    os.environ.update(environ)
    for path, number in ((os.devnull, 0), (out, 1), (err, 2)):
        opened = os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv = arguments
    run()


def use():
    """Have every stage start its daemon this way."""
    Stage.daemon_class = WarmDaemon
