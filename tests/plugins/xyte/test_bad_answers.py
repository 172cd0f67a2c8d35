"""Bad answers of the hub: each has a reason that is told, none closes anything, and none outlives its cause."""

from __future__ import annotations

import json

import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response

import connector_xyte
from connector_core import AuthError, Priority, RetryLater
from connector_xyte_sandbox.organization import LOBBY_DEVICE
from tests.support.xyte.handles import make_reader, make_source_of

DEEP = b'{"items":' + b"[" * 50_000


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (JSONResponse({"error": "Unauthorized"}, 401), AuthError, "key_refused"),
        (JSONResponse({"error": "Forbidden"}, 403), AuthError, "key_not_allowed"),
        (JSONResponse({"error": "Invalid parameter"}, 422), RetryLater, "request_refused"),
        (JSONResponse({"error": "slow"}, 408), RetryLater, "temporarily_unavailable"),
        (JSONResponse({"error": "slow down"}, 429), RetryLater, "rate_limited"),
        (PlainTextResponse("oops", 500), RetryLater, "temporarily_unavailable"),
        (PlainTextResponse("oops", 503), RetryLater, "temporarily_unavailable"),
        (Response(status_code=302, headers={"Location": "/login"}), RetryLater, "request_refused"),
        (JSONResponse({"error": "gone"}, 404), RetryLater, "address_unknown"),
        (PlainTextResponse("<html>Down for maintenance</html>"), RetryLater, "not_json"),
        (PlainTextResponse(""), RetryLater, "not_json"),
        (Response(DEEP), RetryLater, "not_json"),
        (JSONResponse({"has_next_page": False}), RetryLater, "no_items"),
        (JSONResponse({"items": None}), RetryLater, "no_items"),
        (JSONResponse({"error": "internal"}), RetryLater, "no_items"),
        (JSONResponse("text"), RetryLater, "no_items"),
        (JSONResponse(7), RetryLater, "no_items"),
        (Response(b"\xff\xfe\x00"), RetryLater, "not_json"),
    ],
)
def test_a_list_that_cannot_be_read(sandbox, clock, answer, error, code):
    """The look fails with a reason; the next one finds everything as it was."""
    reader = make_reader(sandbox, clock)
    name = sandbox.open("Display offline")
    reader.look()
    before = reader.cursor
    sandbox.api.fault = lambda request: answer if request.url.path.endswith("/incidents") else None

    with pytest.raises(error) as caught:
        reader.look()

    assert caught.value.code == code
    assert caught.value.message
    assert reader.cursor == before
    sandbox.api.fault = lambda _: None
    assert reader.look() == []
    sandbox.resolve(name)
    assert reader.look() == [("resolved", name)]


@pytest.mark.parametrize(("headers", "wait_s"), [({}, 30), ({"Retry-After": "7"}, 7), ({"Retry-After": "soon"}, 30)])
def test_too_many_calls(sandbox, clock, headers, wait_s):
    """Without a word on how long, half a minute."""
    reader = make_reader(sandbox, clock)
    sandbox.api.fault = lambda _: JSONResponse({}, 429, headers)

    with pytest.raises(RetryLater) as caught:
        reader.look()

    assert (caught.value.after_s, caught.value.scope) == (wait_s, "site")


def test_one_page_of_many_that_fails(sandbox, clock):
    """Nothing of that look counts, least of all what was not on the pages before."""
    reader = make_reader(sandbox, clock)
    for number in range(250):
        sandbox.open(f"Incident {number}")
    reader.look()
    sandbox.api.fault = lambda request: PlainTextResponse("", 502) if request.query_params.get("page") == "2" else None

    with pytest.raises(RetryLater):
        reader.look()

    sandbox.api.fault = lambda _: None
    assert reader.look() == []


