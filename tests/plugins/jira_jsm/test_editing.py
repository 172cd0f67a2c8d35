"""Writing changed fields: only those, and a refused one does not hold up the rest."""

from __future__ import annotations

import pytest
from requests_mock import Mocker

from connector_core import (
    FieldName,
    Incident,
    Integration,
    Priority,
    RemoteError,
    RetryLater,
    TicketChanged,
    TicketGone,
    TicketSnapshot,
    WriteFields,
)
from connector_jira_jsm.text import descriptions
from connector_jira_jsm.tickets.writing import write_change
from tests.support.jira.answers import DESK, ISSUE, calls, form, issue, serve_form, serve_ticket

MARKER = "cnx-0123456789abcdef0123"
INCIDENT = Incident(id="inc-1", title="Fan\nfailed", description="It is hot.", priority=Priority.CRITICAL)
TICKET = TicketSnapshot(
    id="10040",
    key="SUP-41",
    title="Fan failed",
    description="It is hot.",
    priority=Priority.HIGH,
    status="Waiting for support",
)
NOT_ON_SCREEN = "Field '{}' cannot be set. It is not on the appropriate screen, or unknown."


def update(*fields: FieldName, **values: object) -> WriteFields:
    """Make a change of some fields."""
    return WriteFields(
        incident=INCIDENT.model_copy(update=values),
        marker=MARKER,
        fields=frozenset(fields),
        ticket=TICKET,
    )


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (FieldName.TITLE, {"summary": "Fan failed"}),
        (FieldName.PRIORITY, {"priority": {"id": "1"}}),
        (FieldName.DESCRIPTION, {"description": descriptions.write(INCIDENT, MARKER)}),
    ],
)
def test_only_what_changed_is_written(
    integration: Integration, requests_mock: Mocker, field: FieldName, expected: object
):
    """A changed field is written, an unchanged one never."""
    serve_ticket(requests_mock)

    receipt = write_change(integration, update(field))

    write = next(r for r in requests_mock.request_history if r.method == "PUT")
    assert write.json()["fields"] == expected
    assert write.qs == {"returnissue": ["true"], "expand": ["changelog"]}
    assert receipt.ticket.title == "Fan failed"
    assert not receipt.refused


@pytest.mark.parametrize(
    ("field", "change"),
    [
        (FieldName.TITLE, {"summary": "Fan 2 failed"}),
        (FieldName.PRIORITY, {"priority": {"id": "4", "name": "Low"}}),
        (FieldName.DESCRIPTION, {"description": "It was the cable."}),
    ],
)
def test_a_person_who_was_faster_is_not_written_over(
    integration: Integration, requests_mock: Mocker, field: FieldName, change: dict[str, object]
):
    """What a person changed and nobody has seen is told as it is, and nothing is written."""
    serve_ticket(requests_mock)
    requests_mock.get(ISSUE, json=issue(**change))

    with pytest.raises(TicketChanged) as raised:
        write_change(integration, update(field, title="Fan is on fire", description="Very hot."))

    assert raised.value.ticket.id == TICKET.id
    assert getattr(raised.value.ticket, field) != getattr(TICKET, field)
    assert "PUT" not in {request.method for request in requests_mock.request_history}


def test_what_is_there_already_is_no_change_of_a_persons(integration: Integration, requests_mock: Mocker):
    """After a lost answer the ticket shows what is written: the same once more goes through."""
    serve_ticket(requests_mock)
    requests_mock.get(ISSUE, json=issue(summary="Fan is on fire"))

    write_change(integration, update(FieldName.TITLE, title="Fan\nis on fire"))

    assert "PUT" in {request.method for request in requests_mock.request_history}


def test_answer_without_body_is_read_back(integration: Integration, requests_mock: Mocker):
    """A 204 tells nothing, so the ticket is read."""
    serve_ticket(requests_mock)
    requests_mock.put(ISSUE, status_code=204)
    requests_mock.get(ISSUE, [{"json": issue()}, {"json": issue(summary="As Jira shows it")}])

    assert write_change(integration, update(FieldName.TITLE)).ticket.title == "As Jira shows it"


