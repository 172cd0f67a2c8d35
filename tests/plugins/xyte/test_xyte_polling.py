"""Looking at an organization over HTTP: what happened is told, once, and nothing that did not happen."""

from __future__ import annotations

from datetime import timedelta

import pytest

import connector_xyte
from connector_core import AuthError, Priority, RetryLater
from connector_xyte_sandbox import Quirks
from connector_xyte_sandbox.organization import LOBBY_DEVICE, OFFLINE_DEVICE
from tests.support.xyte.handles import Reader, make_reader, make_source_of


def test_an_incident_is_told_from_opening_to_close(sandbox, clock):
    """Opened, changed and closed, each once."""
    reader = make_reader(sandbox, clock)
    name = sandbox.open("Display offline", priority="high")

    opened = reader.look()
    nothing = reader.look()
    clock.forward(5)
    sandbox.change(name, title="Lobby display offline")
    changed = reader.look()
    clock.forward(5)
    sandbox.resolve(name)
    closed = reader.look()

    assert [opened, nothing, changed, closed] == [
        [("opened", name)],
        [],
        [("updated", name)],
        [("resolved", name)],
    ]
    assert reader.look() == []


def test_an_incident_comes_with_its_device_and_place(sandbox, clock):
    """Everything that is known, with address and time zone from further up, and nothing that may be a secret."""
    reader = make_reader(sandbox, clock)
    sandbox.open("Display offline", description="No heartbeat", priority="critical")

    reader.look()

    incident = reader.events[0].incident
    assert (incident.title, incident.description, incident.priority) == (
        "Display offline",
        "No heartbeat",
        Priority.CRITICAL,
    )
    assert (incident.device.name, incident.device.serial_number, incident.device.firmware) == (
        "Lobby display",
        "SN1",
        "1.4.2",
    )
    assert incident.location.path == "Acme/New York/Lobby"
    assert (incident.location.address, incident.location.timezone) == ("New York, NY, USA", "America/New_York")
    assert "s1te-secret" not in incident.model_dump_json()
    assert "0100" not in incident.model_dump_json()


def test_a_named_field_of_a_device_is_shown(sandbox, clock):
    """What the settings name is shown, and nothing beside it."""
    reader = make_reader(sandbox, clock, device_fields=["Asset tag"])
    sandbox.open("Display offline")

    reader.look()

    assert reader.events[0].incident.device.other == {"Asset tag": "A-17"}


def test_devices_and_spaces_are_read_once(sandbox, clock):
    """The second incident on the same device costs no further call, until what is known gets old."""
    reader = make_reader(sandbox, clock, details_for="10m")
    sandbox.open("First")
    reader.look()
    calls = len(sandbox.api.calls)
    sandbox.open("Second")

    reader.look()

    assert {path.rpartition("/")[2] for _, path in sandbox.api.calls[calls:]} == {"incidents"}
    clock.forward(601)
    sandbox.open("Third")
    calls = len(sandbox.api.calls)
    reader.look()
    assert {path.rpartition("/")[2] for _, path in sandbox.api.calls[calls:]} == {"incidents", "spaces", LOBBY_DEVICE}


@pytest.mark.cases_in_test(8)
@pytest.mark.parametrize("id_spelling", ["id", "uuid", "both"])
@pytest.mark.parametrize("paging", ["has_next_page", "next_page", "both", "none"])
@pytest.mark.parametrize("envelope", ["items", "incidents", "data", None])
def test_every_spelling_is_read(sandbox, clock, id_spelling, paging, envelope):
    """Whatever the hub calls things, all incidents are found, on more than one page."""
    sandbox.renew(Quirks(id_spelling=id_spelling, paging=paging, envelope=envelope), clock.now)
    reader = make_reader(sandbox, clock)
    names = {sandbox.open(f"Incident {number}") for number in range(130)}

    told = reader.look()

    assert {name for _, name in told} == names
    assert len(told) == 130


def test_an_older_hub_names_the_page_size_otherwise(sandbox, clock):
    """With `page_size_parameter` set, no more calls than with a new hub."""
    sandbox.renew(Quirks(size_parameter="page_size"), clock.now)
    reader = make_reader(sandbox, clock, page_size_parameter="page_size")
    for number in range(100):
        sandbox.open(f"Incident {number}")
    reader.look()
    calls = len(sandbox.api.calls)

    reader.look()

    assert len(sandbox.api.calls) - calls == 2


def test_incidents_older_than_a_week_are_seen(sandbox, clock):
    """The bounds are always sent; without them the hub lists a week only."""
    old = (clock.now() - timedelta(days=60)).isoformat()
    name = sandbox.open("Old", created_at=old)

    reader = Reader(make_source_of(sandbox, clock, already_open="create"))

    assert reader.look() == [("opened", name)]