def test_the_closed_list_fails(sandbox, clock):
    """Then nothing is told at all, rather than half of it."""
    reader = make_reader(sandbox, clock)
    name = sandbox.open("Display offline")
    sandbox.api.fault = lambda request: (
        PlainTextResponse("", 502) if request.query_params.get("status") == "closed" else None
    )

    with pytest.raises(RetryLater):
        reader.look()

    sandbox.api.fault = lambda _: None
    assert reader.look() == [("opened", name)]


def test_an_empty_list_by_mistake_closes_nothing(sandbox, clock):
    """The list of closed ones does not agree."""
    reader = make_reader(sandbox, clock)
    names = {sandbox.open(f"Incident {number}") for number in range(3)}
    reader.look()
    empty = JSONResponse({"items": [], "has_next_page": False})
    sandbox.api.fault = lambda request: empty if request.query_params.get("status") == "active" else None

    told = [reader.look() for _ in range(3)]

    assert told == [[], [], []]
    sandbox.api.fault = lambda _: None
    assert reader.look() == []
    for name in names:
        sandbox.resolve(name)
    assert {name for _, name in reader.look()} == names


def _with(sandbox, item):
    """Let the hub list one more open incident, as it stands."""
    listed = sandbox.organization.listed
    sandbox.organization.listed = lambda status, start, end: (
        listed(status, start, end) + ([item] if status == "active" else [])
    )


@pytest.fixture
def odd(sandbox):
    """Return a function that adds an odd item to the list of open incidents."""
    yield lambda item: _with(sandbox, {"id": "odd", **item} if isinstance(item, dict) and "id" not in item else item)
    vars(sandbox.organization).pop("listed", None)


def test_an_item_without_an_id_is_left_out_and_told(sandbox, clock, odd):
    """The others are read."""
    reader = make_reader(sandbox, clock)
    odd({"id": None, "title": "Nameless", "created_at": sandbox.organization.now_text()})
    name = sandbox.open("Display offline")

    assert reader.look() == [("opened", name)]
    assert reader.findings == ["without_id"]


@pytest.mark.parametrize(
    ("item", "finding"),
    [
        ({"status": "acknowledged", "priority": "low"}, "status_unknown"),
        ({"status": "active", "priority": "blocker"}, "priority_unknown"),
        ({"status": "active"}, "priority_unknown"),
    ],
)
def test_unknown_words_are_told_and_the_incident_counts(sandbox, clock, odd, item, finding):
    """An unknown status is not closed, an unknown priority is none, or what the settings say."""
    reader = make_reader(sandbox, clock, unknown_priority="moderate")
    odd({"title": "Odd", "created_at": sandbox.organization.now_text(), **item})

    assert reader.look() == [("opened", "odd")]
    assert reader.findings == [finding]
    assert reader.events[0].incident.priority in {Priority.LOW, Priority.MODERATE}


@pytest.mark.parametrize(
    "item",
    [
        {"title": None, "description": 7},
        {"title": "a\0b\ud800", "description": "\0"},
        {"title": ["x"], "issue": {"a": 1}},
        {"title": "x" * 100_000},
        {"created_at": "yesterday", "updated_at": "9999-99-99"},
        {"created_at": 10**30, "updated_at": -(10**30)},
        {"created_at": True, "updated_at": []},
        {"device_id": 7, "space_id": "x", "device": "y", "space": []},
        {"device_id": "..", "space_id": None},
        {"priority": 2, "status": 1},
    ],
)
def test_odd_values_neither_stop_the_look_nor_get_through(sandbox, clock, odd, item):
    """What is told can be stored and sent."""
    reader = make_reader(sandbox, clock)
    odd({"created_at": sandbox.organization.now_text(), **item})
    page = sandbox.organization.listed("active", 0, 1e11)
    told = Response(json.dumps({"items": page, "has_next_page": False}))
    sandbox.api.fault = lambda request: told if request.query_params.get("status") == "active" else None

    reader.look()

    (event,) = reader.events
    written = event.model_dump_json()
    assert "\\u0000" not in written
    assert event.incident.title


