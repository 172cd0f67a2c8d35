"""Where the daemon of a configuration listens for commands, told from its file without loading what reads it whole."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

SUFFIX = ".sock"
DATABASE = "sqlite:///var/connector.db"
PREFIX = "sqlite:///"

_KEY = re.compile(
    r"^(?P<key>database|command_socket)[ \t]*:[ \t]+(?P<value>\S.*?)[ \t]*(?:[ \t]#.*)?\r?$", re.MULTILINE
)
_REFERENCE = re.compile(r"\$\{env:(\w+)\}")
_LONGEST = 100  # in bytes: the address of a socket has 104 on some systems


def socket_of(config: str) -> str | None:
    """Return where the daemon of a configuration file listens; None when that cannot be told from here."""
    try:
        with open(config, encoding="utf-8") as file:  # noqa: PTH123 - pathlib takes longer to load than all of this
            text = file.read()
    except (OSError, UnicodeDecodeError):
        return None
    found = {one["key"]: _resolved(one["value"]) for one in _KEY.finditer(text)}
    if None in found.values():
        return None
    return socket_beside(config, found.get("database") or DATABASE, found.get("command_socket") or "")


def socket_beside(config: str, database: str, named: str) -> str | None:
    """Return where a daemon listens: at the place that is named, or beside the file of SQLite."""
    folder = os.path.dirname(os.path.abspath(config))  # noqa: PTH100, PTH120 - as above
    if named:
        return os.path.join(folder, named)  # noqa: PTH118 - as above
    if not database.startswith(PREFIX):
        return None
    return os.path.join(folder, database.removeprefix(PREFIX)) + SUFFIX  # noqa: PTH118 - as above


def _resolved(value: str) -> str | None:
    """Return a value of the file with variables replaced; None when it cannot be known here."""
    if value[0] in "'\"" and value[-1] == value[0]:
        value = value[1:-1]
    try:
        value = _REFERENCE.sub(lambda name: os.environ[name[1]].strip(), value)
    except KeyError:
        return None
    return None if "${" in value or value[:1] in "|>&*" else value


@contextmanager
def address(path: str) -> Iterator[str]:
    """Return what to bind or connect to: the path, or a short one by way of its folder.

    Raises:
        OSError: the folder is not there.
    """
    if len(os.fsencode(path)) <= _LONGEST:
        yield path
        return
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)  # noqa: PTH120 - as above
    try:
        yield f"/proc/self/fd/{folder}/{os.path.basename(path)}"  # noqa: PTH119 - as above
    finally:
        os.close(folder)
