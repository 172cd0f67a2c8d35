"""Closing: the status is the aim, the transition is found, and what is in the way is said."""

from __future__ import annotations

from typing import Any

import pytest
from requests_mock import Mocker

from connector_core import EventType, Incident, IncidentChange, Integration, RemoteError, TicketGone, TicketSnapshot
from connector_jira_jsm.connector import carry
from connector_jira_jsm.settings import Fallback
from tests.support.jira.answers import CLOSED, ISSUE, OPEN, PROGRESS, RESOLVED, calls, issue, serve_ticket, transition
from tests.support.jira.handles import SETTINGS, build, oauth_grant

TICKET = TicketSnapshot(id="10040", key="SUP-41", title="Fan failed", status="Waiting for support")
CHANGE = IncidentChange(
    type=EventType.RESOLVED, incident=Incident(id="inc-1", title="Fan failed"), marker="cnx-1", ticket=TICKET
)
MOVE = "POST api/2/issue/10040/transitions"
RESTING = SETTINGS.model_copy(update={"close_explore": False, "close_fallback": (Fallback.OTHER_DONE,)})
DONE, WONT_DO = {"id": "10000", "name": "Done"}, {"id": "10001", "name": "Won't Do"}


def offer(mock: Mocker, *transitions: dict[str, Any]) -> None:
    """Let the ticket have these ways out."""
    mock.get(f"{ISSUE}/transitions", json={"transitions": list(transitions)})


def screen(*allowed: dict[str, Any], name: str = "Resolution") -> dict[str, Any]:
    """Make a required field of a transition's screen."""
    return {"required": True, "name": name, "allowedValues": list(allowed)}


def test_ticket_is_moved_to_the_close_status(integration: Integration, requests_mock: Mocker):
    """The transition that ends in the close status is taken, and the receipt shows it without reading."""
    serve_ticket(requests_mock)

    receipt = carry(integration, CHANGE)

    assert requests_mock.last_request.json() == {"transition": {"id": "31"}}
    assert (receipt.ticket.status, receipt.ticket.done, receipt.note) == ("Resolved", True, "")
    assert len(calls(requests_mock)) == 2


def test_known_way_is_not_looked_up_again(integration: Integration, requests_mock: Mocker):
    """The next ticket in the same place takes one call."""
    serve_ticket(requests_mock)
    carry(integration, CHANGE)

    carry(integration, CHANGE)

    assert calls(requests_mock).count("GET api/2/issue/10040/transitions") == 1


def test_known_way_that_is_refused_is_looked_up_once(integration: Integration, requests_mock: Mocker):
    """A workflow that changed, or a ticket that moved on, is seen on refusal."""
    serve_ticket(requests_mock)
    carry(integration, CHANGE)
    offer(requests_mock, transition("99", RESOLVED))
    refusal = {"status_code": 400, "json": {"errorMessages": ["Transition is not valid."], "errors": {}}}
    requests_mock.post(f"{ISSUE}/transitions", [refusal, {"status_code": 204}])
    requests_mock.get(ISSUE, json=issue(status=PROGRESS))

    receipt = carry(integration, CHANGE)

    assert requests_mock.last_request.json() == {"transition": {"id": "99"}}
    assert receipt.ticket.done


def test_known_way_refused_because_a_person_closed_it(integration: Integration, requests_mock: Mocker):
    """A ticket that somebody closed meanwhile is a success."""
    serve_ticket(requests_mock)
    carry(integration, CHANGE)
    requests_mock.post(f"{ISSUE}/transitions", status_code=400, json={"errorMessages": ["no"]})
    requests_mock.get(ISSUE, json=issue(status=CLOSED))

    receipt = carry(integration, CHANGE)

    assert (receipt.ticket.status, receipt.ticket.done) == ("Closed", True)


def test_people_close_tickets_when_told_so(requests_mock: Mocker):
    """Do not auto-close is a choice: no call is made, and the receipt says why."""
    settings = SETTINGS.model_copy(update={"close_status": "do_not_auto_close"})

    receipt = carry(build(settings=settings, grant=oauth_grant())[0], CHANGE)

    assert receipt.ticket == TICKET
    assert receipt.note
    assert requests_mock.call_count == 0


