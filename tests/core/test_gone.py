"""Tickets that are gone or were moved: the reason, the choices, and that all is well when they are back."""

from __future__ import annotations

import pytest

from connector_core import (
    Absence,
    AbsenceKind,
    ConfigError,
    Delivery,
    EventType,
    Finding,
    RetryLater,
    Severity,
    TicketGone,
    hookimpl,
)
from connector_core.store import LinkState
from connector_core.testing import MemoryDesk, recorded
from connector_core.words.advice import advice_on, for_terminal
from connector_core.words.timeline import sentence
from tests.support.sync_lab import edited, happen, kinds, make_lab, run, see

pytestmark = pytest.mark.lengthy_on_postgresql

HIDDEN = Absence(kind=AbsenceKind.HIDDEN, reason="Our account may not see it.", fix="Give it the permission.")


class TellingDesk(MemoryDesk):
    """A desk that can tell of missing and of moved tickets; `problems` is what does not fit where they are."""

    problems: tuple[Finding, ...] = ()

    @hookimpl
    @recorded
    def explain_absence(self, integration, tickets):
        """Say that our account may not see them."""
        return {ticket.id: HIDDEN for ticket in tickets}

    @hookimpl
    @recorded
    def check_ticket(self, integration, ticket):
        """Say what does not fit."""
        return self.problems


@pytest.fixture
def lab(store, clock):
    """Put a lab together whose desk can tell of missing and of moved tickets."""
    return make_lab(store, clock, desk=TellingDesk(clock))


def deliver(lab, **parts):
    """Take a delivery."""
    lab.clock.forward(1)
    lab.number += 1
    lab.store.inbox.accept_delivery("desk", Delivery(id=f"d{lab.number}", event="e", **parts), lab.clock.now()).result()
    return run(lab)


def reconcile(lab):
    """Read all tickets, then run what is due."""
    lab.clock.forward(1)
    lab.operations.reconciler.reconcile("desk", full=True)
    return run(lab)


def test_a_missing_ticket_has_its_reason_and_the_choices(lab):
    """A full read asks the plugin why a ticket is missing; the fix names what a person can choose."""
    happen(lab)
    lab.desk.tickets["1"].hidden = True

    status = reconcile(lab).status

    assert (status.state, status.code, status.reason) == (LinkState.GONE, "ticket_hidden", HIDDEN.reason)
    told = for_terminal(advice_on(lab.store.links.get(1)))
    for choice in ("recreate 1", "unlink 1", "discard 1"):
        assert choice in told
    assert [entry.kind for entry in lab.store.timelines.read(1)].count("ticket_hidden") == 1
    assert reconcile(lab).status == status


def test_a_hidden_ticket_that_is_back_is_in_step_again(lab):
    """The next full read finds it, and the link goes on by itself."""
    happen(lab)
    lab.desk.tickets["1"].hidden = True
    reconcile(lab)
    lab.desk.tickets["1"].hidden = False

    assert reconcile(lab).status.state is LinkState.IN_SYNC


def test_a_refused_write_asks_why(lab):
    """A call that says that the ticket is gone ends in the reason too."""
    happen(lab)
    lab.desk.refuse_with(TicketGone("404"))

    status = happen(lab, EventType.UPDATED, title="Changed").status

    assert (status.state, status.code) == (LinkState.GONE, "ticket_hidden")


def test_when_the_reason_cannot_be_asked_the_link_waits(lab):
    """A ticket is not called gone while nobody can tell."""
    happen(lab)
    lab.desk.refuse_with(TicketGone("404"), RetryLater("down"))

    assert happen(lab, EventType.UPDATED, title="Changed").status.state is LinkState.WAITING


def test_a_told_deletion_is_believed_and_kept(lab):
    """A delivery says so at once; vaguer reasons do not replace it, late news of before change nothing."""
    happen(lab)
    late = lab.desk.shown[0]
    lab.desk.tickets["1"].hidden = True

    assert deliver(lab, deleted=frozenset({"1"})).status.code == "ticket_deleted"
    assert reconcile(lab).status.code == "ticket_deleted"
    assert deliver(lab, tickets=(late,)).status.code == "ticket_deleted"
    assert happen(lab, EventType.RESOLVED).status.code == "ticket_deleted"


def test_a_told_deletion_of_a_stranger_changes_nothing(lab):
    """Tickets that are not linked are nobody's concern."""
    happen(lab)

    assert deliver(lab, deleted=frozenset({"99"})).status.state is LinkState.IN_SYNC


