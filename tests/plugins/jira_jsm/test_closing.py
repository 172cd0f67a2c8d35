"""Closing: the status is the aim, the transition is found, and what is in the way is said."""

from __future__ import annotations

from typing import Any

import pytest
from requests_mock import Mocker

from connector_core import (
    CloseTicket,
    Incident,
    Integration,
    RemoteError,
    RetryLater,
    TicketGone,
    TicketSnapshot,
)
from connector_jira_jsm.settings import Fallback
from connector_jira_jsm.tickets.writing import write_change
from tests.support.jira.answers import (
    CLOSED,
    ISSUE,
    OPEN,
    PROGRESS,
    RESOLVED,
    calls,
    issue,
    serve_ticket,
    stand,
    transition,
)
from tests.support.jira.handles import SETTINGS, build, oauth_grant

TICKET = TicketSnapshot(id="10040", key="SUP-41", title="Fan failed", status="Waiting for support")
CHANGE = CloseTicket(incident=Incident(id="inc-1", title="Fan failed"), marker="cnx-1", ticket=TICKET)
MOVE = "POST api/2/issue/10040/transitions"
RESTING = SETTINGS.model_copy(update={"close_explore": False, "close_fallback": (Fallback.OTHER_DONE,)})
DONE, WONT_DO = {"id": "10000", "name": "Done"}, {"id": "10001", "name": "Won't Do"}


def offer(mock: Mocker, *transitions: dict[str, Any]) -> None:
    """Let the ticket have these ways out."""
    stand(mock, *transitions)


def screen(*allowed: dict[str, Any], name: str = "Resolution") -> dict[str, Any]:
    """Make a required field of a transition's screen."""
    return {"required": True, "name": name, "allowedValues": list(allowed)}


def test_ticket_is_moved_to_the_close_status(integration: Integration, requests_mock: Mocker):
    """After a look the transition that ends in the close status is taken; the receipt shows it without reading."""
    serve_ticket(requests_mock)

    receipt = write_change(integration, CHANGE)

    assert requests_mock.last_request.json()["transition"] == {"id": "31"}
    assert (receipt.ticket.status, receipt.ticket.done, receipt.note) == ("Resolved", True, "")
    assert len(calls(requests_mock)) == 2


def test_each_close_begins_with_where_the_ticket_is(integration: Integration, requests_mock: Mocker):
    """Status and transitions are read in one call, however often tickets were closed before."""
    serve_ticket(requests_mock)
    write_change(integration, CHANGE)
    before = len(requests_mock.request_history)

    write_change(integration, CHANGE)

    assert calls(requests_mock)[before:] == ["GET api/2/issue/10040", MOVE]
    assert requests_mock.request_history[before].qs == {"fields": ["status,updated"], "expand": ["transitions"]}


def test_way_that_leads_elsewhere_now_is_dropped(integration: Integration, requests_mock: Mocker):
    """A workflow that changed is seen by the look, and what was remembered is replaced."""
    serve_ticket(requests_mock)
    write_change(integration, CHANGE)
    offer(requests_mock, transition("99", RESOLVED))

    receipt = write_change(integration, CHANGE)

    assert requests_mock.last_request.json()["transition"] == {"id": "99"}
    assert receipt.ticket.done


@pytest.mark.parametrize("done", [RESOLVED, CLOSED])
def test_what_a_person_finished_is_not_touched(integration: Integration, requests_mock: Mocker, done: dict[str, Any]):
    """A ticket that was finished before we heard of it is left alone, and what leads on is no way to close."""
    serve_ticket(requests_mock)
    write_change(integration, CHANGE)
    stand(requests_mock, transition("41", CLOSED), transition("61", OPEN), status=done)
    before = len(requests_mock.request_history)

    receipt = write_change(integration, CHANGE)

    assert calls(requests_mock)[before:] == ["GET api/2/issue/10040"]
    assert (receipt.ticket.status, receipt.ticket.done) == (done["name"], True)
    stand(requests_mock, transition("31", RESOLVED))
    write_change(integration, CHANGE)
    assert requests_mock.last_request.json()["transition"] == {"id": "31"}


def test_unknown_category_is_never_written(integration: Integration, requests_mock: Mocker):
    """A status whose category Jira does not tell may be done."""
    serve_ticket(requests_mock)
    stand(requests_mock, transition("31", RESOLVED), status={"id": "10000", "name": "Waiting for support"})

    with pytest.raises(RetryLater) as caught:
        write_change(integration, CHANGE)

    assert caught.value.code == "status_unreadable"
    assert MOVE not in calls(requests_mock)


