"""Writes that the ticketing system answers as done and does not keep: seen, told, and not repeated without end."""

from __future__ import annotations

import pytest

from connector_core import EventType, Receipt, WriteFields, hookimpl
from connector_core.store import LinkState
from connector_core.testing import MemoryDesk
from connector_core.words.advice import advice_on, for_terminal
from connector_core.words.link_status import reason_of
from connector_core.words.names import Names
from tests.support.sync_lab import happen, kinds, make_lab, run, see

pytestmark = pytest.mark.lengthy_on_postgresql

UPDATE = ("on_incident_event", "WriteFields")


class SetBack(MemoryDesk):
    """A desk where a rule sets back what the connector edits."""

    sets_back = True

    @hookimpl
    def on_incident_event(self, integration, change):
        """Take an edit, and keep nothing of it."""
        if not (self.sets_back and isinstance(change, WriteFields)):
            return super().on_incident_event(integration, change)
        ticket = self.tickets[change.ticket.id]
        before = ticket.shown
        super().on_incident_event(integration, change)
        ticket.become(before, self.unshown)
        return Receipt(ticket=before, unkept=dict.fromkeys(change.fields, f'It shows "{before.title}".'))


@pytest.fixture
def lab(store, clock):
    """Put a lab together whose ticket has not kept a new title."""
    made = make_lab(store, clock, desk=SetBack(clock))
    happen(made)
    happen(made, EventType.UPDATED, title="Fan failed")
    return made


def test_a_person_sees_what_differs(lab, store):
    """It is not called in sync: state, reason, way out and timeline say what the ticket shows."""
    link = store.links.get(1)

    assert (link.status.state, link.status.code) == (LinkState.BLOCKED, "write_not_kept")
    assert 'Title: It shows "Display offline".' in reason_of(link, Names())
    assert "connector retry 1" in for_terminal(advice_on(link))
    assert [one.kind for one in store.timelines.read(1)].count("ticket_unkept") == 1
    (drift,) = lab.operations.drift("desk")
    assert (drift.incident, drift.ticket) == ("Fan failed", "Display offline")
    assert "does not keep it" in drift.remedy


def test_it_is_not_written_without_end(lab, store):
    """Whatever wakes the lane, the value is written again only when there is another one."""
    for _ in range(5):
        store.lanes.wake(1, lab.clock.now())
        run(lab)
        see(lab, priority=None)

    assert kinds(lab).count(UPDATE) == 1
    assert store.links.get(1).status.code == "write_not_kept"
    assert happen(lab, EventType.UPDATED, title="Fan 2 failed").status.code == "write_not_kept"
    assert kinds(lab).count(UPDATE) == 2


@pytest.mark.parametrize("way", ["retry", "change", "agent", "discard"])
def test_each_way_out_ends_it(lab, store, way):
    """Written again by a person or with the next change, given by an agent, or taken as it is."""
    lab.desk.sets_back = False

    if way == "retry":
        lab.operations.retry(store.links.get(1))
        link = run(lab)
    elif way == "change":
        link = happen(lab, EventType.UPDATED, title="Fan 2 failed")
    elif way == "agent":
        link = see(lab, title="Fan failed")
    else:
        lab.operations.discard(store.links.get(1))
        link = run(lab)

    assert link.status.state is (LinkState.DIFFERS if way == "discard" else LinkState.IN_SYNC)
    assert not link.unkept
    if way != "discard":
        assert lab.platform.incidents["inc-1"].title == link.ticket.title


def test_a_retry_that_does_not_help_is_one_more_write(lab, store):
    """A person asks once, it is written once."""
    lab.operations.retry(store.links.get(1))

    link = run(lab)

    assert kinds(lab).count(UPDATE) == 2
    assert link.status.code == "write_not_kept"
