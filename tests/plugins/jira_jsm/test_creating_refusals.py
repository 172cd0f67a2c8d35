"""What Jira refuses at a creation: left out, said, remembered for a while, and forgotten once it is taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import requests
from requests_mock import Mocker

from connector_core import (
    ConfigError,
    CreateTicket,
    FieldName,
    Incident,
    Integration,
    Priority,
    RemoteError,
    RetryLater,
    TicketSnapshot,
)
from connector_core.contract.memory import Notebook
from connector_core.testing import FrozenClock
from connector_jira_jsm.fields.forms import KEPT_FOR_S
from connector_jira_jsm.text import descriptions
from connector_jira_jsm.tickets.writing import write_change
from tests.support.changes import look_for
from tests.support.jira.answers import CREATE, DESK, SEARCH, calls, created, form, issue, serve_form, serve_ticket
from tests.support.jira.handles import NOW, SETTINGS

MARKER = "cnx-0123456789abcdef0123"
INCIDENT = Incident(id="inc-1", title="Fan failed", description="It is hot.", priority=Priority.HIGH)
OPENED = CreateTicket(incident=INCIDENT, marker=MARKER)
WITHOUT_PRIORITY = OPENED.model_copy(update={"incident": INCIDENT.model_copy(update={"priority": None})})
FORM = f"{DESK}/requesttype/25/field"
READ_FORM = "GET servicedeskapi/servicedesk/10/requesttype/25/field"
ALL = {"summary", "description", "priority"}


@dataclass
class Desk:
    """A desk that creates tickets without some fields; `asked` are the fields of each creation that was tried."""

    refuses: tuple[str, ...] = ()
    complains: str = "Field '{}' cannot be set."
    asked: list[set[str]] = field(default_factory=list)

    def create(self, request: Any, context: Any) -> Mapping[str, object]:  # noqa: ANN401 - what requests_mock gives
        """Answer a creation: the first field that is refused is complained of."""
        self.asked.append(set(request.json()["requestFieldValues"]))
        refused = [name for name in self.refuses if name in self.asked[-1]]
        context.status_code = 400 if refused else 201
        return {"errorMessage": self.complains.format(refused[0])} if refused else created()


@pytest.fixture
def desk(requests_mock: Mocker) -> Desk:
    """Serve a desk whose form has summary, description and priority, and whose tickets can be read."""
    made = Desk()
    serve_ticket(requests_mock)
    requests_mock.post(CREATE, json=made.create)
    return made


def found_later(integration: Integration, mock: Mocker) -> TicketSnapshot:
    """Find the ticket after its answer was lost; return how it is taken to have been made."""
    mock.post(SEARCH, json={"issues": [issue(description=descriptions.write(INCIDENT, MARKER))], "isLast": True})
    receipt = write_change(integration, look_for(OPENED, NOW))
    assert receipt.as_created is not None
    made: TicketSnapshot = receipt.as_created
    return made


def test_fields_that_are_refused_one_after_the_other_are_all_left_out(
    integration: Integration, desk: Desk, requests_mock: Mocker
):
    """Jira names one at a time; the form is read again once, not for each."""
    desk.refuses = ("priority", "description")

    receipt = write_change(integration, OPENED)

    assert desk.asked == [ALL, {"summary", "description"}, {"summary"}]
    assert receipt.note == (
        "Left out, since Jira refused it: Priority (Field 'priority' cannot be set.); "
        "Description (Field 'description' cannot be set.)."
    )
    assert calls(requests_mock).count(READ_FORM) == 2


def test_a_field_that_the_form_lost_is_not_said_to_be_refused(
    integration: Integration, desk: Desk, requests_mock: Mocker
):
    """An administrator took it off the request type: nobody has to do anything."""
    write_change(integration, OPENED)
    serve_form(requests_mock, json=form("summary", "description"))
    desk.refuses = ("priority",)

    receipt = write_change(integration, OPENED)

    assert desk.asked == [ALL, ALL, {"summary", "description"}]
    assert receipt.note == ""


def test_a_refusal_that_names_no_field_is_tried_once_more_if_the_form_is_another(
    integration: Integration, desk: Desk, requests_mock: Mocker
):
    """What the form lost since it was read may be all that was wrong; nothing counts as refused then."""
    requests_mock.get(FORM, [{"json": form()}, {"json": form("summary", "description")}])
    desk.refuses, desk.complains = ("priority",), "The request is not valid."

    write_change(integration, OPENED)

    assert desk.asked == [ALL, {"summary", "description"}]
    assert found_later(integration, requests_mock).tells(FieldName.PRIORITY)


def test_a_refusal_that_names_no_field_is_the_last_word_after_that(
    integration: Integration, desk: Desk, requests_mock: Mocker
):
    """The form is not read for ever."""
    requests_mock.get(FORM, [{"json": form()}, {"json": form("summary", "description")}])
    desk.refuses, desk.complains = ("priority", "summary"), "The request is not valid."

    with pytest.raises(RemoteError, match="not valid"):
        write_change(integration, OPENED)

    assert desk.asked == [ALL, {"summary", "description"}]


def test_a_field_that_is_insisted_on_no_more_stops_nothing(integration: Integration, desk: Desk, requests_mock: Mocker):
    """The form that said so was out of date; what is sent is the same, and is sent once."""
    insisting = form("summary", "description", "priority", "customfield_1", required=("summary", "customfield_1"))
    requests_mock.get(FORM, [{"json": insisting}, {"json": form()}])

    receipt = write_change(integration, OPENED)

    assert (desk.asked, receipt.note) == ([ALL], "")


def test_a_field_that_is_newly_insisted_on_is_a_setting(integration: Integration, desk: Desk, requests_mock: Mocker):
    """The refusal made us read the form again, and that says what is missing."""
    write_change(integration, OPENED)
    serve_form(requests_mock, json=form("summary", "customfield_1", required=("summary", "customfield_1")))
    desk.refuses, desk.complains = ("summary",), "The request is not valid."

    with pytest.raises(ConfigError) as caught:
        write_change(integration, OPENED)

    assert caught.value.code == "request_fields_empty"
    assert len(desk.asked) == 2


@pytest.mark.parametrize(("name", "required"), [("priority", ("summary", "priority")), ("summary", ())])
def test_without_a_title_or_what_is_insisted_on_nothing_is_made(
    integration: Integration, desk: Desk, requests_mock: Mocker, name: str, required: tuple[str, ...]
):
    """Such a ticket would help nobody: the refusal is for a person."""
    serve_form(requests_mock, json=form(required=required))
    desk.refuses = (name,)

    with pytest.raises(RemoteError, match=name):
        write_change(integration, OPENED)

    assert desk.asked == [ALL]


def test_what_was_refused_is_tried_again_after_a_while(
    integration: Integration, desk: Desk, clock: FrozenClock, requests_mock: Mocker
):
    """Until then it is left out without asking, and that is said; once it is taken it counts as sent again."""
    clock.forward(400)
    desk.refuses = ("priority",)
    write_change(integration, OPENED)
    desk.refuses = ()
    desk.asked.clear()

    clock.forward(KEPT_FOR_S - 1)
    skipped = write_change(integration, OPENED)
    was_unsure = not found_later(integration, requests_mock).tells(FieldName.PRIORITY)
    clock.forward(1)
    taken = write_change(integration, OPENED)

    assert desk.asked == [{"summary", "description"}, ALL]
    assert ("Priority" in skipped.note, was_unsure) == (True, True)
    assert taken.note == ""
    assert found_later(integration, requests_mock).tells(FieldName.PRIORITY)


def test_what_is_insisted_on_by_now_is_sent_although_it_was_refused(
    integration: Integration, desk: Desk, requests_mock: Mocker
):
    """An administrator made it required, so it can be set."""
    desk.refuses = ("priority",)
    write_change(integration, OPENED)
    desk.refuses = ()
    integration.cache.pop("form 10/25")
    serve_form(requests_mock, json=form(required=("summary", "priority")))

    write_change(integration, OPENED)

    assert desk.asked[-1] == ALL


def test_what_was_not_tried_again_stays_refused(
    integration: Integration, desk: Desk, clock: FrozenClock, requests_mock: Mocker
):
    """A ticket that was made without it says nothing of whether Jira takes it."""
    desk.refuses = ("priority", "description")
    write_change(integration, OPENED)
    desk.refuses = ()
    clock.forward(KEPT_FOR_S)

    write_change(integration, WITHOUT_PRIORITY)

    made = found_later(integration, requests_mock)
    assert (made.tells(FieldName.DESCRIPTION), made.tells(FieldName.PRIORITY)) == (True, False)


def test_what_is_taken_again_is_forgotten_although_another_field_is_still_refused(
    integration: Integration, desk: Desk, clock: FrozenClock, requests_mock: Mocker
):
    """Each field counts for itself."""
    desk.refuses = ("priority", "description")
    write_change(integration, OPENED)
    desk.refuses = ("priority",)
    clock.forward(KEPT_FOR_S)

    write_change(integration, OPENED)

    made = found_later(integration, requests_mock)
    assert (made.tells(FieldName.DESCRIPTION), made.tells(FieldName.PRIORITY)) == (True, False)


def test_a_refusal_that_names_no_field_makes_an_earlier_one_no_younger(
    integration: Integration, desk: Desk, clock: FrozenClock, requests_mock: Mocker
):
    """The priority is tried again when its own time is over."""
    desk.refuses = ("priority",)
    write_change(integration, OPENED)
    clock.forward(KEPT_FOR_S - 100)
    desk.refuses, desk.complains = ("description",), "The request is not valid."
    serve_form(requests_mock, json=form("summary", "priority"))
    write_change(integration, OPENED)
    desk.refuses = ()

    clock.forward(100)
    write_change(integration, OPENED)

    assert desk.asked[-2:] == [{"summary"}, {"summary", "priority"}]


def test_refusals_are_those_of_one_request_type(integration: Integration, desk: Desk, requests_mock: Mocker):
    """Another one may have the field on its form."""
    desk.refuses = ("priority",)
    write_change(integration, OPENED)
    desk.refuses = ()
    requests_mock.get(f"{DESK}/requesttype/26/field", json=form())

    write_change(replace(integration, settings=SETTINGS.model_copy(update={"request_type": "26"})), OPENED)

    assert desk.asked[-1] == ALL


@dataclass(frozen=True)
class BusyNotebook(Notebook):
    """A memory that is full: nothing can be written."""

    def remember(self, key: str, value: object) -> None:
        """Fail."""
        raise RetryLater("The database is busy.", code="database_busy")


def test_a_ticket_that_was_made_is_told_while_the_database_is_busy(
    integration: Integration, desk: Desk, clock: FrozenClock
):
    """That a field is taken again is found out once more later."""
    desk.refuses = ("priority",)
    write_change(integration, OPENED)
    desk.refuses = ()
    clock.forward(KEPT_FOR_S)
    assert isinstance(integration.memory, Notebook)

    receipt = write_change(replace(integration, memory=BusyNotebook(integration.memory.pages)), OPENED)

    assert (receipt.ticket.key, desk.asked[-1]) == ("SUP-41", ALL)


@pytest.mark.parametrize("answer", [{"status_code": 502}, {"exc": requests.ReadTimeout}])
def test_what_is_refused_is_remembered_before_the_request_is_sent_without_it(
    integration: Integration, requests_mock: Mocker, answer: dict[str, Any]
):
    """The answer to that may be lost; the ticket is then found, and its priority is not taken for a person's."""
    serve_ticket(requests_mock)
    refusal = {"status_code": 400, "json": {"errorMessage": "Field 'priority' cannot be set."}}
    requests_mock.post(CREATE, [refusal, answer])
    with pytest.raises(RetryLater):
        write_change(integration, OPENED)

    made = found_later(integration, requests_mock)

    assert (made.tells(FieldName.TITLE), made.tells(FieldName.PRIORITY)) == (True, False)
