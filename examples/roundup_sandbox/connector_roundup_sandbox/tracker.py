"""Makes a tracker in a folder and serves it, in a process of its own that ends when its owner is gone.

    python tracker.py OWNER FOLDER SOCKET

The owner is the process that started this; the socket is one that it listens on. At the end the folder is removed.
Roundup's own server refuses to be root; its WSGI handler serves anybody.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

LOOK_EVERY_S = 0.1
#: Who there is, beside `admin` and `anonymous`.
USERS = ("connector", "agent")
# The usual 250,000 take a tenth of a second at each call, and these passwords guard nothing.
_ROUNDS = 1000


def make(home: Path, url: str, passwords: dict[str, str]) -> None:
    """Make a tracker from the template `classic`, with a user for each password."""
    from roundup import instance, password  # noqa: PLC0415 - in the process of the tracker only
    from roundup.admin import AdminTool  # noqa: PLC0415 - as above

    settings = {
        "mail_domain": "desk.example",
        "mailhost": "localhost",
        "mail_debug": str(home.parent / "mail"),
        "tracker_name": "Desk",
        "tracker_web": f"{url}/",
        "admin_email": "admin@desk.example",
        "password_pbkdf2_default_rounds": str(_ROUNDS),
    }
    told = ",".join(f"{key}={value}" for key, value in settings.items())
    with redirect_stdout(sys.stderr):
        AdminTool().do_install(str(home), ["install", "classic", "sqlite", told])
    tracker = instance.open(str(home))
    tracker.init(password.Password(passwords["admin"], config=tracker.config), tx_Source="cli")
    database = tracker.open("admin")
    for name in USERS:
        hashed = password.Password(passwords[name], config=tracker.config)
        database.user.create(username=name, password=hashed, address=f"{name}@desk.example", roles="User")
    database.commit()
    database.close()


class Server(ThreadingMixIn, WSGIServer):
    """Serves on a socket that another process opened, while that one lives."""

    daemon_threads = True

    def __init__(self, listening: socket.socket, owner: int) -> None:
        super().__init__(listening.getsockname(), _QuietHandler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.server_name, self.server_port = listening.getsockname()
        self.setup_environ()
        self._owner = owner

    def service_actions(self) -> None:
        """End when the owner is gone; the server calls this several times a second."""
        if os.getppid() != self._owner:
            raise SystemExit(1)


class _QuietHandler(WSGIRequestHandler):
    """Writes no line for each request."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Counted:
    """Writes a line for each call of the REST interface: who, method, status, path."""

    def __init__(self, application: Callable[..., Iterable[bytes]], log: Path) -> None:
        self._application = application
        self._log = log.open("a")
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request, and note it once its status is known."""
        who = "person" if environ.get("HTTP_X_SANDBOX_PERSON") else "client"
        method, path, query = environ["REQUEST_METHOD"], environ["PATH_INFO"], environ.get("QUERY_STRING", "")

        def start(status: str, headers: list[tuple[str, str]], *rest: object) -> object:
            if path.startswith("/rest/"):
                with self._lock:
                    self._log.write(f"{who} {method} {status[:3]} {path}{'?' if query else ''}{query}\n")
                    self._log.flush()
            return start_response(status, headers, *rest)

        return self._application(environ, start)


def main(owner: int, folder: Path, listening: socket.socket) -> None:
    """Make a tracker, tell its passwords in a file, and serve."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        from roundup.cgi.wsgi_handler import RequestDispatcher  # noqa: PLC0415 - in this process only

        host, port = listening.getsockname()
        passwords = {name: secrets.token_urlsafe(12) for name in ("admin", *USERS)}
        make(folder / "desk", f"http://{host}:{port}", passwords)
        (folder / "passwords").write_text("".join(f"{name} {word}\n" for name, word in passwords.items()))
        application = Counted(RequestDispatcher(str(folder / "desk")), folder / "calls")
        server = Server(listening, owner)
        server.set_app(application)
        server.serve_forever(LOOK_EVERY_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), socket.socket(fileno=int(sys.argv[3])))