def test_done_ticket_needs_nothing(integration: Integration, requests_mock: Mocker):
    """A ticket that is done already takes no call."""
    done = TICKET.model_copy(update={"done": True})

    assert carry(integration, CHANGE.model_copy(update={"ticket": done})).ticket == done
    assert requests_mock.call_count == 0


def test_another_done_status_will_do(integration: Integration, requests_mock: Mocker):
    """Without a way to the close status one to another done status is taken, and that is said."""
    serve_ticket(requests_mock)
    offer(requests_mock, transition("11", PROGRESS), transition("41", CLOSED))

    receipt = carry(build(settings=RESTING, grant=oauth_grant())[0], CHANGE)

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
        carry(build(settings=RESTING, grant=oauth_grant())[0], CHANGE)

    assert caught.value.code == "no_close_transition"
    assert "Workflows" in caught.value.fix
    assert MOVE not in calls(requests_mock)


@pytest.mark.parametrize("status", [RESOLVED, CLOSED])
def test_no_way_because_it_is_there(integration: Integration, requests_mock: Mocker, status: dict[str, Any]):
    """A ticket that is done has no way to done, and that is a success."""
    serve_ticket(requests_mock)
    offer(requests_mock, transition("61", OPEN))
    requests_mock.get(ISSUE, json=issue(status=status))

    assert carry(integration, CHANGE).ticket.done


@pytest.mark.parametrize(("allowed", "chosen"), [((WONT_DO, DONE), "10000"), ((WONT_DO,), "10001")])
def test_required_resolution_is_filled_in(
    integration: Integration, requests_mock: Mocker, allowed: tuple[dict[str, Any], ...], chosen: str
):
    """Done if there is such a resolution, else the first one."""
    serve_ticket(requests_mock)
    offer(requests_mock, transition("31", RESOLVED, resolution=screen(*allowed)))

    carry(integration, CHANGE)

    assert requests_mock.last_request.json()["fields"] == {"resolution": {"id": chosen}}


def test_other_required_fields_are_named(integration: Integration, requests_mock: Mocker):
    """Fields that nobody can fill in are named, with what to do about them."""
    serve_ticket(requests_mock)
    offer(requests_mock, transition("31", RESOLVED, customfield_1=screen(name="Root cause"), resolution=screen()))

    with pytest.raises(RemoteError, match="Root cause, Resolution") as caught:
        carry(build(settings=RESTING, grant=oauth_grant())[0], CHANGE)

    assert caught.value.code == "transition_needs_fields"


def test_way_that_asks_for_less_is_taken(integration: Integration, requests_mock: Mocker):
    """Of two ways to the close status, the one without required fields."""
    serve_ticket(requests_mock)
    offer(
        requests_mock, transition("31", RESOLVED, customfield_1=screen(name="Root cause")), transition("32", RESOLVED)
    )

    carry(integration, CHANGE)

    assert requests_mock.last_request.json()["transition"] == {"id": "32"}


def test_close_status_that_is_not_done_leaves_it_open(requests_mock: Mocker):
    """A close status outside the category Done is used as told, and noted."""
    settings = SETTINGS.model_copy(update={"close_status": "3"})
    serve_ticket(requests_mock)

    receipt = carry(build(settings=settings, grant=oauth_grant())[0], CHANGE)

    assert (receipt.ticket.status, receipt.ticket.done) == ("In Progress", False)
    assert "not of the category Done" in receipt.note


def test_deleted_ticket_is_gone(integration: Integration, requests_mock: Mocker):
    """A deleted ticket is gone, also when the way was known."""
    serve_ticket(requests_mock)
    carry(integration, CHANGE)
    requests_mock.post(f"{ISSUE}/transitions", status_code=404, json={"errorMessages": ["x"], "errors": {}})

    with pytest.raises(TicketGone):
        carry(integration, CHANGE)
