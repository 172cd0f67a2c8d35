"""The three-way merge decides from values alone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connector_core import FieldName, Incident, IncidentStatus, Priority, TicketSnapshot
from connector_core.merge import Action, Agreed, Sides, agreed_at_birth, merge

AT = datetime(2026, 11, 23, 10, tzinfo=UTC)
INCIDENT = Incident(id="inc-1", title="Display offline", priority=Priority.HIGH)
TICKET = TicketSnapshot(id="1", key="SUP-1", title="Display offline", priority=Priority.HIGH, updated=AT)
BASE = agreed_at_birth(INCIDENT, TICKET)


def decide(incident=INCIDENT, ticket=TICKET, base=BASE):
    """Return the decisions as (field, action)."""
    return [(found.field, found.action) for found in merge(base, Sides(incident, AT, ticket))]


def test_nothing_moved_means_nothing_to_do():
    """A snapshot equal to what was agreed on is an echo and ends here."""
    assert decide() == []


def test_one_side_moved_is_carried_to_the_other():
    """A change on one side only travels to the other."""
    renamed = INCIDENT.model_copy(update={"title": "Display dark"})
    raised = TICKET.model_copy(update={"priority": Priority.CRITICAL})

    assert decide(incident=renamed) == [(FieldName.TITLE, Action.TO_TICKET)]
    assert decide(ticket=raised) == [(FieldName.PRIORITY, Action.TO_INCIDENT)]


def test_both_moved_to_the_same_value_is_agreed_without_a_write():
    """When both sides show the same new value there is nothing to carry."""
    incident = INCIDENT.model_copy(update={"title": "New"})
    ticket = TICKET.model_copy(update={"title": "New"})

    assert decide(incident, ticket) == [(FieldName.TITLE, Action.AGREE)]


def test_done_ticket_closes_the_incident_and_a_reopened_one_never_reopens_it():
    """Closing travels, reopening does not."""
    done = TICKET.model_copy(update={"done": True})
    closed = INCIDENT.model_copy(update={"status": IncidentStatus.CLOSED})
    both_closed = {**BASE, FieldName.STATUS: Agreed(incident="closed", ticket="closed")}

    assert decide(ticket=done) == [(FieldName.STATUS, Action.TO_INCIDENT)]
    assert decide(incident=closed, base=both_closed) == [(FieldName.STATUS, Action.AGREE)]


def test_event_sent_before_our_write_does_not_revert_it():
    """An event of the platform that still shows the value we replaced is not a change."""
    ticket = TICKET.model_copy(update={"title": "New"})
    base = {
        **BASE,
        FieldName.TITLE: Agreed(incident="New", ticket="New", replaced="Display offline", replaced_at=AT),
    }

    assert decide(INCIDENT, ticket, base) == []


@pytest.mark.parametrize(("by_their_clock", "moved"), [(True, []), (False, [(FieldName.TITLE, Action.TO_TICKET)])])
def test_a_value_older_than_our_write_that_we_never_knew_does_not_count(by_their_clock, moved):
    """When the platform told when it took our write, whatever it sent from before is out of date."""
    ticket = TICKET.model_copy(update={"title": "New"})
    incident = INCIDENT.model_copy(update={"title": "Between"})
    ours = Agreed(
        incident="New", ticket="New", replaced="Display offline", replaced_at=AT, by_their_clock=by_their_clock
    )

    assert decide(incident, ticket, {**BASE, FieldName.TITLE: ours}) == moved
