"""What somebody finished is not touched: a field that was to be synced to a ticket that is done waits for its end."""

from __future__ import annotations

import pytest

from connector_core import Priority
from connector_core.contract.merge import DEFAULT_RULES, Action, Direction, FieldRule, Sides, as_they_are, merge
from connector_core.contract.models import EventType, FieldName, Incident, IncidentStatus, TicketSnapshot
from connector_core.store import LinkState
from tests.support.sync_lab import edited, happen, kinds, make_lab, run, see

pytestmark = pytest.mark.lengthy_on_postgresql

CHANGES = [{"title": "Fan failed"}, {"priority": Priority.LOW}, {"title": "Fan failed", "priority": Priority.LOW}]


def writes(lab):
    """Return the ticket as it was after each change."""
    (ticket,) = lab.desk.tickets.values()
    return ticket.had


@pytest.mark.parametrize("change", CHANGES)
def test_a_ticket_that_was_finished_unheard_is_left_as_it_is(store, clock, change):
    """The incident changes, nothing is written, and the end of the ticket is news for the incident."""
    lab = make_lab(store, clock)
    happen(lab)
    edited(lab, done=True, status="Canceled")
    before = len(writes(lab))

    link = happen(lab, EventType.UPDATED, **change)

    assert len(writes(lab)) == before
    assert (link.ticket.status, link.ticket.title) == ("Canceled", "Display offline")
    assert lab.platform.incidents["inc-1"].status is IncidentStatus.CLOSED
    assert link.status.state is LinkState.DIFFERS
    (told,) = [one for one in store.timelines.read(link.id) if one.kind == "ticket_finished"]
    assert all(name in told.values for name in change)


@pytest.mark.parametrize("change", CHANGES)
def test_a_ticket_that_is_known_to_be_finished_costs_no_call(store, clock, change):
    """Closed with its incident, or by an agent: a later change of the incident asks nobody."""
    lab = make_lab(store, clock)
    happen(lab)
    see(lab, done=True)
    before = kinds(lab)

    link = happen(lab, EventType.UPDATED, status=IncidentStatus.CLOSED, **change)

    assert kinds(lab) == before
    assert link.status.state is LinkState.DIFFERS
    assert link.to_ticket_since is None
    remedies = {drift.remedy for drift in lab.operations.drift("desk")}
    assert remedies == {"none: the ticket is done, and is not touched"}


def test_what_waited_is_synced_when_the_ticket_is_opened_again(store, clock):
    """An agent opens it again: it is not finished any more."""
    lab = make_lab(store, clock)
    happen(lab)
    see(lab, done=True)
    happen(lab, EventType.UPDATED, status=IncidentStatus.CLOSED, title="Fan failed")

    link = see(lab, done=False)

    assert link.ticket.title == "Fan failed"
    assert not link.ticket.done


def test_what_an_agent_changes_on_a_finished_ticket_reaches_the_incident(store, clock):
    """The other way stays open."""
    lab = make_lab(store, clock)
    happen(lab)
    see(lab, done=True)

    see(lab, title="Fan was loose")

    assert lab.platform.incidents["inc-1"].title == "Fan was loose"
    assert run(lab).status.state is LinkState.IN_SYNC


def test_where_both_changed_a_field_of_a_finished_ticket_its_later_change_reaches_the_incident(store, clock):
    """What waited for the ticket is overtaken: the agent had the last word."""
    lab = make_lab(store, clock)
    happen(lab)
    see(lab, done=True)
    happen(lab, EventType.UPDATED, status=IncidentStatus.CLOSED, title="Fan failed")

    link = see(lab, title="Fan was loose")

    assert (lab.platform.incidents["inc-1"].title, link.ticket.title) == ("Fan was loose", "Fan was loose")
    assert link.status.state is LinkState.IN_SYNC


def test_where_both_changed_a_field_of_a_finished_ticket_an_earlier_change_stays_where_it_is(clock):
    """The incident has the last word, and the ticket is not touched: each side stays as it is, for good."""
    incident = Incident(id="inc-1", title="Hot", status=IncidentStatus.CLOSED)
    ticket = TicketSnapshot(id="1", key="T-1", title="Hot", done=True, updated=clock.now())
    base = as_they_are(incident, ticket)
    clock.forward(60)
    ticket = ticket.model_copy(update={"title": "Fan was loose", "updated": clock.now()})
    clock.forward(60)
    incident = incident.model_copy(update={"title": "Fan failed"})
    sides = Sides(incident, clock.now(), ticket)

    (decision,) = merge(base, sides)

    assert (decision.field, decision.action) == (FieldName.TITLE, Action.AGREE)
    assert merge({**base, **as_they_are(incident, ticket)}, sides) == []


@pytest.mark.parametrize(
    ("direction", "decided"),
    [(Direction.BOTH, []), (Direction.TO_TICKET, []), (Direction.FROM_TICKET, [Action.AGREE])],
)
def test_what_may_not_reach_the_ticket_waits_for_nothing(clock, direction, decided):
    """A change of the incident alone waits where it could be synced; where it could not, each side keeps its own."""
    incident = Incident(id="inc-1", title="Hot", status=IncidentStatus.CLOSED)
    ticket = TicketSnapshot(id="1", key="T-1", title="Hot", done=True, updated=clock.now())
    base = as_they_are(incident, ticket)
    sides = Sides(incident.model_copy(update={"title": "Fan failed"}), clock.now(), ticket)

    found = merge(base, sides, {**DEFAULT_RULES, FieldName.TITLE: FieldRule(direction=direction)})

    assert [one.action for one in found] == decided
