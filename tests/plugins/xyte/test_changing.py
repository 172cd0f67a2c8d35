"""Writing changes to Xyte: what it can be told is told, and of the rest nothing is claimed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from starlette.responses import JSONResponse, PlainTextResponse

import connector_xyte
from connector_core import AuthError, Device, FieldName, Incident, Priority, RemoteError, RetryLater, TicketComment
from connector_xyte_sandbox.organization import LOBBY_DEVICE
from tests.support.xyte.handles import comment_update, make_source_of, update

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
NO_GATEWAY = {"changes_url": None, "changes_secret": None}


@pytest.fixture
def source(sandbox, clock):
    """Return a source with a gateway."""
    return make_source_of(sandbox, clock)


@pytest.fixture
def plain(sandbox, clock):
    """Return a source as Xyte is by itself."""
    return make_source_of(sandbox, clock, **NO_GATEWAY)


def test_closing_goes_to_xyte(sandbox, plain):
    """By the public call, with the bare key."""
    name = sandbox.open("Display offline")

    outcome = connector_xyte.apply_change(plain, update(name, close=True))

    assert outcome.unsupported == {}
    assert sandbox.incident(name)["status"] == "closed"
    assert sandbox.api.calls == [("DELETE", f"/core/v1/organization/incidents/{name}")]


def test_closed_already_is_success_after_a_look(sandbox, plain):
    """The hub does not know it any more, and does not list it as open."""
    name = sandbox.open("Display offline")
    sandbox.resolve(name)

    outcome = connector_xyte.apply_change(plain, update(name, close=True))

    assert outcome.unsupported == {}
    assert len(sandbox.api.calls) == 2


def test_not_found_but_listed_as_open_is_no_success(sandbox, plain):
    """It is tried again."""
    name = sandbox.open("Display offline")
    sandbox.api.fault = lambda request: JSONResponse({}, 404) if request.method == "DELETE" else None

    with pytest.raises(RetryLater) as caught:
        connector_xyte.apply_change(plain, update(name, close=True))

    assert caught.value.code == "not_closed"


def test_other_fields_go_to_the_gateway(sandbox, source):
    """Signed, once for each key, and the gateway's time of it is taken."""
    name = sandbox.open("Display offline", priority="low")
    change = update(name, title="Fuse blown", priority=Priority.HIGH, description="See rack 4")

    outcomes = [connector_xyte.apply_change(source, change) for _ in range(2)]

    shown = sandbox.incident(name)
    assert (shown["title"], shown["priority"], shown["description"]) == ("Fuse blown", "high", "See rack 4")
    assert len(sandbox.organization.changes) == 1
    assert all(outcome.unsupported == {} and outcome.applied_at is not None for outcome in outcomes)


def test_all_at_once(sandbox, source):
    """Fields through the gateway, then the closing to Xyte."""
    name = sandbox.open("Display offline")

    connector_xyte.apply_change(source, update(name, title="Fixed", close=True))

    shown = sandbox.incident(name)
    assert (shown["title"], shown["status"]) == ("Fixed", "closed")
    assert [method for method, _ in sandbox.api.calls] == ["PATCH", "DELETE"]


def test_without_a_gateway_it_is_said_that_nothing_was_changed(sandbox, plain):
    """The reason is for a person, and Xyte is not called."""
    name = sandbox.open("Display offline")

    outcome = connector_xyte.apply_change(plain, update(name, title="Fuse blown", priority=Priority.HIGH))

    assert set(outcome.unsupported) == {FieldName.TITLE, FieldName.PRIORITY}
    assert "on the ticket only" in outcome.unsupported[FieldName.TITLE]
    assert sandbox.api.calls == []
    assert sandbox.incident(name)["title"] == "Display offline"


def test_a_gateway_that_takes_no_changes(sandbox, source):
    """Switched off, it is as if there were none."""
    name = sandbox.open("Display offline")
    sandbox.api.takes_changes = False

    outcome = connector_xyte.apply_change(source, update(name, title="Fuse blown", close=True))

    assert set(outcome.unsupported) == {FieldName.TITLE}
    assert sandbox.incident(name)["status"] == "closed"


