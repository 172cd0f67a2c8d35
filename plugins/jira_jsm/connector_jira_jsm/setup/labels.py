"""What people call the ids that settings hold, told to the core so that pages show names without asking Jira."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connector_core import AnyIntegration
from connector_core.kit.fields import choices
from connector_core.kit.steps import NO_PARTNER
from connector_core.kit.values import Json
from connector_jira_jsm import sentences
from connector_jira_jsm.fields.mapping import RequestFields
from connector_jira_jsm.fields.priorities import named_by
from connector_jira_jsm.settings import JiraSettings


def desk_label(desk: Json) -> str:
    """Name a service desk."""
    name, key = desk.get("projectName"), desk.get("projectKey")
    return f"{name} ({key})" if name and key else str(name or key or desk.get("id"))


def tell_of_desk(integration: AnyIntegration, settings: JiraSettings, desk: Json) -> None:
    """Tell the name of the desk."""
    integration.core.tell_label("service_desk", settings.service_desk, desk_label(desk))


def tell_of_type(integration: AnyIntegration, settings: JiraSettings, kind: Json) -> None:
    """Tell the name of the request type."""
    integration.core.tell_label("request_type", settings.request_type, str(kind.get("name") or ""))


def tell_of_form(integration: AnyIntegration, settings: JiraSettings, form: RequestFields) -> None:
    """Tell the names of fields, of entries of their lists, and of priorities."""
    shown = {field.id: field for field in form.others}
    for name, text in settings.request_fields.items():
        if name in shown:
            key = f"request_fields.{name}"
            integration.core.tell_label(key, "", shown[name].name)
            integration.core.tell_label(key, text, dict(choices(shown[name])).get(text, ""))
    for ours, its in settings.priority_to_ticket.items():
        key = f"priority_to_ticket.{ours.value}"
        integration.core.tell_label(key, "", ours.value.capitalize())
        if (found := named_by(form.priorities, its)) is not None:
            integration.core.tell_label(key, its, found.name)
    for its, partner in settings.priority_to_incident.items():
        found = named_by(form.priorities, its)
        key = f"priority_to_incident.{its}"
        integration.core.tell_label(key, "", its if found is None else found.name)
        if partner == NO_PARTNER:
            integration.core.tell_label(key, NO_PARTNER, "Not synced back")


def tell_of_webhook(integration: AnyIntegration, settings: JiraSettings) -> None:
    """Tell who creates the webhook, where the connector does."""
    if settings.managed_webhook:
        integration.core.tell_label("managed_webhook", "true", sentences.WEBHOOK_BY_ITSELF)


def tell_of_statuses(integration: AnyIntegration, settings: JiraSettings, statuses: Sequence[Json]) -> None:
    """Tell the name of the close status."""
    chosen = next((one for one in statuses if str(one.get("id")) == settings.close_status), {})
    integration.core.tell_label("close_status", settings.close_status, str(chosen.get("name") or ""))


def tell_of_users(integration: AnyIntegration, settings: JiraSettings, names: Mapping[str, str]) -> None:
    """Tell the names of people, by account id."""
    customer = settings.raise_on_behalf_of or ""
    integration.core.tell_label("raise_on_behalf_of", customer, names.get(customer, ""))
    people = settings.participants
    if people and all(one in names for one in people):
        integration.core.tell_label("participants", ", ".join(people), ", ".join(names[one] for one in people))
