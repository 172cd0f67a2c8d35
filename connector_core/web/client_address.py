"""Who sent a request: the peer of the connection, or whom a trusted proxy in front of us names.

`X-Forwarded-For` and `X-Forwarded-Proto` are believed from `server.trusted_proxies` only; anybody else could write
there what they like. The server's own handling of them is switched off, and with it FORWARDED_ALLOW_IPS.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.types import ASGIApp, Receive, Scope, Send

Address = IPv4Address | IPv6Address

NEIGHBOURS = 64  # what a network gives to one customer as a rule: whoever has one address of it has them all
_FOR, _PROTO = b"x-forwarded-for", b"x-forwarded-proto"
_TOLD = frozenset({_FOR, _PROTO})
_SCHEMES = frozenset({"http", "https"})


@dataclass(frozen=True)
class _Peer:
    """Who is at the other end of a connection."""

    address: Address
    name: str
    is_trusted: bool


class ClientAddress:
    """Middleware that puts the client's own address, and the scheme that it used, into the scope of a request."""

    def __init__(self, app: ASGIApp, *, trusted: Sequence[str]) -> None:
        self._app = app
        self._trusted = tuple(ip_network(one) for one in trusted)
        self._peer = lru_cache(maxsize=1024)(self._as_peer)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with its sender."""
        peer = self._peer(scope["client"][0]) if scope["type"] == "http" and scope.get("client") else None
        if peer is not None:
            if peer.name != scope["client"][0]:
                scope = {**scope, "client": (peer.name, scope["client"][1])}
            if peer.is_trusted and any(key in _TOLD for key, _ in scope["headers"]):
                scope = self._as_told(scope, peer.address)
        await self._app(scope, receive, send)

    def _as_peer(self, host: str) -> _Peer | None:
        address = _read(host)
        return None if address is None else _Peer(address, str(address), self._trusts(address))

    def _as_told(self, scope: Scope, peer: Address) -> Scope:
        client = self._first_stranger(peer, _values(scope, _FOR))
        scheme = next(reversed(_values(scope, _PROTO)), "").lower()
        told = {"client": (str(client), 0)} if client != peer else {}
        return {**scope, **told, **({"scheme": scheme} if scheme in _SCHEMES else {})}

    def _first_stranger(self, peer: Address, named: Sequence[str]) -> Address:
        """Return the last sender in the list that is no proxy of ours: each proxy writes behind what it was sent."""
        client = peer
        for text in reversed(named):
            sender = _read(text)
            if sender is None:
                return client  # what stands before it was written by whoever wrote this
            client = sender
            if not self._trusts(sender):
                return client
        return client

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)


def neighbourhood(host: str) -> str:
    """Return what counts as one sender: an IPv4 address, or the /64 network of an IPv6 address."""
    address = _read(host)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, NEIGHBOURS), strict=False))
    return host if address is None else str(address)


@lru_cache(maxsize=1024)
def _read(text: str) -> Address | None:
    """Read an address, with or without a port; one of IPv4 that was written as IPv6 is the one of IPv4."""
    bare = text.strip().strip('"')
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _values(scope: Scope, name: bytes) -> list[str]:
    headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
    lines = [value.decode("latin-1") for key, value in headers if key == name]
    return [one.strip() for one in ",".join(lines).split(",") if one.strip()]