def test_refusal_is_looked_at_once_more(integration: Integration, requests_mock: Mocker):
    """A ticket that a person moved in the very moment is closed from where it stands then."""
    serve_ticket(requests_mock)
    refusal = {"status_code": 400, "json": {"errorMessages": ["Transition is not valid."], "errors": {}}}
    requests_mock.post(f"{ISSUE}/transitions", [refusal, {"status_code": 204}])
    first = {"json": {**issue(), "transitions": [transition("31", RESOLVED)]}}
    moved = {"json": {**issue(status=PROGRESS), "transitions": [transition("99", RESOLVED)]}}
    requests_mock.get(ISSUE, [first, moved])

    receipt = write_change(integration, CHANGE)

    assert requests_mock.last_request.json()["transition"] == {"id": "99"}
    assert receipt.ticket.done


def test_refused_because_a_person_closed_it(integration: Integration, requests_mock: Mocker):
    """A ticket that somebody closed meanwhile is a success."""
    serve_ticket(requests_mock)
    requests_mock.post(f"{ISSUE}/transitions", status_code=400, json={"errorMessages": ["no"]})
    first = {"json": {**issue(), "transitions": [transition("31", RESOLVED)]}}
    closed = {"json": {**issue(status=CLOSED), "transitions": [transition("61", OPEN)]}}
    requests_mock.get(ISSUE, [first, closed])

    receipt = write_change(integration, CHANGE)

    assert (receipt.ticket.status, receipt.ticket.done) == ("Closed", True)
    assert calls(requests_mock).count(MOVE) == 1


def test_screens_are_read_once(integration: Integration, requests_mock: Mocker):
    """The look does not show screens: they are read by another call the first time, and remembered."""
    serve_ticket(requests_mock)
    shown = transition("31", RESOLVED, resolution=screen(DONE))
    bare = {name: value for name, value in shown.items() if name != "fields"} | {"hasScreen": True}
    requests_mock.get(ISSUE, json={**issue(), "transitions": [bare]})
    requests_mock.get(f"{ISSUE}/transitions", json={"transitions": [shown]})

    write_change(integration, CHANGE)
    write_change(integration, CHANGE)

    assert calls(requests_mock).count("GET api/2/issue/10040/transitions") == 1
    assert requests_mock.last_request.json()["fields"] == {"resolution": {"id": "10000"}}


def test_remembered_screen_that_proves_wrong_is_read_anew(integration: Integration, requests_mock: Mocker):
    """When Jira refuses what a remembered screen asked for, the present one is read and filled in."""
    serve_ticket(requests_mock)
    bare = {"id": "31", "name": "To Resolved", "to": RESOLVED, "hasScreen": True}
    requests_mock.get(ISSUE, json={**issue(), "transitions": [bare]})
    requests_mock.get(f"{ISSUE}/transitions", json={"transitions": [transition("31", RESOLVED)]})
    write_change(integration, CHANGE)
    asked = transition("31", RESOLVED, resolution=screen(WONT_DO))
    requests_mock.get(f"{ISSUE}/transitions", json={"transitions": [asked]})
    refusal = {"status_code": 400, "json": {"errorMessages": ["Please say how it ended."], "errors": {}}}
    requests_mock.post(f"{ISSUE}/transitions", [refusal, {"status_code": 204}])

    receipt = write_change(integration, CHANGE)

    assert receipt.ticket.done
    assert requests_mock.last_request.json()["fields"] == {"resolution": {"id": "10001"}}


def test_optional_field_that_is_refused_is_left_out(requests_mock: Mocker):
    """A field of the screen that Jira refuses and does not insist on does not keep the ticket open."""
    settings = SETTINGS.model_copy(update={"close_fields": {"customfield_1": "Hardware"}})
    serve_ticket(requests_mock)
    offer(requests_mock, transition("31", RESOLVED, customfield_1={"required": False, "name": "Cause"}))
    refusal = {"status_code": 400, "json": {"errors": {"customfield_1": "Cause is not valid here."}}}
    requests_mock.post(f"{ISSUE}/transitions", [refusal, {"status_code": 204}])

    receipt = write_change(build(settings=settings, grant=oauth_grant())[0], CHANGE)

    assert receipt.ticket.done
    assert "Cause is not valid here." in receipt.note
    assert "fields" not in requests_mock.last_request.json()


def test_note_that_is_not_allowed_keeps_no_ticket_open(integration: Integration, requests_mock: Mocker):
    """Where our note may not go along, the ticket is closed without it."""
    serve_ticket(requests_mock)
    requests_mock.post(f"{ISSUE}/transitions", [{"status_code": 403, "json": {}}, {"status_code": 204}])

    assert write_change(integration, CHANGE).ticket.done
    assert "properties" not in requests_mock.last_request.json()


def test_people_close_tickets_when_told_so(requests_mock: Mocker):
    """Do not auto-close is a choice: no call is made, and the receipt says why."""
    settings = SETTINGS.model_copy(update={"close_status": "do_not_auto_close"})

    receipt = write_change(build(settings=settings, grant=oauth_grant())[0], CHANGE)

    assert receipt.ticket == TICKET
    assert receipt.note
    assert requests_mock.call_count == 0


def test_done_ticket_needs_nothing(integration: Integration, requests_mock: Mocker):
    """A ticket that is done already takes no call."""
    done = TICKET.model_copy(update={"done": True})

    assert write_change(integration, CHANGE.model_copy(update={"ticket": done})).ticket == done
    assert requests_mock.call_count == 0


