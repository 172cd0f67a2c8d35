"""Tickets that were merged into another one: the link follows, unless another link is there already."""

from __future__ import annotations

import pytest

from connector_core import Absence, AbsenceKind, EventType, IncidentStatus, hookimpl
from connector_core.store import LinkState
from connector_core.testing import MemoryDesk, recorded
from connector_core.words.advice import advice_on, for_terminal
from connector_core.words.names import Names
from connector_core.words.timeline import sentence
from tests.support.sync_lab import happen, kinds, make_lab, run


class MergingDesk(MemoryDesk):
    """A desk where agents merge tickets: the one is not there any more, and its number leads to the other."""

    def __init__(self, clock):
        super().__init__(clock)
        self.merged: dict[str, str] = {}

    def merge(self, ticket_id, into):
        """Merge a ticket into another as an agent; nobody is told."""
        self.merged[ticket_id] = into
        del self.tickets[ticket_id]

    @hookimpl
    @recorded
    def explain_absence(self, integration, tickets):
        """Say where they went."""
        return {
            ticket.id: Absence(kind=AbsenceKind.MERGED, reason="It was merged.", into=self.merged[ticket.id])
            for ticket in tickets
            if ticket.id in self.merged
        }


@pytest.fixture
def lab(store, clock):
    """Put a lab together with a link, and a ticket that a person opened."""
    lab = make_lab(store, clock, desk=MergingDesk(clock))
    lab.desk.open("Room 4 has no power")
    happen(lab)
    return lab


def look(lab):
    """Read all tickets, then run until nothing is due."""
    lab.clock.forward(1)
    lab.operations.reconciler.reconcile("desk", full=True)
    run(lab)
    return run(lab)


def story(lab, number=1):
    """Return the kinds of the timeline."""
    return [entry.kind for entry in lab.store.timelines.read(number)]


def test_the_link_follows_and_both_sides_stay_as_they_are(lab):
    """The other ticket's words are not the incident's, nor are ours written over them; then changes travel."""
    lab.desk.merge("2", into="1")

    link = look(lab)

    assert (link.ticket.id, link.ticket.key, link.status.state) == ("1", "T-1", LinkState.DIFFERS)
    assert lab.platform.incidents["inc-1"].title == "Display offline"
    assert link.ticket.title == "Room 4 has no power"
    assert lab.platform.updates == []
    (entry,) = [one for one in lab.store.timelines.read(1) if one.kind == "ticket_merged"]
    assert sentence(entry, Names(desk="Jira")) == "T-2 was merged into T-1 in Jira, which is now linked."

    assert happen(lab, EventType.UPDATED, title="Power is back").ticket.title == "Power is back"
    lab.desk.edit("1", title="Seen to")
    look(lab)
    assert lab.platform.incidents["inc-1"].title == "Seen to"


def test_a_write_that_meets_it_follows_too(lab):
    """Before anybody has looked: what is to be written then is not written over the other ticket's words."""
    lab.desk.merge("2", into="1")

    happen(lab, EventType.UPDATED, title="Fan failed")
    link = run(lab)

    assert link.ticket.id == "1"
    assert lab.desk.shown[0].title == "Room 4 has no power"
    assert kinds(lab).count(("on_incident_event", "CreateTicket")) == 1


def test_a_done_ticket_that_it_went_to_closes_nothing(lab):
    """Ours was merged into one that is done: that is no word about the incident."""
    lab.desk.edit("1", done=True)
    lab.desk.merge("2", into="1")

    link = look(lab)

    assert link.incident.status is IncidentStatus.ACTIVE
    assert lab.platform.updates == []
    assert (link.ticket.id, link.status.state) == ("1", LinkState.DIFFERS)


def test_a_ticket_that_another_link_has_is_not_followed(lab):
    """Two incidents whose tickets became one: the second link says so and offers what a person can do."""
    happen(lab, id="inc-2", title="Another")
    lab.desk.merge("3", into="2")

    look(lab)
    calls = len(lab.calls)
    look(lab)

    link = lab.store.links.get(2)
    assert (link.ticket.id, link.status.state, link.status.code) == ("3", LinkState.GONE, "ticket_merged")
    assert "T-2" in link.status.reason
    assert "unlink 2" in for_terminal(advice_on(link))
    assert story(lab, 2).count("link_gone") == 1
    assert link.incident.status is IncidentStatus.ACTIVE
    assert lab.store.links.get(1).ticket.id == "2"
    assert len(lab.calls) - calls <= 2  # not asked about without end


def test_one_that_went_where_nothing_is_is_gone(lab):
    """The ticket that it went to may not be seen either: the link keeps its own and says what is known."""
    lab.desk.tickets["1"].hidden = True
    lab.desk.merge("2", into="1")

    link = look(lab)

    assert (link.ticket.id, link.status.state, link.status.code) == ("2", LinkState.GONE, "ticket_merged")
    assert link.status.reason == "It was merged."


def test_a_chain_of_merges_is_followed(lab):
    """Ours went into one that went into another by then."""
    lab.desk.open("Third")
    lab.desk.merge("1", into="3")
    lab.desk.merge("2", into="1")

    look(lab)
    link = look(lab)

    assert link.ticket.id == "3"


def test_what_cannot_be_told_says_just_that(store, clock):
    """A system that answers the same for hidden and deleted: the sentence says both, and nothing is closed."""

    class Silent(MemoryDesk):
        """A desk that cannot tell."""

        @hookimpl
        def explain_absence(self, integration, tickets):
            """Tell as much."""
            return {ticket.id: Absence.untold() for ticket in tickets}

    lab = make_lab(store, clock, desk=Silent(clock))
    happen(lab)
    lab.desk.tickets["1"].hidden = True

    status = look(lab).status

    assert (status.state, status.code) == (LinkState.GONE, "ticket_gone")
    assert "cannot be told" in status.reason
    assert lab.platform.updates == []