def test_a_change_is_noted_on_the_device_once(sandbox, clock):
    """Also when it is repeated after a crash."""
    source = make_source_of(sandbox, clock, note_on_device=True, **NO_GATEWAY)
    incident = Incident(id="1", title="Display offline", device=Device(id=LOBBY_DEVICE))
    change = update("1", title="Fuse blown", incident=incident)

    outcomes = [connector_xyte.apply_change(source, change) for _ in range(2)]

    (note,) = sandbox.organization.notes[LOBBY_DEVICE]
    assert "Fuse blown" in note["content"]
    assert all("noted on the device" in outcome.unsupported[FieldName.TITLE] for outcome in outcomes)


@pytest.mark.parametrize("device", [None, Device(id="gone")])
def test_a_note_that_cannot_be_written_is_not_claimed(sandbox, clock, device):
    """Without a device, or when it is gone."""
    source = make_source_of(sandbox, clock, note_on_device=True, **NO_GATEWAY)
    change = update("1", title="Fuse blown", incident=Incident(id="1", title="Display offline", device=device))

    outcome = connector_xyte.apply_change(source, change)

    assert "could not be noted" in outcome.unsupported[FieldName.TITLE]
    assert sandbox.organization.notes == {}


def test_nothing_is_opened_again(sandbox, plain):
    """A change of the status that is no closing is not synced."""
    change = update("1", close=True).model_copy(update={"close": False})

    outcome = connector_xyte.apply_change(plain, change)

    assert set(outcome.unsupported) == {FieldName.STATUS}
    assert sandbox.api.calls == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (JSONResponse({"error": "no"}, 401), AuthError),
        (JSONResponse({"error": "no"}, 403), AuthError),
        (JSONResponse({"error": "no"}, 422), RemoteError),
        (JSONResponse({"error": "no"}, 429), RetryLater),
        (PlainTextResponse("<html>", 502), RetryLater),
        (PlainTextResponse("", 302), RetryLater),
    ],
)
def test_what_a_refusal_of_a_closing_means(sandbox, plain, answer, error):
    """Each status has its consequence."""
    sandbox.api.fault = lambda _: answer

    with pytest.raises(error):
        connector_xyte.apply_change(plain, update("1", close=True))


@pytest.mark.parametrize("name", [".", ".."])
def test_an_id_that_is_a_way_up_is_not_sent(sandbox, plain, name):
    """It would close something else."""
    with pytest.raises(RemoteError):
        connector_xyte.apply_change(plain, update(name, close=True))

    assert sandbox.api.calls == []


def test_an_id_is_one_segment_of_the_address(sandbox, plain):
    """Whatever is in it."""
    name = sandbox.open("Odd", id="b?c#d e%2f")

    connector_xyte.apply_change(plain, update(name, close=True))

    assert sandbox.incident(name)["status"] == "closed"


def commented(name="1", **fields):
    """Make an update that is a comment of the ticket."""
    comment = TicketComment(id="desk:7", author="Ben", text="It was not.", created_at=AT, internal=False)
    return comment_update(name, comment, **fields)


def test_a_comment_goes_to_the_gateway(sandbox, source):
    """Signed like a change; without a gateway it is on the ticket only."""
    name = sandbox.open("Display offline")

    assert connector_xyte.apply_change(source, commented(name)).comment.unsupported == ""
    (taken,) = sandbox.api.comments.values()
    assert (taken["id"], taken["text"], taken["internal"]) == ("desk:7", "It was not.", False)


def test_without_a_gateway_a_comment_is_on_the_ticket_only(sandbox, plain):
    """Xyte's incidents have none; nothing is called."""
    outcome = connector_xyte.apply_change(plain, commented())

    assert "no comments" in outcome.comment.unsupported
    assert sandbox.api.calls == []


def test_a_comment_is_noted_on_the_device_once(sandbox, clock):
    """Where notes are wanted; that it is no comment there is said all the same."""
    source = make_source_of(sandbox, clock, note_on_device=True, **NO_GATEWAY)
    incident = Incident(id="1", title="Display offline", device=Device(id=LOBBY_DEVICE))

    outcomes = [connector_xyte.apply_change(source, commented(incident=incident)) for _ in range(2)]

    (note,) = sandbox.organization.notes[LOBBY_DEVICE]
    assert "Ben commented" in note["content"]
    assert "It was not." in note["content"]
    assert all("noted on the device" in outcome.comment.unsupported for outcome in outcomes)
