"""What single values of the configuration file may be: each check says what is wrong and how it would be right."""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import ip_network
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import SecretStr, StringConstraints

from connector_core.contract.addresses import http_address
from connector_core.contract.daily import time_of_day
from connector_core.contract.errors import ConfigError
from connector_core.contract.secret_lists import SHORTEST_SECRET, is_too_short
from connector_core.databases import is_postgresql, is_whole
from connector_core.http.outbound import Places
from connector_core.passwords import is_hash
from connector_core.secrets import check_key

DATABASE_PREFIX = "sqlite:///"
SHORTEST_HISTORY = timedelta(days=30)  # a repeated event of a forgotten incident would make a new ticket
SIZE = re.compile(r"(\d{1,6})(MiB|GiB)")
UNITS = {"MiB": 1024**2, "GiB": 1024**3}
ID_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}$"


def database_address(value: str) -> str:
    """Take the URL of a database that is one of ours."""
    if is_postgresql(value):
        if not is_whole(value):
            raise ValueError(
                "expected a URL like postgresql://user@host/database — in a user or a password write %40 for @, %2F "
                "for /, %3A for :, %3F for ? and %25 for %"
            )
        return value
    rest = value.removeprefix(DATABASE_PREFIX)
    if rest == value or not rest or rest.startswith(":") or "?" in rest:
        raise ValueError(
            f"expected {DATABASE_PREFIX} and the path of a file, like sqlite:///var/connector.db, or a URL of"
            " PostgreSQL, like postgresql://connector@db.example.com/connector"
        )
    return value


#: First parts of the paths that this server has itself.
OWN_PATHS = frozenset(
    {
        "account",
        "activity",
        "audit",
        "deliveries",
        "external",
        "hand-over",
        "healthz",
        "integrations",
        "links",
        "login",
        "logout",
        "metrics",
    }
    | {"notifications", "oauth", "overview", "readyz", "routing", "sources", "static", "unfinished", "v1"}
)
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")


def public_address(value: str) -> str:
    """Take an address that people reach the connector at."""
    url = http_address(value, example="https://connector.example.com")
    path = urlsplit(url).path
    first, *others = path.split("/")[1:] or [""]
    if not _PATH.fullmatch(path) or {".", ".."} & {first, *others}:
        raise ValueError("the path may have letters, digits and . _ ~ - between its slashes — choose a plain one")
    if first in OWN_PATHS:
        raise ValueError(f"/{first} is a path of the connector's own — choose another one, like /connector")
    return url


def bare_host(value: str) -> str:
    """Take an address of IPv6 with brackets, as it stands in URLs, too."""
    return value[1:-1] if value.startswith("[") and value.endswith("]") else value


def bracketed(host: str) -> str:
    """Return a host as it stands in an address."""
    return f"[{host}]" if ":" in host else host


def one_network(value: str) -> str:
    """Take an address or a network of addresses."""
    try:
        return str(ip_network(value))
    except ValueError as exc:
        raise ValueError("expected an address like 10.0.0.7 or a network like 10.0.0.0/24 or fd00::/8") from exc


def address_of(host: str, port: int) -> str:
    """Return the address of a server at a host and port."""
    host = "localhost" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - compared, not bound
    return f"http://{bracketed(host)}:{port}"


def strong_keys(keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    """Take keys that are long enough."""
    try:
        for key in keys:
            check_key(key.get_secret_value())
    except ConfigError as exc:
        raise ValueError(f"{exc.message} — make one with: openssl rand -base64 32") from exc
    return keys


def nothing_is_empty(value: object) -> object:
    """Read a key with nothing behind it as an empty section."""
    return {} if value is None else value


def long_password(value: SecretStr | None) -> SecretStr | None:
    """Take a password, or its hash, that is long enough."""
    if value is not None and not is_hash(value.get_secret_value()) and is_too_short(value):
        raise ValueError(f"a password has at least {SHORTEST_SECRET} characters — choose a longer one")
    return value


def hashed_password(value: SecretStr) -> SecretStr:
    """Take the hash of a password."""
    if not is_hash(value.get_secret_value()):
        raise ValueError("expected a hash, not the password itself — make it with: connector console hash-password")
    return value


def proxy_address(value: str) -> str:
    """Take the address of a proxy."""
    try:
        return http_address(value, example="http://proxy.example.com:3128")
    except ValueError as exc:
        raise ValueError(f"{exc}, without user and password: these are proxy_user and proxy_password") from exc


def known_places(value: tuple[str, ...]) -> tuple[str, ...]:
    """Take names, networks and words for kinds of addresses."""
    Places.of(value)
    return value


def known_hosts(value: tuple[str, ...]) -> tuple[str, ...]:
    """Take names and networks."""
    if Places.of(value).public:
        raise ValueError("expected names and networks")
    return value


Identifier = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
UserName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,126}$")]


def long_enough(value: timedelta) -> timedelta:
    """Take a time to keep links that is no shorter than it may be."""
    if value < SHORTEST_HISTORY:
        raise ValueError(f"what is over has to be kept for {SHORTEST_HISTORY.days} days at least")
    return value


def size(value: object) -> object:
    """Read a size as settings write it, such as 200MiB; a number stays as it is."""
    match = SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('expected a size like "50MiB" or "2GiB"')
    return int(match[1]) * UNITS[match[2]]


def daily_time(text: str) -> str:
    """Take a time of day, or what stands for one."""
    at = time_of_day(text)
    if at is None:
        raise ValueError("use nightly, a time like 03:30, or off")
    return at
