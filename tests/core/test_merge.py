"""The three-way merge decides from values alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connector_core import FieldName, Incident, IncidentStatus, Priority, TicketSnapshot
from connector_core.contract.field_values import incident_value, with_value
from connector_core.contract.merge import (
    Action,
    Agreed,
    ConflictRule,
    Direction,
    FieldRule,
    Side,
    Sides,
    agreed_at_creation,
    agreed_at_finding,
    merge,
)
from connector_core.contract.models import FieldChange

AT = datetime(2026, 11, 23, 10, tzinfo=UTC)
INCIDENT = Incident(id="inc-1", title="Display offline", priority=Priority.HIGH)
TICKET = TicketSnapshot(id="1", key="SUP-1", title="Display offline", priority=Priority.HIGH, updated=AT)
BASE = agreed_at_creation(INCIDENT, TICKET)


def decide(incident=INCIDENT, ticket=TICKET, base=BASE):
    """Return the decisions as (field, action)."""
    return [(found.field, found.action) for found in merge(base, Sides(incident, AT, ticket))]


def test_nothing_moved_means_nothing_to_do():
    """A snapshot equal to what was agreed on is an echo and ends here."""
    assert decide() == []


def test_one_side_moved_is_synced_to_the_other():
    """A change on one side only is synced to the other."""
    renamed = INCIDENT.model_copy(update={"title": "Display dark"})
    raised = TICKET.model_copy(update={"priority": Priority.CRITICAL})

    assert decide(incident=renamed) == [(FieldName.TITLE, Action.TO_TICKET)]
    assert decide(ticket=raised) == [(FieldName.PRIORITY, Action.TO_INCIDENT)]


def test_both_moved_to_the_same_value_is_agreed_without_a_write():
    """When both sides show the same new value there is nothing to sync."""
    incident = INCIDENT.model_copy(update={"title": "New"})
    ticket = TICKET.model_copy(update={"title": "New"})

    assert decide(incident, ticket) == [(FieldName.TITLE, Action.AGREE)]


def test_done_ticket_closes_the_incident_and_a_reopened_one_never_reopens_it():
    """Closing is synced, reopening is not."""
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

    assert [told.overtakes(value, AT, later) for value in ("Old", "Other")] == [True, True]
    assert [untold.overtakes(value, AT, later) for value in ("Old", "Other")] == [True, False]
    assert not told.overtakes("Old", later, later)
    assert not untold.overtakes("Old", later, later)


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


FOUND = TICKET.model_copy(update={"title": "Display dark"})
EDITED = {FieldName.TITLE: FieldChange(at=AT)}


@pytest.mark.parametrize(
    ("ticket", "changed", "lost"),
    [
        (TICKET, None, ()),
        (TICKET, EDITED, ()),
        # Nobody edited the ticket: it shows what it was made from, and it is the incident that moved since.
        (FOUND, {}, (Side.INCIDENT,)),
        (FOUND, {FieldName.PRIORITY: FieldChange(at=AT)}, (Side.INCIDENT,)),
        # Somebody did, or nobody knows: either may have moved.
        (FOUND, EDITED, (Side.INCIDENT, Side.TICKET)),
        (FOUND, None, (Side.INCIDENT, Side.TICKET)),
        (TICKET.model_copy(update={"unknown": frozenset({FieldName.TITLE})}), None, (Side.INCIDENT, Side.TICKET)),
    ],
)
def test_of_a_ticket_that_was_found_what_nobody_edited_is_set_to_what_the_incident_says(ticket, changed, lost):
    """After an answer was lost an agent's edit is not overwritten, and what the platform changed still reaches them."""
    base = agreed_at_finding(INCIDENT, ticket, TICKET, changed)

    assert base[FieldName.TITLE].lost == lost
    assert base[FieldName.PRIORITY].lost == base[FieldName.STATUS].lost == ()


def test_of_a_ticket_that_was_found_a_field_that_it_may_not_have_been_made_with_is_right_as_it_is():
    """A field that the site refused at creation is neither written again and again nor asked about."""
    as_made = TICKET.model_copy(update={"unknown": frozenset({FieldName.TITLE})})

    base = agreed_at_finding(INCIDENT, FOUND, as_made, None)

    assert base[FieldName.TITLE] == Agreed(incident="Display offline", ticket="Display dark")


def test_of_a_field_that_the_ticket_does_not_show_no_value_is_told():
    """The timeline says what the incident changed to, and invents nothing for the ticket."""
    hidden = TICKET.model_copy(update={"title": "From before", "unknown": frozenset({FieldName.TITLE})})
    renamed = INCIDENT.model_copy(update={"title": "Display dark"})

    (found,) = merge(BASE, Sides(renamed, AT, hidden))

    assert (found.action, found.incident, found.ticket, found.as_incident) == (
        Action.TO_TICKET,
        "Display dark",
        None,
        None,
    )


