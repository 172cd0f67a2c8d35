"""The list of links, and what happened to all of them: filters, order, totals and boundaries, on both databases."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlite_utils import Database

from connector_core import EventType, FieldName, Incident, IncidentEvent, Priority
from connector_core.contract.models import Device, Location
from connector_core.store import (
    ActivityFilter,
    LinkFilter,
    LinkOrder,
    Target,
    TimelineEntry,
    TimelineKind,
    activity,
    steps,
)
from tests.support.activation import active_record
from tests.support.rows import sql
from tests.support.sync_lab import happen, make_lab, see

PRIORITIES = (Priority.LOW, None, Priority.CRITICAL, Priority.LOW)


@pytest.fixture
def links(store, clock):
    """Link four incidents of acme, an hour apart, and one of globex; return their numbers."""
    store.integrations.put(replace(active_record("desk", "acme", clock.now()), id="other", organization="globex"))
    for number, priority in enumerate(PRIORITIES):
        place = Location(name=f"Room {number}", path=f"HQ/Floor {number % 2}")
        tell(store, clock, f"inc-{number}", priority=priority, location=place, device=Device(name=f"Fan {number}"))
        clock.forward(3600)
    tell(store, clock, "theirs", organization="globex", integration="other")
    return [link.id for link in reversed(store.links.find())]


def tell(store, clock, name, *, organization="acme", integration="desk", kind=EventType.OPENED, **fields):
    """Tell of an incident."""
    incident = Incident(id=name, title=name, **fields)
    event = IncidentEvent(id=f"{name}{kind}{clock.now()}", type=kind, occurred_at=clock.now(), incident=incident)
    store.inbox.accept_events(organization, [event], [Target(integration, {}, clock.now())], clock.now()).result()


def found(store, **wanted):
    """Return the incidents of a list, whose total is that of the list."""
    asked = LinkFilter(organizations=frozenset({"acme"}), **wanted)
    links = store.overview.search(asked)
    assert store.overview.found(replace(asked, limit=1, offset=3)) == len(links)
    return [link.incident_id for link in links]


def append(store, clock, link_id, kind, side="connector", **values):
    """Add an entry to a timeline a second later."""
    clock.forward(1)
    store.timelines.append(link_id, (TimelineEntry(TimelineKind(kind), side, clock.now(), values),))


def kinds(store, **wanted):
    """Return which kinds of entries a filter gives."""
    return [one.entry.kind for one in store.overview.happened(ActivityFilter(**wanted)).entries]


@pytest.mark.usefixtures("links")
def test_links_are_sorted(store, clock):
    """By when they were made, by urgency, and by the side that changed last."""
    clock.forward(60)
    tell(store, clock, "inc-1", kind=EventType.UPDATED, description="Hotter")

    assert found(store, order=LinkOrder.NEWEST) == ["inc-3", "inc-2", "inc-1", "inc-0"]
    assert found(store, order=LinkOrder.OLDEST) == ["inc-0", "inc-1", "inc-2", "inc-3"]
    assert found(store, order=LinkOrder.PRIORITY) == ["inc-2", "inc-3", "inc-0", "inc-1"]
    assert found(store, order=LinkOrder.UPDATED) == ["inc-1", "inc-3", "inc-2", "inc-0"]


@pytest.mark.cases_in_test(5)
@pytest.mark.usefixtures("links")
@pytest.mark.parametrize(
    ("wanted", "fit"),
    [
        ({"priority": "low"}, ["inc-3", "inc-0"]),
        ({"priority": "none"}, ["inc-1"]),
        ({"place": "hq/floor 1"}, ["inc-3", "inc-1"]),
        ({"place": "fan 2"}, ["inc-2"]),
        ({"place": "%"}, []),
        ({"place": "Fan\0"}, []),
        ({"is_open": True}, ["inc-3", "inc-2", "inc-1", "inc-0"]),
        ({"is_open": False}, []),
        ({"integration_id": "other"}, []),
        ({"text": "INC-2"}, ["inc-2"]),
        ({"place": "floor 0", "priority": "low"}, ["inc-0"]),
    ],
    ids=str,
)
def test_links_are_filtered(store, wanted, fit):
    """Each filter alone and together, with the total of what fits."""
    assert found(store, **wanted) == fit


def test_links_are_filtered_by_age(store, clock, links):
    """Younger or older than a time."""
    at = clock.now() - timedelta(hours=2, minutes=30)

    assert len(links) == 5
    assert found(store, created_since=at) == ["inc-3", "inc-2"]
    assert found(store, created_before=at) == ["inc-1", "inc-0"]
    assert store.overview.search(LinkFilter(organizations=frozenset())) == []
    assert store.overview.found(LinkFilter()) == 5


def test_the_list_is_true_after_every_change(store, clock):
    """State, both sides closed, a changed priority and the time of the last change follow by themselves."""
    lab = make_lab(store, clock)
    lab.platform.unsupported = {FieldName.TITLE: "no"}
    happen(lab)
    assert [len(store.overview.search(LinkFilter(states=frozenset({s})))) for s in ("in_sync", "differs")] == [1, 0]

    see(lab, title="Fan failed")

    assert [len(store.overview.search(LinkFilter(states=frozenset({s})))) for s in ("in_sync", "differs")] == [0, 1]
    happen(lab, EventType.UPDATED, title="Fan failed", priority=Priority.HIGH)
    assert store.overview.found(LinkFilter(priority="high", states=frozenset({"in_sync"}))) == 1
    assert store.overview.found(LinkFilter(is_open=False)) == 0
    happen(lab, EventType.RESOLVED, title="Fan failed", priority=Priority.HIGH)
    see(lab, done=True, status="Done")
    assert store.overview.found(LinkFilter(is_open=False)) == 1


def test_the_time_of_the_last_change_is_that_of_either_side(store, clock):
    """A change of the ticket counts as one of the incident does."""
    lab = make_lab(store, clock)
    happen(lab)
    clock.forward(600)

    link = see(lab, title="Fan failed", updated=clock.now())

    ((stored,),) = sql(store, "SELECT updated_at FROM link_listed")
    assert link.ticket.updated.isoformat(timespec="microseconds") == stored


@pytest.mark.sqlite_only("both make it of the same statement; this one fills it from what there was")
def test_links_of_before_are_in_the_list(tmp_path, store, links):
    """The migration lists what there was."""
    assert len(links) == 5
    expected = sql(store, "SELECT * FROM link_listed ORDER BY link_id")
    copy = Database(sqlite3.connect(tmp_path / "before.db", isolation_level=None), execute_plugins=False)
    steps.migrations.apply(copy, stop_before="m029_lists")
    copy.conn.execute("ATTACH ? AS old", (str(store.database.path),))
    copy.conn.execute("PRAGMA foreign_keys = OFF")
    for table in ("incident", "link"):
        columns = ", ".join(column.name for column in copy[table].columns)
        copy.conn.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM old.{table}")  # noqa: S608 - ours

    steps.migrations.apply(copy)

    assert [tuple(row) for row in copy.conn.execute("SELECT * FROM link_listed ORDER BY link_id")] == expected
    copy.conn.close()


def test_activity_is_the_latest_first_over_all_links(store, clock, links):
    """With the link that each is about; narrowed by side, kind, time, integration."""
    append(store, clock, links[0], "ticket_written", "ticket")
    middle = clock.now()
    append(store, clock, links[1], "link_blocked")
    append(store, clock, links[4], "resumed", by="ada")

    (last, *_) = store.overview.happened(ActivityFilter()).entries

    assert (last.link_id, last.incident_id, last.title, last.organization) == (links[4], "theirs", "theirs", "globex")
    assert kinds(store)[:3] == ["resumed", "link_blocked", "ticket_written"]
    assert kinds(store, side="ticket") == ["ticket_written"]
    assert kinds(store, kinds=frozenset({"link_blocked", "resumed"})) == ["resumed", "link_blocked"]
    assert kinds(store, kinds=frozenset()) == []
    assert kinds(store, since=middle)[-1] == "ticket_written"
    assert kinds(store, until=middle) == ["incident_opened"] * 5
    assert kinds(store, integration_id="other") == ["resumed", "incident_opened"]


@pytest.mark.parametrize("few", [0, 200])
def test_activity_keeps_the_boundary(store, clock, links, monkeypatch, few):
    """Of other organizations nothing is found, whether their links are few or many."""
    monkeypatch.setattr(activity, "FEW_LINKS", few)
    append(store, clock, links[0], "resumed", by="ada")

    assert kinds(store, organizations=frozenset({"globex"})) == ["incident_opened"]
    assert kinds(store, organizations=frozenset({"globex"}), integration_id="desk") == []
    assert kinds(store, organizations=frozenset()) == []
    assert kinds(store, organizations=frozenset({"acme"}), person="ada") == ["resumed"]


def test_activity_of_a_person(store, clock, links):
    """Who acted here, changed a ticket or commented, by their whole name, and no pattern."""
    append(store, clock, links[0], "resumed", by="ada")
    append(store, clock, links[0], "ticket_changed", "ticket", changed_by='Ann "x" 100%')
    append(store, clock, links[0], "ticket_commented", "ticket", author="Bo")
    append(store, clock, links[0], "ticket_written", "ticket", title="ada")

    assert kinds(store, person="ADA") == ["resumed"]
    assert kinds(store, person='Ann "x" 100%') == ["ticket_changed"]
    assert kinds(store, person="Bo") == ["ticket_commented"]
    assert kinds(store, person="B") == kinds(store, person="%") == kinds(store, person="a_a") == []


def test_pages_of_activity_miss_and_repeat_nothing(store, clock, links):
    """Also where many entries have the same time, and while new ones come in."""
    same = [TimelineEntry(TimelineKind.AGREED, "connector", clock.now(), {"number": number}) for number in range(7)]
    store.timelines.append(links[0], same)
    everything = [one.id for one in store.overview.happened(ActivityFilter()).entries]
    seen, before = [], None
    while True:
        page = store.overview.happened(ActivityFilter(before=before, limit=3)).entries
        if not page:
            break
        seen += [one.id for one in page]
        before = page[-1].entry.at, page[-1].id
        append(store, clock, links[1], "resumed")

    assert len(everything) == 12
    assert seen == everything


def test_what_is_rare_is_looked_for_in_parts(store, clock, links, monkeypatch):
    """A search ends after so many entries, says how far it came, and goes on from there to the end."""
    monkeypatch.setattr(activity, "DEEPEST", 4)
    for _ in range(7):
        append(store, clock, links[1], "agreed")
    append(store, clock, links[4], "link_blocked")
    rare = ActivityFilter(kinds=frozenset({"incident_opened"}))

    found, looks, before = [], 0, None
    while True:
        part = store.overview.happened(replace(rare, before=before))
        found += part.entries
        looks += 1
        before = part.searched_to
        if before is None:
            break

    assert [one.incident_id for one in found] == ["theirs", "inc-3", "inc-2", "inc-1", "inc-0"]
    assert looks == 4
    assert store.overview.happened(replace(rare, since=clock.now())).searched_to is None


def test_one_that_was_edited_is_seen_under_its_new_name(store, clock):
    """Title and ticket are those of today."""
    lab = make_lab(store, clock)
    link = happen(lab)
    happen(lab, EventType.UPDATED, title="Renamed")

    (one, *_) = store.overview.happened(ActivityFilter()).entries

    assert (one.title, one.ticket_key) == ("Renamed", link.ticket.key)
