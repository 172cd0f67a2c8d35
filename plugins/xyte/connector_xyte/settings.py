"""What can be set for one Xyte organization."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from connector_core import (
    Duration,
    DurationOrNothing,
    FieldName,
    OneOrMoreSecrets,
    PluginInfo,
    PolledSettings,
    Priority,
    SigningSecret,
    Source,
    duration_field,
    http_address,
    usable_secrets,
)

HUB = "https://hub.xyte.io"
INCLUDE, EXCLUDE = "include", "exclude"
LEAST_BETWEEN_POLLS = timedelta(seconds=10)


def _hub(url: str) -> str:
    return http_address(url, example=HUB)


def _changes_url(url: str) -> str:
    return http_address(url, example="https://gateway.example.com/incidents")


def _usable_secret(secret: SecretStr) -> SecretStr:
    return usable_secrets((secret,))[0]


def _sendable(key: SecretStr) -> SecretStr:
    text = key.get_secret_value()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("this cannot be a key: it is empty, or holds something else than printable ASCII")
    return key


def _as_text(value: object) -> object:
    """Take the id of a space, a number at Xyte, as text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _by_space(value: object) -> object:
    """Take a choice that is written space by space, as set-up has it, as the two lists of the file."""
    if not isinstance(value, dict) or not value or not set(map(str, value.values())) <= {INCLUDE, EXCLUDE}:
        return value
    return {word: [name for name, said in value.items() if said == word] for word in (INCLUDE, EXCLUDE)}


SpaceName = Annotated[str, BeforeValidator(_as_text), Field(min_length=1)]


class SpaceChoice(BaseModel):
    """Spaces by id, or by path from the top like Acme/US/New York; what is said of one holds for all below it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    include: tuple[SpaceName, ...] = Field((), description="Only incidents in these spaces. Default: in all.")
    exclude: tuple[SpaceName, ...] = Field((), description="None of the incidents in these spaces.")


class XyteSettings(PolledSettings):
    """How one organization's incidents are read, which of them matter, and where changes go."""

    organization_key: Annotated[SecretStr, AfterValidator(_sendable)] = Field(
        description="API key of the organization; an admin makes it in Xyte under Settings > API Keys."
    )
    base_url: Annotated[str, AfterValidator(_hub)] = Field(HUB, description="Address of Xyte's hub.")
    page_size_parameter: Literal["per_page", "page_size"] = Field(
        "per_page", description="How the hub names the size of a page; older hubs say page_size."
    )
    already_open: Literal["leave", "create"] = Field(
        "leave", description="Whether incidents that are open at the first look become requests."
    )
    minimum_priority: Priority = Field(Priority.PLANNING, description="The least urgent priority that matters.")
    unknown_priority: Priority | None = Field(
        None, description="What a priority that is not known counts as. Default: none, and the incident matters."
    )
    open_after: DurationOrNothing = duration_field(
        "0s", "Wait before creating a request. Incidents closed sooner create none."
    )
    spaces: Annotated[SpaceChoice, BeforeValidator(_by_space)] = Field(
        SpaceChoice(), description="Where an incident has to be to matter."
    )
    details_for: Duration = duration_field("1h", "How long what is known of devices and spaces is taken as true.")
    device_fields: tuple[str, ...] = Field(
        (), description="Names of custom parameters, details or state of a device to show; they may hold secrets."
    )
    changes_url: Annotated[str, AfterValidator(_changes_url)] | None = Field(
        None, description="Address of a gateway that takes changes of title, description and priority. Default: none."
    )
    changes_secret: Annotated[SigningSecret, AfterValidator(_usable_secret)] | None = Field(
        None, description="Secret that changes are signed with."
    )
    note_on_device: bool = Field(
        default=False, description="Note on the device what Xyte itself cannot be told about its incident."
    )
    push_secret: Annotated[OneOrMoreSecrets, Field(max_length=2), AfterValidator(usable_secrets)] | None = Field(
        None, description="Secret that a gateway signs its events with; a list of two accepts both. Default: no push."
    )

    @model_validator(mode="after")
    def _make_sense(self) -> XyteSettings:
        if self.poll_every < LEAST_BETWEEN_POLLS and not _is_loopback(self.base_url):
            raise ValueError("poll_every: Xyte is asked every 10 s at most")
        if (self.changes_url is None) != (self.changes_secret is None):
            raise ValueError("changes_url and changes_secret belong together")
        return self


def _is_loopback(url: str) -> bool:
    """Return whether an address is on this machine: a stand-in may be asked as often as one likes."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


XyteSource: TypeAlias = Source[XyteSettings]
#: One whose set-up may be unfinished.
AnyXyteSource: TypeAlias = Source[XyteSettings | None]

PLUGIN = PluginInfo(
    name="xyte",
    title="Xyte",
    settings=XyteSettings,
    # Xyte's API can close an incident and change nothing else of it.
    accepted_with=dict.fromkeys((FieldName.TITLE, FieldName.DESCRIPTION, FieldName.PRIORITY), "changes_url"),
)
