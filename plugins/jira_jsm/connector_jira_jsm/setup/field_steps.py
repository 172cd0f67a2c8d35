"""The steps of set-up about what a request is filled in with: its fields, its people, its priorities."""

from __future__ import annotations

from functools import partial

from connector_core import (
    AnyIntegration,
    Choice,
    ConfigError,
    FieldKind,
    Incident,
    Remark,
    SetupField,
    SetupStep,
    Severity,
    can_be_undone,
    mistake_in,
    render,
    sample_incident,
)
from connector_core.kit import steps
from connector_core.kit.field_rows import FieldRows, gap_remarks, value_remarks
from connector_core.kit.fields import Kind
from connector_core.kit.grants import text_given
from connector_core.kit.steps import rows_so_far
from connector_jira_jsm import sentences
from connector_jira_jsm.api.client import JiraClient
from connector_jira_jsm.fields.form_fields import FILLING
from connector_jira_jsm.fields.mapping import RequestFields, request_fields, request_values
from connector_jira_jsm.fields.priorities import NAMES
from connector_jira_jsm.settings import PLUGIN
from connector_jira_jsm.setup.users import find_user, find_users

NEEDS = frozenset({"service_desk", "request_type"})


def fields_step(integration: AnyIntegration) -> SetupStep:
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
                rows=lambda: rows_of(integration).rows(read_form(integration).others),
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
        takes_templates=True,
        preview=lambda: _request(integration, sample_incident()),
        preview_of=lambda incident: _request(integration, incident),
    )


def _whom_to_mail() -> list[Choice]:
    return [
        Choice("true", "Jira mails watchers about changed fields"),
        Choice("false", "No e-mail about changed fields", note="Needs an account that administers the project."),
    ]


def priorities_step(integration: AnyIntegration) -> SetupStep:
    """Ask which priorities are partners, each way."""
    return steps.priorities_step(
        integration,
        lambda: read_form(integration).priorities,
        names=NAMES,
        title="Priorities",
        help=sentences.PRIORITIES_HELP,
        hint=sentences.PRIORITY_GROUP,
        none_offered=sentences.NO_PRIORITIES,
        needs=NEEDS,
    )


def read_form(integration: AnyIntegration) -> RequestFields:
    """Read the form of the request type that was chosen."""
    desk, kind = (text_given(integration, name) for name in ("service_desk", "request_type"))
    return request_fields(JiraClient(integration).request_type_fields(desk, kind))


def rows_of(integration: AnyIntegration) -> FieldRows:
    """Return how the fields of a form are asked for."""
    finders = {
        Kind.PERSON: partial(find_user, integration),
        Kind.PEOPLE: partial(find_users, integration),
    }
    return FieldRows(
        FILLING,
        finders,
        unfillable="Only a preset value in Jira can fill it (Project settings > Request types).",
        has_value="Jira has a value for it already.",
        people="A name, an e-mail address or an account ID.",
    )


def _request(integration: AnyIntegration, incident: Incident) -> list[Remark]:
    """Show what a request for an incident would hold, and what is still missing."""
    form = read_form(integration)
    filled = FILLING.fill(form.others, rows_so_far(integration, "request_fields"), incident)
    remarks = gap_remarks(filled)
    texts = {}
    for field, name in PLUGIN.templates.items():
        if not (template := text_given(integration, name)):
            continue
        try:
            texts[field.value] = render(template, incident)
        except ConfigError as exc:
            remarks.append(Remark(f"{name.capitalize()}: {exc.message}", Severity.PROBLEM))
        if not can_be_undone(template, field):
            said = sentences.ONE_WAY.format(setting=name.capitalize(), field=field)
            remarks.append(Remark(said, Severity.WARNING))
    remarks += _own_values(integration, form, incident.model_copy(update=texts))
    remarks += value_remarks(form.others, filled)
    if not any(remark.severity is Severity.PROBLEM for remark in remarks):
        said = f"{sentences.FIELDS_COMPLETE} {sentences.SAMPLE_BELOW}" if remarks else sentences.FIELDS_COMPLETE
        remarks.insert(0, Remark(said, Severity.OK))
    return remarks


def _own_values(integration: AnyIntegration, form: RequestFields, incident: Incident) -> list[Remark]:
    """Show the fields that every request has: the incident's title, text and priority."""
    values = request_values(incident, "", form)
    shown = [
        Remark(str(values[name]), label=form.names.get(name, name.capitalize()))
        for name in ("summary", "description")
        if name in values
    ]
    priority = steps.priorities_so_far(integration, form.priorities, NAMES).theirs(incident.priority)
    if priority is not None and "priority" in form.ids:
        shown.append(Remark(priority.name, label=form.names.get("priority", "Priority")))
    return shown
