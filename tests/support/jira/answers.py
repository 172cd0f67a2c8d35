"""Answers of a Jira site in the documented shapes, for tests that script a site call by call."""

from __future__ import annotations

from typing import Any

from requests_mock import Mocker

BASE = "https://api.atlassian.com/ex/jira/cloud-1"
DESK = f"{BASE}/rest/servicedeskapi/servicedesk/10"
CREATE = f"{BASE}/rest/servicedeskapi/request"
ISSUE = f"{BASE}/rest/api/2/issue/10040"
SEARCH = f"{BASE}/rest/api/2/search/jql"
HISTORY = f"{BASE}/rest/api/3/changelog/bulkfetch"
BULK = f"{BASE}/rest/api/2/issue/bulkfetch"

OPEN = {"id": "10000", "name": "Waiting for support", "statusCategory": {"key": "new", "name": "To Do"}}
PROGRESS = {"id": "3", "name": "In Progress", "statusCategory": {"key": "indeterminate", "name": "In Progress"}}
RESOLVED = {"id": "10002", "name": "Resolved", "statusCategory": {"key": "done", "name": "Done"}}
CLOSED = {"id": "6", "name": "Closed", "statusCategory": {"key": "done", "name": "Done"}}
PRIORITIES = ("Highest", "High", "Medium", "Low", "Lowest")


def form(*names: str, required: tuple[str, ...] = ("summary",), priorities: tuple[str, ...] = PRIORITIES) -> Any:  # noqa: ANN401 - JSON
    """Make the form of a request type."""
    fields = [
        {
            "fieldId": name,
            "name": name.capitalize(),
            "required": name in required,
            "visible": True,
            "validValues": [],
            "defaultValues": [],
            "presetValues": [],
        }
        for name in names or ("summary", "description", "priority")
    ]
    for field in fields:
        if field["fieldId"] == "priority":
            field["validValues"] = [
                {"value": str(n), "label": label, "children": []} for n, label in enumerate(priorities, 1)
            ]
    return {"canAddRequestParticipants": True, "canRaiseOnBehalfOf": True, "requestTypeFields": fields}


def created(**more: object) -> dict[str, Any]:
    """Make the answer to a creation."""
    return {
        "issueId": "10040",
        "issueKey": "SUP-41",
        "requestTypeId": "25",
        "serviceDeskId": "10",
        "createdDate": {"iso8601": "2026-03-02T18:30:00+0900"},
        "currentStatus": {"status": "Waiting for support", "statusCategory": "NEW"},
        "requestFieldValues": [],
        **more,
    }


def issue(issue_id: str = "10040", **changes: object) -> dict[str, Any]:
    """Make an issue as version 2 of the API shows it."""
    fields = {
        "summary": "Fan failed",
        "description": "It is hot.",
        "priority": {"id": "2", "name": "High"},
        "status": OPEN,
        "updated": "2026-03-02T18:31:00.000+0900",
    }
    return {"id": issue_id, "key": "SUP-41", "self": f"{BASE}/rest/api/2/issue/10040", "fields": {**fields, **changes}}


def transition(transition_id: str, to: dict[str, Any], **fields: dict[str, Any]) -> dict[str, Any]:
    """Make a transition, with the fields of its screen."""
    return {"id": transition_id, "name": f"To {to['name']}", "to": to, "isAvailable": True, "fields": fields}


def stand(mock: Mocker, *transitions: Any, **changes: object) -> None:  # noqa: ANN401 - JSON
    """Let the ticket stand somewhere, with these ways out."""
    mock.get(ISSUE, json={**issue(**changes), "transitions": list(transitions)})
    mock.get(f"{ISSUE}/transitions", json={"transitions": list(transitions)})


def serve_form(mock: Mocker, **changes: Any) -> None:  # noqa: ANN401 - JSON
    """Let the form be read."""
    mock.get(f"{DESK}/requesttype/25/field", json=changes.get("json", form()))
    mock.get(DESK, json={"id": "10", "projectId": "10000", "projectKey": "SUP", "projectName": "Support"})


def serve_ticket(mock: Mocker) -> None:
    """Let a ticket be created, marked, edited and moved."""
    serve_form(mock)
    mock.post(CREATE, status_code=201, json=created())
    mock.put(f"{ISSUE}/properties/connector.link", status_code=201)
    mock.post(f"{ISSUE}/remotelink", status_code=201, json={"id": 1})
    mock.put(ISSUE, json=issue())
    stand(mock, transition("11", PROGRESS), transition("31", RESOLVED))
    mock.post(f"{ISSUE}/transitions", status_code=204)
    mock.post(SEARCH, json={"issues": [], "isLast": True})


def calls(mock: Mocker) -> list[str]:
    """List the calls made, as method and the end of the path."""
    return [f"{r.method} {r.path.removeprefix('/ex/jira/cloud-1/rest/')}" for r in mock.request_history]