@pytest.mark.parametrize("item", ["text", 7, None, [], {"id": ""}, {"id": True}, {"id": {}}, {"id": "x" * 300}])
def test_what_is_no_incident_is_left_out(sandbox, clock, odd, item):
    """And told."""
    reader = make_reader(sandbox, clock)
    spelled = sandbox.api._spelled
    sandbox.api._spelled = lambda one: spelled(one) if isinstance(one, dict) and one.get("title") else one
    odd(item)

    assert reader.look() == []
    assert reader.findings == ["without_id"]
    del sandbox.api._spelled


def test_spaces_in_a_ring(sandbox, clock):
    """The way up ends, and it is told."""
    sandbox.organization.spaces[3210]["parent_id"] = 3220
    sandbox.organization.spaces[3210]["config"] = {}
    reader = make_reader(sandbox, clock, spaces={"exclude": [3230]})
    sandbox.open("Display offline", space_tree_path_name="Acme/New York/Lobby")

    assert [kind for kind, _ in reader.look()] == ["opened"]
    assert reader.events[0].incident.location.address is None


def test_the_ring_is_a_finding(sandbox, clock):
    """At the look that reads the spaces."""
    sandbox.organization.spaces[3210]["parent_id"] = 3220
    reader = make_reader(sandbox, clock)
    sandbox.open("Display offline")

    reader.look()

    assert reader.findings == ["space_ring"]


def test_a_device_that_was_deleted(sandbox, clock):
    """The incident goes with what it tells itself."""
    reader = make_reader(sandbox, clock)
    sandbox.open("Display offline")
    del sandbox.organization.devices[LOBBY_DEVICE]

    reader.look()

    device = reader.events[0].incident.device
    assert (device.name, device.model, device.serial_number) == ("Lobby display", "X-200", None)
    assert reader.findings == []


@pytest.mark.parametrize("part", ["devices", "spaces"])
@pytest.mark.parametrize(("status", "waits"), [(403, 0), (429, 3), (500, 3)])
def test_surroundings_that_cannot_be_read_hold_up_no_incident_for_long(sandbox, clock, part, status, waits):
    """It waits for a few looks, if that may help; then it goes without them, and that is told."""
    reader = make_reader(sandbox, clock)
    name = sandbox.open("Display offline")
    sandbox.api.fault = lambda request: JSONResponse({}, status) if f"/{part}" in request.url.path else None
    for _ in range(waits):
        with pytest.raises(RetryLater):
            reader.look()

    assert reader.look() == [("opened", name)]
    assert reader.findings == [f"{part}_unreadable"]


def test_details_that_can_be_read_again_come_with_the_incident(sandbox, clock):
    """One bad answer costs a look, not the details; and the next trouble is waited for anew."""
    reader = make_reader(sandbox, clock, details_for="1s")
    for _ in range(3):
        name = sandbox.open("Display offline")
        sandbox.api.fault = lambda request: JSONResponse({}, 503) if "/devices" in request.url.path else None
        for _ in range(2):
            with pytest.raises(RetryLater):
                reader.look()
        sandbox.api.fault = lambda _: None

        assert reader.look() == [("opened", name)]
        assert reader.events[0].incident.device.serial_number == "SN1"
        clock.forward(2)


def test_where_it_matters_has_to_be_known(sandbox, clock):
    """With spaces chosen by id, a look without the tree would make wrong requests; it fails instead."""
    reader = make_reader(sandbox, clock, spaces={"include": [3210]}, details_for="1s")
    sandbox.open("Display offline", space_id=3231)
    clock.forward(2)
    sandbox.api.fault = lambda request: JSONResponse({}, 500) if request.url.path.endswith("/spaces") else None

    with pytest.raises(RetryLater):
        reader.look()


def test_a_hub_that_is_not_there(sandbox, clock):
    """Refused connections are waited for."""
    source = make_source_of(sandbox, clock, base_url="http://127.0.0.1:1")

    with pytest.raises(RetryLater) as caught:
        connector_xyte.poll_incidents(source, None, clock.now())

    assert caught.value.code == "unreachable"
