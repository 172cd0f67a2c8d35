"""Checks of what requests are filled in with: the form's fields, templates, people and priorities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connector_core import Finding, Integration, Priority, sample_incident
from connector_core.kit.checks import ok, problem, warning
from connector_core.kit.fields import Gap, Kind
from connector_core.kit.priorities import Priorities, both_ways
from connector_core.kit.values import Json
from connector_jira_jsm.api.client import JiraClient
from connector_jira_jsm.checks.findings import FIELDS_PAGE, FORM_PAGE, PRIORITIES_PAGE, SCREENS_PAGE
from connector_jira_jsm.fields.form_fields import FILLING
from connector_jira_jsm.fields.forms import with_partners
from connector_jira_jsm.fields.mapping import RequestFields
from connector_jira_jsm.fields.priorities import NAMES, from_jira, named_by, to_jira
from connector_jira_jsm.settings import JiraSettings
from connector_jira_jsm.setup import labels
from connector_jira_jsm.setup.users import name_of


def check_form(
    integration: Integration, client: JiraClient, settings: JiraSettings, form: RequestFields
) -> Iterator[Finding]:
    """Try the form on a sample incident, field by field."""
    yield from _of_fields(settings, form)
    yield from _of_users(integration, client, settings, form)
    yield from check_priorities(settings, form)


def _of_fields(settings: JiraSettings, form: RequestFields) -> Iterator[Finding]:
    if "summary" not in form.ids:
        yield problem("summary_missing", "The request type has no field Summary", fix=f"{FORM_PAGE} Add Summary.")
    if "description" not in form.ids:
        yield warning(
            "description_missing",
            "The request type has no field Description",
            "Tickets will not show the incident's details, and a ticket whose creation was not answered is harder to "
            "find again.",
            f"{FORM_PAGE} Add Description.",
        )
    filled = FILLING.fill(form.others, settings.request_fields, sample_incident())
    for gap in filled.gaps:
        if gap.field.insists:
            yield problem("request_fields_missing", f"{gap}. Required by the request type", fix=_way_out(gap))
        else:
            detail = "It will be left out."
            yield warning("request_fields_unfit", f"The field {gap}", detail, _way_out(gap))
    if unknown := sorted(set(settings.request_fields) - form.ids):
        yield warning(
            "request_fields_unknown",
            "Settings have values for fields that are not on the request type's form",
            ", ".join(unknown),
            f"{FORM_PAGE} Add them, or take the values away in the step Request Fields.",
        )
    if not filled.fatal:
        required = sum(field.insists for field in form.others)
        preset = ", ".join(field.name for field in form.others if field.required and field.has_value)
        others = f"{required} besides summary and priority." if required else "None besides summary and priority."
        detail = others + (f" Jira has a value for: {preset}." if preset else "")
        yield ok("request_fields", "Every required field has a value", detail)


def _way_out(gap: Gap) -> str:
    preset = f"{FORM_PAGE} Make it optional or give it a preset value"
    if gap.field.kind is Kind.OTHER:
        return (
            f"{FORM_PAGE} On its form (Request form) open the field: make it optional, or hide it from the portal and "
            "enter the preset value that every request is to have. Then check again."
        )
    key = f"request_fields.{gap.field.id}"
    return f"Give it a value in the step Request Fields ({key}). {preset} instead."


def _of_users(
    integration: Integration, client: JiraClient, settings: JiraSettings, form: RequestFields
) -> Iterator[Finding]:
    if settings.raise_on_behalf_of and not form.for_others:
        yield problem(
            "request_fields_behalf",
            "Requests cannot be raised on behalf of someone",
            "The request type, or the account's permissions, do not allow it.",
            "In Jira: Project settings > People > add the account as Service Desk Team. Or leave On behalf of open.",
        )
    if settings.participants and not form.with_people:
        yield problem(
            "request_fields_participants",
            "Nobody can be made a participant of requests",
            "Request participants are switched off on this desk.",
            "In Jira: Project settings > Customer permissions. Or leave Participants open.",
        )
    named = [name for name in (settings.raise_on_behalf_of, *settings.participants) if name]
    known = {name: client.user(name) for name in dict.fromkeys(named)}
    labels.tell_of_users(integration, settings, {one: name_of(person) for one, person in known.items() if person})
    if unknown := [name for name, person in known.items() if person is None]:
        yield problem(
            "request_fields_people",
            "Settings name people that Jira does not know",
            ", ".join(unknown),
            "An account ID is in the address of the person's profile in Jira. Correct it in the step Request Fields.",
        )


def check_priorities(settings: JiraSettings, form: RequestFields) -> Iterator[Finding]:
    """Return which priorities have no partner, each way."""
    if "priority" not in form.ids:
        yield warning(
            "priority_missing",
            "The request type has no field Priority",
            "New tickets get Jira's default priority.",
            f"{FORM_PAGE} Add Priority.",
        )
        return
    listed = ", ".join(priority.name for priority in form.priorities)
    named = [*settings.priority_to_ticket.values(), *settings.priority_to_incident]
    if gone := [name for name in dict.fromkeys(named) if named_by(form.priorities, name) is None]:
        yield warning(
            "priorities_gone",
            "Settings name priorities that the project does not offer",
            f"{', '.join(gone)}. Jira offers: {listed}. Until then the default mapping is used.",
            f"Choose again in the step Priorities, or add them. {PRIORITIES_PAGE}",
        )
    offered = with_partners(form, settings).priorities
    lonely = [ours.value for ours in Priority if to_jira(ours, offered) is None]
    unread = [p.name for p in offered if not p.is_ignored and from_jira(p.name, p.id, offered) is None]
    if lonely or unread:
        yield warning(
            "priorities_without_partner",
            "Some priorities are not mapped",
            f"Of ours: {', '.join(lonely) or 'none'}. Of Jira's: {', '.join(unread) or 'none'}. They are not synced.",
            f"Map them in the step Priorities. {PRIORITIES_PAGE}",
        )
    names = {priority.name.casefold() for priority in offered}
    chosen = {ours for priority in offered for ours in priority.chosen_for}
    if names >= set(NAMES.values()) or chosen >= set(Priority):
        paired = both_ways(Priorities(tuple(offered), NAMES))
        told = "; ".join(f"{ours.value} {text.replace('; ', ' ')}" for ours, text in paired.items())
        yield ok("priority", "All five priorities are mapped", f"{told}.")
    else:
        yield warning(
            "priorities_by_order",
            "Priorities are matched by their order",
            f"Jira offers: {listed}.",
            "If that is not what you want, map them in the step Priorities.",
        )


def check_edit_screen(editable: Json, key: str) -> Iterator[Finding]:
    """Return which of our fields cannot be changed on a ticket that there is already."""
    missing = [name for name in ("summary", "priority") if name not in editable]
    if "summary" in missing:
        yield warning(
            "edit_screen_summary",
            "The summary of tickets cannot be changed",
            f"It is not on the edit screen of {key}; a changed title does not reach tickets.",
            f"{SCREENS_PAGE} Add Summary to the edit screen.",
        )
    if "priority" in missing:
        yield warning(
            "edit_screen_priority",
            "The priority of tickets cannot be changed",
            f"It is not on the edit screen of {key}; a changed priority does not reach tickets, the rest does.",
            f"{SCREENS_PAGE} Add Priority to the edit screen.",
        )
    if not missing:
        yield ok("edit_screen", "Summary and priority of tickets can be changed", f"Seen on {key}.")


def check_hidden(hidden: Sequence[str]) -> Iterator[Finding]:
    """Return which of the synced fields no ticket shows: Jira leaves hidden ones out of everything that it tells."""
    for name in hidden:
        yield warning(
            f"field_hidden_{name}",
            f"Jira does not show the field {name.capitalize()} of tickets",
            "It is hidden in the field configuration. Its value is unknown and is not synced; everything else is.",
            f"{FIELDS_PAGE} Show {name.capitalize()}, if it is to be synced.",
        )