@pytest.mark.parametrize(
    "body",
    [
        {"errorMessages": [], "errors": {"priority": NOT_ON_SCREEN.format("priority")}},
        {"errorMessages": [NOT_ON_SCREEN.format("priority")], "errors": {}},
    ],
)
def test_refused_field_is_dropped(integration: Integration, requests_mock: Mocker, body: object):
    """The refused field is named in the receipt, the others are written."""
    serve_ticket(requests_mock)
    requests_mock.put(ISSUE, [{"status_code": 400, "json": body}, {"json": issue()}])

    receipt = write_change(integration, update(FieldName.TITLE, FieldName.PRIORITY))

    assert requests_mock.last_request.json()["fields"] == {"summary": "Fan failed"}
    assert receipt.refused == {FieldName.PRIORITY: NOT_ON_SCREEN.format("priority")}


def test_only_field_refused_leaves_the_ticket(integration: Integration, requests_mock: Mocker):
    """Nothing is left to write: the ticket stays as it is."""
    serve_ticket(requests_mock)
    requests_mock.put(ISSUE, status_code=400, json={"errors": {"priority": "No."}})

    receipt = write_change(integration, update(FieldName.PRIORITY))

    assert receipt.ticket.title == "Fan failed"
    assert not receipt.untouched
    assert receipt.refused == {FieldName.PRIORITY: "No."}


@pytest.mark.parametrize("body", [{"errorMessages": ["Nothing works."]}, {"errors": {"customfield_1": "Required."}}])
def test_refusal_of_something_else_is_an_error(integration: Integration, requests_mock: Mocker, body: object):
    """A refusal that names none of our fields cannot be cured by dropping one."""
    serve_ticket(requests_mock)
    requests_mock.put(ISSUE, status_code=400, json=body)

    with pytest.raises(RemoteError):
        write_change(integration, update(FieldName.TITLE))

    assert calls(requests_mock).count("PUT api/2/issue/10040") == 1


@pytest.mark.parametrize("values", [{"priority": None}, {}])
def test_priority_without_partner_is_refused_not_fatal(
    integration: Integration, requests_mock: Mocker, values: dict[str, object]
):
    """A priority that Jira does not have is a sentence in the receipt."""
    serve_ticket(requests_mock)
    if not values:
        serve_form(requests_mock, json=form("summary"))

    receipt = write_change(integration, update(FieldName.PRIORITY, **values))

    assert FieldName.PRIORITY in receipt.refused
    assert "PUT api/2/issue/10040" not in calls(requests_mock)


def test_deleted_ticket_is_gone(integration: Integration, requests_mock: Mocker):
    """A ticket that Jira does not show any more is gone."""
    serve_ticket(requests_mock)
    requests_mock.put(ISSUE, status_code=404, json={"errorMessages": ["Issue does not exist"], "errors": {}})

    with pytest.raises(TicketGone):
        write_change(integration, update(FieldName.TITLE))


def test_conflict_comes_again_soon(integration: Integration, requests_mock: Mocker):
    """Two writers at one moment: ours is repeated."""
    serve_ticket(requests_mock)
    requests_mock.put(ISSUE, status_code=409, json={"errorMessages": ["conflict"]})

    with pytest.raises(RetryLater) as caught:
        write_change(integration, update(FieldName.TITLE))

    assert caught.value.after_s is not None


def test_removed_request_type_does_not_stop_updates(integration: Integration, requests_mock: Mocker):
    """Tickets outlive their request type: a title can still be written."""
    serve_ticket(requests_mock)
    requests_mock.get(f"{DESK}/requesttype/25/field", status_code=404, json={"errorMessage": "No such request type."})

    assert write_change(integration, update(FieldName.TITLE)).ticket.priority is Priority.HIGH
