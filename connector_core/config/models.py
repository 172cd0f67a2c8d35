"""The core's own part of the configuration file, as models; what belongs to a plugin is passed through unread."""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import ip_network
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from connector_core.contract.addresses import http_address
from connector_core.contract.comment_rules import ToIncident, ToTicket
from connector_core.contract.daily import time_of_day
from connector_core.contract.display_names import display_name
from connector_core.contract.durations import Duration, DurationOrNothing, duration_field
from connector_core.contract.errors import ConfigError
from connector_core.contract.merge import ConflictRule, Direction
from connector_core.contract.models import FieldName
from connector_core.contract.routing import RoutingRules, checked
from connector_core.contract.secret_lists import SHORTEST_SECRET, OneOrMoreSecrets, is_too_short
from connector_core.databases import is_postgresql, is_whole
from connector_core.http.outbound import Places
from connector_core.notify.settings import NotifierEntry
from connector_core.passwords import is_hash
from connector_core.secrets import check_key
from connector_core.sign_on.settings import OidcSettings

DATABASE_PREFIX = "sqlite:///"
SHORTEST_HISTORY = timedelta(days=30)  # a repeated event of a forgotten incident would make a new ticket
ID_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}$"


def _database(value: str) -> str:
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


def _public_url(value: str) -> str:
    url = http_address(value, example="https://connector.example.com")
    path = urlsplit(url).path
    first, *others = path.split("/")[1:] or [""]
    if not _PATH.fullmatch(path) or {".", ".."} & {first, *others}:
        raise ValueError("the path may have letters, digits and . _ ~ - between its slashes — choose a plain one")
    if first in OWN_PATHS:
        raise ValueError(f"/{first} is a path of the connector's own — choose another one, like /connector")
    return url


def _bare_host(value: str) -> str:
    """Take an address of IPv6 with brackets, as it stands in URLs, too."""
    return value[1:-1] if value.startswith("[") and value.endswith("]") else value


def bracketed(host: str) -> str:
    """Return a host as it stands in an address."""
    return f"[{host}]" if ":" in host else host


def _network(value: str) -> str:
    try:
        return str(ip_network(value))
    except ValueError as exc:
        raise ValueError("expected an address like 10.0.0.7 or a network like 10.0.0.0/24 or fd00::/8") from exc


def _address(host: str, port: int) -> str:
    host = "localhost" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - compared, not bound
    return f"http://{bracketed(host)}:{port}"


def _strong(keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    try:
        for key in keys:
            check_key(key.get_secret_value())
    except ConfigError as exc:
        raise ValueError(f"{exc.message} — make one with: openssl rand -base64 32") from exc
    return keys


def _nothing_is_empty(value: object) -> object:
    """Read a key with nothing behind it as an empty section."""
    return {} if value is None else value


def _long_password(value: SecretStr | None) -> SecretStr | None:
    if value is not None and not is_hash(value.get_secret_value()) and is_too_short(value):
        raise ValueError(f"a password has at least {SHORTEST_SECRET} characters — choose a longer one")
    return value


def _password_hash(value: SecretStr) -> SecretStr:
    if not is_hash(value.get_secret_value()):
        raise ValueError("expected a hash, not the password itself — make it with: connector console hash-password")
    return value


def _proxy(value: str) -> str:
    try:
        return http_address(value, example="http://proxy.example.com:3128")
    except ValueError as exc:
        raise ValueError(f"{exc}, without user and password: these are proxy_user and proxy_password") from exc


def _places(value: tuple[str, ...]) -> tuple[str, ...]:
    Places.of(value)
    return value


def _hosts(value: tuple[str, ...]) -> tuple[str, ...]:
    if Places.of(value).public:
        raise ValueError("expected names and networks")
    return value


Identifier = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
UserName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,126}$")]


