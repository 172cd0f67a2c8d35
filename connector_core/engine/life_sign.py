"""A sign of life: whether a process of this host has ended is known here for sure, however it ended.

    sign = LifeSign()
    sign.show()            # from now on, while the process lives, its kernel keeps a name for it
    has_ended(sign.name)   # asked by another process of the same host, later

The name is that of a socket in Linux's abstract namespace. No other process can have it meanwhile, and it is free as
soon as the process is gone; one that is frozen keeps it. Whoever is on another host, in another network namespace or on
another system knows nothing; then only silence tells that a node is dead.
"""

from __future__ import annotations

import socket
import sys
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NETWORK = Path("/proc/self/ns/net")


class LifeSign:
    """The sign of this process; its `name` is empty until it is shown, and where there can be none."""

    def __init__(self) -> None:
        self.name = ""
        self._socket: socket.socket | None = None

    def show(self) -> None:
        """Put it up."""
        place = _place()
        with suppress(OSError):
            if place:
                name = f"{place}/{uuid4().hex}"
                self._socket = _bound(name)
                self.name = name

    def end(self) -> None:
        """Take it down."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def has_ended(name: str) -> bool:
    """Return whether the process whose sign this is has ended for sure; False where that cannot be told here."""
    if not name or name.partition("/")[0] != _place():
        return False
    try:
        _bound(name).close()
    except OSError:  # somebody has the name
        return False
    return True


def _bound(name: str) -> socket.socket:
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        opened.bind(f"\0connector-{name}")
    except BaseException:
        opened.close()
        raise
    return opened


def _place() -> str:
    """Name where signs can be seen: this boot of this host, and the network namespace; nothing where there is none."""
    if sys.platform != "linux":
        return ""
    try:
        said = f"{socket.gethostname()} {_BOOT.read_text()} {_NETWORK.stat().st_ino}"
    except OSError:
        return ""
    return sha256(said.encode()).hexdigest()[:16]
