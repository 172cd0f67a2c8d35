"""Whatever happens between two pages: nothing is closed that is open, nothing is told twice, nothing is lost."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from connector_xyte.pages import read_all
from connector_xyte_sandbox import Quirks
from tests.support.examples import up_to
from tests.support.xyte.handles import Reader
from tests.support.xyte.hub_in_memory import HubInMemory

DOINGS = st.tuples(
    st.sampled_from(["open", "change", "close"]),
    st.integers(0, 30),  # which incident
    st.integers(0, 12),  # before which call of the look
)


def do(hub, told, kind, which, opened):
    """Return what a person does, as something that can be done later."""

    def doing(organization):
        names = list(opened)
        if kind == "open":
            name = organization.open(f"Title {len(opened)}")
            opened[name] = f"Title {len(opened)}"
        elif names and kind == "change":
            name = names[which % len(names)]
            if organization.incidents[name]["status"] == "active":
                opened[name] = f"Changed {hub.calls} {which}"
                organization.change(name, title=opened[name])
        elif names:
            organization.resolve(names[which % len(names)])

    return doing


class Story:
    """What a reader was told, held against what is true at that moment."""

    def __init__(self, hub):
        self.hub = hub
        self.titles = {}
        self.closed = set()
        self.names = set()

    def hear(self, reader):
        """Look once, and check each word."""
        reader.look()
        for event in reader.events:
            incident = event.incident
            assert event.id not in self.names
            self.names.add(event.id)
            kind = event.type.value.rpartition(".")[2]
            if kind == "opened":
                assert incident.id not in self.titles
            else:
                assert incident.id in self.titles
            assert incident.id not in self.closed
            self.titles[incident.id] = incident.title
            if kind == "resolved":
                assert self.hub.organization.incidents[incident.id]["status"] == "closed"
                self.closed.add(incident.id)


@settings(max_examples=up_to(150))
@given(
    size=st.integers(1, 6),
    newest_first=st.booleans(),
    paging=st.sampled_from(["has_next_page", "next_page", "none"]),
    looks=st.lists(st.lists(DOINGS, max_size=8), min_size=1, max_size=6),
    slow=st.sampled_from([1, 30, 600]),
)
def test_nothing_is_lost_doubled_or_wrongly_closed(size, newest_first, paging, looks, slow):
    """People open, change and close incidents while pages are being read."""
    hub = HubInMemory(Quirks(newest_first=newest_first, paging=paging), size)
    opened, story = {}, Story(hub)
    reader = Reader(hub.source())
    story.hear(reader)
    for doings in looks:
        hub.clock.forward(slow)
        hub.calls = 0
        hub.doings = {}
        for kind, which, call in doings:
            hub.doings.setdefault(call, []).append(do(hub, story, kind, which, opened))
        story.hear(reader)
        for call in sorted(hub.doings):  # the look was over before
            for doing in hub.doings[call]:
                doing(hub.organization)
        hub.doings = {}
    for _ in range(3):
        hub.clock.forward(30)
        story.hear(reader)

    assert story.titles == opened
    assert story.closed == {
        name for name, incident in hub.organization.incidents.items() if incident["status"] == "closed"
    }


def test_one_that_a_look_overlooked_is_told_although_it_is_closed_at_the_next():
    """While pages are read an incident closes, and the one behind it moves up past the reader."""
    hub = HubInMemory(Quirks(newest_first=False), size=1)
    story, reader = Story(hub), Reader(hub.source())
    story.hear(reader)
    first, second = (hub.organization.open(title) for title in ("First", "Second"))
    hub.clock.forward(600)
    hub.calls, hub.doings = 0, {1: [lambda organization: organization.resolve(first)]}
    story.hear(reader)
    assert second not in story.titles
    hub.clock.forward(600)
    hub.organization.resolve(second)

    story.hear(reader)

    assert story.closed == {first, second}


@settings(max_examples=up_to(60))
@given(
    size=st.integers(1, 5),
    vanishing=st.sets(st.integers(0, 11)),
    returning=st.sets(st.integers(0, 11)),
)
def test_what_is_gone_without_a_word_is_never_closed(size, vanishing, returning):
    """Not while it is away, nor when it comes back."""
    hub = HubInMemory(Quirks(), size)
    story, reader = Story(hub), Reader(hub.source())
    story.hear(reader)
    names = [hub.organization.open(f"Title {number}") for number in range(12)]
    hub.clock.forward(30)
    story.hear(reader)
    away = {names[number]: hub.organization.incidents.pop(names[number]) for number in vanishing}
    hub.organization._sorted.clear()
    for _ in range(4):
        hub.clock.forward(300)
        story.hear(reader)
    hub.organization.incidents |= {names[number]: away[names[number]] for number in returning if names[number] in away}
    hub.organization._sorted.clear()
    for _ in range(2):
        hub.clock.forward(300)
        story.hear(reader)

    assert story.closed == set()
    assert set(story.titles) == set(names)


@settings(max_examples=up_to(100))
@given(
    items=st.lists(st.integers(0, 30), max_size=40),
    size=st.integers(1, 10),
    flags=st.sampled_from(["has_next_page", "next_page", None]),
)
def test_all_pages_are_read_and_no_item_twice(items, size, flags):
    """Whatever the size, with doubles across pages, and with or without a word on whether there is more."""
    calls = []

    def fetch(page):
        calls.append(page)
        told = {"items": [{"id": item} for item in items[(page - 1) * size : page * size]]}
        has_more = page * size < len(items)
        return told if flags is None else {**told, flags: has_more if flags == "has_next_page" else has_more or None}

    listing = read_all(fetch, lambda item: item["id"])

    read = [item["id"] for item in listing.items]
    assert len(read) == len(set(read))
    if listing.is_complete and flags is not None:
        assert set(read) == set(items)
    assert len(calls) <= len(items) // size + 2


def test_a_hub_that_gives_the_same_page_for_ever_is_left():
    """After the second one, and it is said that something may be missing."""
    listing = read_all(lambda _: {"items": [{"id": 1}], "has_next_page": True}, lambda item: item["id"])

    assert listing.items == [{"id": 1}]
    assert listing.problem == "the hub gave the same page again"


def test_a_list_without_an_end_is_left():
    """After the most pages that are ever read."""
    listing = read_all(lambda page: {"items": [{"id": page}], "next_page": page + 1}, lambda item: item["id"], 7)

    assert len(listing.items) == 7
    assert not listing.is_complete
