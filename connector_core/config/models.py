"""The core's own part of the configuration file, as models; what belongs to a plugin is passed through unread."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    WithJsonSchema,
    model_validator,
)

from connector_core.config.values import (
    SIZE,
    Identifier,
    UserName,
    address_of,
    bare_host,
    daily_time,
    database_address,
    hashed_password,
    known_hosts,
    known_places,
    long_enough,
    long_password,
    nothing_is_empty,
    one_network,
    proxy_address,
    public_address,
    size,
    strong_keys,
)
from connector_core.contract.comment_rules import ToIncident, ToTicket
from connector_core.contract.display_names import display_name
from connector_core.contract.durations import Duration, DurationOrNothing, duration_field
from connector_core.contract.merge import ConflictRule, Direction
from connector_core.contract.models import FieldName
from connector_core.contract.routing import RoutingRules, checked
from connector_core.contract.secret_lists import AnySecrets, OneOrMoreSecrets
from connector_core.notify.settings import NotifierEntry
from connector_core.sign_on.settings import OidcSettings


class Section(BaseModel):
    """A part of the file: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class MetricsSettings(Section):
    """Who may read the figures at /metrics."""

    host: Annotated[str, AfterValidator(bare_host)] = Field(
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

    host: Annotated[str, AfterValidator(bare_host)] = Field(
        "127.0.0.1", min_length=1, description="Address to listen on; 0.0.0.0 for all."
    )
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 for any free one.")
    public_url: Annotated[str, AfterValidator(public_address)] = Field(
        default_factory=lambda given: address_of(given.get("host", ""), given.get("port", 0)),
        description="Address under which people and the ticketing systems reach this server, with the path if it "
        "has one there, like https://example.com/connector. Default: the above.",
    )
    drain: DurationOrNothing = duration_field(
        "0s",
        "How long to serve on after the signal to stop, while /readyz says no: longer than a load balancer takes to "
        "notice.",
    )
    limits: Annotated[LimitSettings, BeforeValidator(nothing_is_empty)] = LimitSettings()
    trusted_proxies: tuple[Annotated[str, AfterValidator(one_network)], ...] = Field(
        ("127.0.0.1", "::1"),
        description="Addresses or networks of proxies in front of this server, whose X-Forwarded-For and "
        "X-Forwarded-Proto are believed; [] for nobody's.",
    )
    metrics: Annotated[MetricsSettings, BeforeValidator(nothing_is_empty)] = MetricsSettings()

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

    proxy: Annotated[str | None, AfterValidator(lambda value: None if value is None else proxy_address(value))] = Field(
        None, description="Proxy that calls go through, http or https. Default: none."
    )
    proxy_user: str = Field("", description="User name for the proxy.")
    proxy_password: SecretStr | None = Field(None, min_length=1, description="Password for the proxy.")
    no_proxy: Annotated[tuple[str, ...], AfterValidator(known_hosts)] = Field(
        ("localhost", "127.0.0.0/8", "::1"),
        description="What is called without the proxy: names, *.example.com for all below one, or networks.",
    )
    ca_file: str | None = Field(
        None,
        min_length=1,
        description="PEM file of certificate authorities to trust beside the usual ones; "
        "a relative path starts at this file's folder.",
    )
    allow: Annotated[tuple[str, ...], AfterValidator(known_places)] | None = Field(
        None,
        min_length=1,
        description="The only hosts that what is made in set-up may call: names, *.example.com for all below one, "
        "networks, or public for all that are not loopback, link-local, private or reserved. "
        "Addresses under plugins in this file may be called all the same. "
        "Default: [public] in organizations that have admins of their own, elsewhere all.",
    )


class UserEntry(Section):
    """One person who may use the console."""

    password_hash: Annotated[SecretStr, AfterValidator(hashed_password)] = Field(
        description="Hash of the password, made with: connector console hash-password."
    )
    role: Literal["admin", "viewer"] = Field("viewer", description="admin may change things, viewer only look.")
    organizations: list[Identifier] | None = Field(
        None, min_length=1, description="The organizations that this person sees. Default: all."
    )


class ConsoleSettings(Section):
    """The web console."""

    enabled: bool = Field(True, description="false leaves the console out; events and webhooks are still taken.")
    password: Annotated[SecretStr | None, AfterValidator(long_password)] = Field(
        None,
        min_length=1,
        description="Password, or its hash, of the single administrator; the short form of users. "
        "With none of these, and no oidc, nobody can sign in.",
    )
    users: Annotated[dict[UserName, UserEntry], BeforeValidator(nothing_is_empty)] = Field(
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
    """How work is done."""

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
        30, ge=1, le=10_000, description="How many changes one link may sync within a minute before it is paused."
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


class HistorySettings(Section):
    """What is kept of links that are over."""

    keep: Annotated[Duration, AfterValidator(long_enough)] | None = Field(
        None,
        description="How long a link is kept, with its timeline, after incident and ticket were both closed; "
        "30d at least. Default: for ever.",
    )


class DeliveryLogSettings(Section):
    """What is kept of deliveries that came in and of calls to ticketing systems and platforms."""

    enabled: bool = Field(True, description="false logs no deliveries and no calls.")
    keep: Duration = duration_field("7d", "How long an entry of the log is kept.")
    payloads: DurationOrNothing = duration_field(
        "3d", "How long headers and bodies are kept, sealed and without secrets; 0s for not at all."
    )
    most: Annotated[int, BeforeValidator(size), WithJsonSchema({"type": "string", "pattern": f"^{SIZE.pattern}$"})] = (
        Field(
            200 * 1024**2,
            ge=1024**2,
            description="What headers and bodies may take together; of more, the oldest go first.",
            json_schema_extra={"default": "200MiB"},
        )
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
    comments: Annotated[CommentsEntry, BeforeValidator(nothing_is_empty)] = Field(
        CommentsEntry(), description="Which comments are synced. Default: none."
    )
    test: Annotated[str, AfterValidator(daily_time)] = Field(
        "off", description="When a test incident is sent each day: nightly (03:00), a time like 03:30 in UTC, or off."
    )


class OrganizationEntry(Section):
    """A tenant."""

    name: str | None = Field(None, min_length=1, description="What people read. Default: the id.")
    source: SourceEntry | None = Field(None, description="The incident platform.")
    integrations: Annotated[dict[Identifier, IntegrationEntry], BeforeValidator(nothing_is_empty)] = Field(
        default_factory=dict, description="Connections to ticketing systems, by id; ids are unique across the file."
    )
    notifications: Annotated[dict[Identifier, NotifierEntry], BeforeValidator(nothing_is_empty)] = Field(
        default_factory=dict, description="Who is told of what needs attention, and by which channel, by id."
    )
    routing: Annotated[RoutingRules, AfterValidator(checked)] | None = Field(
        None,
        description="Rules that send each new incident to integrations: the first that it matches, in their order. An "
        "incident that none matches gets no ticket. Default: every active integration takes each incident.",
    )


class ConfigFile(Section):
    """The whole file."""

    database: Annotated[str, AfterValidator(database_address)] = Field(
        "sqlite:///var/connector.db",
        description="Where everything is kept: sqlite:/// and the path of a file, which starts at this file's folder "
        "when it is relative, or a URL of PostgreSQL (postgresql://user@host/database).",
    )
    command_socket: str = Field(
        "",
        description="Where the daemon takes commands on its host, the path of a Unix socket in a folder that its user "
        "may write. Default: beside the file of SQLite; none with PostgreSQL.",
    )
    secret_key: Annotated[AnySecrets, AfterValidator(strong_keys)] = Field(
        description="Key, or passphrase of 16 characters or more, that stored secrets are sealed with. "
        "With a list the first seals and all open."
    )
    server: Annotated[ServerSettings, BeforeValidator(nothing_is_empty)] = ServerSettings()
    console: Annotated[ConsoleSettings, BeforeValidator(nothing_is_empty)] = ConsoleSettings()
    outbound: Annotated[OutboundSettings, BeforeValidator(nothing_is_empty)] = OutboundSettings()
    engine: Annotated[EngineSettings, BeforeValidator(nothing_is_empty)] = EngineSettings()
    reconcile: Annotated[ReconcileSettings, BeforeValidator(nothing_is_empty)] = ReconcileSettings()
    history: Annotated[HistorySettings, BeforeValidator(nothing_is_empty)] = HistorySettings()
    delivery_log: Annotated[DeliveryLogSettings, BeforeValidator(nothing_is_empty)] = DeliveryLogSettings()
    logging: Annotated[LoggingSettings, BeforeValidator(nothing_is_empty)] = LoggingSettings()
    plugins: Annotated[
        dict[str, Annotated[dict[str, Any], BeforeValidator(nothing_is_empty)]], BeforeValidator(nothing_is_empty)
    ] = Field(default_factory=dict, description="Settings that all integrations of a plugin share, by its name.")
    disabled_plugins: list[str] = Field(
        default_factory=list, description="Names of installed plugins that are not to be loaded."
    )
    organizations: Annotated[
        dict[Identifier, Annotated[OrganizationEntry, BeforeValidator(nothing_is_empty)]],
        BeforeValidator(nothing_is_empty),
    ] = Field(default_factory=dict, description="The tenants, by id.")
