"""The built-in incident source: a platform that pushes signed events over HTTP and takes changes back the same way."""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from connector_core.contract.addresses import http_address
from connector_core.contract.handles import Source
from connector_core.contract.hookspecs import hookimpl
from connector_core.contract.models import (
    AddComment,
    CommentOutcome,
    FieldName,
    InboundRequest,
    IncidentUpdate,
    Push,
    UpdateOutcome,
)
from connector_core.contract.plugin_info import PluginInfo, Settings
from connector_core.contract.secret_lists import OneOrMoreSecrets, SigningSecret
from connector_core.contract.setup_steps import CopyValue, FieldKind, SetupField, SetupStep
from connector_core.http_source.event_wire import read_signed_events, send_signed_change, usable_secrets
from connector_core.http_source.signatures import SECRET_PREFIX


def _usable_secret(secret: SecretStr) -> SecretStr:
    return usable_secrets((secret,))[0]


def _callback_url(url: str) -> str:
    return http_address(url, example="https://platform.example.com/api/incidents")


class HttpSourceSettings(Settings):
    """How events are authenticated, and where changes go."""

    secret: Annotated[OneOrMoreSecrets, Field(max_length=2), AfterValidator(usable_secrets)] = Field(
        description="Secret that the platform signs its events with; a list of two accepts both while it is replaced."
    )
    callback_url: Annotated[str, AfterValidator(_callback_url)] | None = Field(
        None, description="Address that changes are sent to, followed by / and the incident's id. None: none are sent."
    )
    callback_secret: Annotated[SigningSecret, AfterValidator(_usable_secret)] | None = Field(
        None, description="Secret that changes are signed with. Default: the one for events."
    )


@hookimpl
def describe_plugin() -> PluginInfo:
    """Say who this is."""
    return PluginInfo(
        name="http",
        title="HTTP incident source",
        settings=HttpSourceSettings,
        platform="the incident platform",
        accepted_with=dict.fromkeys(FieldName, "callback_url"),
    )


@hookimpl
def configure_source(source: Source[HttpSourceSettings | None]) -> Sequence[SetupStep]:
    """Ask for the secret that events are signed with, and where changes go."""
    fields = (
        SetupField(
            "secret",
            "Secret of the events",
            "The platform signs its events with it, as the Standard Webhooks specification says. It is never shown "
            "again.",
            FieldKind.SECRET,
            generate=_new_secret,
        ),
        SetupField(
            "callback_url",
            "Address that takes changes",
            "Changes of tickets are sent there as PATCH, followed by / and the incident's id. Without one none are.",
            required=False,
        ),
        SetupField(
            "callback_secret",
            "Secret of the changes",
            "What changes are signed with. Without one it is the secret of the events.",
            FieldKind.SECRET,
            required=False,
        ),
    )
    return (
        SetupStep(
            key="events",
            title="Connect the Platform",
            help="The platform sends its incidents as signed events to the address below.",
            fields=fields,
            values=(CopyValue("Events address", source.events_url),),
        ),
    )


def _new_secret() -> str:
    return f"{SECRET_PREFIX}{b64encode(secrets.token_bytes(32)).decode()}"


@hookimpl
def on_source_push(source: Source[HttpSourceSettings], request: InboundRequest) -> Push:
    """Verify the signature, then read one event or a list of them."""
    settings = source.settings
    return read_signed_events(settings.secret, request)


@hookimpl
def apply_change(source: Source[HttpSourceSettings], update: IncidentUpdate) -> UpdateOutcome:
    """Send a change to the platform, if it told where."""
    settings = source.settings
    if settings.callback_url is None:
        why = "No callback_url is set for this organization's incident source."
        if isinstance(update, AddComment):
            return UpdateOutcome(comment=CommentOutcome(unsupported=why))
        return UpdateOutcome(unsupported=dict.fromkeys(update.fields, why))
    secrets = (settings.callback_secret,) if settings.callback_secret else settings.secret
    return send_signed_change(source, settings.callback_url, secrets, update)