def test_a_person_has_a_new_ticket_made(lab):
    """The link goes on with a new ticket under a new marker, which gets what the incident shows now."""
    happen(lab)
    before = deliver(lab, deleted=frozenset({"1"}))

    lab.operations.recreate(before)
    link = run(lab)

    assert (link.status.state, link.ticket.id) == (LinkState.IN_SYNC, "2")
    assert link.marker != before.marker
    assert link.settings == {"desk": "1"}
    assert kinds(lab)[-1] == ("on_incident_event", "CreateTicket")


def test_two_people_who_ask_at_once_get_one_new_ticket(lab):
    """Both have seen that it is gone; the second one comes when the new one is being made, or is made."""
    happen(lab)
    before = deliver(lab, deleted=frozenset({"1"}))
    lab.operations.recreate(before)
    marker = lab.store.links.get(1).marker

    lab.operations.recreate(before)

    assert lab.store.links.get(1).marker == marker
    assert run(lab).ticket.id == "2"
    lab.operations.recreate(before)
    assert run(lab).ticket.id == "2"
    assert [entry.kind for entry in lab.store.timelines.read(1)].count("recreated") == 1


def test_no_second_ticket_is_made_while_the_first_is_there(lab):
    """Only what is gone is replaced."""
    link = happen(lab)

    with pytest.raises(ConfigError):
        lab.operations.recreate(link)


def test_a_person_stops_and_nothing_brings_it_back(lab):
    """A link that was given up stays so, whatever is told of its ticket."""
    happen(lab)
    lab.operations.discard(deliver(lab, deleted=frozenset({"1"})))

    assert deliver(lab, deleted=frozenset({"1"})).status.code == "discarded"
    assert see(lab, title="back").status.code == "discarded"


def moved(lab, *findings):
    """Move the ticket to another place."""
    happen(lab)
    see(lab, place="SUP", key="SUP-1")
    lab.desk.problems = findings
    return see(lab, place="FAC", key="FAC-7")


def test_a_moved_ticket_keeps_its_link(lab):
    """Key and place are new, the timeline says so, and changes are synced as before."""
    link = moved(lab)

    assert (link.status.state, link.ticket.key) == (LinkState.IN_SYNC, "FAC-7")
    (told,) = [sentence(one) for one in lab.store.timelines.read(1) if one.kind == "ticket_moved"]
    assert told == "Moved in the helpdesk from SUP to FAC. The ticket is now FAC-7."
    assert happen(lab, EventType.UPDATED, title="Changed").ticket.title == "Changed"


def test_a_move_that_only_the_answer_to_our_write_shows_is_checked_too(lab):
    """Nothing told of the move before we wrote to the ticket; what does not fit is said all the same."""
    happen(lab)
    see(lab, place="SUP", key="SUP-1")
    lab.desk.problems = (Finding(code="x", severity=Severity.PROBLEM, title="no close status"),)
    edited(lab, place="FAC", key="FAC-7")

    link = happen(lab, EventType.UPDATED, title="Changed")

    assert (link.ticket.key, link.ticket.title, link.status.code) == ("FAC-7", "Changed", "moved_unfit")


def test_a_moved_ticket_that_does_not_fit_waits_for_a_person(lab):
    """The link is blocked with what does not fit; retrying goes on as it is, or a new ticket is made."""
    problem = Finding(code="x", severity=Severity.PROBLEM, title="no close status", fix="Move it back.")
    status = moved(lab, problem).status

    assert (status.state, status.code) == (LinkState.BLOCKED, "moved_unfit")
    assert "no close status" in status.reason
    assert status.fix.startswith("Move it back.")
    assert "recreate 1" in for_terminal(advice_on(lab.store.links.get(1)))
    lab.operations.retry(lab.store.links.get(1))
    assert run(lab).status.state is LinkState.IN_SYNC


def test_a_move_is_checked_again_when_it_could_not_be(lab):
    """While the ticketing system is down the check waits; it is not left out."""
    problem = Finding(code="x", severity=Severity.PROBLEM, title="no close status")
    happen(lab)
    see(lab, place="SUP", key="SUP-1")
    lab.desk.problems = (problem,)
    lab.desk.refuse_with(RetryLater("down"))

    assert see(lab, place="FAC", key="FAC-7").status.code == "ticket_moved"
    lab.clock.forward(600)
    assert run(lab).status.code == "moved_unfit"