class Section(BaseModel):
    """A part of the file: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class MetricsSettings(Section):
    """Who may read the figures at /metrics."""

    host: Annotated[str, AfterValidator(_bare_host)] = Field(
        "127.0.0.1", min_length=1, description="Address to serve /metrics at, where port is set."
    )
    port: int | None = Field(
        None, ge=0, le=65535, description="Port that serves /metrics and nothing else. Default: that of the server."
    )
    token: OneOrMoreSecrets | None = Field(
        None, description="Token that /metrics asks for (Authorization: Bearer …); a list accepts each of several."
    )


class LimitSettings(Section):
    """What visitors of the HTTP server may take."""

    connections: int = Field(
        1000,
        ge=16,
        le=100_000,
        description="How many connections may be open at once, as far as the process has descriptors for them; "
        "of more the one that waits the longest is closed.",
    )
    header_kib: int = Field(
        32, ge=8, le=1024, description="How many KiB the request line and the headers of a request may have."
    )
    body_mib: int = Field(
        128,
        ge=32,
        le=65_536,
        description="How many MiB the bodies above 64 KiB may have that are read at once; more are answered 503.",
    )
    headers_within: Duration = duration_field("10s", "How long a client may take to send headers.")
    request_within: Duration = duration_field("30s", "How long a client may take to send a request with its body.")
    idle: Duration = duration_field(
        "75s", "How long a connection stays open without a request; longer than a proxy keeps its own."
    )


class ServerSettings(Section):
    """Where the HTTP server listens, and how others reach it."""

    host: Annotated[str, AfterValidator(_bare_host)] = Field(
        "127.0.0.1", min_length=1, description="Address to listen on; 0.0.0.0 for all."
    )
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 for any free one.")
    public_url: Annotated[str, AfterValidator(_public_url)] = Field(
        default_factory=lambda given: _address(given.get("host", ""), given.get("port", 0)),
        description="Address under which people and the ticketing systems reach this server, with the path if it "
        "has one there, like https://example.com/connector. Default: the above.",
    )
    limits: Annotated[LimitSettings, BeforeValidator(_nothing_is_empty)] = LimitSettings()
    trusted_proxies: tuple[Annotated[str, AfterValidator(_network)], ...] = Field(
        ("127.0.0.1", "::1"),
        description="Addresses or networks of proxies in front of this server, whose X-Forwarded-For and "
        "X-Forwarded-Proto are believed; [] for nobody's.",
    )
    metrics: Annotated[MetricsSettings, BeforeValidator(_nothing_is_empty)] = MetricsSettings()

    @property
    def public_path(self) -> str:
        """The path of the public address, without a slash at its end: nothing where it is a host's own."""
        return urlsplit(self.public_url).path

    @model_validator(mode="after")
    def _ports_apart(self) -> Self:
        if self.metrics.port == self.port != 0:
            raise ValueError("metrics.port is the port of the server; leave it out, or choose another one")
        return self


class OutboundSettings(Section):
    """How calls to ticketing systems and platforms go out; environment variables such as HTTPS_PROXY mean nothing."""

    proxy: Annotated[str | None, AfterValidator(lambda value: None if value is None else _proxy(value))] = Field(
        None, description="Proxy that calls go through, http or https. Default: none."
    )
    proxy_user: str = Field("", description="User name for the proxy.")
    proxy_password: SecretStr | None = Field(None, min_length=1, description="Password for the proxy.")
    no_proxy: Annotated[tuple[str, ...], AfterValidator(_hosts)] = Field(
        ("localhost", "127.0.0.0/8", "::1"),
        description="What is called without the proxy: names, *.example.com for all below one, or networks.",
    )
    ca_file: str | None = Field(
        None,
        min_length=1,
        description="PEM file of certificate authorities to trust beside the usual ones; "
        "a relative path starts at this file's folder.",
    )
    allow: Annotated[tuple[str, ...], AfterValidator(_places)] | None = Field(
        None,
        min_length=1,
        description="The only hosts that what is made in set-up may call: names, *.example.com for all below one, "
        "networks, or public for all that are not loopback, link-local, private or reserved. "
        "Addresses under plugins in this file may be called all the same. "
        "Default: [public] in organizations that have admins of their own, elsewhere all.",
    )


class UserEntry(Section):
    """One person who may use the console."""

    password_hash: Annotated[SecretStr, AfterValidator(_password_hash)] = Field(
        description="Hash of the password, made with: connector console hash-password."
    )
    role: Literal["admin", "viewer"] = Field("viewer", description="admin may change things, viewer only look.")
    organizations: list[Identifier] | None = Field(
        None, min_length=1, description="The organizations that this person sees. Default: all."
    )


