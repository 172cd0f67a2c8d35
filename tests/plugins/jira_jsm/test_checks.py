"""Checking an integration: each thing that can be wrong is found, with what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from requests_mock import Mocker

from connector_core import Finding, Severity
from connector_jira_jsm.checks.checkup import NEEDED, SCOPES, USEFUL, check
from tests.support.jira.answers import (
    BASE,
    CLOSED,
    DESK,
    HISTORY,
    ISSUE,
    OPEN,
    RESOLVED,
    SEARCH,
    form,
    issue,
    stand,
    transition,
)
from tests.support.jira.handles import SETTINGS, build, oauth_grant

MISSING = {"status_code": 404, "json": {"errorMessage": "It does not exist."}}


def serve(mock: Mocker) -> None:
    """Let a site answer on which all is well."""
    mock.get(f"{BASE}/rest/api/3/myself", json={"accountId": "a", "displayName": "Avery"})
    mock.get(f"{BASE}/rest/servicedeskapi/info", json={"isLicensedForUse": True})
    mock.get(DESK, json={"id": "10", "projectId": "10000", "projectKey": "SUP", "projectName": "Support"})
    mock.get(f"{DESK}/requesttype/25", json={"id": "25", "name": "Incident", "issueTypeId": "10010"})
    mock.get(f"{DESK}/requesttype/25/field", json=form())
    mock.get(f"{BASE}/rest/api/3/project/SUP/statuses", json=[{"id": "10010", "statuses": [OPEN, RESOLVED, CLOSED]}])
    held = {name: {"havePermission": True} for name in (*NEEDED, *USEFUL)}
    mock.get(f"{BASE}/rest/api/3/mypermissions", json={"permissions": held})
    resources = "https://api.atlassian.com/oauth/token/accessible-resources"
    mock.get(resources, json=[{"id": "cloud-1", "url": "https://example.test", "scopes": list(SCOPES)}])
    mock.post(SEARCH, json={"issues": [issue()]})
    mock.post(HISTORY, json={"issueChangeLogs": []})
    stand(mock, transition("31", RESOLVED))
    mock.get(f"{ISSUE}/editmeta", json={"fields": {"summary": {}, "priority": {}}})


def checked(**changes: object) -> Sequence[Finding]:
    """Check an integration with these settings."""
    settings = SETTINGS.model_copy(update=changes)
    return check(build(settings=settings, grant=oauth_grant(), secrets=("s",))[0])


def test_all_is_well(requests_mock: Mocker):
    """Every check has a finding, and nothing was written."""
    serve(requests_mock)

    findings = checked()

    assert {finding.severity for finding in findings} == {Severity.OK}
    assert len({finding.code for finding in findings}) == len(findings) == 13
    written = {r.path for r in requests_mock.request_history if r.method != "GET"}
    assert all(path.endswith(("/search/jql", "/changelog/bulkfetch")) for path in written)
    asked = requests_mock.last_request.qs
    assert asked == {"permissions": [",".join((*NEEDED, *USEFUL)).lower()], "projectid": ["10000"]}


@pytest.mark.parametrize(
    ("path", "answer", "code", "severity"),
    [
        ("rest/api/3/myself", {"status_code": 403, "json": {}}, "permission_missing", Severity.PROBLEM),
        ("rest/api/3/myself", {"status_code": 503}, "not_checked", Severity.PROBLEM),
        ("rest/servicedeskapi/info", {"json": {"isLicensedForUse": False}}, "jsm_missing", Severity.PROBLEM),
        ("desk", MISSING, "service_desk_missing", Severity.PROBLEM),
        ("desk/requesttype/25", MISSING, "request_type_missing", Severity.PROBLEM),
        ("desk/requesttype/25/field", {"json": form("description", "priority")}, "summary_missing", Severity.PROBLEM),
        ("desk/requesttype/25/field", {"json": form("summary")}, "description_missing", Severity.WARNING),
        ("desk/requesttype/25/field", {"json": form("summary")}, "priority_missing", Severity.WARNING),
        (
            "desk/requesttype/25/field",
            {"json": form(priorities=("Rot", "Gelb"))},
            "priorities_by_order",
            Severity.WARNING,
        ),
        ("rest/api/3/project/SUP/statuses", {"json": []}, "close_status_missing", Severity.PROBLEM),
        (
            "rest/api/3/project/SUP/statuses",
            {"json": [{"id": "10010", "statuses": [{**OPEN, "id": "10002"}]}]},
            "close_status_not_done",
            Severity.WARNING,
        ),
        (
            "rest/api/3/mypermissions",
            {"json": {"permissions": {"EDIT_ISSUES": {"havePermission": False}}}},
            "permission_missing",
            Severity.PROBLEM,
        ),
    ],
)
def test_what_is_wrong_is_found(
    requests_mock: Mocker, path: str, answer: dict[str, object], code: str, severity: Severity
):
    """Each defect of a site shows as its own finding."""
    serve(requests_mock)
    url = DESK + path.removeprefix("desk") if path.startswith("desk") else f"{BASE}/{path}"
    requests_mock.get(url, **answer)

    found = {finding.code: finding for finding in checked()}

    assert found[code].severity is severity
    assert code in {"priorities_by_order", "not_checked"} or found[code].fix


def test_required_fields_are_listed(requests_mock: Mocker):
    """Fields that the form insists on and the connector cannot fill are named."""
    serve(requests_mock)
    fields = form("summary", "customfield_1", required=("summary", "customfield_1"))
    requests_mock.get(f"{DESK}/requesttype/25/field", json=fields)

    found = {finding.code: finding for finding in checked()}

    assert found["request_fields_missing"].title == "Customfield_1 has no value (text). Required by the request type"
    assert "(request_fields.customfield_1)" in found["request_fields_missing"].fix


def test_required_field_with_a_preset_is_no_problem(requests_mock: Mocker):
    """A preset value fills the field."""
    serve(requests_mock)
    fields = form("summary", "description", "priority", "customfield_1", required=("customfield_1",))
    fields["requestTypeFields"][-1]["presetValues"] = ["7"]
    requests_mock.get(f"{DESK}/requesttype/25/field", json=fields)

    assert "request_fields_missing" not in {finding.code for finding in checked()}


def test_not_closing_is_fine(requests_mock: Mocker):
    """Do not auto-close needs no status."""
    serve(requests_mock)

    found = {finding.code: finding.severity for finding in checked(close_status="do_not_auto_close")}

    assert found["close_status"] is Severity.OK