@pytest.mark.parametrize(
    ("more", "actions"),
    [
        ({"lost": (Side.INCIDENT,)}, [Action.AGREE]),
        ({"pending": Side.TICKET, "sent": INCIDENT.title}, []),
    ],
)
def test_what_waits_for_a_finished_ticket_is_a_change_and_not_a_loss(more, actions):
    """A begun write is made when the ticket is opened again; what was only forgotten leaves the link in sync."""
    finished = FOUND.model_copy(update={"done": True})
    closed = INCIDENT.model_copy(update={"status": IncidentStatus.CLOSED})
    title = Agreed(incident=INCIDENT.title, ticket=FOUND.title, **more)
    base = {**BASE, FieldName.TITLE: title, FieldName.STATUS: Agreed(incident="closed", ticket="closed")}

    assert [one.action for one in merge(base, Sides(closed, AT, finished))] == actions


ONE_WAY = [
    # direction, who moved, what is done about it
    (Direction.TO_TICKET, "incident", Action.TO_TICKET),
    (Direction.TO_TICKET, "ticket", Action.AGREE),
    (Direction.TO_TICKET, "both", Action.TO_TICKET),
    (Direction.FROM_TICKET, "incident", Action.AGREE),
    (Direction.FROM_TICKET, "ticket", Action.TO_INCIDENT),
    (Direction.FROM_TICKET, "both", Action.TO_INCIDENT),
    (Direction.OFF, "incident", Action.AGREE),
    (Direction.OFF, "ticket", Action.AGREE),
    (Direction.OFF, "both", Action.AGREE),
]


@pytest.mark.parametrize("on_conflict", list(ConflictRule))
@pytest.mark.parametrize(("direction", "moved", "action"), ONE_WAY)
def test_a_value_is_synced_only_the_way_it_may(direction, moved, action, on_conflict):
    """Where a field is synced one way only, that side is right whoever moved, whatever the rule for conflicts says."""
    incident = INCIDENT.model_copy(update={"title": "By the platform"}) if moved != "ticket" else INCIDENT
    ticket = TICKET.model_copy(update={"title": "By an agent", "updated": AT}) if moved != "incident" else TICKET
    rules = {FieldName.TITLE: FieldRule(direction=direction, on_conflict=on_conflict)}

    for at in (AT - timedelta(hours=1), AT + timedelta(hours=1)):
        found = merge(BASE, Sides(incident, at, ticket), rules)

        assert [(one.action, one.conflict) for one in found] == [(action, moved == "both")]


@pytest.mark.parametrize(
    ("field", "now"), [(FieldName.DESCRIPTION, "It smokes."), (FieldName.TITLE, "Smoke"), (FieldName.PRIORITY, "low")]
)
def test_each_field_is_read_on_both_sides(field, now):
    """A change of any field is seen where it happened, with what each side shows."""
    both_ways = {name: FieldRule() for name in FieldName}
    incident = INCIDENT.model_copy(update={field.value: now})
    ticket = TICKET.model_copy(update={field.value: now})

    (by_platform,) = merge(BASE, Sides(incident, AT, TICKET), both_ways)
    (by_agent,) = merge(BASE, Sides(INCIDENT, AT, ticket), both_ways)

    before = getattr(INCIDENT, field.value)
    assert (by_platform.field, by_platform.action) == (field, Action.TO_TICKET)
    assert (by_platform.incident, by_platform.ticket) == (now, before)
    assert (by_agent.field, by_agent.action) == (field, Action.TO_INCIDENT)
    assert (by_agent.incident, by_agent.ticket) == (before, now)


def test_an_empty_description_is_none_at_all():
    """Empty and absent look alike to people, so that one becoming the other is no change."""
    empty = INCIDENT.model_copy(update={"description": ""})
    blank = TICKET.model_copy(update={"description": ""})

    assert merge(BASE, Sides(empty, AT, blank), {name: FieldRule() for name in FieldName}) == []


def test_nothing_is_reopened_and_no_priority_is_taken_away():
    """Where one side opens again, or has a priority that the other does not know, each keeps what it shows."""
    closed = {**BASE, FieldName.STATUS: Agreed(incident="closed", ticket="closed")}
    done, ended = TICKET.model_copy(update={"done": True}), INCIDENT.model_copy(update={"status": "closed"})
    unranked = {"priority": None}

    reopened_incident = decide(ticket=done, base=closed)
    reopened_ticket = decide(incident=ended, base=closed)
    assert reopened_incident == reopened_ticket == [(FieldName.STATUS, Action.AGREE)]
    assert decide(incident=INCIDENT.model_copy(update=unranked)) == [(FieldName.PRIORITY, Action.AGREE)]
    assert decide(ticket=TICKET.model_copy(update=unranked)) == [(FieldName.PRIORITY, Action.AGREE)]


def test_a_closed_incident_closes_its_ticket_and_words_are_no_states():
    """Closing is synced to the ticket; a title that reads like the word for an open incident is a title."""
    closed = INCIDENT.model_copy(update={"status": IncidentStatus.CLOSED})

    assert decide(incident=closed) == [(FieldName.STATUS, Action.TO_TICKET)]
    assert decide(incident=INCIDENT.model_copy(update={"title": "open"})) == [(FieldName.TITLE, Action.TO_TICKET)]
    assert decide(ticket=TICKET.model_copy(update={"title": "open"})) == [(FieldName.TITLE, Action.TO_INCIDENT)]


