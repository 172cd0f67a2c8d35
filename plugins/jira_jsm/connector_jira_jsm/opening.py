"""Opening a ticket for an incident, once: after a lost answer it is looked for before it is made again."""

from __future__ import annotations

from datetime import datetime

from connector_core import (
    AuthError,
    ConfigError,
    IncidentChange,
    Integration,
    NotCreated,
    Receipt,
    RemoteError,
    RetryLater,
    TicketSnapshot,
)
from connector_jira_jsm import mapping, titles
from connector_jira_jsm.client import JiraClient
from connector_jira_jsm.filling import Filled, Gap, request_of
from connector_jira_jsm.forms import forget, form, priorities, project_key
from connector_jira_jsm.looking import LOOK_AGAIN_S, look, remaining_s
from connector_jira_jsm.mapping import Json
from connector_jira_jsm.settings import JiraSettings, active_settings


def open_ticket(integration: Integration, client: JiraClient, change: IncidentChange) -> Receipt | NotCreated:
    """Create the ticket, or, after a lost answer, find the one that was made."""
    if change.attempted_at is None:
        ticket, gaps = _create(integration, client, change)
        left_out = f"Left empty: {'; '.join(map(str, gaps))}." if gaps else ""
        return Receipt(ticket=ticket, note=f"{left_out} {_mark(integration, client, change, ticket)}".strip())
    found = _made_earlier(integration, client, change, change.attempted_at)
    if found is None:
        return NotCreated()
    as_created = _as_created(integration, client, change, found)
    return Receipt(ticket=found, as_created=as_created, note=_mark(integration, client, change, found))


def _as_created(
    integration: Integration, client: JiraClient, change: IncidentChange, found: TicketSnapshot
) -> TicketSnapshot:
    """Return a found ticket as it was when it was made: with what was sent then, in the form in which Jira shows it."""
    settings = active_settings(integration)
    fields = form(integration, client, settings)
    values = request_of(change.incident, change.marker, fields, settings).values
    return mapping.as_sent(found, values, fields.priorities)


def _made_earlier(
    integration: Integration, client: JiraClient, change: IncidentChange, attempted_at: datetime
) -> TicketSnapshot | None:
    """Look for the marker; None when it is certain that there is none.

    Raises:
        RetryLater: not found, but the search may not know it yet.
    """
    project = project_key(integration, client, active_settings(integration))
    seen = look(integration, client, project, change, attempted_at)
    for issue in seen.carrying(integration, client, change):
        # Since an earlier look people may have changed it, and been told of to nobody.
        now = issue if seen.is_fresh else client.issue(str(issue["id"]))
        if found := _snapshot(integration, client, now):
            integration.log.info("lost_ticket_found", ticket=found.key)
            return found
    remaining = remaining_s(integration, seen, change)
    if remaining > 0:
        raise RetryLater(
            "It is not known whether the ticket exists already; it is being looked for."
            if change.of_earlier_life
            else "Jira did not answer whether the ticket was created; it is being looked for.",
            after_s=min(LOOK_AGAIN_S, remaining),
            code="looking_for_lost_answer",
        )
    return None


def _create(
    integration: Integration, client: JiraClient, change: IncidentChange
) -> tuple[TicketSnapshot, tuple[Gap, ...]]:
    """Create the ticket; return with it the fields that stayed empty although settings name them."""
    settings = active_settings(integration)
    form_now = form(integration, client, settings)
    filled = request_of(change.incident, change.marker, form_now, settings)
    people = _people(settings)
    try:
        _refuse_gaps(integration, filled)
        answer = client.create_request(settings.service_desk, settings.request_type, filled.values, people)
    except (RemoteError, RequiredFields) as exc:
        # Somebody may have changed the request type since its form was read.
        forget(integration, settings)
        form_now = form(integration, client, settings)
        again = request_of(change.incident, change.marker, form_now, settings)
        _refuse_gaps(integration, again)
        if again.values == filled.values and not isinstance(exc, RequiredFields):
            raise
        filled = again
        answer = client.create_request(settings.service_desk, settings.request_type, filled.values, people)
    ticket = mapping.created_snapshot(answer, filled.values, form_now.priorities, client.site_url())
    return ticket or _read_back(integration, client, answer), filled.gaps


class RequiredFields(ConfigError):
    """The request type insists on fields that settings have no value for."""

    default_code = "request_fields_empty"


def _refuse_gaps(integration: Integration, filled: Filled) -> None:
    if filled.fatal:
        first = filled.fatal[0].field.id
        raise RequiredFields(
            f"The request type insists on fields that cannot be filled in: {'; '.join(map(str, filled.fatal))}.",
            fix=f"Run: connector integrations setup {integration.id} --set request_fields.{first}=... or open the step "
            "Request Fields, then retry.",
        )


def _people(settings: JiraSettings) -> Json:
    people: dict[str, object] = {}
    if settings.raise_on_behalf_of:
        people["raiseOnBehalfOf"] = settings.raise_on_behalf_of
    if settings.participants:
        people["requestParticipants"] = list(settings.participants)
    return people


def _read_back(integration: Integration, client: JiraClient, answer: Json) -> TicketSnapshot:
    """Read the ticket whose creation did not tell all; from here on a failure means that it exists all the same."""
    ticket_id = str(answer.get("issueId") or answer.get("issueKey") or "")
    unknown = RetryLater("Jira created the ticket but did not show it.", outcome_unknown=True, code="ticket_not_shown")
    if not ticket_id:
        raise unknown
    try:
        ticket = _snapshot(integration, client, client.issue(ticket_id))
    except (RetryLater, RemoteError, ConfigError, AuthError) as exc:
        raise unknown from exc
    if ticket is None:
        raise unknown
    return ticket


def _mark(integration: Integration, client: JiraClient, change: IncidentChange, ticket: TicketSnapshot) -> str:
    """Leave our property and a link on the ticket; return what did not work. The ticket exists, so nothing is fatal."""
    incident = change.incident
    failed = []
    try:
        whose = {"organization": integration.organization, "integration": integration.id}
        note = {"marker": change.marker, "incident_id": incident.id, "url": incident.url, **whose}
        client.set_property(ticket.id, note)
    except (RetryLater, RemoteError, ConfigError, AuthError) as exc:
        failed.append(f"The note on the ticket could not be saved: {exc.message}")
    if incident.url:
        try:
            client.set_remote_link(ticket.id, f"connector={change.marker}", incident.url, titles.fit(incident.title))
        except (RetryLater, RemoteError, ConfigError, AuthError) as exc:
            failed.append(f"The link to the incident could not be added: {exc.message}")
    if failed:
        integration.log.warning("ticket_not_marked", ticket=ticket.key, reasons=failed)
    return " ".join(failed)


def _snapshot(integration: Integration, client: JiraClient, issue: Json) -> TicketSnapshot | None:
    return mapping.snapshot(issue, priorities(integration, client), client.site_url())
