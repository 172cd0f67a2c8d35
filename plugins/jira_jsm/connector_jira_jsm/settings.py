"""What can be set: once for the plugin, and for each integration."""

from __future__ import annotations

import re
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from connector_core import (
    AnyIntegration,
    ConfigError,
    FieldName,
    Integration,
    PluginInfo,
    Priority,
    Settings,
    http_address,
    mistake_in,
)
from connector_jira_jsm import sentences
from connector_jira_jsm.text import cuts

DO_NOT_CLOSE = "do_not_auto_close"


class Fallback(StrEnum):
    """What to do when the close status cannot be reached, in this order; the last resort is that the link waits."""

    OTHER_PATH = "other_path"
    OTHER_DONE = "other_done"
    COMMENT = "comment"


def _address(value: str) -> str:
    return http_address(value, example="https://api.atlassian.com")


def _a_day(value: str) -> str:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        raise ValueError('expected a day like "2027-01-31"')
    date.fromisoformat(value)
    return value


Url = Annotated[str, AfterValidator(_address)]
Day = Annotated[str, AfterValidator(_a_day)]
Id = Annotated[str, Field(min_length=1, max_length=255)]


def _as_list(value: object) -> object:
    """Read a list that was given as one text, with commas."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _as_text(value: object) -> object:
    """Read what YAML makes of a number, a date or a list as the text that was meant."""
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Fallbacks = Annotated[tuple[Fallback, ...], BeforeValidator(_as_list, json_schema_input_type=list[Fallback])]
FieldText = Annotated[str, BeforeValidator(_as_text, json_schema_input_type=str | int | float | list[str])]


Accounts = Annotated[tuple[Id, ...], BeforeValidator(_as_list, json_schema_input_type=list[str])]


class OAuthApp(BaseModel):
    """The app in Atlassian's developer console that people give access to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    client_id: str = Field(min_length=1, description="Client ID of the app, from its page Settings.")
    client_secret: SecretStr = Field(description="Secret of the app, from the same page.")


class PluginSettings(Settings):
    """What all integrations with Jira share."""

    oauth: OAuthApp | None = Field(
        default=None, description="The OAuth 2.0 (3LO) app. Not needed when every integration uses an API token."
    )
    auth_url: Url = Field(default="https://auth.atlassian.com", description="Atlassian's authorization server.")
    api_url: Url = Field(default="https://api.atlassian.com", description="Atlassian's API gateway.")
    search_settle: float = Field(
        default=120,
        ge=0,
        le=3600,
        description="Seconds that Jira's search may lag. A ticket whose creation was not answered is looked for this "
        "long before it is created again.",
    )


class JiraSettings(Settings):
    """Where the tickets of one organization go, and how they are closed."""

    service_desk: Id = Field(description="ID of the service desk.")
    request_type: Id = Field(description="ID of the request type that incidents become.")
    request_fields: dict[str, FieldText] = Field(
        default_factory=dict,
        description="Values for the request type's other fields, by field ID: a constant, an option's ID or label (of "
        "several: with commas; of two levels: Upper > Lower), or a template over the incident.",
    )
    summary: str | None = Field(
        default=None, description="Template of the summary, like [{{ incident.location.name }}] {{ incident.title }}."
    )
    description: str | None = Field(
        default=None, description="Template of what stands above the incident's details in the description."
    )
    raise_on_behalf_of: Id | None = Field(
        default=None, description="Account ID of the customer that requests are raised for."
    )
    participants: Accounts = Field(default=(), description="Account IDs of people who take part in every request.")
    priority_to_ticket: dict[Priority, Id] = Field(
        default_factory=dict,
        description="ID or name of the priority that tickets get, by ours. Default: by name, else by order.",
    )
    priority_to_incident: dict[Id, Priority | Literal["none"]] = Field(
        default_factory=dict,
        description="What a ticket's priority is for the incident, by its ID or name; none: it is not synced back.",
    )
    close_status: Id = Field(
        description=f"ID of the status that a ticket gets when its incident is resolved, or {DO_NOT_CLOSE}."
    )
    close_fields: dict[str, FieldText] = Field(
        default_factory=dict,
        description="Values for fields that screens of closing transitions ask for, by field ID, such as resolution: "
        "a constant, an option's ID or label, or a template over the incident.",
    )
    close_explore: bool = Field(
        default=True,
        description="Whether a ticket may be moved on to find out what lies behind, when no way to the close status is "
        "known yet.",
    )
    close_fallback: Fallbacks = Field(
        default=(Fallback.OTHER_PATH, Fallback.OTHER_DONE, Fallback.COMMENT),
        description="What to try when the close status cannot be reached: another path, another status of the category "
        "Done, a comment that asks someone. After that the link waits for someone.",
    )
    site: str | None = Field(
        default=None, description="URL or cloud ID of the site, when the authorization reaches several."
    )
    email: str | None = Field(default=None, description="Account that the API token belongs to.")
    api_token: SecretStr | None = Field(
        default=None, description="API token, for work without anyone's consent; needs email and the URL as site."
    )
    api_token_scoped: bool = Field(
        default=False, description="Whether the API token was made with scopes; it then goes through the API gateway."
    )

    api_token_expires: Day | None = Field(
        default=None, description='Day on which the API token ends, like "2027-01-31", to be warned two weeks before.'
    )

    notify_users: bool = Field(
        default=True,
        description="Whether Jira mails watchers about fields that the connector changes. false needs an account that "
        "administers Jira or the project; for any other one Jira mails all the same.",
    )

    managed_webhook: bool = Field(
        default=False,
        description="Whether the connector registers, renews and removes a webhook by itself; needs consent (OAuth) "
        "with the scope manage:jira-webhook.",
    )

    @field_validator("request_fields", "close_fields", "summary", "description")
    @classmethod
    def _templates_can_be_filled_in(cls, value: object) -> object:
        texts = value.values() if isinstance(value, dict) else [value]
        for text in texts:
            if isinstance(text, str) and (wrong := mistake_in(text)):
                raise ValueError(wrong)
        return value

    @model_validator(mode="after")
    def _token_is_complete(self) -> Self:
        if (self.email is None) != (self.api_token is None):
            raise ValueError("email and api_token go together: give both or none")
        if self.api_token is not None and not (self.site or "").startswith(("https://", "http://")):
            raise ValueError("with an api_token, site must be the URL of the site, like https://example.atlassian.net")
        return self