def test_what_is_emptied_on_one_side_is_emptied_on_the_other():
    """Only a priority has no partner when it is empty: a description that was deleted is synced."""
    described = {"description": "It is hot."}
    base = agreed_at_creation(INCIDENT.model_copy(update=described), TICKET.model_copy(update=described))
    rules = {FieldName.DESCRIPTION: FieldRule()}

    (by_platform,) = merge(base, Sides(INCIDENT, AT, TICKET.model_copy(update=described)), rules)
    (by_agent,) = merge(base, Sides(INCIDENT.model_copy(update=described), AT, TICKET), rules)

    assert by_platform.action is Action.TO_TICKET
    assert by_agent.action is Action.TO_INCIDENT


def test_the_later_change_wins_and_the_incident_when_it_is_a_tie():
    """The field's own time counts before the ticket's, which a comment moves too; without any time the ticket loses."""
    incident = INCIDENT.model_copy(update={"title": "By the platform"})
    ticket = TICKET.model_copy(update={"title": "By an agent", "updated": AT})
    timeless = ticket.model_copy(update={"updated": None})
    second = timedelta(seconds=1)
    earlier = {FieldName.TITLE: FieldChange(at=AT - second, by="Ada")}
    later = {FieldName.TITLE: FieldChange(at=AT + second, by="Ada")}

    def winner(*sides):
        (found,) = merge(BASE, Sides(*sides))
        assert found.conflict
        return found.action, found.changed_by

    assert winner(incident, AT, ticket) == (Action.TO_TICKET, "")
    assert winner(incident, AT - second, ticket) == (Action.TO_INCIDENT, "")
    assert winner(incident, AT - second, timeless) == (Action.TO_TICKET, "")
    assert winner(incident, AT, ticket, later) == (Action.TO_INCIDENT, "Ada")
    assert winner(incident, AT - second / 2, ticket, earlier) == (Action.TO_TICKET, "Ada")


def test_who_changed_the_ticket_is_told_of_conflicts_only():
    """Where only the ticket moved nobody asks who did it."""
    ticket = TICKET.model_copy(update={"title": "By an agent"})

    (found,) = merge(BASE, Sides(INCIDENT, AT, ticket, {FieldName.TITLE: FieldChange(at=AT, by="Ada")}))

    assert (found.conflict, found.changed_by) == (False, "")


PENDING = [
    # the side that we began to write "Sent" to; what incident and ticket show by now; what follows, and a conflict?
    (Side.TICKET, "Sent", "Old", Action.TO_TICKET, False),  # it did not arrive
    (Side.TICKET, "Sent", "Sent", Action.TO_TICKET, False),  # it did, or a person did the same: written again
    (Side.TICKET, "Sent", "By an agent", Action.TO_TICKET, True),
    (Side.TICKET, "Old", "Sent", Action.TO_TICKET, False),  # the incident went back meanwhile
    (Side.INCIDENT, "Old", "Sent", Action.TO_INCIDENT, False),
    (Side.INCIDENT, "Sent", "Sent", Action.TO_INCIDENT, False),
    (Side.INCIDENT, "By the platform", "Sent", Action.TO_TICKET, True),
    (Side.INCIDENT, "Sent", "Old", Action.TO_INCIDENT, False),
]


@pytest.mark.parametrize(("side", "incident", "ticket", "action", "conflict"), PENDING)
def test_a_write_whose_end_is_unknown_is_written_again(side, incident, ticket, action, conflict):
    """What we may have written is no change of a person's; anything else that the side shows by now is one."""
    base = {**BASE, FieldName.TITLE: Agreed(incident="Old", ticket="Old", pending=side, sent="Sent")}
    sides = Sides(INCIDENT.model_copy(update={"title": incident}), AT, TICKET.model_copy(update={"title": ticket}))

    (found,) = merge(base, sides)

    assert (found.action, found.conflict) == (action, conflict)


@pytest.mark.parametrize(
    ("rule", "by_time"),
    [
        (FieldRule(), True),
        (FieldRule(direction=Direction.TO_TICKET), False),
        (FieldRule(on_conflict=ConflictRule.ASK), False),
        (FieldRule(direction=Direction.OFF, on_conflict=ConflictRule.TICKET_WINS), False),
    ],
)
def test_times_are_asked_for_only_where_they_decide(rule, by_time):
    """A conflict goes by time when the value is synced both ways and the latest change wins."""
    assert rule.goes_by_time is by_time


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        (FieldName.STATUS, "closed", IncidentStatus.CLOSED),
        (FieldName.STATUS, "open", IncidentStatus.ACTIVE),
        (FieldName.PRIORITY, "low", Priority.LOW),
        (FieldName.PRIORITY, None, None),
        (FieldName.TITLE, "Smoke", "Smoke"),
    ],
)
def test_a_value_that_is_put_into_an_incident_is_read_there_again(field, value, shown):
    """Writing a field and reading it back gives the same value, as the type that the incident has."""
    changed = with_value(INCIDENT, field, value)

    assert incident_value(changed, field) == value
    assert getattr(changed, field.value) is shown
