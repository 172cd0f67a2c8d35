"""The built-in incident source: a platform that pushes signed events over HTTP and takes changes back the same way."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

import requests
from pydantic import AfterValidator, Field, SecretStr, TypeAdapter, ValidationError, model_validator

from connector_core.errors import AuthError, ConfigError, ConnectorError, RemoteError, RetryLater, WebhookRejected
from connector_core.handles import Source
from connector_core.hookspecs import hookimpl
from connector_core.models import FieldName, InboundRequest, IncidentEvent, IncidentUpdate, UpdateOutcome
from connector_core.plugin_info import PluginInfo, Settings
from connector_core.secrets import OneOrMoreSecrets
from connector_core.signatures import sign, signing_keys, verify

MAX_EVENTS = 1000
MAX_WAIT_S = 24 * 3600.0

_SENTENCE_CHARS = 200
_one_event = TypeAdapter(IncidentEvent)
_many_events = TypeAdapter(Annotated[list[IncidentEvent], Field(min_length=1, max_length=MAX_EVENTS)])


def _usable_secrets(secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    _keys(secrets)
    return secrets