def wrong_with_fallback(text: str) -> str:
    """Return what in a text is no fallback."""
    known = {fallback.value for fallback in Fallback}
    unknown = [part for part in (one.strip() for one in text.split(",")) if part and part not in known]
    return f"There is no {unknown[0]!r}, only {', '.join(Fallback)}." if unknown else ""


PLUGIN = PluginInfo(
    name="jira_jsm",
    title="Jira Service Management",
    short_title="Jira",
    settings=JiraSettings,
    plugin_settings=PluginSettings,
    webhook_route="jira",
    link_settings=frozenset({"service_desk", "request_type", "close_status"}),
    place_settings=frozenset({"service_desk", "request_type", "site"}),
    templates={FieldName.TITLE: "summary", FieldName.DESCRIPTION: "description"},
    cut_marks=(cuts.DESCRIPTION, cuts.TITLE),
    consent=sentences.CONSENT,
    renewal_leeway_s=600.0,  # Atlassian staff, CDAC 50348
    # The search index lags; fifteen minutes is what other pollers ended up with (activepieces #14921).
    read_lag=timedelta(minutes=15),
    signature_headers=frozenset({"x-hub-signature"}),
    times_are_exact=True,  # to the millisecond
)


class TokenLogin(BaseModel):
    """An API token with all that is needed to use it."""

    model_config = ConfigDict(frozen=True)

    site: Url
    email: str = Field(min_length=1)
    api_token: SecretStr
    api_token_scoped: bool = False
    api_token_expires: Day | None = None


#: An integration of ours whose set-up is finished; where it may not be, functions take an `AnyIntegration`.
JiraIntegration: TypeAlias = Integration[JiraSettings]


def token_login(integration: AnyIntegration) -> TokenLogin | None:
    """Return the API token to work with, None when a person's consent is used instead."""
    given = _given(integration, "email", "api_token", "site", "api_token_scoped", "api_token_expires")
    if not given.get("api_token"):
        return None
    try:
        return TokenLogin.model_validate(given)
    except ValueError as exc:
        raise ConfigError(
            "The API token needs an email, and the URL of the site.",
            code="api_token_incomplete",
            fix="Set email, api_token and site (like https://example.atlassian.net), or none of email and api_token.",
        ) from exc


def wanted_site(integration: AnyIntegration) -> str | None:
    """Return the URL or cloud id that the settings name."""
    site = _given(integration, "site").get("site")
    return str(site).rstrip("/") if site else None


def plugin_settings(integration: AnyIntegration) -> PluginSettings:
    """Return the settings that all integrations share."""
    settings = integration.plugin_settings
    return settings if isinstance(settings, PluginSettings) else PluginSettings()


def _given(integration: AnyIntegration, *names: str) -> dict[str, object]:
    """Read settings, or the answers given so far while set-up is unfinished; those not given are left out."""
    if isinstance(integration.settings, JiraSettings):
        values = {name: getattr(integration.settings, name) for name in names}
    else:
        values = {name: integration.answers.get(name) for name in names}
    return {name: value for name, value in values.items() if value is not None}
