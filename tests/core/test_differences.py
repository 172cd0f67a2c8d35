"""A link is in sync only where both sides agree; where they differ and nothing is left to do, it says so and why."""

from __future__ import annotations

import pytest

from connector_core import EventType, FieldName, Priority
from connector_core.contract.differences import Why, sentence
from connector_core.contract.merge import Direction, FieldRule
from connector_core.store import LinkFilter, LinkState
from tests.support.sync_lab import happen, make_lab, run, see

pytestmark = pytest.mark.lengthy_on_postgresql


def test_a_field_that_the_platform_does_not_accept_is_no_agreement(store, clock):
    """Title and priority were changed on the ticket, and the platform takes neither."""
    lab = make_lab(store, clock)
    lab.platform.unsupported = {FieldName.TITLE: "no", FieldName.PRIORITY: "no"}
    happen(lab)

    link = see(lab, title="Fan failed", priority=Priority.LOW)

    assert link.status.state is LinkState.DIFFERS
    assert link.status.reason.startswith("2 differences: title, priority. ")
    assert link.status.reason.endswith(" does not accept these changes.")


def test_what_the_platform_takes_later_is_in_sync_again(store, clock):
    """The difference ends by itself once both sides show the same."""
    lab = make_lab(store, clock)
    lab.platform.unsupported = {FieldName.TITLE: "no"}
    happen(lab)
    assert see(lab, title="Fan failed").status.state is LinkState.DIFFERS

    link = happen(lab, EventType.UPDATED, title="Fan failed")

    assert link.status.state is LinkState.IN_SYNC
    assert link.status.code == ""


def test_a_ticket_that_was_reopened_differs_from_its_closed_incident(store, clock):
    """A closed incident is never reopened: one is open and the other is not."""
    lab = make_lab(store, clock)
    happen(lab)
    assert see(lab, done=True, status="Done").status.state is LinkState.IN_SYNC

    link = see(lab, done=False, status="Open")

    assert link.status.state is LinkState.DIFFERS
    assert link.status.reason == "1 difference: status. Each side keeps its own status."


@pytest.mark.parametrize("name", ["title", "description", "priority"])
def test_a_field_that_is_not_synced_differs_once_one_side_changes_it(store, clock, name):
    """Which setting kept it apart is no reason to call it in sync."""
    lab = make_lab(store, clock)
    happen(lab, description="Hot")
    lab.change_record(rules={FieldName(name): FieldRule(direction=Direction.OFF)})

    link = see(lab, **{name: Priority.LOW if name == "priority" else "Another"})

    assert link.status.state is LinkState.DIFFERS
    assert link.status.reason == f"1 difference: {name}. Each side keeps its own {name}."


def test_a_title_that_was_cut_on_its_way_is_in_sync(store, clock):
    """What is left out for want of room is no difference."""
    lab = make_lab(store, clock)

    link = happen(lab, title="A title that is far longer than the ticket's")

    assert link.status.state is LinkState.IN_SYNC


def test_differing_links_are_counted_and_found_as_a_state_of_their_own(store, clock):
    """Not among those in sync, by nobody who asks."""
    lab = make_lab(store, clock)
    lab.platform.unsupported = {FieldName.TITLE: "no"}
    happen(lab)
    assert store.overview.backlogs()["desk"].links == {"in_sync": 1}

    see(lab, title="Fan failed")

    assert store.overview.backlogs()["desk"].links == {"differs": 1}
    assert [link.id for link in store.links.find(state=LinkState.DIFFERS)] == [1]
    assert store.links.find(state=LinkState.IN_SYNC) == []
    assert [link.id for link in store.overview.search(LinkFilter(states=frozenset({"differs"})))] == [1]
    assert store.overview.search(LinkFilter(states=frozenset({"in_sync"}))) == []
    assert [link.id for link in store.overview.search(LinkFilter())] == [1]


def test_an_earlier_version_reads_a_link_that_differs_as_one_in_sync(store, clock):
    """Daemons of two versions work on one database: the state that is stored is one that both know."""
    lab = make_lab(store, clock)
    lab.platform.unsupported = {FieldName.TITLE: "no"}
    happen(lab)
    see(lab, title="Fan failed")

    assert LinkState.DIFFERS.stored == "in_sync"
    assert store.database.read(lambda db: db.execute("SELECT state FROM link").fetchone()[0]) == "in_sync"


def test_comparing_again_reads_the_ticket(store, clock):
    """A deleted ticket of which nobody told is found by the button, and the timeline says what was asked for."""
    lab = make_lab(store, clock)
    link = happen(lab)
    lab.desk.tickets.clear()

    lab.operations.retry(link)
    link = run(lab)

    assert link.status.state is LinkState.GONE
    assert "compared" in [one.kind for one in store.timelines.read(link.id)]


def test_the_sentence_names_who_does_not_accept_and_what_is_kept():
    """Both reasons are told when both are there."""
    found = {FieldName.TITLE: Why.NOT_ACCEPTED, FieldName.PRIORITY: Why.NOT_ACCEPTED, FieldName.STATUS: Why.KEPT}

    assert sentence(found, platform="Xyte", tickets="Jira") == (
        "3 differences: title, priority, status. Xyte does not accept changes of title and priority."
        " Each side keeps its own status."
    )
    assert sentence({FieldName.DESCRIPTION: Why.UNCHANGEABLE}, platform="Xyte", tickets="Jira") == (
        "1 difference: description. Jira never changes the description of a ticket."
    )
    assert sentence({FieldName.TITLE: Why.NOT_ACCEPTED}, platform="Xyte", tickets="Jira") == (
        "1 difference: title. Xyte does not accept this change."
    )
    assert sentence({}, platform="Xyte", tickets="Jira") == ""


def test_what_cannot_be_seen_is_no_difference(store, clock):
    """Ticketing systems leave such characters out of a title, and tidy blanks up."""
    lab = make_lab(store, clock)
    happen(lab, title="Fan \u202efailed")

    assert see(lab, title="Fan failed").status.state is LinkState.IN_SYNC