class ConsoleSettings(Section):
    """The web console."""

    enabled: bool = Field(True, description="false leaves the console out; events and webhooks are still taken.")
    password: Annotated[SecretStr | None, AfterValidator(_long_password)] = Field(
        None,
        min_length=1,
        description="Password, or its hash, of the single administrator; the short form of users. "
        "With none of these, and no oidc, nobody can sign in.",
    )
    users: Annotated[dict[UserName, UserEntry], BeforeValidator(_nothing_is_empty)] = Field(
        default_factory=dict, description="The people who may use the console, by the name they sign in with."
    )
    oidc: OidcSettings | None = Field(
        None, description="Single sign-on by OpenID Connect, beside the passwords. Default: none."
    )
    session: Duration = duration_field("12h", "How long a session lasts.")
    idle: Duration = duration_field("2h", "After how long without any use a session ends.")

    @property
    def can_sign_in(self) -> bool:
        """Return whether anybody could sign in."""
        return self.password is not None or bool(self.users) or self.oidc is not None


class EngineSettings(Section):
    """How work is carried out."""

    workers: int = Field(
        512,
        ge=1,
        le=4096,
        description="How many lanes may run at the same time, each on a thread that is there while it is needed. So"
        " many sites may hang at once, and the next one is still served.",
    )
    per_integration: int = Field(
        8,
        ge=1,
        le=256,
        description="How many lanes of one integration, and of one site, may run at the same time; fewer, down to one,"
        " the more workers are taken.",
    )
    changes_per_minute: int = Field(
        30, ge=1, le=10_000, description="How many changes one link may carry within a minute before it is paused."
    )
    stop_deadline: Duration = duration_field("20s", "How long to wait at a stop for work that has begun.")

    @property
    def stop_deadline_s(self) -> float:
        """The deadline in seconds."""
        return self.stop_deadline.total_seconds()


class ReconcileSettings(Section):
    """The poller that finds what no webhook told."""

    every: Duration = duration_field(
        "60s", "How often the linked tickets are looked at; a tenth as often where webhooks tell of changes."
    )


def _long_enough(value: timedelta) -> timedelta:
    if value < SHORTEST_HISTORY:
        raise ValueError(f"what is over has to be kept for {SHORTEST_HISTORY.days} days at least")
    return value


class HistorySettings(Section):
    """What is kept of links that are over."""

    keep: Annotated[Duration, AfterValidator(_long_enough)] | None = Field(
        None,
        description="How long a link is kept, with its timeline, after incident and ticket were both closed; "
        "30d at least. Default: for ever.",
    )


def _bytes(value: object) -> object:
    """Read a size as settings write it, such as 200MiB; a number stays as it is."""
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('expected a size like "50MiB" or "2GiB"')
    return int(match[1]) * _UNITS[match[2]]


_SIZE = re.compile(r"(\d{1,6})(MiB|GiB)")
_UNITS = {"MiB": 1024**2, "GiB": 1024**3}


class DeliveryLogSettings(Section):
    """What is kept of deliveries that came in and of calls to ticketing systems and platforms."""

    enabled: bool = Field(True, description="false logs no deliveries and no calls.")
    keep: Duration = duration_field("7d", "How long an entry of the log is kept.")
    payloads: DurationOrNothing = duration_field(
        "3d", "How long headers and bodies are kept, sealed and without secrets; 0s for not at all."
    )
    most: Annotated[
        int, BeforeValidator(_bytes), WithJsonSchema({"type": "string", "pattern": f"^{_SIZE.pattern}$"})
    ] = Field(
        200 * 1024**2,
        ge=1024**2,
        description="What headers and bodies may take together; of more, the oldest go first.",
        json_schema_extra={"default": "200MiB"},
    )


class LoggingSettings(Section):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged.")
    format: Literal["auto", "human", "json"] = Field(
        "auto", description="human for people, json for machines, auto: human on a terminal."
    )


class SourceEntry(BaseModel):
    """The incident platform of an organization; the other keys belong to the plugin."""

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)

    plugin: str = Field(description="Name of the incident source plugin.")


def _time_of_day(text: str) -> str:
    at = time_of_day(text)
    if at is None:
        raise ValueError("use nightly, a time like 03:30, or off")
    return at


class FieldEntry(Section):
    """How one field is synced."""

    direction: Direction = Field(Direction.BOTH, description="Which way the field is synced.")
    on_conflict: ConflictRule = Field(
        ConflictRule.LATEST_WINS, description="Who wins when both sides changed; ask: you decide."
    )


class CommentsEntry(Section):
    """Which comments are synced."""

    to_ticket: ToTicket = Field(
        ToTicket.NONE, description="Comments of incidents: internal on the ticket, public for customers too, or none."
    )
    to_incident: ToIncident = Field(
        ToIncident.NONE, description="Comments of tickets: public ones, all with the internal ones, or none."
    )


