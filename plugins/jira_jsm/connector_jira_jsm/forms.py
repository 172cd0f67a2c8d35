"""The forms of request types, read once in a while: what may be filled in, and which priorities there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from connector_core import ConfigError, Integration
from connector_jira_jsm.client import JiraClient
from connector_jira_jsm.mapping import Json, RequestFields, request_fields
from connector_jira_jsm.priorities import JiraPriority, paired
from connector_jira_jsm.settings import NO_PARTNER, JiraSettings, active_settings

KEPT_FOR_S = 600.0


@dataclass(frozen=True)
class _Kept:
    fields: RequestFields
    read_at: float


def form(integration: Integration, client: JiraClient, settings: JiraSettings) -> RequestFields:
    """Return the form of the configured request type, at most `KEPT_FOR_S` old."""
    kept = integration.cache.get(_key(settings))
    now = integration.clock.monotonic()
    if isinstance(kept, _Kept) and now - kept.read_at < KEPT_FOR_S:
        return kept.fields
    return keep(integration, settings, client.request_type_fields(settings.service_desk, settings.request_type))


def keep(integration: Integration, settings: JiraSettings, body: Json) -> RequestFields:
    """Read a form that was just fetched, and keep it for the next request."""
    fields = with_partners(request_fields(body), settings)
    integration.cache[_key(settings)] = _Kept(fields, integration.clock.monotonic())
    return fields


def with_partners(fields: RequestFields, settings: JiraSettings) -> RequestFields:
    """Pair the priorities of a form as settings say."""
    to_incident = {named: None if ours == NO_PARTNER else ours for named, ours in settings.priority_to_incident.items()}
    return replace(fields, priorities=paired(fields.priorities, settings.priority_to_ticket, to_incident))


def forget(integration: Integration, settings: JiraSettings) -> None:
    """Read the form anew next time: Jira refused what the one we know asks for."""
    integration.cache.pop(_key(settings), None)


def priorities(integration: Integration, client: JiraClient) -> Sequence[JiraPriority]:
    """Return the priorities that tickets have. They outlive their request type: that it is gone stops nothing here."""
    try:
        return form(integration, client, active_settings(integration)).priorities
    except ConfigError as exc:
        integration.log.warning("priorities_unknown", code=exc.code, reason=exc.message)
        return known_priorities(integration)


def known_priorities(integration: Integration) -> Sequence[JiraPriority]:
    """Return the priorities as last read, without asking: nothing may be asked while a webhook waits."""
    settings = integration.settings
    kept = integration.cache.get(_key(settings)) if isinstance(settings, JiraSettings) else None
    return kept.fields.priorities if isinstance(kept, _Kept) else ()


def project_key(integration: Integration, client: JiraClient, settings: JiraSettings) -> str:
    """Return the key of the desk's project."""
    key = f"project {settings.service_desk}"
    if key not in integration.cache:
        integration.cache[key] = str(client.service_desk(settings.service_desk).get("projectKey") or "")
    return str(integration.cache[key])


def _key(settings: JiraSettings) -> str:
    return f"form {settings.service_desk}/{settings.request_type}"
