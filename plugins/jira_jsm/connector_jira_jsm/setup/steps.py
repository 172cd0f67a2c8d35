"""The steps of set-up after authorization: service desk, request type, close status, webhook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from connector_core import (
    AnyIntegration,
    Choice,
    ConnectorError,
    CopyValue,
    FieldKind,
    Remark,
    SetupField,
    SetupStep,
    Severity,
    TicketSnapshot,
    hookspecs,
    implements,
)
from connector_core.kit import steps as kit
from connector_core.kit.grants import text_given
from connector_core.kit.steps import rows_so_far
from connector_core.kit.values import Json
from connector_jira_jsm import sentences
from connector_jira_jsm.api.client import JiraClient
from connector_jira_jsm.fields import mapping
from connector_jira_jsm.settings import DO_NOT_CLOSE, wrong_with_fallback
from connector_jira_jsm.setup.field_steps import fields_step, priorities_step, rows_of
from connector_jira_jsm.setup.labels import desk_label
from connector_jira_jsm.tickets.planning import shortest_path
from connector_jira_jsm.tickets.transition_paths import Place, look_around, paths_to_close
from connector_jira_jsm.tickets.workflow import Workflow
from connector_jira_jsm.webhooks import managed

WEBHOOK_NAME = "Connector"
SOME_PROJECT = "SUP"


@implements(hookspecs.configure_steps)
def steps(integration: AnyIntegration) -> Sequence[SetupStep]:
    """List the steps; nothing is fetched before a step's choices are asked for."""
    return (
        kit.choice_step(
            "service_desk",
            lambda: _desks(integration),
            label="Service desk",
            hint=sentences.NOT_LISTED,
            when_empty=sentences.NO_DESKS,
            title="Select Service Desk",
            help=sentences.SERVICE_DESK_HELP,
        ),
        kit.choice_step(
            "request_type",
            lambda: _request_types(integration),
            label="Request type",
            hint=sentences.NOT_LISTED,
            when_empty=sentences.NO_REQUEST_TYPES,
            title="Request Types",
            help=sentences.REQUEST_TYPE_HELP,
            needs=frozenset({"service_desk"}),
        ),
        fields_step(integration),
        priorities_step(integration),
        _close_step(integration),
        _webhook_step(integration),
    )


def _webhook_step(integration: AnyIntegration) -> SetupStep:
    """Ask for the secret, or whether the connector is to register the webhook; the way there is told of either."""
    is_ours = managed.is_wanted(integration)
    who = SetupField(
        managed.SETTING,
        "Webhook created by",
        "Default: you.",
        FieldKind.CHOICE,
        required=False,
        load=lambda: _who_creates(integration),
        is_fixed=True,
    )
    return kit.webhook_step(
        hint="The secret that Jira signs its deliveries with. It is never shown again.",
        more=(who,),
        title="Webhook",
        help=sentences.WEBHOOK_HELP,
        needs=frozenset({"service_desk"}),
        text=sentences.WEBHOOK_MANAGED if is_ours else _webhook_text(integration),
        values=() if is_ours else _webhook_values(integration),
        test_event="" if is_ours else sentences.TEST_EVENT,
        preview=(lambda: _outlook(integration)) if is_ours else None,
    )


def _who_creates(integration: AnyIntegration) -> list[Choice]:
    return [
        Choice("false", "I create the webhook in Jira"),
        Choice(
            "true",
            sentences.WEBHOOK_BY_ITSELF,
            note=sentences.WEBHOOK_NOTE,
            warning=managed.what_lacks(integration),
        ),
    ]


def _outlook(integration: AnyIntegration) -> list[Remark]:
    if lack := managed.what_lacks(integration):
        return [Remark(lack, Severity.PROBLEM)]
    if not managed.held_scopes(integration):
        return [Remark(sentences.WEBHOOK_SCOPE_UNKNOWN, Severity.WARNING)]
    return [Remark(sentences.WEBHOOK_SCOPE_HELD, Severity.OK)]


def _close_step(integration: AnyIntegration) -> SetupStep:
    fields = SetupField(
        "close_fields",
        "Fields required to close",
        sentences.CLOSE_FIELDS,
        FieldKind.GROUP,
        required=False,
        rows=lambda: _screen_rows(integration),
    )
    fallback = SetupField(
        "close_fallback",
        "If the status cannot be reached",
        sentences.CLOSE_FALLBACK,
        FieldKind.CHOICE,
        required=False,
        load=_fallbacks,
        is_fixed=True,
        may_be_typed=True,
        check=wrong_with_fallback,
    )
    return kit.close_step(
        lambda: _close_statuses(integration),
        hint=sentences.NOT_LISTED,
        keep_open=Choice(DO_NOT_CLOSE, sentences.KEEP_OPEN, note=sentences.KEEP_OPEN_NOTE),
        more=(fields, fallback),
        title="Close Status",
        help=sentences.CLOSE_STATUS_HELP,
        needs=frozenset({"service_desk", "request_type"}),
        text=sentences.CLOSE_STATUS_TEXT,
        preview=lambda: _paths_to_close(integration),
    )


def _fallbacks() -> list[Choice]:
    return [Choice(", ".join(ladder), words) for ladder, words in sentences.FALLBACKS.items()]


