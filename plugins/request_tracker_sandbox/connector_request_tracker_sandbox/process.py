"""Request Tracker as a process of its own on loopback, in a folder of its own; nothing of it outlives this process."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from http import HTTPStatus
from pathlib import Path

import requests

from connector_request_tracker_sandbox import guard, installed, prepared

STARTS_WITHIN_S = 300
ENDS_WITHIN_S = 60
_LOOK_EVERY_S = 0.2


class ServerProcess:
    """Runs from `start` to `stop`; the port is taken at once, so connections made early wait."""

    def __init__(self, *, port: int = 0) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="connector-rt-"))
        self._guard: subprocess.Popen[bytes] | None = None
        try:
            for name in ("mason", "session", "no-more-settings"):
                (self.folder / name).mkdir()
            self.tokens = prepared.copy_into(self.folder)
            self._socket = socket.create_server(("127.0.0.1", port), backlog=128)
        except BaseException:
            shutil.rmtree(self.folder)
            raise
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Begin to serve, and wait for the first answer.

        Raises:
            RequestTrackerError: it ended instead.
        """
        listening = self._socket.fileno()
        command = [sys.executable, guard.__file__, str(os.getpid()), str(self.folder), str(listening)]
        with (self.folder / "log").open("wb") as log:
            self._guard = subprocess.Popen(  # noqa: S603 - ours
                [*command, *installed.perl("serve.pl")],
                env=installed.environment(self.folder, self.port)
                # As its own starter says which sockets there are.
                | {"SERVER_STARTER_PORT": f"127.0.0.1:{self.port}={listening}"},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(listening,),
                start_new_session=True,  # Ctrl-C is for us, who end it in good order
            )
        self._socket.close()
        self._wait_for_an_answer(self._guard)

    def _wait_for_an_answer(self, guard_process: subprocess.Popen[bytes]) -> None:
        ends_at = time.monotonic() + STARTS_WITHIN_S
        while guard_process.poll() is None and time.monotonic() < ends_at:
            if self._answers():
                return
            time.sleep(_LOOK_EVERY_S)
        said = self.log()
        self.stop()
        raise installed.RequestTrackerError(f"Request Tracker did not start:\n{said[-2000:]}")

    def _answers(self) -> bool:
        """Return whether it asks who we are: then it has loaded everything."""
        with requests.Session() as session:
            session.trust_env = False
            try:
                answer = session.get(f"{self.url}/REST/2.0/rt", headers=AS_A_PERSON, timeout=STARTS_WITHIN_S)
            except requests.RequestException:
                return False
        return answer.status_code == HTTPStatus.UNAUTHORIZED

    def stop(self) -> None:
        """End it and remove its folder."""
        self._socket.close()
        if self._guard is not None:
            self._guard.terminate()
            self._guard.wait(ENDS_WITHIN_S)
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        """Return what it said so far."""
        return (self.folder / "log").read_text(errors="replace")

    def calls(self) -> list[str]:
        """Return the calls that were answered so far, such as `GET 200 /REST/2.0/rt`; those of people left out."""
        try:
            lines = (self.folder / "calls").read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return []
        return [line.removeprefix("client ") for line in lines if line.startswith("client ")]


#: With it a call is not counted.
AS_A_PERSON = {"X-Sandbox-Person": "yes"}
