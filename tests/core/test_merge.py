"""The three-way merge decides from values alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connector_core import FieldName, Incident, IncidentStatus, Priority, TicketSnapshot
from connector_core.merge import Action, Agreed, ConflictRule, FieldRule, Sides, agreed_at_birth, merge

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


def test_our_write_overtakes_what_was_sent_before_it():
    """With the platform's own time whatever it showed before is overtaken, without it only the value we replaced."""
    told = Agreed(incident="New", ticket="New", written_at=AT)
    untold = Agreed(incident="New", ticket="New", replaced="Old", replaced_at=AT)
    later = AT + timedelta(seconds=1)

    assert [told.overtakes(value, AT) for value in ("Old", "Other")] == [True, True]
    assert [untold.overtakes(value, AT) for value in ("Old", "Other")] == [True, False]
    assert not told.overtakes("Old", later)
    assert not untold.overtakes("Old", later)


@pytest.mark.parametrize(
    ("rule", "action"),
    [
        (ConflictRule.ASK, Action.ASK),
        (ConflictRule.TICKET_WINS, Action.TO_INCIDENT),
        (ConflictRule.INCIDENT_WINS, Action.TO_TICKET),
        (ConflictRule.LATEST_WINS, Action.TO_TICKET),
    ],
)
def test_a_value_that_is_on_the_ticket_only_is_not_overwritten_unasked(rule, action):
    """The platform could not take it; a later change of the incident meets it as any other change of the ticket."""
    ticket = TICKET.model_copy(update={"title": "On the ticket", "updated": AT - timedelta(minutes=1)})
    held = Agreed(incident=INCIDENT.title, ticket=ticket.title, ticket_only="No call for it.")
    base = {**BASE, FieldName.TITLE: held}
    renamed = INCIDENT.model_copy(update={"title": "Display dark"})
    rules = {FieldName.TITLE: FieldRule(on_conflict=rule)}

    found = merge(base, Sides(renamed, AT, ticket), rules)

    assert [(one.field, one.action, one.conflict) for one in found] == [(FieldName.TITLE, action, True)]
    assert merge(base, Sides(INCIDENT, AT, ticket), rules) == []
