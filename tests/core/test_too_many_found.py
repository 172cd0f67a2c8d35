"""A ticketing system whose searches ignore what they are asked: nothing that is not ours is followed."""

from __future__ import annotations

import pytest

from connector_core import (
    Absence,
    AbsenceKind,
    CreateTicket,
    EventType,
    Receipt,
    UnreadableTicket,
    WriteComment,
    WrittenComment,
    hookimpl,
)
from connector_core.contract.comment_rules import ToIncident, ToTicket
from connector_core.store import LinkState
from connector_core.testing import MemoryDesk, recorded
from tests.core.test_comments import reply, say, story, switch
from tests.support.rows import everything
from tests.support.sync_lab import happen, make_lab, run, tell

pytestmark = pytest.mark.lengthy_on_postgresql

GONE = Absence(kind=AbsenceKind.DELETED, reason="It was deleted.")


class Talkative(MemoryDesk):
    """A desk that tells of everything: of tickets that cannot be read, and that all of them are gone."""

    @hookimpl
    @recorded
    def fetch_tickets(self, integration, query):
        """Show everything."""
        return [*self._list(query.changed_since), UnreadableTicket(id="999", reason="It is broken.")]

    @hookimpl
    @recorded
    def explain_absence(self, integration, tickets):
        """Tell of all."""
        return dict.fromkeys(self.tickets, GONE)

    @hookimpl
    @recorded
    def write_comment(self, integration, draft):
        """Look for a comment, and find the first one."""
        if isinstance(draft, WriteComment):
            return super().write_comment(integration, draft)
        return WrittenComment(id=self.tickets[draft.ticket.id].comments[0].shown.id)


@pytest.fixture
def lab(store, clock):
    """Put a lab together with two links, and a ticket of somebody else's in the same place."""
    lab = make_lab(store, clock, desk=Talkative(clock))
    happen(lab)
    happen(lab, id="inc-2", title="Another")
    lab.desk.open("None of ours")
    lab.desk.finds_everything = True
    return lab


@pytest.mark.parametrize("full", [True, False])
def test_only_what_was_asked_for_is_seen(lab, full):
    """At a look at everything, and at one at what changed: others' tickets leave no trace, nor does their trouble."""
    lab.operations.reconciler.reconcile("desk", full=True)
    lab.clock.forward(5)
    lab.desk.edit("1", title="Seen to")
    lab.desk.edit("3", title="None of ours either")

    done = lab.operations.reconciler.reconcile("desk", full=full)
    run(lab)

    assert (done.seen, done.changed, done.detail) == (2, 1, "")
    assert b"None of ours" not in everything(lab.store)
    assert lab.platform.incidents["inc-1"].title == "Seen to"


def test_a_reason_that_nobody_asked_for_is_none(lab):
    """One ticket is hidden: that the other is said to be gone too does not make it so."""
    lab.desk.tickets["2"].hidden = True

    lab.operations.reconciler.reconcile("desk", full=True)

    assert [lab.store.links.get(number).status.state for number in (1, 2)] == [LinkState.IN_SYNC, LinkState.GONE]


def test_a_ticket_of_another_incident_is_not_taken_for_what_was_created(lab):
    """A look after a lost answer finds the first ticket that there is: it is not followed, and none is made."""
    lab.desk.lose_answer = True
    tell(lab, id="inc-3", title="Third")
    run(lab)
    lab.clock.forward(3600)

    run(lab)

    link = lab.store.links.get(3)
    assert (link.ticket, link.status.code) == (None, "ticket_of_another")
    assert link.attempted_at is not None
    assert lab.store.links.get(1).ticket.id == "1"
    assert len(lab.desk.tickets) == 4

    lab.desk.finds_everything = False  # mended
    lab.operations.retry(link)
    run(lab)
    assert lab.store.links.get(3).ticket.id == "4"


def test_a_change_that_is_answered_with_another_ticket_changes_no_link(store, clock):
    """The receipt shows a ticket that nobody wrote to: the link keeps its own, and the plugin's fault is told."""

    class Confused(MemoryDesk):
        """A desk that shows the first ticket that there is."""

        @hookimpl
        def on_incident_event(self, integration, change):
            """Answer with the wrong one."""
            receipt = super().on_incident_event(integration, change)
            return receipt if isinstance(change, CreateTicket) else Receipt(ticket=self.tickets["1"].shown)

    lab = make_lab(store, clock, desk=Confused(clock))
    lab.desk.open("None of ours")
    happen(lab)

    link = happen(lab, EventType.UPDATED, title="Fan failed")

    assert (link.ticket.id, link.status.code) == ("2", "plugin_broken")


def test_a_comment_of_a_persons_is_not_taken_for_our_own(lab):
    """A look after a lost answer finds an agent's comment: ours waits, and theirs reaches the platform."""
    switch(lab, ToTicket.INTERNAL, ToIncident.ALL)
    reply(lab, "7", "It was not.")
    run(lab)
    lab.desk.lose_answer = True
    say(lab)
    run(lab)
    lab.clock.forward(3600)

    run(lab)

    assert lab.store.links.get(1).status.code == "comment_of_another"
    assert not story(lab, "comment_to_ticket")
    assert len(story(lab, "comment_to_incident")) == 1
