"""What a notifier is set to: its channel, where that leads, and when it is used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Annotated, Any, Literal, Self, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, model_validator

from connector_core.contract.addresses import web_link
from connector_core.contract.durations import Duration, duration_field
from connector_core.contract.errors import ConfigError
from connector_core.contract.secret_lists import SigningSecret
from connector_core.notify.conditions import Kind
from connector_core.notify.quiet_hours import QuietHours

#: A dot-atom of RFC 5322, without what begins an encoded word: that would be decoded, into anything.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_DOMAIN = r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"(?=[^@]{{1,64}}@)(?!.*=\?){_ATOM}(?:\.{_ATOM})*@{_DOMAIN}")
_HOST = re.compile(r"[A-Za-z0-9_.-]{1,253}|\[?[0-9A-Fa-f:.]{2,45}\]?")
MOST_RECIPIENTS = 20
_LONGEST_URL = 2000


def _address(value: str) -> str:
    if not _ADDRESS.fullmatch(value) or not value.isascii():
        raise ValueError("expected an e-mail address like ops@example.com")
    return value


def _host(value: str) -> str:
    if not _HOST.fullmatch(value):
        raise ValueError("expected the name of a mail server like smtp.example.com")
    return value.strip("[]")


def _url(value: SecretStr) -> SecretStr:
    url = value.get_secret_value()
    is_one = web_link(url) is not None and url.isprintable() and " " not in url and len(url) <= _LONGEST_URL
    if not is_one or "@" in urlsplit(url).netloc:
        raise ValueError("expected an address like https://hooks.example.com/…")
    return value


def _signing(value: SecretStr) -> SecretStr:
    from connector_core.http_source.signatures import signing_keys  # noqa: PLC0415 - few files need it

    try:
        signing_keys(value.get_secret_value())
    except ConfigError as exc:
        raise ValueError(exc.message) from exc
    return value


EmailAddress = Annotated[str, AfterValidator(_address)]
SecretUrl = Annotated[SecretStr, AfterValidator(_url)]


class Telling(BaseModel):
    """When a notifier is used, whatever its channel."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    conditions: tuple[Kind, ...] = Field(
        tuple(Kind), min_length=1, description="Which conditions are sent. Default: all."
    )
    backlog_after: Duration = duration_field("30m", "How long a change may wait before that counts as a backlog.")
    all_clear: bool = Field(True, description="Whether a message is sent when a condition has ended.")
    remind_every: Duration | None = Field(
        None, description="How often a condition that lasts is sent again, like 12h. Default: once only."
    )
    quiet_hours: QuietHours | None = Field(
        None, description="When messages are held back until the quiet hours end. Default: never."
    )


class EmailNotifier(Telling):
    """Messages by e-mail."""

    channel: Literal["email"] = Field(description="E-mail, by a mail server (SMTP).")
    host: Annotated[str, AfterValidator(_host)] = Field(description="Name of the mail server.")
    port: int | None = Field(
        None, ge=1, le=65535, description="Its port. Default: 587 with starttls, 465 with tls, 25 with none."
    )
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="starttls or tls: encrypted, the certificate is checked; none only in your own network."
    )
    user: str = Field("", max_length=320, description="User name for the mail server. Default: no sign-in.")
    password: SecretStr | None = Field(None, min_length=1, description="Password for the mail server.")
    sender: EmailAddress = Field(description="Address that messages come from.")
    recipients: tuple[EmailAddress, ...] = Field(
        min_length=1, max_length=MOST_RECIPIENTS, description="Addresses that messages go to."
    )

    @model_validator(mode="after")
    def _sign_in(self) -> Self:
        if bool(self.user) != (self.password is not None):
            raise ValueError("user and password belong together")
        if self.password is not None and self.security == "none":
            raise ValueError("a password is not sent over a connection that is not encrypted")
        return self

    @property
    def target(self) -> str:
        """Where it leads, in words that give nothing away."""
        return ", ".join(self.recipients)


class _ToUrl(Telling):
    url: SecretUrl

    @property
    def target(self) -> str:
        """Where it leads, without the part of the address that is a secret."""
        scheme, _, rest = self.url.get_secret_value().partition("://")
        return f"{scheme}://{re.split(r'[/?#]', rest)[0]}/…"


class SlackNotifier(_ToUrl):
    """Messages in a Slack channel."""

    channel: Literal["slack"] = Field(description="Slack, by an incoming webhook.")
    url: SecretUrl = Field(description="Address of the incoming webhook, made in Slack; it is a secret.")


class TeamsNotifier(_ToUrl):
    """Messages in a Teams channel or chat."""

    channel: Literal["teams"] = Field(description="Microsoft Teams, by a workflow that receives webhooks.")
    url: SecretUrl = Field(description="Address of the workflow, made in Teams; it is a secret.")


class WebhookNotifier(_ToUrl):
    """Messages as signed JSON."""

    channel: Literal["webhook"] = Field(description="A signed webhook to any receiver.")
    url: SecretUrl = Field(description="Address that messages are posted to; kept like a secret.")
    secret: Annotated[SigningSecret, AfterValidator(_signing)] = Field(
        description="Secret that messages are signed with (Standard Webhooks)."
    )


AnyNotifier = EmailNotifier | SlackNotifier | TeamsNotifier | WebhookNotifier
#: As the file has it: the channel says which of them it is.
NotifierEntry = Annotated[AnyNotifier, Field(discriminator="channel")]
CHANNELS: Mapping[str, type[AnyNotifier]] = {
    get_args(model.model_fields["channel"].annotation)[0]: model
    for model in (EmailNotifier, SlackNotifier, TeamsNotifier, WebhookNotifier)
}
SECRET_KEYS = frozenset({"url", "password", "secret"})


def read_notifier(values: Mapping[str, Any]) -> AnyNotifier:
    """Validate the settings of a notifier.

    Raises:
        ValidationError: something is missing or wrong.
    """
    return _adapter().validate_python(dict(values))


@cache
def _adapter() -> TypeAdapter[AnyNotifier]:
    return TypeAdapter(NotifierEntry)


def plain_settings(settings: AnyNotifier) -> dict[str, Any]:
    """Return what is set of a notifier and is not a secret, as the file would have it."""
    dumped = settings.model_dump(mode="json", exclude=set(SECRET_KEYS), exclude_defaults=True)
    for key in ("backlog_after", "remind_every"):
        if key in dumped:
            dumped[key] = write_duration(getattr(settings, key))
    return {"channel": settings.channel, **dumped}


def secret_settings(settings: AnyNotifier) -> dict[str, SecretStr]:
    """Return what is set of a notifier and has to be sealed."""
    found = {key: getattr(settings, key, None) for key in sorted(SECRET_KEYS)}
    return {key: value for key, value in found.items() if isinstance(value, SecretStr)}


def write_duration(value: timedelta) -> str:
    """Write a duration as the file has it, in the largest unit that is exact."""
    seconds = round(value.total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
