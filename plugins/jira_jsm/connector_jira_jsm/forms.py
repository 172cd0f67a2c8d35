"""The forms of request types, read once in a while: what may be filled in, and which priorities there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connector_core import Integration
from connector_jira_jsm.client import JiraClient
from connector_jira_jsm.mapping import RequestFields, request_fields
from connector_jira_jsm.priorities import JiraPriority
from connector_jira_jsm.settings import JiraSettings

KEPT_FOR_S = 600.0


@dataclass(frozen=True)
class Form:
    """A request type's fields and the project that its tickets go to."""

    fields: RequestFields
    project_key: str
    read_at: float


def form(integration: Integration, client: JiraClient, settings: JiraSettings) -> Form:
    """Return the form of the configured request type, at most `KEPT_FOR_S` old."""
    key = _key(settings)
    kept = integration.cache.get(key)
    now = integration.clock.monotonic()
    if isinstance(kept, Form) and now - kept.read_at < KEPT_FOR_S:
        return kept
    fields = request_fields(client.request_type_fields(settings.service_desk, settings.request_type))
    # The project of a desk never changes: an older form still knows it.
    project = kept.project_key if isinstance(kept, Form) else ""
    fresh = Form(fields, project, now)
    integration.cache[key] = fresh
    return fresh


def project_key(integration: Integration, client: JiraClient, settings: JiraSettings) -> str:
    """Return the key of the desk's project."""
    known = form(integration, client, settings)
    if known.project_key:
        return known.project_key
    found = str(client.service_desk(settings.service_desk).get("projectKey") or "")
    integration.cache[_key(settings)] = Form(known.fields, found, known.read_at)
    return found


def forget(integration: Integration, settings: JiraSettings) -> None:
    """Read the form anew next time: Jira refused what the one we know asks for."""
    integration.cache.pop(_key(settings), None)


def known_priorities(integration: Integration) -> Sequence[JiraPriority]:
    """Return the priorities as last read, without asking: nothing may be asked while a webhook waits."""
    settings = integration.settings
    kept = integration.cache.get(_key(settings)) if isinstance(settings, JiraSettings) else None
    return kept.fields.priorities if isinstance(kept, Form) else ()


def _key(settings: JiraSettings) -> str:
    return f"form {settings.service_desk}/{settings.request_type}"
