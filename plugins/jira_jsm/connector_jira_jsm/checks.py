"""Trying, without changing anything, what an integration will need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connector_core import ConfigError, ConnectorError, Finding, Integration, Severity
from connector_jira_jsm import mapping
from connector_jira_jsm.client import JiraClient
from connector_jira_jsm.mapping import Json, RequestFields
from connector_jira_jsm.priorities import NAMES
from connector_jira_jsm.settings import DO_NOT_CLOSE, JiraSettings, active_settings
from connector_jira_jsm.steps import statuses_of

PERMISSIONS = {
    "BROWSE_PROJECTS": "Browse projects",
    "CREATE_ISSUES": "Create issues",
    "EDIT_ISSUES": "Edit issues",
    "TRANSITION_ISSUES": "Transition issues",
}
FILLED = frozenset({"summary", "description", "priority"})

_PERMISSIONS_PAGE = "In Jira: Project settings > Permissions (or People > add the account as Service Desk Team)."
_FORM_PAGE = "In Jira: Project settings > Request types > the request type."


def check(integration: Integration) -> Sequence[Finding]:
    """Check from the bottom up; what could not be asked is a finding too, and ends the list."""
    findings: list[Finding] = []
    try:
        findings.extend(_findings(integration))
    except ConnectorError as exc:
        return [*findings, _problem(exc.code, "This could not be checked", exc.message, exc.fix)]
    return findings


def _findings(integration: Integration) -> Iterator[Finding]:
    client = JiraClient(integration)
    settings = active_settings(integration)
    account = client.myself()
    yield _ok("authorization", "Authorization works", f"As {account.get('displayName') or account.get('accountId')}.")
    if client.desk_info().get("isLicensedForUse") is False:
        yield _problem(
            "jsm_missing",
            "Jira Service Management is not licensed on this site",
            fix="Ask an administrator of the site to enable it.",
        )
        return
    yield _ok("jsm", "The site has Jira Service Management")
    desk = _visible_desk(client, settings)
    if isinstance(desk, Finding):
        yield desk
        return
    yield _ok("service_desk", "The service desk is visible", f"{desk.get('projectName')} ({desk.get('projectKey')})")
    kind = _existing_type(client, settings)
    if isinstance(kind, Finding):
        yield kind
    else:
        yield _ok("request_type", "The request type exists", str(kind.get("name")))
        yield from _of_form(
            mapping.request_fields(client.request_type_fields(settings.service_desk, settings.request_type))
        )
        yield _of_close_status(client, settings, desk, kind)
    yield from _of_permissions(client, str(desk.get("projectId") or ""))
    yield _of_webhook(integration)


def _visible_desk(client: JiraClient, settings: JiraSettings) -> Json | Finding:
    try:
        return client.service_desk(settings.service_desk)
    except ConfigError as exc:
        return _problem(
            "service_desk_missing",
            "The service desk is not there, or the account may not see it",
            exc.message,
            f"{_PERMISSIONS_PAGE} Or choose another service desk.",
        )


def _existing_type(client: JiraClient, settings: JiraSettings) -> Json | Finding:
    try:
        return client.request_type(settings.service_desk, settings.request_type)
    except ConfigError as exc:
        return _problem(
            "request_type_missing",
            "The request type is not on the service desk",
            exc.message,
            "In Jira: Project settings > Request types. Or choose another request type.",
        )


def _of_form(fields: RequestFields) -> Iterator[Finding]:
    gaps = [label for name, label in fields.required.items() if name not in FILLED]
    if gaps:
        yield _problem(
            "required_fields",
            "The request type insists on fields that the connector cannot fill",
            ", ".join(gaps),
            f"{_FORM_PAGE} Make these fields optional or give them a preset value, or choose another request type.",
        )
    if "summary" not in fields.ids:
        yield _problem("summary_missing", "The request type has no field Summary", fix=f"{_FORM_PAGE} Add Summary.")
    if "description" not in fields.ids:
        yield _warning(
            "description_missing",
            "The request type has no field Description",
            "Tickets will not show the incident's details, and a ticket whose creation was not answered is harder to "
            "find again.",
            f"{_FORM_PAGE} Add Description.",
        )
    yield _of_priority(fields)


def _of_priority(fields: RequestFields) -> Finding:
    if "priority" not in fields.ids:
        return _warning(
            "priority_missing",
            "The request type has no field Priority",
            "New tickets get Jira's default priority.",
            f"{_FORM_PAGE} Add Priority.",
        )
    names = {priority.name.casefold() for priority in fields.priorities}
    if names >= set(NAMES.values()):
        return _ok("priority", "All five priorities have a partner")
    listed = ", ".join(priority.name for priority in fields.priorities)
    return _warning("priority_by_order", "Priorities are matched by their order", f"Jira offers: {listed}.")


def _of_close_status(client: JiraClient, settings: JiraSettings, desk: Json, kind: Json) -> Finding:
    if settings.close_status == DO_NOT_CLOSE:
        return _ok("close_status", "Tickets are not closed automatically")
    statuses = statuses_of(client.statuses(str(desk.get("projectKey") or "")), str(kind.get("issueTypeId") or ""))
    status = next((status for status in statuses if str(status["id"]) == settings.close_status), None)
    if status is None:
        return _problem(
            "close_status_missing",
            "The close status is not in the request type's workflow",
            fix="Choose another close status, or add it in Jira: Project settings > Workflows.",
        )
    if not mapping.is_done(status):
        return _warning(
            "close_status_not_done",
            f'The close status "{status.get("name")}" is not of the category Done',
            "Jira, and this connector, will still see the ticket as open.",
            "Choose a status of the category Done, or change its category in Jira: Project settings > Workflows.",
        )
    return _ok("close_status", "The close status exists and counts as done", str(status.get("name")))


def _of_permissions(client: JiraClient, project_id: str) -> Iterator[Finding]:
    held = client.permissions(tuple(PERMISSIONS), project_id)
    missing = [
        label
        for name, label in PERMISSIONS.items()
        if not (isinstance(held.get(name), dict) and held[name].get("havePermission") is True)
    ]
    if missing:
        yield _problem(
            "permission_missing", "The account lacks permissions in the project", ", ".join(missing), _PERMISSIONS_PAGE
        )
    else:
        yield _ok("permissions", "The account may read, create, edit and move tickets")


def _of_webhook(integration: Integration) -> Finding:
    if integration.webhook_secrets:
        return _ok("webhook", "A webhook secret is set")
    return _warning(
        "webhook_missing",
        "No webhook secret is set",
        "Changes made in Jira are only seen when tickets are read again.",
        "Do the step Webhook.",
    )


def _ok(code: str, title: str, detail: str = "") -> Finding:
    return Finding(code=code, severity=Severity.OK, title=title, detail=detail)


def _warning(code: str, title: str, detail: str = "", fix: str = "") -> Finding:
    return Finding(code=code, severity=Severity.WARNING, title=title, detail=detail, fix=fix)


def _problem(code: str, title: str, detail: str = "", fix: str = "") -> Finding:
    return Finding(code=code, severity=Severity.PROBLEM, title=title, detail=detail, fix=fix)
