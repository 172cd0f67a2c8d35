"""The daemon's side: a process of its own that takes commands, each run by a copy of it."""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import IO, Any, NoReturn

from connector_core.cli.beside import files
from connector_core.cli.beside.place import address
from connector_core.cli.beside.wire import CREDENTIALS, SHARED_VARIABLES, STREAMS, Broken, receive, send
from connector_core.contract.errors import ConfigError
from connector_core.store.filelock import FileLock
from connector_core.version import VERSION

#: A caller, who is root or our own user, has so long to say what it wants: it may ask somebody for a secret first.
ASKED_WITHIN_S = 600.0
#: What commands need is loaded when nothing happened for so long after the start.
_IDLE_S = 3.0
_TAKE_OVER_AGAIN_S = 1.0
#: So long a command whose caller is gone may take to end by itself.
_ENDED_WITHIN_S = 10.0
_BACKLOG = 64


class Door:
    """Where commands come in, as the daemon sees it."""

    def __init__(self, pid: int, life: int) -> None:
        self._pid, self._life = pid, life

    def open(self) -> None:
        """Let commands in; where another daemon of this host listens at the same place, when that has ended."""
        with suppress(OSError):
            os.write(self._life, b"o")

    def close(self) -> None:
        """Let no more in. Those that are at work end by themselves."""
        os.close(self._life)
        with suppress(OSError):
            os.waitpid(self._pid, 0)


def make_door(path: str, config: Path) -> Door:
    """Fork the process that takes commands; it ends with this one. Nothing may be open and no thread begun by now."""
    ended, life = os.pipe()
    pid = os.fork()
    if pid:
        os.close(ended)
        return Door(pid, life)
    os.close(life)
    try:
        _Attendant(path, config, ended).attend()
    except Exception:  # noqa: BLE001 - the bottom of a process: whatever it is, nobody else would say it
        traceback.print_exc()
    finally:
        os._exit(0)


class _Attendant:
    def __init__(self, path: str, config: Path, ended: int) -> None:
        self._path, self._config, self._ended = path, config, ended
        self._to_load: list[Callable[[], object]] = [
            *(partial(import_module, name) for name in _needed()),
            self._read_once,
        ]

    def attend(self) -> None:
        """Wait until the daemon says so, listen, and go when it has gone."""
        os.setsid()  # a Ctrl-C in the daemon's terminal is for the daemon
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that run commands
        if not os.read(self._ended, 1):
            return
        lock = FileLock(Path(f"{self._path}.lock"))
        while not lock.try_acquire():
            if self._has_ended(_TAKE_OVER_AGAIN_S):
                return
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        path, made = Path(self._path), f"{self._path}.new"
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener, address(made) as short:
            Path(made).unlink(missing_ok=True)
            listener.bind(short)
            try:
                Path(made).chmod(0o600)
                listener.listen(_BACKLOG)
                Path(made).rename(path)  # whoever finds it is answered
                self._let_in(listener)
            finally:
                with suppress(OSError):
                    path.unlink()

    def _let_in(self, listener: socket.socket) -> None:
        wait = _IDLE_S
        while True:
            patience = wait if self._to_load else None
            ready, _, _ = select.select([listener.fileno(), self._ended], [], [], patience)
            if self._ended in ready:
                return
            if not ready:
                wait = 0  # one after the other, while nobody calls
                self._to_load.pop(0)()
                continue
            connection, _ = listener.accept()
            with connection:
                if _may(connection) and os.fork() == 0:
                    listener.close()
                    os.close(self._ended)
                    _serve(connection, self._config)

    def _read_once(self) -> None:
        """Read the file as each command will: plugins are loaded, models built. What fails is for a command to say."""
        from connector_core.config.load import peek, read_leniently  # noqa: PLC0415 - as all that commands need
        from connector_core.logs import configure_logging  # noqa: PLC0415 - as above

        configure_logging("error")
        with suppress(ConfigError):
            read_leniently(peek(self._config, {}), {})
        gc.collect()
        gc.freeze()  # what was loaded is no garbage of any command

    def _has_ended(self, within_s: float) -> bool:
        return bool(select.select([self._ended], [], [], within_s)[0])


