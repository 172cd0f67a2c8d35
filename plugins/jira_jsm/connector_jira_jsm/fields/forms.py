"""The forms of request types, read once in a while: what may be filled in, and which priorities there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from connector_core import AnyIntegration, ConfigError, RetryLater
from connector_core.kit import kept
from connector_core.kit.steps import NO_PARTNER
from connector_core.kit.values import Json
from connector_jira_jsm.api.client import JiraClient
from connector_jira_jsm.fields.mapping import RequestFields, request_fields
from connector_jira_jsm.fields.priorities import JiraPriority, paired
from connector_jira_jsm.settings import JiraIntegration, JiraSettings

KEPT_FOR_S = 600.0
MOST_PRIORITIES = 100
PAIR = 2  # of what is remembered: id and name


def form(integration: AnyIntegration, client: JiraClient, settings: JiraSettings) -> RequestFields:
    """Return the form of the configured request type, at most `KEPT_FOR_S` old."""

    def read() -> RequestFields:
        return _read(integration, settings, client.request_type_fields(settings.service_desk, settings.request_type))

    return kept.kept(integration, _key(settings), read, for_s=KEPT_FOR_S)


def keep(integration: AnyIntegration, settings: JiraSettings, body: Json) -> RequestFields:
    """Read a form that was just fetched, and keep it for the next request."""
    return kept.keep(integration, _key(settings), _read(integration, settings, body))


def _read(integration: AnyIntegration, settings: JiraSettings, body: Json) -> RequestFields:
    fields = with_partners(request_fields(body), settings)
    _remember_priorities(integration, settings, fields.priorities)
    return fields


def with_partners(fields: RequestFields, settings: JiraSettings) -> RequestFields:
    """Pair the priorities of a form as settings say."""
    to_incident = {named: None if ours == NO_PARTNER else ours for named, ours in settings.priority_to_incident.items()}
    return replace(fields, priorities=paired(fields.priorities, settings.priority_to_ticket, to_incident))


def forget(integration: AnyIntegration, settings: JiraSettings) -> None:
    """Read the form anew next time: Jira refused what the one we know asks for."""
    kept.forget(integration, _key(settings))


def priorities(integration: JiraIntegration, client: JiraClient) -> Sequence[JiraPriority]:
    """Return the priorities that tickets have. They outlive their request type: that it is gone stops nothing here."""
    try:
        return form(integration, client, integration.settings).priorities
    except ConfigError as exc:
        integration.log.warning("priorities_unknown", code=exc.code, reason=exc.message)
        return known_priorities(integration)


def known_priorities(integration: AnyIntegration) -> Sequence[JiraPriority]:
    """Return the priorities as last read, without asking: nothing may be asked while a webhook waits.

    After a restart they are those that were remembered, which is one look into the database.
    """
    settings = integration.settings
    if not isinstance(settings, JiraSettings):
        return ()
    fields: RequestFields | None = kept.known(integration, _key(settings))
    if fields is not None:
        return fields.priorities
    recalled = integration.cache.get(_priorities_key(settings))
    if isinstance(recalled, tuple):
        return recalled
    try:
        found = _recalled(integration, settings)
    except RetryLater:
        return ()
    integration.cache[_priorities_key(settings)] = found
    return found


def project_key(integration: AnyIntegration, client: JiraClient, settings: JiraSettings) -> str:
    """Return the key of the desk's project."""
    key = f"project {settings.service_desk}"
    if key not in integration.cache:
        integration.cache[key] = str(client.service_desk(settings.service_desk).get("projectKey") or "")
    return str(integration.cache[key])


def _key(settings: JiraSettings) -> str:
    return f"form {settings.service_desk}/{settings.request_type}"


def _remember_priorities(integration: AnyIntegration, settings: JiraSettings, offered: Sequence[JiraPriority]) -> None:
    """Keep the list for the next start, if it is another one; what is not known is not written over what was."""
    listed = [[one.id, one.name] for one in offered[:MOST_PRIORITIES]]
    key = _priorities_key(settings)
    try:
        if listed and integration.memory.recall(key) != listed:
            integration.memory.remember(key, listed)
    except RetryLater as exc:  # the database is busy; a ticket must not wait for what can be asked again
        integration.log.info("priorities_not_remembered", code=exc.code, reason=exc.message)


def _recalled(integration: AnyIntegration, settings: JiraSettings) -> tuple[JiraPriority, ...]:
    """Read the remembered list, paired as settings say today; what is no list of ours is none."""
    listed = integration.memory.recall(_priorities_key(settings))
    pairs = [one for one in listed if isinstance(one, list) and len(one) == PAIR] if isinstance(listed, list) else []
    offered = tuple(JiraPriority(str(number), str(name)) for number, name in pairs)
    return with_partners(RequestFields(frozenset(), {}, offered), settings).priorities


def _priorities_key(settings: JiraSettings) -> str:
    return f"priorities {settings.service_desk}/{settings.request_type}"
