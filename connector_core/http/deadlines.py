"""The connections of a session: where they may lead, through which proxy, and a deadline for whole answers.

A socket's timeout is per read, so a peer that drips would never trip it. The deadline is kept below the reading of
status line, headers and body, because any of them can come a byte at a time. Where connections lead is decided when
they are opened, on the address itself.
"""

from __future__ import annotations

import http.client
import io
import socket
from base64 import b64encode
from time import monotonic
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import PoolManager
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from connector_core.http.authorities import trusting
from connector_core.http.outbound import Outbound


class TimedAdapter(HTTPAdapter):
    """An adapter that calls as `outbound` says, and whose answers end within `deadline_s`.

    What ends them is `TimeoutError`, at the deadline or one read's timeout later.
    """

    def __init__(self, deadline_s: float, outbound: Outbound, **options: Any) -> None:  # noqa: ANN401 - those of requests
        self._deadline_s = deadline_s
        self._outbound = outbound
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - requests' own signature
        """Make the pools of connections."""
        if self._outbound.ca_file is not None:
            kwargs["ssl_context"] = trusting(self._outbound.ca_file)
        super().init_poolmanager(*args, **kwargs)
        self._prepare(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> PoolManager:  # noqa: ANN401 - requests' own signature
        """Return the pools of connections through a proxy."""
        if self._outbound.ca_file is not None:
            kwargs["ssl_context"] = kwargs["proxy_ssl_context"] = trusting(self._outbound.ca_file)
        manager: PoolManager = super().proxy_manager_for(proxy, **kwargs)
        self._prepare(manager)
        return manager

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        """Return how we name ourselves to a proxy."""
        if not self._outbound.proxy_user:
            return dict(super().proxy_headers(proxy))
        named = f"{self._outbound.proxy_user}:{self._outbound.proxy_password}".encode()
        return {"Proxy-Authorization": f"Basic {b64encode(named).decode()}"}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:  # noqa: ANN401 - requests' own signature
        """Have certificates checked; against what was loaded once where more than the usual ones are trusted."""
        super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]  # it says none
        if verify is True and self._outbound.ca_file is not None:
            conn.ca_certs = None

    def send(
        self,
        request: requests.PreparedRequest,
        *args: Any,  # noqa: ANN401 - requests' own signature
        **kwargs: Any,  # noqa: ANN401 - requests' own signature
    ) -> requests.Response:
        """Send a request, through the proxy if there is one for its address.

        Raises:
            ConfigError: the address may not be called.
        """
        proxy = self._outbound.proxy_for(request.url or "")
        if proxy:
            self._outbound.check_proxied(request.url or "")
        kwargs["proxies"] = {"http": proxy, "https": proxy} if proxy else {}
        return super().send(request, *args, **kwargs)

    def _prepare(self, manager: PoolManager) -> None:
        manager.pool_classes_by_scheme = {
            "http": _pool(HTTPConnectionPool, self._deadline_s, self._outbound),
            "https": _pool(HTTPSConnectionPool, self._deadline_s, self._outbound),
        }


class _ChoosingConnection(HTTPConnection):
    """A connection that goes only where calls may go, to the very address that was looked at."""

    outbound = Outbound()
    scheme = ""

    def _new_conn(self) -> socket.socket:
        if self.outbound.allowed is None or self.proxy is not None:
            return super()._new_conn()  # the proxy is the choice of who runs the connector
        name = self._dns_host
        try:
            addresses = self.outbound.callable_addresses(self.scheme, name, self.port)
        except OSError as exc:
            raise NewConnectionError(self, f"Failed to resolve {name!r}: {exc}") from exc
        try:
            for address in addresses[:-1]:
                self._dns_host = address
                try:
                    return super()._new_conn()
                except (NewConnectionError, ConnectTimeoutError):
                    continue
            self._dns_host = addresses[-1]
            return super()._new_conn()
        finally:
            self._dns_host = name


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


def _pool(kind: type[HTTPConnectionPool], deadline_s: float, outbound: Outbound) -> type[HTTPConnectionPool]:
    """Return a kind of pool whose connections go where they may and read answers with a deadline."""
    response = type("TimedResponse", (_TimedResponse,), {"deadline_s": deadline_s})
    ours = {"response_class": response, "outbound": outbound, "scheme": kind.scheme}
    connection = type(kind.ConnectionCls.__name__, (_ChoosingConnection, kind.ConnectionCls), ours)
    return type(kind.__name__, (kind,), {"ConnectionCls": connection})
