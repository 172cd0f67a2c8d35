"""How calls go out: through which proxy, whose certificates are trusted, and which addresses may be called.

One value holds for every call of an integration or a source. Environment variables such as `HTTPS_PROXY` mean nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from connector_core.contract.errors import ConfigError

CALL_DEADLINE_S = 60.0  # a call ends within that
PUBLIC = "public"
_NAT64 = ip_network("64:ff9b::/96")
_V4_BITS = 0xFFFFFFFF
#: What is not public beside what `is_global` says: it follows the registry that the Python in use knows, and takes all
#: of IPv6 that nobody has been given for global. An IPv4 address inside is judged first (`_meant`).
_NOT_PUBLIC = tuple(
    ip_network(text)
    for text in (
        "192.0.0.0/24",  # RFC 6890: protocol assignments, also the few of them that are reached from everywhere
        "192.88.99.0/24",  # RFC 7526: relays from 6to4, given up
        "168.63.129.16/32",  # Azure, "What is IP address 168.63.129.16": the host's own service for its machines
        "::/96",  # RFC 4291, 2.5.5.1: IPv4-compatible, given up
        "::ffff:0:0:0/96",  # RFC 2765: IPv4-translated
        "64:ff9b:1::/48",  # RFC 8215: NAT64 of the local network, which may lead to any IPv4 address
        "100:0:0:1::/64",  # RFC 9780: leads nowhere
        "3fff::/20",  # RFC 9637: for documentation
        "5f00::/16",  # RFC 9602: segment routing
        "fec0::/10",  # RFC 3879: site-local, given up
        "::/3",  # RFC 4291, 2.4, and the registry of IANA: global addresses are given out of 2000::/3 only
        "4000::/2",
        "8000::/1",
    )
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
#: Where an address leads, whatever is asked for there: scheme, host and port.
Endpoint = tuple[str, str, int]

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Places:
    """Some of all hosts: networks, names (`*.example.com` for all below one), and those that are public."""

    networks: tuple[Network, ...] = ()
    names: tuple[str, ...] = ()
    #: What anybody on the internet reaches: not loopback, link-local, private, or reserved.
    public: bool = False

    @classmethod
    def of(cls, written: Iterable[str]) -> Places:
        """Read what people write.

        Raises:
            ValueError: one of them is neither a network, nor a name, nor `public`.
        """
        networks, names, public = [], [], False
        for text in written:
            if text == PUBLIC:
                public = True
            elif network := _network(text):
                networks.append(network)
            elif _is_name(text.removeprefix("*.")):
                names.append(text.casefold().rstrip("."))
            else:
                raise ValueError(
                    f"{text!r} is neither a name like desk.example.com or *.example.com nor a network like 10.0.0.0/8"
                )
        return cls(tuple(networks), tuple(names), public)

    def have_name(self, host: str) -> bool:
        """Return whether a host is among the names."""
        host = host.casefold().rstrip(".")
        return any(host == name or (name.startswith("*.") and host.endswith(name[1:])) for name in self.names)

    def have_address(self, text: str) -> bool:
        """Return whether an IP address is in one of the networks, or public where that is enough."""
        address = _meant(text)
        if address is None:
            return False
        return any(address in network for network in self.networks) or (self.public and _is_public(address))


@dataclass(frozen=True)
class Outbound:
    """How calls go out. Without anything said they go anywhere, directly."""

    proxy: str = ""
    proxy_user: str = ""
    proxy_password: str = ""
    no_proxy: Places = Places()
    ca_file: Path | None = None
    #: The only hosts that may be called; None for all.
    allowed: Places | None = None
    #: What may be called beside them, by these schemes, hosts and ports only: addresses of who runs the connector.
    endpoints: frozenset[Endpoint] = frozenset()

    def proxy_for(self, url: str) -> str:
        """Return the proxy through which an address is called; nothing when it is called directly."""
        host = urlsplit(url).hostname or ""
        return "" if self.no_proxy.have_name(host) or self.no_proxy.have_address(host) else self.proxy

    def callable_addresses(self, scheme: str, host: str, port: int) -> list[str]:
        """Return the IP addresses under which a host may be called, found out by asking for its name once.

        A connection goes to one of these and to no other: a name that means something else the next time does not help.

        Raises:
            ConfigError: none of them may be called, or nothing can have this name.
            OSError: the name is not known.
        """
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except UnicodeError as exc:  # a part of it is empty, or too long
            raise ConfigError(
                f"{host[:80]!r} cannot be the name of a host.",
                code="address_invalid",
                detail=str(exc),
                fix="Correct it.",
            ) from exc
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        if self.allowed is None or self.allowed.have_name(host) or (scheme, host.casefold(), port) in self.endpoints:
            return addresses
        allowed = [address for address in addresses if self.allowed.have_address(address)]
        if not allowed:
            raise ConfigError(
                f"Calls to {host} are not allowed here.",
                code="address_not_allowed",
                fix="Enter a public address. For another one, who runs the connector adds it to outbound.allow.",
            )
        return allowed

    def check_proxied(self, url: str) -> None:
        """Refuse an address that a proxy would call for us, if it is known here not to be allowed.

        Which address a name means is the proxy's to find out: a name that is not known here is left to it.

        Raises:
            ConfigError: it may not be called.
        """
        if self.allowed is None:
            return
        try:
            self.callable_addresses(*endpoint_of(url))
        except OSError:
            return


def endpoint_of(url: str) -> Endpoint:
    """Return where an address leads.

    Raises:
        ValueError: it has a port that is none.
    """
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)


def _network(text: str) -> Network | None:
    try:
        return ip_network(text.strip("[]"), strict=False)
    except ValueError:
        return None


def _is_name(text: str) -> bool:
    labels = text.rstrip(".").split(".")
    return all(label and label.replace("-", "").replace("_", "").isalnum() for label in labels)


def _meant(text: str) -> Address | None:
    """Return the address that a text means; the IPv4 address inside where one of IPv6 only wraps it."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & _V4_BITS)
    return address.ipv4_mapped or address.sixtofour or address


def _is_public(address: Address) -> bool:
    if any(address in network for network in _NOT_PUBLIC):
        return False
    return address.is_global and not address.is_multicast
