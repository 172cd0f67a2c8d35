"""The steps of set-up about what a request is filled in with: its fields, its people, its priorities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connector_core import (
    Choice,
    ConfigError,
    FieldKind,
    Integration,
    Priority,
    Remark,
    SetupField,
    SetupStep,
    Severity,
    can_be_undone,
    mistake_in,
    render,
    sample_incident,
)
from connector_jira_jsm import sentences
from connector_jira_jsm.api.client import JiraClient
from connector_jira_jsm.fields import form_fields
from connector_jira_jsm.fields.filling import fill
from connector_jira_jsm.fields.form_fields import FormField, Kind, Unfit
from connector_jira_jsm.fields.mapping import RequestFields, request_fields
from connector_jira_jsm.fields.priorities import JiraPriority, from_jira, paired, to_jira
from connector_jira_jsm.settings import NO_PARTNER, PLUGIN, answer_so_far
from connector_jira_jsm.setup.users import find_user, find_users
from connector_jira_jsm.tickets.transition_paths import texts_of

NEEDS = frozenset({"service_desk", "request_type"})
_LISTS = (Kind.CHOICE, Kind.CASCADE)
_FINDERS = {Kind.PERSON: find_user, Kind.PEOPLE: find_users}


def fields_step(integration: Integration) -> SetupStep:
    """Ask what the other fields of the request type are filled in with."""
    return SetupStep(
        key="request_fields",
        title="Request Fields",
        help=sentences.FIELDS_HELP,
        fields=(
            SetupField(
                "request_fields",
                "Fields of the request type",
                sentences.FIELDS_GROUP,
                FieldKind.GROUP,
                required=False,
                rows=lambda: [row_of(integration, one) for one in _in_order(read_form(integration).others)],
            ),
            SetupField("summary", "Summary", sentences.SUMMARY_TEMPLATE, required=False, check=mistake_in),
            SetupField(
                "description",
                "Description",
                sentences.DESCRIPTION_TEMPLATE,
                FieldKind.LONG_TEXT,
                required=False,
                check=mistake_in,
            ),
            SetupField(
                "raise_on_behalf_of",
                "On behalf of",
                sentences.ON_BEHALF,
                required=False,
                find=lambda text: find_user(integration, text),
            ),
            SetupField(
                "participants",
                "Participants",
                sentences.PARTICIPANTS,
                required=False,
                find=lambda text: find_users(integration, text),
            ),
            SetupField(
                "notify_users",
                "E-mail to watchers",
                sentences.NOTIFY_USERS,
                FieldKind.CHOICE,
                required=False,
                load=_whom_to_mail,
                is_fixed=True,
            ),
        ),
        needs=NEEDS,
        optional=True,
        text=sentences.FIELDS_TEXT,
        preview=lambda: _sample(integration),
    )


def _whom_to_mail() -> list[Choice]:
    return [
        Choice("true", "Jira mails watchers about changed fields"),
        Choice("false", "No e-mail about changed fields", note="Needs an account that administers the project."),
    ]


def priorities_step(integration: Integration) -> SetupStep:
    """Ask which priorities are partners, each way."""
    return SetupStep(
        key="priorities",
        title="Priorities",
        help=sentences.PRIORITIES_HELP,
        fields=(
            SetupField(
                "priority_to_ticket",
                "From the incident to the ticket",
                sentences.PRIORITY_GROUP,
                FieldKind.GROUP,
                required=False,
                rows=lambda: _to_ticket_rows(read_form(integration).priorities),
            ),
            SetupField(
                "priority_to_incident",
                "From the ticket to the incident",
                sentences.PRIORITY_GROUP,
                FieldKind.GROUP,
                required=False,
                rows=lambda: _to_incident_rows(read_form(integration).priorities),
            ),
        ),
        needs=NEEDS,
        optional=True,
        preview=lambda: _partners(integration),
    )


def read_form(integration: Integration) -> RequestFields:
    """Read the form of the request type that was chosen."""
    desk, kind = (answer_so_far(integration, name) for name in ("service_desk", "request_type"))
    return request_fields(JiraClient(integration).request_type_fields(desk, kind))


def row_of(integration: Integration, field: FormField) -> SetupField:
    """Ask for the value of one field: from its list, or as a text or template."""
    listed = [Choice(value, label) for value, label in form_fields.choices(field)]
    is_list = field.kind in _LISTS and bool(listed)
    find = _FINDERS.get(field.kind)
    return SetupField(
        field.id,
        field.name,
        _help(field),
        FieldKind.CHOICE if is_list else FieldKind.LONG_TEXT if field.kind is Kind.LONG_TEXT else FieldKind.TEXT,
        required=field.insists,
        load=(lambda: listed) if is_list else None,
        may_be_typed=is_list,
        check=lambda text: wrong_with(field, text),
        find=None if find is None else lambda text: find(integration, text),
    )


def wrong_with(field: FormField, text: str) -> str:
    """Return why a text is no value of a field, tried on a sample incident."""
    if mistake := mistake_in(text):
        return mistake
    try:
        form_fields.value_of(field, render(text, sample_incident()))
    except Unfit as exc:
        return f"{field.name} {exc}."
    return ""


def _help(field: FormField) -> str:
    parts = [field.help, f"Kind: {field.kind.value}."]
    if field.kind is Kind.CHOICES:
        parts.append(f"There are: {', '.join(option.label for option in field.options[:30])}.")
    if field.kind is Kind.OTHER:
        parts.append("Only a preset value in Jira can fill it (Project settings > Request types).")
    if field.kind in {Kind.PERSON, Kind.PEOPLE}:
        parts.append("A name, an e-mail address or an account ID.")
    if field.has_value:
        parts.append("Jira has a value for it already.")
    return " ".join(part for part in parts if part)


def _in_order(others: Sequence[FormField]) -> list[FormField]:
    return sorted(others, key=lambda field: not field.insists)


def _sample(integration: Integration) -> list[Remark]:
    """Show what a request for a sample incident would hold, and what is still missing."""
    form, incident = read_form(integration), sample_incident()
    filled = fill(form.others, texts_of(integration, "request_fields"), incident)
    remarks = [Remark(f"{gap}.", Severity.PROBLEM if gap.field.insists else Severity.WARNING) for gap in filled.gaps]
    for field, name in PLUGIN.templates.items():
        if template := answer_so_far(integration, name):
            remarks.append(_rendered(name.capitalize(), template))
            if not can_be_undone(template, field):
                said = sentences.ONE_WAY.format(setting=name.capitalize(), field=field)
                remarks.append(Remark(said, Severity.WARNING))
    shown = {field.id: field for field in form.others}
    remarks += [Remark(f"{shown[name].name}: {_plain(shown[name], value)}") for name, value in filled.values.items()]
    if not any(remark.severity is Severity.PROBLEM for remark in remarks):
        remarks.insert(0, Remark(sentences.FIELDS_COMPLETE, Severity.OK))
    return remarks


def _rendered(label: str, template: str) -> Remark:
    try:
        return Remark(f"{label}: {render(template, sample_incident())}")
    except ConfigError as exc:
        return Remark(f"{label}: {exc.message}", Severity.PROBLEM)


def _plain(field: FormField, value: object) -> str:
    """Show a value as a person would read it."""
    labels = dict(form_fields.choices(field))
    if isinstance(value, list):
        return ", ".join(_plain(field, one) for one in value)
    if isinstance(value, Mapping):
        own = str(value.get("id") or value.get("accountId") or "")
        child = value.get("child")
        below = next((one for one in field.options if one.id == own), None) if isinstance(child, Mapping) else None
        under = {one.id: one.label for one in below.children} if below is not None else {}
        lower = under.get(str(child.get("id"))) if isinstance(child, Mapping) else None
        return form_fields.UNDER.join(part for part in (labels.get(own, own), lower) if part)
    return str(value)


def _to_ticket_rows(offered: Sequence[JiraPriority]) -> list[SetupField]:
    listed = [Choice(one.id, one.name) for one in offered]
    return [
        SetupField(ours.value, ours.value.capitalize(), "", FieldKind.CHOICE, required=False, load=lambda: listed)
        for ours in Priority
        if listed
    ]


def _to_incident_rows(offered: Sequence[JiraPriority]) -> list[SetupField]:
    listed = [
        *(Choice(ours.value, ours.value.capitalize()) for ours in Priority),
        Choice(NO_PARTNER, "Not carried back"),
    ]
    return [SetupField(one.id, one.name, "", FieldKind.CHOICE, required=False, load=lambda: listed) for one in offered]


def _partners(integration: Integration) -> list[Remark]:
    offered = partners_of(integration, read_form(integration).priorities)
    if not offered:
        return [Remark(sentences.NO_PRIORITIES, Severity.WARNING)]
    there = [f"{ours.value} → {found.name}" for ours in Priority if (found := to_jira(ours, offered)) is not None]
    back = [(one, from_jira(one.name, one.id, offered)) for one in offered]
    known = [f"{one.name} → {ours.value}" for one, ours in back if ours is not None]
    lonely = [one.name for one, ours in back if ours is None]
    remarks = [
        Remark(f"To the ticket: {', '.join(there)}.", Severity.OK),
        Remark(f"To the incident: {', '.join(known) or 'none'}.", Severity.OK if known else Severity.WARNING),
    ]
    return [*remarks, Remark(f"Not carried back: {', '.join(lonely)}.", Severity.WARNING)] if lonely else remarks


def partners_of(integration: Integration, offered: Sequence[JiraPriority]) -> tuple[JiraPriority, ...]:
    """Pair the priorities as the answers given so far say; what is no priority of ours is left out."""
    known = {ours.value: ours for ours in Priority}
    to_ticket = {known[ours]: its for ours, its in texts_of(integration, "priority_to_ticket").items() if ours in known}
    to_incident = {
        its: known.get(ours)
        for its, ours in texts_of(integration, "priority_to_incident").items()
        if ours in known or ours == NO_PARTNER
    }
    return paired(offered, to_ticket, to_incident)