def _may(connection: socket.socket) -> bool:
    """Return whether a caller is root or our own user; where the system does not tell, the file's mode decides."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    return CREDENTIALS.unpack(told)[1] in {0, os.geteuid()}


def _needed() -> list[str]:
    """Return what commands need: loaded, they begin sooner, and work with what was installed when the daemon began."""
    from connector_core.cli.main import _COMMANDS  # noqa: PLC0415 - the daemon is one of them

    late = ("reading", "cli.overview", "cli.authorizing", "store.read_only")
    return [*(module for module, _, _ in _COMMANDS.values()), *(f"connector_core.{name}" for name in late)]


def _serve(connection: socket.socket, config: Path) -> NoReturn:
    """Run what a caller wants, in a process of its own."""
    code = 1
    try:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        connection.settimeout(ASKED_WITHIN_S)
        send(connection, {"version": VERSION})
        request, streams = receive(connection)
        if len(streams) not in {STREAMS, STREAMS + 1} or not _is_same(str(request.get("config")), config):
            send(connection, {"elsewhere": True})
            os._exit(0)
        connection.settimeout(None)
        _take_streams(streams[:STREAMS])
        files.made = streams[STREAMS] if len(streams) > STREAMS else None
        _take_environment(request)
        threading.Thread(target=_end_with_caller, args=(connection,), daemon=True).start()
        code = _run([str(word) for word in request.get("words", ())], config, str(request.get("named") or ""))
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        send(connection, {"code": code})
    except (Broken, OSError):
        pass  # the caller is gone
    finally:
        os._exit(code)


def _is_same(named: str, config: Path) -> bool:
    """Return whether a caller means the daemon's own file: another one is looked at by the caller."""
    try:
        return config.samefile(named)
    except OSError:
        return False


def _take_streams(streams: Sequence[int]) -> None:
    with suppress(OSError):
        sys.stdout.flush()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    for stream in range(STREAMS):
        if os.isatty(stream):
            import fcntl  # noqa: PLC0415 - scripts have no terminal
            import termios  # noqa: PLC0415 - as above

            with suppress(OSError):
                fcntl.ioctl(stream, termios.TIOCSCTTY, 0)  # so that Ctrl-C is for us, and passwords are not shown
            break
    sys.stdin, sys.stdout, sys.stderr = _opened(0, "r"), _opened(1, "w"), _opened(2, "w")
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[assignment, misc]  # final in typeshed


def _opened(number: int, mode: str) -> IO[Any]:
    is_of_errors = number == STREAMS - 1
    buffering = 1 if is_of_errors or os.isatty(number) else -1
    errors = "backslashreplace" if is_of_errors else None
    return open(number, mode, buffering, encoding="utf-8", errors=errors, closefd=False)


def _take_environment(request: dict[str, Any]) -> None:
    for name in SHARED_VARIABLES:
        os.environ.pop(name, None)
    given = request.get("environ")
    if isinstance(given, dict):
        os.environ.update({name: str(given[name]) for name in SHARED_VARIABLES if name in given})
    os.environ["LOGNAME"] = str(request.get("who") or "unknown")  # what `getuser` goes by


def _end_with_caller(connection: socket.socket) -> None:
    """Interrupt the command when its caller is gone, or says so."""
    with suppress(OSError):
        connection.recv(1)
    os.kill(os.getpid(), signal.SIGINT)
    threading.Event().wait(_ENDED_WITHIN_S)
    os._exit(1)


def _run(words: Sequence[str], config: Path, named: str) -> int:
    from connector_core.cli.main import run  # noqa: PLC0415 - as above
    from connector_core.config import positions  # noqa: PLC0415 - as above
    from connector_core.logs import configure_logging  # noqa: PLC0415 - as above

    configure_logging("error")  # until a command says something itself
    signal.signal(signal.SIGINT, signal.default_int_handler)
    positions.as_typed = named
    sys.argv = ["connector", "--config", str(config), *words]
    try:
        run()
    except SystemExit as exc:
        return exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    except Exception:  # noqa: BLE001 - the bottom of a process, as Python has one
        traceback.print_exc()
    return 1
