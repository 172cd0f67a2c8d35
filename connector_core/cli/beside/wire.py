"""What caller and daemon say to each other: JSON, its length before it, with descriptors beside the first of it.

The daemon greets with its version. The caller says its file, and how it was written, its words, who it is, and passes
its three streams, and a file that it has made for the command. The daemon says the exit code, or that it works with
another file.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Sequence
from typing import Any

#: What a command goes by besides its words: how the caller's terminal is.
SHARED_VARIABLES = ("TERM", "COLUMNS", "LINES", "COLORTERM", "NO_COLOR", "FORCE_COLOR")
STREAMS = 3
#: Of who is at the other end, as the system tells it: process, user, group.
CREDENTIALS = struct.Struct("3i")
_LENGTH = 4
_LONGEST = 16 * 1024 * 1024


class Broken(Exception):
    """The other side said nothing, or what nobody understands."""


def send(connection: socket.socket, said: dict[str, Any], streams: Sequence[int] = ()) -> None:
    """Say something; streams are passed on.

    Raises:
        OSError: nobody listens any more.
    """
    body = json.dumps(said).encode()
    length = len(body).to_bytes(_LENGTH, "big")
    if streams:
        socket.send_fds(connection, [length], list(streams))
    else:
        connection.sendall(length)
    connection.sendall(body)


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Return what the other side said, and the descriptors that it passed on.

    Raises:
        Broken: nothing, or nonsense.
        OSError: it is gone, or took too long.
    """
    length, streams, _, _ = socket.recv_fds(connection, _LENGTH, STREAMS + 1)
    try:
        return _said(connection, length), streams
    except (Broken, OSError):
        for stream in streams:
            os.close(stream)
        raise


def _said(connection: socket.socket, length: bytes) -> dict[str, Any]:
    length += _exactly(connection, _LENGTH - len(length))
    size = int.from_bytes(length, "big")
    if size > _LONGEST:
        raise Broken
    try:
        said = json.loads(_exactly(connection, size))
    except ValueError as exc:
        raise Broken from exc
    if not isinstance(said, dict):
        raise Broken
    return said


def _exactly(connection: socket.socket, size: int) -> bytes:
    whole = b""
    while len(whole) < size:
        part = connection.recv(size - len(whole))
        if not part:
            raise Broken
        whole += part
    return whole
