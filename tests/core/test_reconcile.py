"""Reading tickets again: one question for what changed; and when fields changed, where both sides did."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
from sync_lab import happen, make_lab

from connector_core import EventType, FieldName, RemoteError
from connector_core.reconcile import CHANGED, FULL

COMMENTED_AFTER = timedelta(seconds=100)


@pytest.fixture
def lab(store, clock):
    """Put a lab together that notes what its desk is asked for."""
    made = make_lab(store, clock)
    made.queries = []
    fetch = made.desk.fetch_tickets

    def noted(query):
        made.queries.append(query)
        return fetch(query)

    made.desk.fetch_tickets = noted
    return made


def test_what_changed_is_asked_for_once(lab):
    """After a full look one question names all tickets and where they live."""
    happen(lab)
    happen(lab, id="inc-2", title="Another")
    reconciler = lab.operations.reconciler

    assert reconciler.reconcile("desk").kind == FULL
    lab.queries.clear()
    run = reconciler.reconcile("desk")

    assert (run.kind, len(lab.queries)) == (CHANGED, 1)
    assert lab.queries[0].ids == {"1", "2"}
    assert lab.queries[0].changed_since is not None


def test_a_changed_ticket_of_older_settings_is_read_as_they_see_it(lab):
    """What one question found of them is read again with the settings that the link keeps, and nothing else is."""
    happen(lab)
    reconciler = lab.operations.reconciler
    reconciler.reconcile("desk")
    lab.queries.clear()
    lab.operations.registry.with_settings = lambda *_: SimpleNamespace(id="desk", settings="older")

    reconciler.reconcile("desk")

    assert [(query.ids, query.changed_since is None) for query in lab.queries] == [({"1"}, False), ({"1"}, True)]


def in_conflict(lab):
    """Let a person change the ticket's title, then a comment move its time; return when the title was changed."""
    happen(lab)
    (marker,) = lab.desk.tickets
    lab.clock.forward(10)
    person_at = lab.clock.now()
    ticket = lab.desk.tickets[marker].model_copy(update={"title": "ticket's", "updated": person_at + COMMENTED_AFTER})
    lab.desk.tickets[marker] = ticket
    lab.store.accept_tickets("desk", [ticket], person_at + COMMENTED_AFTER)
    lab.clock.forward(120)
    return person_at


def test_the_later_change_of_a_field_wins_not_the_later_touch_of_a_ticket(lab):
    """The ticketing system is asked when the field changed; the incident changed later than that."""
    person_at = in_conflict(lab)
    lab.desk.when_changed = lambda: {FieldName.TITLE: person_at}

    link = happen(lab, EventType.UPDATED, before_s=60, title="incident's")

    assert (link.incident.title, link.ticket.title) == ("incident's", "incident's")


@pytest.mark.parametrize("answer", [None, {}, RemoteError("not permitted")])
def test_without_the_fields_time_the_tickets_counts(lab, answer):
    """A plugin that cannot tell, or a refusal, leaves what was known."""
    in_conflict(lab)
    if isinstance(answer, RemoteError):
        lab.desk.when_changed = lambda: None
        lab.desk.trouble = [answer]
    elif answer is not None:
        lab.desk.when_changed = lambda: answer

    link = happen(lab, EventType.UPDATED, before_s=60, title="incident's")

    assert link.incident.title == "ticket's"


def test_nobody_is_asked_while_there_is_no_conflict(lab):
    """One side that changed needs no times."""
    lab.desk.when_changed = lambda: pytest.fail("nothing to decide")
    happen(lab)

    assert happen(lab, EventType.UPDATED, title="changed").ticket.title == "changed"