def _desks(integration: AnyIntegration) -> list[Choice]:
    desks = JiraClient(integration).service_desks()
    choices = [Choice(str(desk["id"]), desk_label(desk)) for desk in desks if desk.get("id")]
    return sorted(choices, key=lambda choice: choice.label.casefold())


def _request_types(integration: AnyIntegration) -> list[Choice]:
    types = JiraClient(integration).request_types(text_given(integration, "service_desk"))
    return [
        Choice(
            str(kind["id"]),
            str(kind.get("name") or kind["id"]),
            note=str(kind.get("description") or ""),
            warning="The authorized account may not raise this." if kind.get("canCreateRequest") is False else "",
        )
        for kind in types
        if kind.get("id")
    ]


def _close_statuses(integration: AnyIntegration) -> list[Choice]:
    """List the statuses of the request type's workflow, those of the category Done first."""
    client = JiraClient(integration)
    place = place_of(integration, client)
    reach = _sample(integration, client, place)
    ordered = sorted(place.statuses, key=lambda status: not mapping.is_done(status))
    return [_status_choice(status, reach) for status in ordered]


def _screen_rows(integration: AnyIntegration) -> list[SetupField]:
    """Ask for the fields of all screens that were seen; what a person has not chosen yet needs none."""
    if text_given(integration, "close_status") in {"", DO_NOT_CLOSE}:
        return []
    client = JiraClient(integration)
    place = place_of(integration, client)
    workflow = look_around(integration, client, place).workflow
    seen = [step for name in place.open_statuses("") for step in workflow.steps(name) or ()]
    screens = {field.id: field for step in seen for field in step.screen}
    return rows_of(integration).rows(replace(field, required=False) for field in screens.values())


def _paths_to_close(integration: AnyIntegration) -> list[Remark]:
    client = JiraClient(integration)
    return paths_to_close(integration, client, place_of(integration, client))


def place_of(integration: AnyIntegration, client: JiraClient) -> Place:
    """Return the workflow that tickets of the chosen request type follow."""
    request_type = text_given(integration, "request_type")
    desk = client.service_desk(text_given(integration, "service_desk"))
    kind = client.request_type(text_given(integration, "service_desk"), request_type)
    project, issue_type = str(desk.get("projectKey") or ""), str(kind.get("issueTypeId") or "")
    return Place(project, issue_type, request_type, tuple(statuses_of(client.statuses(project), issue_type)))


def statuses_of(groups: Sequence[Json], issue_type: str) -> list[Json]:
    """Return the statuses of one issue type; of all of them when it is not in the list."""
    chosen = [group for group in groups if str(group.get("id")) == issue_type] or groups
    listed = [status for group in chosen for status in group.get("statuses") or () if isinstance(status, dict)]
    return list({str(status.get("id")): status for status in listed if status.get("id")}.values())


def _status_choice(status: Json, reach: tuple[TicketSnapshot, Workflow] | None) -> Choice:
    warning = "" if mapping.is_done(status) else sentences.NOT_DONE
    if not warning and reach is not None:
        sample, workflow = reach
        here = sample.status
        chart = workflow.around(here)
        if chart.is_whole and shortest_path(chart, lambda step: step.to == str(status["id"])) is None:
            warning = sentences.NO_PATH.format(status=here, key=sample.key)
    category = status.get("statusCategory")
    note = str(category.get("name") or "") if isinstance(category, dict) else ""
    return Choice(str(status["id"]), str(status.get("name") or status["id"]), note=note, warning=warning)


def _sample(integration: AnyIntegration, client: JiraClient, place: Place) -> tuple[TicketSnapshot, Workflow] | None:
    """Look where the newest open ticket of the kind can go; workflows themselves need administrator scopes.

    None when there is no such ticket, or it cannot be looked at: a list without warnings is better than none.
    """
    jql = (
        f'project = "{place.project}" AND issuetype = {place.issue_type} AND statusCategory != Done '
        "ORDER BY created DESC"
    )
    try:
        sample = next(iter(client.search(jql, most=1)), None)
        if sample is None or not sample.get("id"):
            return None
        workflow = Workflow(integration, f"{place.project}/{place.request_type}")
        here = workflow.look(client, str(sample["id"]), frozenset(rows_so_far(integration, "close_fields")), anew=True)
    except ConnectorError:
        return None
    return here.ticket, workflow


def _webhook_text(integration: AnyIntegration) -> str:
    return sentences.WEBHOOK.format(
        site=_site(integration), url=integration.webhook_url, jql=f"project = {SOME_PROJECT}"
    )


def _webhook_values(integration: AnyIntegration) -> tuple[CopyValue, ...]:
    return (
        CopyValue("Page in Jira", f"{_site(integration)}/plugins/servlet/webhooks"),
        CopyValue("Name", WEBHOOK_NAME),
        CopyValue("URL", integration.webhook_url),
    )


def _site(integration: AnyIntegration) -> str:
    """Return the address of the site; an authorization that has ended must not keep anybody from the steps."""
    try:
        grant = integration.core.grant()
    except ConnectorError:
        grant = None
    return grant.site.url if grant and grant.site else "https://<your-jira-instance>.atlassian.net"