def test_what_was_open_at_first_is_left(sandbox, clock):
    """Neither its change nor its end is told; what is opened afterwards is."""
    old = sandbox.open("Old")
    clock.forward(5)
    reader = make_reader(sandbox, clock)
    clock.forward(5)
    sandbox.change(old, title="Changed")
    new = sandbox.open("New")

    assert reader.look() == [("opened", new)]
    sandbox.resolve(old)
    assert reader.look() == []


def test_what_was_opened_after_the_activation_is_new_at_the_first_look(sandbox, clock):
    """Between the activation and the first look nothing gets lost."""
    activated = clock.now()
    clock.forward(5)
    name = sandbox.open("New")
    clock.forward(5)

    assert Reader(make_source_of(sandbox, clock), active_since=activated).look() == [("opened", name)]


def test_what_was_over_before_the_activation_is_not_news(sandbox, clock):
    """Although the list of lately closed ones shows it."""
    over = sandbox.open("Over")
    sandbox.resolve(over)
    clock.forward(5)
    reader = make_reader(sandbox, clock)
    clock.forward(5)

    assert reader.look() == []


def test_opened_and_closed_between_two_looks(sandbox, clock):
    """It is told all the same, once."""
    reader = make_reader(sandbox, clock)
    clock.forward(5)
    name = sandbox.open("Short")
    clock.forward(5)
    sandbox.resolve(name)

    assert reader.look() == [("opened", name), ("resolved", name)]
    assert reader.look() == []


def test_short_incidents_pass(sandbox, clock):
    """With `open_after` only one that stays open becomes a request."""
    reader = make_reader(sandbox, clock, open_after="60s")
    short, long = sandbox.open("Short"), sandbox.open("Long")
    first = reader.look()
    clock.forward(30)
    sandbox.resolve(short)
    second = reader.look()
    clock.forward(31)

    assert [first, second, reader.look()] == [[], [], [("opened", long)]]
    sandbox.resolve(long)
    assert reader.look() == [("resolved", long)]


def test_a_device_that_comes_and_goes_makes_no_request(sandbox, clock):
    """A flapping device opens an incident each minute, none of which is open for long enough."""
    sandbox.renew(Quirks(flap_s=30), clock.now)
    reader = make_reader(sandbox, clock, open_after="45s")

    told = []
    for _ in range(20):
        clock.forward(15)
        told += reader.look()

    assert told == []
    assert len(sandbox.organization.incidents) > 3


def test_only_what_is_urgent_enough(sandbox, clock):
    """A priority that rises high enough makes it matter; one that falls again does not end it."""
    reader = make_reader(sandbox, clock, minimum_priority="high")
    name = sandbox.open("Dust", priority="low")
    first = reader.look()
    clock.forward(5)
    sandbox.change(name, priority="critical")
    second = reader.look()
    clock.forward(5)
    sandbox.change(name, priority="low")

    assert [first, second, reader.look()] == [[], [("opened", name)], [("updated", name)]]


@pytest.mark.parametrize(
    ("spaces", "matter"),
    [
        ({"include": [3210]}, {"Lobby"}),
        ({"include": ["Acme/New York"]}, {"Lobby"}),
        ({"exclude": ["3230"]}, {"Lobby"}),
        ({"include": [3200], "exclude": [3210]}, {"Test lab"}),
        ({"exclude": ["Acme"], "include": ["Acme/Berlin/Test lab"]}, {"Test lab"}),
        ({"include": [99]}, set()),
    ],
)
def test_only_where_it_matters(sandbox, clock, spaces, matter):
    """What is said of a space holds for all below it, unless one of those says otherwise."""
    reader = make_reader(sandbox, clock, spaces=spaces)
    sandbox.open("Lobby")
    sandbox.open("Test lab", space_id=3231)

    reader.look()

    assert {event.incident.title for event in reader.events} == matter


def test_what_vanishes_is_not_closed(sandbox, clock):
    """An incident that is in neither list is missing: that is said, and nothing is closed."""
    reader = make_reader(sandbox, clock)
    gone = sandbox.open("Gone", device_id=OFFLINE_DEVICE)
    reader.look()
    sandbox.organization.delete_device(OFFLINE_DEVICE)

    told = [reader.look()]
    for _ in range(3):
        clock.forward(120)
        told.append(reader.look())

    assert told == [[], [], [], []]
    assert reader.findings == ["incidents_missing"]
    sandbox.open("Gone", id=gone)
    assert reader.look() == []
    assert reader.findings == []


