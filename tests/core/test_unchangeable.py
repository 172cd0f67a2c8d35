"""Fields that can never be changed on a ticket: not tried, told by an internal comment where they travel to it."""

from __future__ import annotations

import pytest
import structlog

from connector_core import AddComment, EventType, FieldName, Severity, WriteFields
from connector_core.contract.comment_rules import ToIncident, ToTicket
from connector_core.contract.merge import ConflictRule, Direction, FieldRule, Side
from connector_core.health.checkups import Checkups
from connector_core.http.outbound import Outbound
from connector_core.store import LinkState
from connector_core.testing import MemoryDesk
from connector_core.words.names import Names
from connector_core.words.timeline import sentence
from tests.core.test_comments import carried, reply, say, switch
from tests.support.sync_lab import happen, make_lab, run, see, tell

pytestmark = pytest.mark.lengthy_on_postgresql

UPDATED = EventType.UPDATED


class StiffDesk(MemoryDesk):
    """A desk whose tickets keep the description that they were made with."""

    unchangeable = frozenset({FieldName.DESCRIPTION})


def stiff_lab(store, clock, direction=Direction.BOTH, without=()):
    """Put a lab together whose description travels in a direction, and open a ticket."""
    lab = make_lab(store, clock, desk=StiffDesk(clock), without=without)
    lab.change_record(rules={FieldName.DESCRIPTION: FieldRule(direction=direction)})
    happen(lab, description="No heartbeat")
    return lab


@pytest.fixture
def lab(store, clock):
    """Put a lab together whose description travels both ways, and open a ticket."""
    return stiff_lab(store, clock)


def change(lab, description, **fields):
    """Let the incident change until nothing is due."""
    happen(lab, UPDATED, description=description, **fields)
    return run(lab)


def edits(lab):
    """Return the fields that the desk was asked to change, call by call."""
    changes = [call.about for call in lab.desk.called("on_incident_event")]
    return [one.fields for one in changes if isinstance(one, WriteFields)]


@pytest.mark.parametrize("rule", [ToTicket.NONE, ToTicket.INTERNAL, ToTicket.PUBLIC])
def test_a_change_is_told_once_by_an_internal_comment(lab, rule):
    """Whichever comments are synced: no write is tried, one comment says what it is now, and all is in sync."""
    switch(lab, rule, ToIncident.ALL)

    link = change(lab, "Smoke comes out")
    for _ in range(3):
        lab.store.lanes.wake(1, lab.clock.now())
        link = run(lab)

    (draft,) = lab.desk.written
    assert "description" in draft.comment.text
    assert "Smoke comes out" in draft.comment.text
    assert not draft.public
    assert edits(lab) == []
    assert link.ticket.description == "No heartbeat"
    assert (link.status.state, link.to_ticket_since) == (LinkState.DIFFERS, None)
    kinds = [entry.kind for entry in lab.store.timelines.read(1)]
    assert kinds.count("ticket_unchangeable") == kinds.count("comment_to_ticket") == 1
    assert "ticket_refused" not in kinds


def test_each_change_is_told_and_other_fields_are_written(lab):
    """A title that changed with it is written as ever; the next description is another comment."""
    change(lab, "Smoke comes out", title="Fan failed")
    change(lab, "Fire comes out", title="Fan failed")

    assert edits(lab) == [{FieldName.TITLE}]
    assert [text.rpartition("\n")[2] for text in (draft.comment.text for draft in lab.desk.written)] == [
        "Smoke comes out",
        "Fire comes out",
    ]


def test_nothing_of_it_comes_back(lab):
    """The comment is our own when comments are read, and the ticket's former words do not go over the incident's."""
    switch(lab, ToTicket.INTERNAL, ToIncident.ALL)
    change(lab, "Smoke comes out")
    reply(lab)
    run(lab)
    lab.operations.reconciler.reconcile("desk", full=True)
    run(lab)

    assert [one.text for one in carried(lab)] == ["It was not."]
    assert lab.platform.incidents["inc-1"].description == "Smoke comes out"
    assert [one for one in lab.platform.updates if not isinstance(one, AddComment)] == []


def test_a_comment_whose_answer_was_lost_is_looked_for(lab):
    """As any comment: it is there once."""
    lab.desk.lose_answer = True
    change(lab, "Smoke comes out")
    lab.clock.forward(3600)
    link = run(lab)

    assert len(lab.desk.written) == 1
    assert link.status.state is LinkState.DIFFERS


def test_without_comments_it_is_agreed_on_and_said(store, clock):
    """A plugin that cannot comment: nothing is tried, and the timeline says that it stays."""
    lab = stiff_lab(store, clock, without={"write_comment"})

    link = change(lab, "Smoke comes out")

    assert (edits(lab), link.status.state) == ([], LinkState.DIFFERS)
    (entry,) = [one for one in lab.store.timelines.read(1) if one.kind == "ticket_unchangeable"]
    assert sentence(entry, Names(desk="Jira")) == (
        "Description not synced: it cannot be changed in Jira, nor can a comment be added."
    )


@pytest.mark.parametrize("direction", [Direction.FROM_TICKET, Direction.OFF])
def test_what_does_not_travel_to_the_ticket_is_not_told_there(store, clock, direction):
    """A field that people keep off the ticket is not put there by a comment."""
    lab = stiff_lab(store, clock, direction)

    change(lab, "Smoke comes out")

    assert lab.desk.written == []


def test_a_person_who_says_that_the_incident_is_right_is_told_there_too(lab):
    """A conflict that is decided for the incident is no write either."""
    lab.change_record(rules={FieldName.DESCRIPTION: FieldRule(on_conflict=ConflictRule.ASK)})
    tell(lab, UPDATED, description="Smoke comes out")
    assert see(lab, description="An administrator's").status.state is LinkState.CONFLICT

    lab.operations.resolve(lab.store.links.get(1), FieldName.DESCRIPTION, Side.INCIDENT)
    run(lab)
    link = run(lab)

    assert (edits(lab), link.status.state) == ([], LinkState.DIFFERS)
    assert ["Smoke comes out" in draft.comment.text for draft in lab.desk.written] == [True]


def test_a_look_at_differences_promises_no_write(lab):
    """`connector reconcile --dry-run` does not say that the ticket would be written."""
    tell(lab, UPDATED, description="Smoke comes out")

    (drift,) = lab.operations.drift("desk")

    assert drift.remedy == "none: it can never be changed on the ticket; a comment would tell of it there"


def test_comments_of_people_still_need_their_rule(lab):
    """That the connector may tell of a change does not open the way for other comments."""
    say(lab)
    change(lab, "Smoke comes out")

    assert len(lab.desk.written) == 1
    assert "Smoke" in lab.desk.written[0].comment.text


@pytest.mark.parametrize(("without", "words"), [((), "internal comment"), ({"write_comment"}, "does not reach it")])
def test_a_check_says_so(store, clock, without, words):
    """`connector doctor` and the page of the integration say it before anybody wonders."""
    lab = stiff_lab(store, clock, without=without)
    checkups = lab_checkups(lab)

    (found,) = [one for one in checkups.check(lab.entry, lambda: ()) if one.code == "description_unchangeable"]

    assert found.severity is Severity.OK
    assert words in found.detail


def lab_checkups(lab):
    """Return what tries an integration."""
    return Checkups(lab.store, lab.registry, lab.clock, structlog.get_logger("test"), "", Outbound())