class IntegrationEntry(BaseModel):
    """One connection to a ticketing system; the other keys belong to the plugin."""

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)

    plugin: str = Field(description="Name of the ticketing plugin.")
    name: Annotated[str, AfterValidator(display_name)] | None = Field(
        None, description="What people read, in any letters. Default: the id."
    )
    enabled: bool = Field(True, description="false pauses the integration and keeps what it knows.")
    webhook_secret: OneOrMoreSecrets | None = Field(
        None, description="Secret that the ticketing system signs its calls with; a list accepts each of several."
    )
    fields: dict[FieldName, Direction | FieldEntry] = Field(
        default_factory=dict,
        description="How fields are synced, by name: a direction, or direction and on_conflict. "
        "Default: title, priority and status both ways, description from the ticket; the latest change wins.",
    )
    comments: Annotated[CommentsEntry, BeforeValidator(_nothing_is_empty)] = Field(
        CommentsEntry(), description="Which comments are carried. Default: none."
    )
    test: Annotated[str, AfterValidator(_time_of_day)] = Field(
        "off", description="When a test incident is sent each day: nightly (03:00), a time like 03:30 in UTC, or off."
    )


class OrganizationEntry(Section):
    """A tenant."""

    name: str | None = Field(None, min_length=1, description="What people read. Default: the id.")
    source: SourceEntry | None = Field(None, description="The incident platform.")
    integrations: Annotated[dict[Identifier, IntegrationEntry], BeforeValidator(_nothing_is_empty)] = Field(
        default_factory=dict, description="Connections to ticketing systems, by id; ids are unique across the file."
    )
    notifications: Annotated[dict[Identifier, NotifierEntry], BeforeValidator(_nothing_is_empty)] = Field(
        default_factory=dict, description="Who is told of what needs attention, and by which channel, by id."
    )
    routing: Annotated[RoutingRules, AfterValidator(checked)] | None = Field(
        None,
        description="Rules that send each new incident to integrations: the first that it matches, in their order. An "
        "incident that none matches gets no ticket. Default: every active integration takes each incident.",
    )


class ConfigFile(Section):
    """The whole file."""

    database: Annotated[str, AfterValidator(_database)] = Field(
        "sqlite:///var/connector.db",
        description="Where everything is kept: sqlite:/// and the path of a file, which starts at this file's folder "
        "when it is relative, or a URL of PostgreSQL (postgresql://user@host/database).",
    )
    command_socket: str = Field(
        "",
        description="Where the daemon takes commands on its host, the path of a Unix socket in a folder that its user "
        "may write. Default: beside the file of SQLite; none with PostgreSQL.",
    )
    secret_key: Annotated[OneOrMoreSecrets, AfterValidator(_strong)] = Field(
        description="Key, or passphrase of 16 characters or more, that stored secrets are sealed with. "
        "With a list the first seals and all open."
    )
    server: Annotated[ServerSettings, BeforeValidator(_nothing_is_empty)] = ServerSettings()
    console: Annotated[ConsoleSettings, BeforeValidator(_nothing_is_empty)] = ConsoleSettings()
    outbound: Annotated[OutboundSettings, BeforeValidator(_nothing_is_empty)] = OutboundSettings()
    engine: Annotated[EngineSettings, BeforeValidator(_nothing_is_empty)] = EngineSettings()
    reconcile: Annotated[ReconcileSettings, BeforeValidator(_nothing_is_empty)] = ReconcileSettings()
    history: Annotated[HistorySettings, BeforeValidator(_nothing_is_empty)] = HistorySettings()
    delivery_log: Annotated[DeliveryLogSettings, BeforeValidator(_nothing_is_empty)] = DeliveryLogSettings()
    logging: Annotated[LoggingSettings, BeforeValidator(_nothing_is_empty)] = LoggingSettings()
    plugins: Annotated[
        dict[str, Annotated[dict[str, Any], BeforeValidator(_nothing_is_empty)]], BeforeValidator(_nothing_is_empty)
    ] = Field(default_factory=dict, description="Settings that all integrations of a plugin share, by its name.")
    disabled_plugins: list[str] = Field(
        default_factory=list, description="Names of installed plugins that are not to be loaded."
    )
    organizations: Annotated[
        dict[Identifier, Annotated[OrganizationEntry, BeforeValidator(_nothing_is_empty)]],
        BeforeValidator(_nothing_is_empty),
    ] = Field(default_factory=dict, description="The tenants, by id.")
