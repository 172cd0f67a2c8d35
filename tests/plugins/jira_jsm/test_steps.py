"""Set-up: the steps, their choices, and the warnings beside them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from requests_mock import Mocker

from connector_core import Choice, ConfigError, FieldKind, Remark, Severity
from connector_jira_jsm import sentences
from connector_jira_jsm.setup.steps import steps
from tests.support.jira.answers import (
    BASE,
    CLOSED,
    DESK,
    HISTORY,
    OPEN,
    PROGRESS,
    RESOLVED,
    SEARCH,
    issue,
    stand,
    transition,
)
from tests.support.jira.handles import build, oauth_grant

ANSWERS = {"service_desk": "10", "request_type": "25"}


def choices(key: str) -> Sequence[Choice]:
    """Load the choices of a step."""
    integration = build(answers=ANSWERS, grant=oauth_grant())[0]
    step = next(step for step in steps(integration) if step.key == key)
    load = step.fields[0].load
    assert load is not None
    return load()


def serve(mock: Mocker) -> None:
    """Let a site answer what set-up asks."""
    mock.get(DESK, json={"id": "10", "projectId": "10000", "projectKey": "SUP", "projectName": "Support"})
    mock.get(f"{DESK}/requesttype/25", json={"id": "25", "name": "Report an incident", "issueTypeId": "10010"})
    groups = [
        {"id": "10010", "statuses": [OPEN, PROGRESS, RESOLVED, CLOSED]},
        {"id": "10011", "statuses": [{"id": "77", "name": "Elsewhere", "statusCategory": {"key": "done"}}]},
    ]
    mock.get(f"{BASE}/rest/api/3/project/SUP/statuses", json=groups)
    mock.post(SEARCH, json={"issues": []})
    mock.post(HISTORY, json={"issueChangeLogs": []})


def test_steps_in_order_without_a_call(requests_mock: Mocker):
    """Four steps under their titles; listing them asks Jira nothing."""
    listed = steps(build(grant=oauth_grant())[0])

    assert [(step.key, step.title) for step in listed] == [
        ("service_desk", "Select Service Desk"),
        ("request_type", "Request Types"),
        ("request_fields", "Request Fields"),
        ("priorities", "Priorities"),
        ("close_status", "Close Status"),
        ("webhook", "Webhook"),
    ]
    assert requests_mock.call_count == 0


def test_webhook_step_tells_every_click():
    """The step is optional, asks for a secret or who creates it, and names both addresses."""
    step = steps(build(grant=oauth_grant())[0])[-1]

    assert step.optional
    assert [(field.key, field.kind) for field in step.fields] == [
        ("webhook_secret", FieldKind.SECRET),
        ("managed_webhook", FieldKind.CHOICE),
    ]
    assert not any(field.required for field in step.fields)
    assert "https://example.test/plugins/servlet/webhooks" in step.text
    assert "comment on one" in step.test_event
    assert "https://connector.example.test/webhooks/jira" in step.text


def test_desks_are_listed_by_name(requests_mock: Mocker):
    """A desk is shown by name and key, and stored by id."""
    desks = [
        {"id": "10", "projectName": "Support", "projectKey": "SUP"},
        {"id": "11", "projectName": "Facilities", "projectKey": "FAC"},
    ]
    requests_mock.get(f"{BASE}/rest/servicedeskapi/servicedesk", json={"isLastPage": True, "values": desks})

    assert choices("service_desk") == [Choice("11", "Facilities (FAC)"), Choice("10", "Support (SUP)")]


def test_request_types_warn_about_those_that_cannot_be_raised(requests_mock: Mocker):
    """A type that the account may not raise is listed with a warning."""
    types = [
        {"id": "25", "name": "Incident", "description": "Broken."},
        {"id": "26", "name": "B", "canCreateRequest": False},
    ]
    requests_mock.get(f"{DESK}/requesttype", json={"isLastPage": True, "values": types})

    listed = choices("request_type")

    assert (listed[0], bool(listed[1].warning)) == (Choice("25", "Incident", note="Broken."), True)


def test_close_statuses_are_those_of_the_type_done_first(requests_mock: Mocker):
    """Done ones come first and without warning, others warn, and not closing is the last choice."""
    serve(requests_mock)

    listed = choices("close_status")

    assert [choice.value for choice in listed] == ["10002", "6", "10000", "3", "do_not_auto_close"]
    assert [bool(choice.warning) for choice in listed] == [False, False, True, True, False]


def test_close_status_out_of_reach_warns(requests_mock: Mocker):
    """A done status that the newest open ticket cannot get to is marked."""
    serve(requests_mock)
    requests_mock.post(SEARCH, json={"issues": [issue()]})
    stand(requests_mock, transition("31", RESOLVED))

    warnings = {choice.value: choice.warning for choice in choices("close_status")}

    assert warnings["10002"] == ""
    assert "Waiting for support" in warnings["6"]


def test_unreadable_sample_leaves_the_warnings_out(requests_mock: Mocker):
    """A list without warnings is better than none."""
    serve(requests_mock)
    requests_mock.post(SEARCH, status_code=403, json={"errorMessages": ["no"]})

    assert len(choices("close_status")) == 5


def test_choices_that_cannot_be_read_say_why(requests_mock: Mocker):
    """An error of the site reaches the person in words."""
    requests_mock.get(f"{BASE}/rest/servicedeskapi/servicedesk", status_code=403, json={"errorMessage": "No."})

    with pytest.raises(ConfigError, match=r"No\."):
        choices("service_desk")


@pytest.mark.parametrize(
    ("transitions", "severity", "words"),
    [
        ([transition("31", RESOLVED)], Severity.OK, '"Waiting for support" → "Resolved" (To Resolved).'),
        ([transition("41", CLOSED)], Severity.WARNING, '"Closed" is of the category Done too'),
        ([], Severity.PROBLEM, "tickets that stand there cannot be closed"),
        ([transition("11", PROGRESS)], None, "will be checked with the first ticket"),
        (
            [transition("31", RESOLVED, customfield_1={"required": True, "name": "Cause"})],
            Severity.PROBLEM,
            "Cause has no value",
        ),
    ],
)
def test_ways_to_close_are_those_of_present_tickets(
    requests_mock: Mocker, transitions: list[object], severity: Severity | None, words: str
):
    """Each open status with a ticket in it is judged by where that ticket can go; the others are not known."""
    serve(requests_mock)
    requests_mock.post(SEARCH, json={"issues": [issue()]})
    stand(requests_mock, *transitions)

    found = ways("10002")

    assert [(remark.severity, words in remark.text) for remark in found[:1]] == [(severity, True)]
    assert found[-1] == Remark(sentences.PATH_UNKNOWN.format(status="In Progress", target="Resolved"))


@pytest.mark.parametrize(
    ("chosen", "severity"), [("do_not_auto_close", None), ("4711", Severity.PROBLEM), ("3", Severity.WARNING)]
)
def test_what_a_choice_itself_means_is_said_first(requests_mock: Mocker, chosen: str, severity: Severity | None):
    """Not closing, a status that is gone, and one that is not done."""
    serve(requests_mock)

    assert ways(chosen)[0].severity == severity


def test_without_a_choice_there_are_no_ways(requests_mock: Mocker):
    """Nothing is said before a status is chosen."""
    serve(requests_mock)

    assert ways(None) == []


def ways(chosen: str | None) -> Sequence[Remark]:
    """Ask the close step what a choice leads to."""
    answers = {**ANSWERS, "close_status": chosen} if chosen else ANSWERS
    step = next(step for step in steps(build(answers=answers, grant=oauth_grant())[0]) if step.key == "close_status")
    assert step.preview is not None
    return step.preview()
