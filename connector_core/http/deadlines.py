"""A deadline for whole answers: a socket's timeout is per read, so a peer that drips would never trip it.

It is kept below the reading of status line, headers and body, because any of them can come a byte at a time.
"""

from __future__ import annotations

import http.client
import io
import socket
from time import monotonic
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class TimedAdapter(HTTPAdapter):
    """An adapter whose answers end within `deadline_s`, or one read's timeout later, by `TimeoutError`."""

    def __init__(self, deadline_s: float, **options: Any) -> None:  # noqa: ANN401 - those of requests
        self._deadline_s = deadline_s
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - requests' own signature
        """Make the pools of connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _pool(HTTPConnectionPool, self._deadline_s),
            "https": _pool(HTTPSConnectionPool, self._deadline_s),
        }


class _TimedResponse(http.client.HTTPResponse):
    deadline_s = 0.0

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - http.client's own
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Timed(sock.makefile("rb", buffering=0), monotonic() + self.deadline_s))


class _Timed(io.RawIOBase):
    """Reads from a socket until the deadline."""

    def __init__(self, raw: Any, deadline: float) -> None:  # noqa: ANN401 - what makefile returns
        super().__init__()
        self._raw = raw
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        number: int = self._raw.fileno()
        return number

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 - a buffer
        if monotonic() > self._deadline:
            raise TimeoutError("the whole answer took too long")
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


def _pool(kind: type[HTTPConnectionPool], deadline_s: float) -> type[HTTPConnectionPool]:
    """Return a kind of pool whose connections read answers with a deadline."""
    response = type("TimedResponse", (_TimedResponse,), {"deadline_s": deadline_s})
    connection = type(kind.ConnectionCls.__name__, (kind.ConnectionCls,), {"response_class": response})
    return type(kind.__name__, (kind,), {"ConnectionCls": connection})
