"""A forward proxy on loopback, as companies have one: passes requests and tunnels on, and may ask for a password."""

from __future__ import annotations

import socket
import ssl
import threading
from base64 import b64encode
from urllib.parse import urlsplit


class ForwardProxy:
    """Listens at `url`. What it was asked for is in `requests` (method, address) and `tunnels` (host:port)."""

    def __init__(self, *, user="", password="", names=None, trust=None):
        self.requests = []
        self.tunnels = []
        self.refused = 0
        self._names = names or {}
        self._expected = f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}" if user else None
        self._trust = trust
        self._listener = socket.create_server(("127.0.0.1", 0))
        scheme = "http" if trust is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        """Listen no more."""
        self._listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            with connection if self._trust is None else self._trust.wrap_socket(connection, server_side=True) as client:
                self._answer(client)
        except (OSError, ssl.SSLError):
            return

    def _answer(self, client):
        head = _head(client)
        if not head:
            return
        line, _, rest = head.partition(b"\r\n")
        method, target, _ = line.decode().split(" ")
        headers, _, body = rest.partition(b"\r\n\r\n")
        named = {
            name.casefold(): value for name, _, value in (one.partition(": ") for one in headers.decode().split("\r\n"))
        }
        if self._expected is not None and named.get("proxy-authorization") != self._expected:
            self.refused += 1
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        if method == "CONNECT":
            self.tunnels.append(target)
            host, _, port = target.rpartition(":")
            with self._open(host, int(port)) as server:
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                _both_ways(client, server)
            return
        self.requests.append((method, target))
        parts = urlsplit(target)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        kept = [one for one in headers.split(b"\r\n") if not one.lower().startswith((b"proxy-", b"connection"))]
        with self._open(parts.hostname, parts.port or 80) as server:
            first = f"{method} {path or '/'} HTTP/1.1".encode()
            server.sendall(b"\r\n".join([first, *kept, b"Connection: close", b"", body]))
            _both_ways(client, server)

    def _open(self, host, port):
        return socket.create_connection((self._names.get(host, host), port), timeout=10)


def _head(client):
    received = b""
    while b"\r\n\r\n" not in received:
        piece = client.recv(65536)
        if not piece:
            return b""
        received += piece
    return received


def _both_ways(client, server):
    """Pass on what either side says, until the server has nothing more to say."""

    def upstream():
        try:
            while piece := client.recv(65536):
                server.sendall(piece)
        except OSError:
            return

    threading.Thread(target=upstream, daemon=True).start()
    while piece := server.recv(65536):
        client.sendall(piece)
    client.close()