def test_another_done_status_will_do(integration: Integration, requests_mock: Mocker):
    """Without a way to the close status one to another done status is taken, and that is said."""
    serve_ticket(requests_mock)
    offer(requests_mock, transition("11", PROGRESS), transition("41", CLOSED))

    receipt = write_change(build(settings=RESTING, grant=oauth_grant())[0], CHANGE)

    assert (receipt.ticket.status, receipt.ticket.done) == ("Closed", True)
    assert "Closed" in receipt.note


@pytest.mark.parametrize(
    "ways", [(), (transition("11", PROGRESS),), ({**transition("1", RESOLVED), "isAvailable": False},)]
)
def test_no_way_out_is_said(integration: Integration, requests_mock: Mocker, ways: tuple[dict[str, Any], ...]):
    """A workflow without a way to any done status is for a person to mend."""
    serve_ticket(requests_mock)
    offer(requests_mock, *ways)

    with pytest.raises(RemoteError) as caught:
        write_change(build(settings=RESTING, grant=oauth_grant())[0], CHANGE)

    assert caught.value.code == "no_close_transition"
    assert "Workflows" in caught.value.fix
    assert MOVE not in calls(requests_mock)


@pytest.mark.parametrize("status", [RESOLVED, CLOSED])
def test_no_way_because_it_is_there(integration: Integration, requests_mock: Mocker, status: dict[str, Any]):
    """A ticket that is done has no way to done, and that is a success."""
    serve_ticket(requests_mock)
    stand(requests_mock, transition("61", OPEN), status=status)

    assert write_change(integration, CHANGE).ticket.done


@pytest.mark.parametrize(("allowed", "chosen"), [((WONT_DO, DONE), "10000"), ((WONT_DO,), "10001")])
def test_required_resolution_is_filled_in(
    integration: Integration, requests_mock: Mocker, allowed: tuple[dict[str, Any], ...], chosen: str
):
    """Done if there is such a resolution, else the first one."""
    serve_ticket(requests_mock)
    offer(requests_mock, transition("31", RESOLVED, resolution=screen(*allowed)))

    write_change(integration, CHANGE)

    assert requests_mock.last_request.json()["fields"] == {"resolution": {"id": chosen}}


def test_other_required_fields_are_named(integration: Integration, requests_mock: Mocker):
    """Fields that nobody can fill in are named, with what to do about them."""
    serve_ticket(requests_mock)
    offer(requests_mock, transition("31", RESOLVED, customfield_1=screen(name="Root cause"), resolution=screen()))

    with pytest.raises(RemoteError, match="Root cause, Resolution") as caught:
        write_change(build(settings=RESTING, grant=oauth_grant())[0], CHANGE)

    assert caught.value.code == "transition_needs_fields"


def test_way_that_asks_for_less_is_taken(integration: Integration, requests_mock: Mocker):
    """Of two ways to the close status, the one without required fields."""
    serve_ticket(requests_mock)
    offer(
        requests_mock, transition("31", RESOLVED, customfield_1=screen(name="Root cause")), transition("32", RESOLVED)
    )

    write_change(integration, CHANGE)

    assert requests_mock.last_request.json()["transition"] == {"id": "32"}


def test_close_status_that_is_not_done_leaves_it_open(requests_mock: Mocker):
    """A close status outside the category Done is used as told, and noted."""
    settings = SETTINGS.model_copy(update={"close_status": "3"})
    serve_ticket(requests_mock)

    receipt = write_change(build(settings=settings, grant=oauth_grant())[0], CHANGE)

    assert (receipt.ticket.status, receipt.ticket.done) == ("In Progress", False)
    assert "not of the category Done" in receipt.note


def test_deleted_ticket_is_gone(integration: Integration, requests_mock: Mocker):
    """A deleted ticket is gone, also when the way was known."""
    serve_ticket(requests_mock)
    write_change(integration, CHANGE)
    requests_mock.post(f"{ISSUE}/transitions", status_code=404, json={"errorMessages": ["x"], "errors": {}})

    with pytest.raises(TicketGone):
        write_change(integration, CHANGE)


@pytest.mark.parametrize(
    "answer", [{"status_code": 200}, {"status_code": 200, "json": ""}, {"status_code": 200, "json": {}}]
)
def test_an_answer_that_jira_does_not_write_closes_nothing(
    integration: Integration, requests_mock: Mocker, answer: dict[str, object]
):
    """Jira answers a transition with 204 and nothing else; whoever answers 200 in its place may have done nothing."""
    serve_ticket(requests_mock)
    offer(requests_mock, transition("31", RESOLVED))
    requests_mock.post(f"{ISSUE}/transitions", **answer)

    with pytest.raises(RetryLater) as caught:
        write_change(integration, CHANGE)

    assert (caught.value.code, caught.value.outcome_unknown) == ("answer_unreadable", True)
