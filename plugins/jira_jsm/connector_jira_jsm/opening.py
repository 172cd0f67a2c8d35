"""Opening a ticket for an incident, once: after a lost answer it is looked for before it is made again."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import datetime, timedelta

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
    utf16_length,
)
from connector_jira_jsm import details, mapping, titles
from connector_jira_jsm.client import JiraClient
from connector_jira_jsm.filling import Filled, Gap, request_of
from connector_jira_jsm.forms import forget, form, priorities, project_key
from connector_jira_jsm.mapping import LINK_PROPERTY, Json
from connector_jira_jsm.settings import JiraSettings, active_settings, plugin_settings

LOOK_AGAIN_S = 15.0
OVERLAP_MINUTES = 75  # the attempt's time is in full minutes and ours: our clock may have been set by an hour since
LONGEST_ADDRESS = 2_000  # of a remote link: none is published, browsers and gateways take this
LONGEST_PROPERTY = 32_768  # characters of its JSON
LONGEST_LOOK_BACK_MINUTES = 7 * 24 * 60


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
    age = integration.clock.now() - attempted_at
    jql = _recent(project_key(integration, client, active_settings(integration)), age)
    issues = list(client.search(jql))
    carrying = sorted((issue for issue in issues if _carries(issue, change.marker)), key=_is_copy)
    for issue in carrying or _carried_once(client, issues, change.marker):
        if found := _snapshot(integration, client, issue):
            integration.log.info("lost_ticket_found", ticket=found.key)
            return found
    remaining = plugin_settings(integration).search_settle - change.attempt_age_s
    if remaining > 0:
        raise RetryLater(
            "Jira did not answer whether the ticket was created; it is being looked for.",
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
        client.set_property(ticket.id, _note_of(change))
    except (RetryLater, RemoteError, ConfigError, AuthError) as exc:
        failed.append(f"The note on the ticket could not be saved: {exc.message}")
    if incident.url and utf16_length(incident.url) > LONGEST_ADDRESS:
        failed.append("The link to the incident is too long for a ticket.")
    elif incident.url:
        try:
            client.set_remote_link(ticket.id, f"connector={change.marker}", incident.url, titles.fit(incident.title))
        except (RetryLater, RemoteError, ConfigError, AuthError) as exc:
            failed.append(f"The link to the incident could not be added: {exc.message}")
    if failed:
        integration.log.warning("ticket_not_marked", ticket=ticket.key, reasons=failed)
    return " ".join(failed)


def _note_of(change: IncidentChange) -> Json:
    """Return our note for a ticket; an address that is too long is left out, a part of one leads nowhere."""
    incident = change.incident
    note = {"marker": change.marker, "incident_id": incident.id}
    with_address = {**note, "url": incident.url}
    return with_address if len(json.dumps(with_address)) <= LONGEST_PROPERTY else note


def _snapshot(integration: Integration, client: JiraClient, issue: Json) -> TicketSnapshot | None:
    return mapping.snapshot(issue, priorities(integration, client), client.site_url())


def _is_copy(issue: Json) -> tuple[bool, int]:
    """Order tickets so that the original comes first: a clone has its text, but no property, and a later id."""
    number = str(issue.get("id"))
    return not _note(issue), int(number) if number.isdecimal() else 0


def _carries(issue: Json, marker: str) -> bool:
    fields = issue.get("fields")
    if _note(issue).get("marker") == marker:
        return True
    return isinstance(fields, dict) and details.mentions(fields.get("description"), marker)


def _carried_once(client: JiraClient, issues: Sequence[Json], marker: str) -> list[Json]:
    """Return those whose description mentioned the marker before somebody rewrote it.

    The description is all that a request can be marked with at its creation; our property comes a call later.
    """
    unmarked = {str(issue.get("id")): issue for issue in issues if not _note(issue)}
    rewritten = {
        issue_id
        for issue_id, old in client.former_descriptions(unmarked)
        if details.mentions(old, marker) and issue_id in unmarked
    }
    return [unmarked[issue_id] for issue_id in sorted(rewritten)]


def _note(issue: Json) -> Json:
    properties = issue.get("properties")
    note = properties.get(LINK_PROPERTY) if isinstance(properties, dict) else None
    return note if isinstance(note, dict) else {}


def _recent(project: str, age: timedelta) -> str:
    """Ask by relative time: a literal one would be read in the time zone of the account's profile."""
    minutes = min(math.ceil(age.total_seconds() / 60) + OVERLAP_MINUTES, LONGEST_LOOK_BACK_MINUTES)
    return f'project = "{project}" AND created >= "-{max(minutes, OVERLAP_MINUTES)}m" ORDER BY created DESC'