def test_one_that_was_closed_long_after_it_was_opened_is_found(sandbox, clock):
    """The list of closed ones is searched around the time when it was opened, if it goes by that."""
    reader = make_reader(sandbox, clock)
    name = sandbox.open("Old")
    reader.look()
    clock.forward(90 * 24 * 3600)
    reader.look()
    sandbox.resolve(name)

    assert reader.look() == [("resolved", name)]


def test_a_clock_that_is_wrong_hides_nothing(sandbox, clock):
    """The hub's time counts: with ours hours behind, a new incident is seen at once."""
    reader = make_reader(sandbox, clock)
    clock.forward(7200)
    sandbox.organization.now = clock.now
    behind = type(clock)(clock.now() - timedelta(hours=5))
    source = make_source_of(sandbox, behind)
    late = Reader(source, reader.cursor)
    name = sandbox.open("New")

    assert late.look() == [("opened", name)]
    behind.forward(3 * 3600)
    other = sandbox.open("Newer")
    assert late.look() == [("opened", other)]


def test_a_restart_goes_on_where_it_was(sandbox, clock):
    """The cursor is all that is needed; nothing is told twice, and its events have names of their own."""
    reader = make_reader(sandbox, clock)
    first = sandbox.open("First")
    reader.look()
    names = {event.id for event in reader.events}
    again = Reader(make_source_of(sandbox, clock), reader.cursor)
    second = sandbox.open("Second")

    told = again.look()

    assert told == [("opened", second)]
    assert not names & {event.id for event in again.events}
    assert first != second


def test_the_same_look_names_its_events_alike(sandbox, clock):
    """What a crash between events and cursor leaves is the same event again, not another."""
    reader = make_reader(sandbox, clock)
    before = reader.cursor
    sandbox.open("Display offline")

    reader.look()
    first = [event.id for event in reader.events]
    reader.cursor = before
    reader.look()

    assert [event.id for event in reader.events] == first


def test_back_to_what_it_was_is_a_change(sandbox, clock):
    """A title that changes back is told again, under another name."""
    reader = make_reader(sandbox, clock)
    name = sandbox.open("A")
    ids = []
    for title in ("A", "B", "A"):
        clock.forward(1)
        sandbox.organization.incidents[name]["title"] = title
        sandbox.organization._sorted.clear()
        reader.look()
        ids += [event.id for event in reader.events]

    assert len(set(ids)) == 3


def test_a_new_key_of_the_same_organization_changes_nothing(sandbox, clock):
    """Nothing is told anew."""
    reader = make_reader(sandbox, clock)
    sandbox.open("Display offline")
    reader.look()
    sandbox.api.keys = {"another-key"}

    other = Reader(make_source_of(sandbox, clock, organization_key="another-key"), reader.cursor)

    assert other.look() == []
    assert other.findings == []


def test_a_key_of_another_organization_begins_anew(sandbox, clock):
    """What is open there is not taken for new."""
    reader = make_reader(sandbox, clock)
    sandbox.organization.id = "another"
    sandbox.open("Of the other")
    clock.forward(5)

    other = Reader(make_source_of(sandbox, clock), reader.cursor, active_since=reader.active_since)

    assert other.look() == []
    assert other.findings == ["other_organization"]


def test_nothing_changed_costs_a_call_a_page_and_one(sandbox, clock):
    """The cursor is the same text then, so nothing is stored."""
    reader = make_reader(sandbox, clock)
    for number in range(250):
        sandbox.open(f"Incident {number}")
    reader.look()
    before, calls = reader.cursor, len(sandbox.api.calls)

    reader.look()

    assert reader.cursor is before
    assert len(sandbox.api.calls) - calls == 4


def test_a_wrong_key_needs_a_person(sandbox, clock):
    """It is said what to do."""
    source = make_source_of(sandbox, clock, organization_key="wrong")

    with pytest.raises(AuthError) as caught:
        connector_xyte.poll_incidents(source, None, clock.now())

    assert caught.value.code == "key_refused"
    assert "API Keys" in caught.value.fix


def test_without_a_whole_first_list_nothing_begins(sandbox, clock):
    """What was overlooked would later look as if it had just been opened."""
    for number in range(120):
        sandbox.open(f"Incident {number}")
    pages = sandbox.api._page
    sandbox.api._page = lambda found, paging, spelled: pages(found, (1, paging[1]), spelled)
    try:
        with pytest.raises(RetryLater) as caught:
            connector_xyte.poll_incidents(make_source_of(sandbox, clock), None, clock.now())
    finally:
        del sandbox.api._page

    assert caught.value.code == "list_incomplete"
