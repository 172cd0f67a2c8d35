"""Opening a ticket for an incident, once: after a lost answer it is looked for before it is made again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from connector_core import (
    Advice,
    AuthError,
    ConfigError,
    CreateTicket,
    FindTicket,
    IncidentChange,
    MarkTicket,
    NotCreated,
    Receipt,
    Remedy,
    RemoteError,
    RetryLater,
    TicketSnapshot,
    UnreadableTicket,
    utf16_length,
)
from connector_core.kit.creating import left_undone, unreadable, wait_for_lost_answer
from connector_core.kit.fields import Filled
from connector_core.kit.values import Json
from connector_jira_jsm.api.client import JiraClient
from connector_jira_jsm.api.responses import named_in
from connector_jira_jsm.fields import mapping
from connector_jira_jsm.fields.filling import as_shown, request_of
from connector_jira_jsm.fields.forms import KEPT_FOR_S, forget, form, priorities, project_key
from connector_jira_jsm.fields.mapping import RequestFields
from connector_jira_jsm.settings import JiraIntegration, JiraSettings
from connector_jira_jsm.text import descriptions, titles
from connector_jira_jsm.tickets.searching import CREATOR, LOOK_AGAIN_S, Look, look, note, remaining_s

LONGEST_ADDRESS = 2_000  # of a remote link: none is published, browsers and gateways take this
LONGEST_PROPERTY = 32_768  # characters of its JSON


def open_ticket(integration: JiraIntegration, client: JiraClient, change: CreateTicket) -> Receipt:
    """Create the ticket."""
    made = _create(integration, client, change)
    marked = _mark(integration, client, change, made.ticket, made.values.get("description"))
    return Receipt(ticket=made.ticket, note=f"{made.note} {marked}".strip())


def find_ticket(integration: JiraIntegration, client: JiraClient, change: FindTicket) -> Receipt | NotCreated:
    """Find the ticket that was made although the answer was lost, if there is one."""
    found = _made_earlier(integration, client, change)
    if found is None:
        return NotCreated()
    as_created = _as_created(integration, client, change, found)
    return Receipt(ticket=found, as_created=as_created, note=_mark(integration, client, change, found))


def _as_created(
    integration: JiraIntegration, client: JiraClient, change: FindTicket, found: TicketSnapshot
) -> TicketSnapshot:
    """Return a found ticket as it was when it was made: with what was sent then, in the form in which Jira shows it.

    A field that Jira has been refusing may have been left out; what the ticket had there is not known.
    """
    settings = integration.settings
    fields = form(integration, client, settings)
    values = request_of(change.incident, change.marker, fields, settings).values
    refused = _refused_lately(integration, settings)
    sent = {name: value for name, value in values.items() if name not in refused}
    unsure = frozenset(ours for ours, jira in mapping.JIRA_FIELDS.items() if jira in refused)
    as_made = mapping.as_sent(found, sent, fields.priorities) if "summary" in sent else found
    return as_made.model_copy(update={"unknown": as_made.unknown | unsure})


def _made_earlier(integration: JiraIntegration, client: JiraClient, change: FindTicket) -> TicketSnapshot | None:
    """Look for the marker; None when it is certain that there is none.

    Raises:
        RetryLater: not found, but the search may not know it yet.
    """
    project = project_key(integration, client, integration.settings)
    seen = look(integration, client, project, change)
    for issue in seen.with_marker(integration, client, change):
        # Since an earlier look people may have changed it, and been told of to nobody.
        name = str(issue.get("id") or issue.get("key") or "")
        now = issue if seen.is_fresh or not name else client.issue(name)
        found = _snapshot(integration, client, now)
        if isinstance(found, UnreadableTicket) and mapping.is_key(issue.get("key")):
            found = _snapshot(integration, client, client.issue(str(issue["key"])))
        if isinstance(found, TicketSnapshot):
            integration.log.info("lost_ticket_found", ticket=found.key)
            return found
        # It is ours and it is there: whatever else it lacks, it must not be made again.
        raise unreadable(found)
    wait_for_lost_answer(
        remaining_s(integration, seen, change),
        "It is not known whether the ticket exists already; it is being looked for."
        if change.of_earlier_life
        else "Jira did not answer whether the ticket was created; it is being looked for.",
        LOOK_AGAIN_S,
    )
    _refuse_doubtful(integration, client, change, seen)
    return None


def _refuse_doubtful(integration: JiraIntegration, client: JiraClient, change: FindTicket, seen: Look) -> None:
    """Make nothing while there is a ticket that may be the one looked for, and has no text that would tell.

    Jira does not show its description, the request type has none, or none could be sent while it was hidden. A title
    repeats, so what people made, what has our note and what a link has is passed over.

    Raises:
        RemoteError: there is one; a person has to see whose it is.
    """
    settings = integration.settings
    unmarked = [one for one in seen.issues if not note(one)]
    if not unmarked:
        return
    forget(integration, settings)  # a person may have mended it just now
    has_text = "description" in form(integration, client, settings).ids
    title = titles.fit(as_shown(change.incident, settings).title)
    for issue in unmarked:
        fields = issue.get("fields")
        shown = fields if isinstance(fields, dict) else {}
        is_ours = _is_by_us(integration, shown)
        is_alike = shown.get("summary", title) == title
        # People and rules of the site rename what we made a moment ago.
        may_be_renamed = is_ours is True and not change.of_earlier_life
        if is_ours is False or not (is_alike or may_be_renamed):
            continue
        tells_nothing = not has_text or "description" not in shown or (is_ours is True and not shown["description"])
        if tells_nothing and not integration.core.is_linked(str(issue.get("id"))):
            key = str(issue.get("key") or issue.get("id") or "A ticket")
            raise _doubtful(key, is_hidden="description" not in shown, has_text=has_text)


def _doubtful(key: str, *, is_hidden: bool, has_text: bool) -> RemoteError:
    delete = f"delete {key} in Jira, then retry: the incident gets a new one."
    if is_hidden:
        why = "Jira does not show its description, which would tell."
        show = "Show the field Description (in Jira: Project settings > Fields), then retry."
        fix = f"{show} If that does not help, {delete}"
    elif has_text:
        why = "it has no description, which would tell."
        fix = f"If it is, {delete} If it is not, write something into its description, then retry."
    else:
        why = "its request type has no description, which would tell."
        give = "give the request type the field Description, and write something into it there"
        fix = f"If it is, {delete} If it is not, {give}; then retry."
    return RemoteError(f"{key} may be the ticket of this incident: {why}", code="ticket_doubtful", fix=fix)


def _is_by_us(integration: JiraIntegration, shown: Json) -> bool | None:
    """Return whether our account made an issue; None when that is not told.

    Nor does another one tell where we make them in a customer's name: no document says whose name Jira then shows.
    """
    creator, grant = shown.get(CREATOR), integration.core.grant()
    author = creator.get("accountId") if isinstance(creator, dict) else None
    if not author or grant is None or not grant.account_id:
        return None
    if author == grant.account_id:
        return True
    return None if integration.settings.raise_on_behalf_of else False


@dataclass(frozen=True)
class _Made:
    """A ticket that was created, what was sent, and what a person should know of what was not."""

    ticket: TicketSnapshot
    values: Json
    note: str


def _create(integration: JiraIntegration, client: JiraClient, change: CreateTicket) -> _Made:
    """Create the ticket, without what Jira refuses and does not insist on."""
    settings = integration.settings
    form_now = form(integration, client, settings)
    filled = request_of(change.incident, change.marker, form_now, settings)
    left_out = dict(_skipped(integration, settings, form_now))
    people = _people(settings)
    is_form_fresh = False
    while True:
        values = {name: value for name, value in filled.values.items() if name not in left_out}
        try:
            _refuse_gaps(integration, filled)
            answer = client.create_request(settings.service_desk, settings.request_type, values, people)
            break
        except (RemoteError, RequiredFields) as exc:
            is_news = False
            if not is_form_fresh:
                # Somebody may have changed the request type since its form was read.
                is_form_fresh = True
                forget(integration, settings)
                form_now = form(integration, client, settings)
                before, filled = filled, request_of(change.incident, change.marker, form_now, settings)
                _refuse_gaps(integration, filled)
                is_news = before.values != filled.values
            optional = {} if isinstance(exc, RequiredFields) else _optional(exc, form_now, values)
            if not optional and not is_news and not isinstance(exc, RequiredFields):
                raise
            left_out |= optional
            if optional:
                _remember_refused(integration, settings, optional)
    _forget_refused(integration, settings, values)
    return _Made(_shown(integration, client, answer, values, form_now), values, _not_sent(filled, left_out, form_now))


def _optional(refusal: RemoteError, form_now: RequestFields, values: Json) -> dict[str, str]:
    """Return the fields that a refusal is about and that the request type does not insist on."""
    names = {name: form_now.names.get(name, name) for name in values if name not in form_now.required}
    return {name: text for name, text in named_in(refusal, names).items() if name != "summary"}


def _not_sent(filled: Filled, left_out: Mapping[str, str], form_now: RequestFields) -> str:
    gaps = f"Left empty: {'; '.join(map(str, filled.gaps))}." if filled.gaps else ""
    refused = [f"{form_now.names.get(name, name)} ({text})" for name, text in left_out.items() if name in filled.values]
    left = f"Left out, since Jira refused it: {'; '.join(refused)}." if refused else ""
    return f"{gaps} {left}".strip()


def _shown(
    integration: JiraIntegration, client: JiraClient, answer: Json, values: Json, form_now: RequestFields
) -> TicketSnapshot:
    """Return the new ticket; what neither the answer nor what was sent tells is read, if that can be had."""
    ticket = mapping.created_snapshot(answer, values, form_now.priorities, client.site_url())
    if isinstance(ticket, UnreadableTicket):
        return _read_back(integration, client, answer)
    if not ticket.unknown and ticket.key:
        return ticket
    try:
        read = _snapshot(integration, client, client.issue(ticket.id), asked=ticket.id)
    except (RetryLater, RemoteError, ConfigError, AuthError) as exc:
        integration.log.info("created_ticket_not_read", ticket=ticket.key or ticket.id, reason=exc.message)
        return ticket
    return read.over(ticket) if isinstance(read, TicketSnapshot) else ticket


def _refused_key(settings: JiraSettings) -> str:
    return f"refused {settings.service_desk}/{settings.request_type}"


def _refused_lately(integration: JiraIntegration, settings: JiraSettings) -> Mapping[str, str]:
    """Return the fields that Jira refused at the latest creations, with its sentences."""
    kept = integration.memory.recall(_refused_key(settings))
    return {str(name): str(text) for name, text in kept.items()} if isinstance(kept, dict) else {}


def _skipped(integration: JiraIntegration, settings: JiraSettings, form_now: RequestFields) -> Mapping[str, str]:
    """Return the fields that were refused a short while ago: sending them again costs a call."""
    kept = integration.cache.get(_refused_key(settings))
    is_fresh = isinstance(kept, float) and integration.clock.monotonic() - kept < KEPT_FOR_S
    refused = _refused_lately(integration, settings) if is_fresh else {}
    return {name: text for name, text in refused.items() if name not in form_now.required}


def _remember_refused(integration: JiraIntegration, settings: JiraSettings, refused: Mapping[str, str]) -> None:
    """Keep what was refused before the request is sent without it: its answer may be lost."""
    integration.memory.remember(_refused_key(settings), {**_refused_lately(integration, settings), **refused})
    integration.cache[_refused_key(settings)] = integration.clock.monotonic()


def _forget_refused(integration: JiraIntegration, settings: JiraSettings, sent: Json) -> None:
    """Forget what Jira has taken by now."""
    try:
        known = _refused_lately(integration, settings)
        left = {name: text for name, text in known.items() if name not in sent}
        if left != known:
            integration.memory.remember(_refused_key(settings), left or None)
    except RetryLater as exc:  # the database is busy; the ticket is made, and nothing else may be said of that
        integration.log.info("refusals_not_forgotten", code=exc.code, reason=exc.message)


class RequiredFields(ConfigError):
    """The request type requires fields that settings have no value for."""

    default_code = "request_fields_empty"


def _refuse_gaps(integration: JiraIntegration, filled: Filled) -> None:
    if filled.fatal:
        first = filled.fatal[0].field.id
        raise RequiredFields(
            f"The request type requires fields that cannot be filled in: {'; '.join(map(str, filled.fatal))}.",
            fix="Give them values in the step Request Fields.",
            advice=Advice(Remedy.SET_UP, integration.id, step="request_fields", answers=(f"request_fields.{first}",)),
        )


def _people(settings: JiraSettings) -> Json:
    people: dict[str, object] = {}
    if settings.raise_on_behalf_of:
        people["raiseOnBehalfOf"] = settings.raise_on_behalf_of
    if settings.participants:
        people["requestParticipants"] = list(settings.participants)
    return people


def _read_back(integration: JiraIntegration, client: JiraClient, answer: Json) -> TicketSnapshot:
    """Read the ticket whose creation did not tell all; from here on a failure means that it exists all the same."""
    ticket_id = str(answer.get("issueId") or answer.get("issueKey") or "")
    unknown = RetryLater("Jira created the ticket but did not show it.", outcome_unknown=True, code="ticket_not_shown")
    if not ticket_id:
        raise unknown
    try:
        ticket = _snapshot(integration, client, client.issue(ticket_id))
    except (RetryLater, RemoteError, ConfigError, AuthError) as exc:
        raise unknown from exc
    if isinstance(ticket, UnreadableTicket):
        raise unknown
    return ticket


def note_of(integration: JiraIntegration, change: IncidentChange | MarkTicket) -> Json:
    """Return what we note on a ticket, where people do not see it.

    An address that is too long is left out: a part of one leads nowhere.
    """
    note = {
        "marker": change.marker,
        "incident_id": change.incident.id,
        "organization": integration.organization,
        "integration": integration.id,
    }
    with_address = {**note, "url": change.incident.url}
    return with_address if len(json.dumps(with_address)) <= LONGEST_PROPERTY else note


def _mark(
    integration: JiraIntegration,
    client: JiraClient,
    change: CreateTicket | FindTicket,
    ticket: TicketSnapshot,
    description: str | None = None,
) -> str:
    """Leave our property and a link on the ticket; return what did not work. The ticket exists, so nothing is fatal.

    A `description` that it was made with says whose it is: the property then goes along with the next write. Where it
    leads to the incident, there is no need of another link.
    """
    steps: dict[str, Callable[[], object]] = {}
    if description is None:
        note = note_of(integration, change)
        steps["The note on the ticket could not be saved"] = partial(client.set_property, ticket.id, note)
    address = change.incident.url or ""
    needs_link = bool(address) and not descriptions.leads_to(description, address)
    is_long = utf16_length(address) > LONGEST_ADDRESS
    if needs_link and not is_long:
        title = titles.fit(change.incident.title)
        link = partial(client.set_remote_link, ticket.id, f"connector={change.marker}", address, title)
        steps["The link to the incident could not be added"] = link
    failed = left_undone(steps)
    if needs_link and is_long:
        failed.append("The link to the incident is too long for a ticket.")
    if failed:
        integration.log.warning("ticket_not_marked", ticket=ticket.key, reasons=failed)
    return " ".join(failed)


def _snapshot(
    integration: JiraIntegration, client: JiraClient, issue: Json, asked: str = ""
) -> TicketSnapshot | UnreadableTicket:
    return mapping.snapshot(issue, priorities(integration, client), client.site_url(), asked=asked)
