"""The caller's side: which commands a running daemon does in our place, and asking it."""

from __future__ import annotations

import os
import pwd
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from connector_core.cli.beside.given import in_place
from connector_core.cli.beside.place import address, socket_of
from connector_core.cli.beside.wire import CREDENTIALS, SHARED_VARIABLES, Broken, receive, send
from connector_core.version import VERSION

if TYPE_CHECKING:
    from connector_core.cli.beside.terminal import Terminal

#: These are about files of the caller, about this installation, or for when no daemon runs.
HERE = frozenset(
    {
        *(("run",), ("demo",), ("plugins",), ("support-bundle",), ("config", "init")),
        *(("config", "schema"), ("console", "hash-password"), ("db", "backup"), ("db", "migrate"), ("db", "move")),
    }
)
#: What is typed meanwhile is for these.
ASKING = frozenset(
    {
        *(("integrations", "setup"), ("integrations", "authorize"), ("sources", "setup"), ("notifications", "add")),
        ("deliveries", "replay"),
    }
)
GREETED_WITHIN_S = 10.0
TRY_AGAIN, INTERRUPTED = 5, 130  # as ExitCode has it, and as shells do


def ask(words: Sequence[str]) -> int | None:
    """Have the daemon of our configuration run a command; return its exit code, None when it has to be run here."""
    said, config = without_config(words)
    if not is_for_daemon(said) or "_CONNECTOR_COMPLETE" in os.environ:
        return None
    path = socket_of(config)
    connection = None if path is None else _connected(path)
    if connection is None:
        return None
    with connection:
        try:
            greeting, _ = receive(connection)
        except (Broken, OSError):
            return None
        if not _is_ours(greeting):
            return None
        connection.settimeout(None)
        return _run(connection, said, config)


def without_config(words: Sequence[str]) -> tuple[list[str], str]:
    """Return a command line without --config, and the configuration file that it is about."""
    config, said, rest = os.environ.get("CONNECTOR_CONFIG") or "connector.yaml", [], list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            said += [word, *rest]
            break
        if word == "--config" and rest:
            config = rest.pop(0)
        elif word.startswith("--config="):
            config = word.removeprefix("--config=")
        else:
            said.append(word)
    return said, config


def is_for_daemon(said: Sequence[str]) -> bool:
    """Return whether a daemon does a command, if one runs."""
    if not said or said[0].startswith("-") or {"--help", "-h"} & {*said}:
        return False
    return tuple(said[:1]) not in HERE and tuple(said[:2]) not in HERE


def _connected(path: str) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(GREETED_WITHIN_S)
    try:
        with address(path) as short:
            connection.connect(short)
            if _can_be_trusted(connection, path):
                return connection
    except OSError:  # nobody listens there, or not to us
        pass
    connection.close()
    return None


def _can_be_trusted(connection: socket.socket, path: str) -> bool:
    """Return whether we, root or whose folder it is in listen at a socket: some folders are open to others.

    Who listens is told by the system of the connection itself, for what is at the path may be another by now.
    """
    trusted = {0, os.geteuid(), os.stat(os.path.dirname(path)).st_uid}  # noqa: PTH116, PTH120
    if not hasattr(socket, "SO_PEERCRED"):
        return os.lstat(path).st_uid in trusted
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    return CREDENTIALS.unpack(told)[1] in trusted


def _is_ours(greeting: dict[str, Any]) -> bool:
    """Return whether the daemon is of this version; a command of another one looks for itself, and says so."""
    theirs = str(greeting.get("version"))
    if theirs == VERSION:
        return True
    print(
        f"The daemon is of version {theirs}, this command of {VERSION}: start the daemon again after an update.",
        file=sys.stderr,
    )
    return False


def _run(connection: socket.socket, said: list[str], config: str) -> int | None:
    from connector_core.cli.beside import named_files  # noqa: PLC0415 - when there is a daemon only

    made = None
    try:
        said, source = named_files.with_source(in_place(said))
        streams = [source if number == 0 and source is not None else number for number in range(3)]
        made = named_files.make(said)
        terminal = _terminal(said, streams)  # a stream may be closed, or there is no terminal to be had
    except (OSError, UnicodeDecodeError):
        if made is not None:
            named_files.drop_unwritten(said, made)
        return None  # what is run here says it
    if terminal is not None:
        streams = [terminal.inner if _is_terminal(one) else one for one in streams]
        if tuple(said[:2]) not in ASKING:
            streams[0] = os.open(os.devnull, os.O_RDONLY) if _is_terminal(streams[0]) else streams[0]
    answer = _answer(connection, said, config, [*streams, *([] if made is None else [made])], terminal)
    if made is not None and answer.get("code") != 0:
        named_files.drop_unwritten(said, made)
    if answer.get("elsewhere"):
        return None
    if "code" in answer:
        return int(answer["code"])
    print("The daemon ended before it could say what became of this.", file=sys.stderr)
    return TRY_AGAIN


def _answer(
    connection: socket.socket, said: Sequence[str], config: str, streams: Sequence[int], terminal: Terminal | None
) -> dict[str, Any]:
    """Say what is wanted; return what the daemon says in the end, nothing where it is gone."""
    request = {
        "config": os.path.realpath(config),
        "named": config,
        "words": said,
        "environ": {name: os.environ[name] for name in SHARED_VARIABLES if name in os.environ},
        "who": who(),
    }
    try:
        send(connection, request, streams)
        if terminal is not None:
            terminal.passed_on()
        return _awaited(connection, terminal)
    except (Broken, OSError):
        return {}
    finally:
        if terminal is not None:
            terminal.rest()


def _awaited(connection: socket.socket, terminal: Terminal | None) -> dict[str, Any]:
    """Wait for the end; Ctrl-C here ends it there."""
    for _ in range(2):
        try:
            if terminal is not None:
                terminal.relay(connection)
            return receive(connection)[0]
        except KeyboardInterrupt:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
    return {"code": INTERRUPTED}


def _terminal(said: list[str], streams: list[int]) -> Terminal | None:
    ours = [number for number in range(3) if _is_terminal(streams[number])]
    if not ours:
        for stream in streams:
            os.fstat(stream)
        return None
    from connector_core.cli.beside.terminal import Terminal  # noqa: PLC0415 - scripts have none

    return Terminal(ours, asks=tuple(said[:2]) in ASKING)


def _is_terminal(stream: int) -> bool:
    return os.isatty(stream)


def who() -> str:
    """Name who types a command: of root, who became it."""
    if os.geteuid() == 0 and os.environ.get("SUDO_USER"):
        return os.environ["SUDO_USER"]
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # containers may run as somebody whom nobody named
        return f"user {os.getuid()}"
